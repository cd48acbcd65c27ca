//! `reconstructions`: test images above their reconstructions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::canvas::{Grid, enlargement};
use super::{PictureContext, PictureFields, PictureInput, PictureOutput, above};
use crate::error::Flaw;
use crate::models::Ability;
use crate::value::Positive;

/// The first test images in one row, their reconstructions in another; between them what the noise
/// layers make of them, if there are such.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reconstructions {
    /// What its files and its tag in TensorBoard are called. Default `reconstructions`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Number of images, at most 40. Default 10.
    pub count: Positive,
}

impl Default for Reconstructions {
    fn default() -> Self {
        Reconstructions {
            name: None,
            count: Positive(10),
        }
    }
}

impl PictureFields for Reconstructions {
    fn check(&self, context: &PictureContext) -> Vec<Flaw> {
        let kind = context.needs("reconstructions", Ability::Encode);
        let flaws = kind.into_iter().chain(above("count", self.count.get(), 40));
        flaws.collect()
    }

    fn draw(&self, subject: &PictureInput) -> Vec<PictureOutput> {
        vec![PictureOutput::Picture(
            rows(subject, self.count.get()).draw(),
        )]
    }
}

/// Inputs, corrupted inputs if the model corrupts them, and outputs, a row each.
pub(super) fn rows(subject: &PictureInput, count: usize) -> Grid {
    let (inputs, labels) = subject.first(count);
    let shape = subject.shape();
    let times = enlargement([shape.width, shape.height], labels.len(), 84);
    let corrupted = subject.model.corrupt(inputs, subject.chance());
    let met = corrupted.as_deref().unwrap_or(inputs);
    let outputs = subject.model.reconstruct(met, Some(labels));
    let mut tiles = subject.tiles(inputs, times);
    let mut rows = vec!["inputs".to_string()];
    if let Some(corrupted) = &corrupted {
        tiles.extend(subject.tiles(corrupted, times));
        rows.push("corrupted".to_string());
    }
    tiles.extend(subject.tiles(&outputs, times));
    rows.push("outputs".to_string());
    Grid {
        rows,
        ..Grid::new(tiles, labels.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn the_corrupted_images_stand_between_inputs_and_outputs() {
        let fake_input = FakeInput::at(Fake::autoencoder());
        let grid = rows(&fake_input.subject(), 4);
        assert_eq!(grid.rows, ["inputs", "outputs"]);
        assert_eq!(grid.tiles.len(), 8);
        let fake_input = FakeInput::at(Fake {
            corrupts: true,
            ..Fake::autoencoder()
        });
        let grid = rows(&fake_input.subject(), 4);
        assert_eq!(grid.rows, ["inputs", "corrupted", "outputs"]);
        assert_eq!(grid.tiles.len(), 12);
        assert_ne!(grid.tiles[0], grid.tiles[4]);
        fake_input.save("reconstructions", "reconstructions");
    }

    #[test]
    fn only_auto_encoders_have_them() {
        let messages = |fake| messages(fake, "{ reconstructions = { count = 41 } }");
        let count = "reconstructions.count: expected a whole number of at most 40, received 41";
        assert_eq!(messages(Fake::autoencoder()), [count]);
        assert_eq!(
            messages(Fake::classifier()),
            [
                "reconstructions: `reconstructions` needs an auto-encoder but the model is a classifier",
                count
            ]
        );
    }
}
