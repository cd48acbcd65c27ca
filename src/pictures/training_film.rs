//! `training_film`: test images and their reconstructions over the training, as a GIF.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::canvas::{Grid, TITLE, blank, enlargement, stacked, titled, width_of};
use super::reconstructions::rows;
use super::{PictureContext, PictureFields, PictureInput, PictureOutput, above};
use crate::error::Flaw;
use crate::models::Ability;
use crate::value::Positive;

/// A frame for each drawing, labeled with the epoch or the step: test images above their reconstructions,
/// or of a GAN the images generated from the same numbers. The frames lie in a folder of their own, so
/// that a run that was interrupted still has them; the film is made after the last one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingFilm {
    /// What its files are called. Default `training_film`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Number of images, at most 40. Default 10.
    pub count: Positive,
}

impl Default for TrainingFilm {
    fn default() -> Self {
        TrainingFilm {
            name: None,
            count: Positive(10),
        }
    }
}

impl PictureFields for TrainingFilm {
    fn check(&self, context: &PictureContext) -> Vec<Flaw> {
        let kind = context.needs("training_film", Ability::Decode);
        kind.into_iter()
            .chain(above("count", self.count.get(), 40))
            .collect()
    }

    fn draw(&self, subject: &PictureInput) -> Vec<PictureOutput> {
        let count = self.count.get();
        let grid = match subject.model.facts().can(Ability::Encode) {
            true => Some(rows(subject, count)),
            false => generated(subject, count),
        };
        let Some(grid) = grid else {
            return Vec::new();
        };
        // All frames are as wide as the widest label.
        let room = blank(width_of("epoch 1000000", TITLE), 1);
        let frame = titled(&subject.point.text(), &stacked(&[grid.draw(), room], 0));
        vec![PictureOutput::Frame(frame)]
    }
}

fn generated(subject: &PictureInput, count: usize) -> Option<Grid> {
    let (starts, labels) = subject.first(count);
    let labels = subject.model.facts().is_conditional.then_some(labels);
    let generated = subject.model.sample(
        count.min(subject.labels.len()),
        labels,
        starts,
        subject.chance(),
    )?;
    let shape = subject.shape();
    let columns = count.min(10);
    let times = enlargement([shape.width, shape.height], columns, 84);
    Some(Grid::new(subject.tiles(&generated, times), columns))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::testing::*;
    use super::super::{Pictures, TrainingPoint, Unit, draw_all};
    use crate::record::RunFolder;

    #[test]
    fn frames_of_an_interrupted_run_are_in_the_film() {
        let lab = tempfile::tempdir().unwrap();
        let folder = RunFolder::new(lab.path());
        let pictures: Pictures =
            toml::from_str("draw = [{ training_film = { count = 1 } }]").unwrap();
        for (number, is_last) in [(2, false), (4, false), (10, true)] {
            // Another process each time: nothing but the folder knows of the frames before.
            let fake_input = FakeInput::at(Fake::autoencoder());
            let mut subject = fake_input.subject();
            subject.point = TrainingPoint {
                epoch: number / 2,
                number,
                unit: Unit::Step,
                is_last,
            };
            assert_eq!(draw_all(&pictures, &subject, &folder).unwrap(), []);
            let gif = folder.file("pictures/training_film.gif");
            assert_eq!(gif.exists(), is_last);
        }
        let frames = fs::read_dir(folder.file("pictures/training_film")).unwrap();
        assert_eq!(frames.count(), 3);
        let gif = fs::read(folder.file("pictures/training_film.gif")).unwrap();
        assert_eq!(frames_of(&gif), 3);
    }

    #[test]
    fn a_gan_s_film_shows_its_samples() {
        FakeInput::at(Fake::gan()).save("training_film_gan", "training_film");
        FakeInput::at(Fake::autoencoder()).save("training_film", "training_film");
        assert_eq!(messages(Fake::gan(), "training_film"), [""; 0]);
        assert_eq!(
            messages(Fake::classifier(), "training_film"),
            [
                "training_film: `training_film` needs an auto-encoder or a GAN but the model is a classifier"
            ]
        );
    }
}
