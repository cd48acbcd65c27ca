//! `burnlab sample`: images from a trained generative model.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use image::RgbImage;

use super::input_images::{ImageSplit, InputImages};
use super::output_path::PICTURE;
use super::trained::{self, TrainedModel, Which};
use super::{DeviceArgument, catalogue, note, picture, say, sound};
use crate::data::Catalogue;
use crate::error::{Error, Kind, Place, Problem, Result, count};
use crate::models::{Model, in_turn};
use crate::pictures::{Grid, framed, images};
use crate::plan::file_name;
use crate::rng::{Purpose, Seed};

/// Images that are drawn at a time, which bounds the memory that is taken.
const AT_A_TIME: usize = 10_000;

/// Images beside each other where no classes give another number.
const ACROSS: usize = 10;

#[derive(Debug, Args)]
pub struct SampleArguments {
    /// The experiment, as a path or its name under experiments/, or a run's folder
    file: PathBuf,
    /// One of its variants [default: the only one]
    variant: Option<String>,
    /// Number of images
    #[arg(long, value_name = "N", default_value = "60", value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// The class of all images, for conditional models [default: all classes in turn]
    #[arg(long, value_name = "CLASS")]
    label: Option<String>,
    /// A PNG file for one picture of all, or a folder for a PNG file of each
    #[arg(long, short, value_name = "FILE.png|DIR", value_parser = PICTURE.path())]
    output: PathBuf,
    /// What the images are drawn by: the same ones for the same number
    #[arg(long, value_name = "SEED", default_value = "0")]
    draw_seed: u64,
    #[command(flatten)]
    device: DeviceArgument,
    #[command(flatten)]
    which: Which,
}

/// Draws images and writes them.
pub fn sample(arguments: SampleArguments) -> Result<()> {
    let catalogue = catalogue();
    let variant = arguments.variant.as_deref();
    let trained = trained::find(&arguments.file, variant, arguments.which, &catalogue)?;
    let number = arguments.count as usize;
    let not_generative = || {
        let message = format!(
            "`{}` is not generative: no images can be drawn from it",
            trained.run.variant
        );
        let hint = "images can be drawn from an auto-encoder with a `gaussian_code` or `walk_back`, and from a GAN";
        Error::usage(Problem::new(message).hint(hint))
    };
    if !trained.run.facts.is_generative() {
        return Err(not_generative());
    }
    let model = trained.open(&arguments.device)?;
    let labels = labels(&trained, &*model, arguments.label.as_deref(), number)?;
    let starts = starts(&trained, &catalogue)?;
    let (shape, scale) = (model.images(), &trained.run.settings.data.scale);
    let most = at_a_time(shape.len());
    let draw = |first: usize| {
        let count = (number - first).min(most);
        let labels = labels.as_ref().map(|labels| &labels[first..first + count]);
        let starts = starts.as_ref().map(|starts| starts.take(first, count));
        let seed = seed_of(arguments.draw_seed, first);
        let drawn = model.sample(count, labels, &starts.unwrap_or_default(), seed);
        sound(drawn)?.ok_or_else(not_generative)
    };
    let output = &arguments.output;
    let is_file = output
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("png"));
    if is_file {
        if number > AT_A_TIME {
            let message = format!("one picture shows {} at most", count(AT_A_TIME, "image"));
            let place = Place::Setting(format!("--count {number}"));
            let problem = Problem::new(message).at(place);
            return Err(Error::usage(
                problem.hint("name a folder for a file of each"),
            ));
        }
        let in_turn = labels.is_some() && arguments.label.is_none();
        let across = if in_turn {
            model.facts().classes
        } else {
            ACROSS
        };
        let drawn: Result<Vec<Vec<f32>>> = (0..number).step_by(most).map(draw).collect();
        let grid = Grid::new(
            picture::tiles(&drawn?.concat(), shape, scale, across),
            across,
        );
        picture::write(output, framed(&grid.draw()))?;
    } else {
        for first in (0..number).step_by(most) {
            let images = images(&draw(first)?, shape, scale);
            write_each(output, first, images, labels.as_deref(), &trained)?;
        }
    }
    let others = pictures_in(output).saturating_sub(number);
    if others > 0 {
        let verb = if others == 1 { "was" } else { "were" };
        let (folder, others) = (output.display(), count(others, "picture"));
        note(format!(
            "note: `{folder}` also holds {others} that {verb} there before"
        ));
    }
    let images = count(number, "image");
    say(&format!("wrote {images} to {}", output.display()));
    Ok(())
}

/// Images of so many pixels that are drawn at a time: as many as fit 256 MiB.
fn at_a_time(pixels: usize) -> usize {
    ((256 << 20) / (4 * pixels.max(1))).clamp(1, AT_A_TIME)
}

/// What the images from this one on are drawn by.
fn seed_of(seed: u64, first: usize) -> u64 {
    match first {
        0 => seed,
        // Place 1 is the model's own.
        first => Seed(seed).number(Purpose::Sample, &[1, first as u64]),
    }
}

/// The class of each image, if the model is conditional.
fn labels(
    trained: &TrainedModel,
    model: &dyn Model,
    asked: Option<&str>,
    count: usize,
) -> Result<Option<Vec<u32>>> {
    let asked = asked.map(|name| trained.class(name)).transpose()?;
    match (asked, model.facts().is_conditional) {
        (None, false) => Ok(None),
        (Some(label), true) => Ok(Some(vec![label; count])),
        (None, true) => {
            let labels = in_turn(0, count, model.facts().classes);
            Ok(Some(labels.map(|label| label as u32).collect()))
        }
        (Some(_), false) => {
            let message = format!(
                "`{}` is not given the class of an image",
                trained.run.variant
            );
            let problem = Problem::new(message).at(Place::Setting("--label".to_string()));
            Err(Error::usage(problem.hint("leave out `--label`")))
        }
    }
}

/// Training images, from which chains of samples set out.
struct Starts(InputImages);

impl Starts {
    /// Those of some of the samples: in turn where there are fewer.
    fn take(&self, first: usize, count: usize) -> Vec<f32> {
        let images = self.0.names.len();
        let size = self.0.pixels.len() / images.max(1);
        let numbers = in_turn(first, count, images);
        let pixels = numbers.map(|number| &self.0.pixels[number * size..(number + 1) * size]);
        pixels.flatten().copied().collect()
    }
}

/// How many pictures a folder holds, if it is one.
fn pictures_in(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_picture = |entry: &fs::DirEntry| {
        entry
            .path()
            .extension()
            .is_some_and(|ending| ending == "png")
    };
    entries.filter(is_picture).count()
}

/// Where chains set out, if the model draws by chains: of no other must the data be there.
fn starts(trained: &TrainedModel, catalogue: &Catalogue) -> Result<Option<Starts>> {
    match trained.run.facts.chain {
        None => Ok(None),
        Some(_) => {
            InputImages::part(ImageSplit::Train, trained, catalogue).map(|part| Some(Starts(part)))
        }
    }
}

/// `0001.png`, or `0001-CLASS.png` of a conditional model.
fn write_each(
    folder: &Path,
    first: usize,
    images: Vec<RgbImage>,
    labels: Option<&[u32]>,
    trained: &TrainedModel,
) -> Result<()> {
    fs::create_dir_all(folder)
        .map_err(|error| Error::io(Kind::Data, "make the folder", folder, &error))?;
    for (index, image) in (first..).zip(images) {
        let class = labels.map(|labels| &trained.measured.classes[labels[index] as usize]);
        let class = class.map(|class| format!("-{}", file_name(class)));
        let name = format!("{:04}{}.png", index + 1, class.unwrap_or_default());
        picture::write(&folder.join(name), image)?;
    }
    Ok(())
}
