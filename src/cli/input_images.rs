//! Which images a command takes: those at a path, or a part of the run's own data.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::note;
use super::trained::TrainedModel;
use crate::data::{Catalogue, ReadImages, Samples, Unlabeled, read_unlabeled};
use crate::error::{Error, Kind, Place, Problem, Result, count};
use crate::models::Model;
use crate::rng::Seed;

/// What is taken where no path is given, and of what class files are.
#[derive(Debug, Clone, Args)]
pub struct ImageArguments {
    /// Take images of this part of the run's data, if there is no PATH [default: test]
    #[arg(long, value_enum)]
    split: Option<ImageSplit>,
    /// Take the first N images only
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,
    /// The class of the images at PATH, for conditional models
    #[arg(long, value_name = "CLASS")]
    label: Option<String>,
}

/// A part of a run's data, as it is before augmentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ImageSplit {
    Train,
    Validation,
    Test,
}

/// Images as a model takes them.
pub struct InputImages {
    /// The files' names; of the run's data, unless it is a folder of images, their numbers from 0.
    pub names: Vec<String>,
    /// `[images]`; of files only where the command line says it.
    pub labels: Option<Vec<u32>>,
    /// `[images, channels, height, width]`, scaled as in training.
    pub pixels: Vec<f32>,
    /// What is wrong with files that could not be read.
    unread: Vec<Problem>,
}

impl ImageArguments {
    /// The images; `usual` is how many of the run's data where the command line does not say it.
    ///
    /// # Errors
    /// No image can be read, there is no such class, or the model is conditional and no class is given.
    pub fn take(
        &self,
        paths: &[PathBuf],
        usual: Option<usize>,
        trained: &TrainedModel,
        model: &dyn Model,
        catalogue: &Catalogue,
    ) -> Result<InputImages> {
        let asked = self.count.map(|count| count as usize);
        match (paths.is_empty(), self.split, &self.label) {
            (false, Some(_), _) => Err(not_both("--split", "which images are taken")),
            (true, _, Some(_)) => Err(not_both("--label", "the run's data has classes")),
            (false, None, label) => {
                let mut images = InputImages::files(paths, trained)?;
                images.set_label(label.as_deref(), trained, model)?;
                Ok(images.first(asked))
            }
            (true, split, None) => {
                let split = split.unwrap_or(ImageSplit::Test);
                let images = InputImages::part(split, trained, catalogue)?;
                Ok(images.first(asked.or(usual)))
            }
        }
    }
}

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

fn not_both(option: &str, why: &str) -> Error {
    let message = match option {
        "--split" => "both PATH and `--split` say which images are taken".to_string(),
        _ => format!("`{option}` is for images at PATH: {why}"),
    };
    Error::usage(Problem::new(message).at(Place::Setting(option.to_string())))
}

impl InputImages {
    /// A part of the run's data.
    pub fn part(split: ImageSplit, trained: &TrainedModel, catalogue: &Catalogue) -> Result<Self> {
        let (run, settings) = (&trained.run, &trained.run.settings);
        let splits = trained.splits(catalogue)?;
        let names = catalogue.names(&settings.data, Seed(run.seed))?;
        let names = names.map(|names| match split {
            ImageSplit::Train => names.train,
            ImageSplit::Test => names.test,
            ImageSplit::Validation => names.validation,
        });
        let samples = match split {
            ImageSplit::Train => splits.train,
            ImageSplit::Test => splits.test,
            ImageSplit::Validation => splits.validation.ok_or_else(|| {
                let message = format!("`{}` has no validation set", run.variant);
                let place = Place::Setting("--split validation".to_string());
                Error::usage(Problem::new(message).at(place))
            })?,
        };
        let Samples { pixels, labels, .. } = samples;
        let mut pixels = pixels.into_reals();
        settings.data.scale.apply(&mut pixels, trained.images());
        Ok(InputImages {
            names: names.unwrap_or_else(|| numbers(labels.len())),
            labels: Some(labels),
            pixels,
            unread: Vec::new(),
        })
    }

    /// The images at some paths, brought to the shape of the run's; a line on the terminal says how. Of those that cannot be read
    /// [`all_read`](Self::all_read) tells.
    pub fn files(paths: &[PathBuf], trained: &TrainedModel) -> Result<Self> {
        let settings = &trained.run.settings;
        let form = settings.data.dataset.form();
        let ReadImages { images, unread } = read_unlabeled(paths, trained.images(), &form)?;
        note_changes(&images);
        let pixels = images.iter().flat_map(|image| &image.pixels);
        let mut pixels: Vec<f32> = pixels.copied().collect();
        settings.data.scale.apply(&mut pixels, trained.images());
        Ok(InputImages {
            names: images.into_iter().map(|image| image.name).collect(),
            labels: None,
            pixels,
            unread,
        })
    }

    /// Gives all images the class that the command line names.
    pub fn set_label(
        &mut self,
        label: Option<&str>,
        trained: &TrainedModel,
        model: &dyn Model,
    ) -> Result<()> {
        let label = label.map(|name| trained.class(name)).transpose()?;
        if label.is_none() && model.facts().is_conditional {
            let message = format!("`{}` needs the class of an image", trained.run.variant);
            return Err(Error::usage(Problem::new(message).hint("--label CLASS")));
        }
        self.labels = label.map(|label| vec![label; self.names.len()]);
        Ok(())
    }

    /// The end of a command that has done with the others what it does.
    ///
    /// # Errors
    /// Some of the images could not be read.
    pub fn all_read(self) -> Result<()> {
        match self.unread.is_empty() {
            true => Ok(()),
            false => Err(Error::new(Kind::Data, self.unread)),
        }
    }

    /// The first `count` images.
    pub fn first(mut self, count: Option<usize>) -> Self {
        if let Some(count) = count.filter(|&count| count < self.names.len()) {
            self.pixels
                .truncate(self.pixels.len() / self.names.len() * count);
            self.names.truncate(count);
            self.labels = self.labels.map(|mut labels| {
                labels.truncate(count);
                labels
            });
        }
        self
    }

    /// One of the images, by its number from 0.
    pub fn one(&self, index: usize) -> Option<Self> {
        let size = self.pixels.len() / self.names.len().max(1);
        let name = self.names.get(index)?.clone();
        Some(InputImages {
            names: vec![name],
            labels: self.labels.as_ref().map(|labels| vec![labels[index]]),
            pixels: self.pixels[index * size..(index + 1) * size].to_vec(),
            unread: Vec::new(),
        })
    }

    /// What an image's class is called; nothing where it is not known.
    pub fn class<'a>(&self, index: usize, classes: &'a [String]) -> &'a str {
        let label = self.labels.as_ref().map(|labels| labels[index] as usize);
        label
            .and_then(|label| classes.get(label))
            .map_or("", String::as_str)
    }
}

/// Kinds of changes that are told one by one: photos may all differ in size.
const MOST_KINDS: usize = 3;

/// Says what was done to images that had another shape, a line for each kind of change, and one for the rest of many.
fn note_changes(images: &[Unlabeled]) {
    for line in changes(images) {
        note(format!("note: {line}"));
    }
}

fn changes(images: &[Unlabeled]) -> Vec<String> {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for image in images.iter().filter(|image| !image.changes.is_empty()) {
        match kinds.iter_mut().find(|(known, _)| *known == image.changes) {
            Some((_, number)) => *number += 1,
            None => kinds.push((&image.changes, 1)),
        }
    }
    let told = match kinds.len() {
        all if all <= MOST_KINDS + 1 => all,
        _ => MOST_KINDS,
    };
    let (told, others) = kinds.split_at(told);
    let line = |(changes, number): &(&str, usize)| {
        format!("{} changed: {changes}", count(*number, "image"))
    };
    let mut lines: Vec<String> = told.iter().map(line).collect();
    if !others.is_empty() {
        let number = others.iter().map(|(_, number)| number).sum();
        let (images, ways) = (
            count(number, "other image"),
            count(others.len(), "other way"),
        );
        lines.push(format!("{images} changed, in {ways}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_kinds_of_changes_the_first_are_told() {
        let image = |changes: &str| Unlabeled {
            name: String::new(),
            pixels: Vec::new(),
            changes: changes.to_string(),
        };
        let all = ["a", "", "b", "a", "c", "d", "e", "d"].map(image);
        let first = [
            "2 images changed: a",
            "1 image changed: b",
            "1 image changed: c",
        ];
        let mut expected = first.to_vec();
        expected.push("3 other images changed, in 2 other ways");
        assert_eq!(changes(&all), expected);
        // A line for one other would say less than its own.
        let mut expected = first.to_vec();
        expected.push("1 image changed: d");
        assert_eq!(changes(&all[..6]), expected);
    }
}
