//! `projector`: codes of test images for TensorBoard's projector, each with its image.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::canvas::mosaic;
use super::{PictureContext, PictureFields, PictureInput, PictureOutput, above, folder::shown};
use crate::error::Flaw;
use crate::models::Ability;
use crate::record::Embedding;
use crate::value::Positive;

/// The codes of the first test images as TensorBoard's projector shows them, with classes and small images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Projector {
    /// What TensorBoard calls it. Default `projector`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Number of images, or all if there are fewer; at most those that fill a sprite of 8192 x 8192
    /// pixels, the largest that browsers take. Default 1000.
    pub count: Positive,
}

impl Default for Projector {
    fn default() -> Self {
        Projector {
            name: None,
            count: Positive(1000),
        }
    }
}

const LARGEST_SPRITE: usize = 8192;

impl PictureFields for Projector {
    fn check(&self, context: &PictureContext) -> Vec<Flaw> {
        let side = LARGEST_SPRITE
            / context
                .model
                .images
                .height
                .max(context.model.images.width)
                .max(1);
        let kind = context.needs("projector", Ability::Encode);
        let count = above("count", self.count.get(), side * side);
        kind.into_iter().chain(count).collect()
    }

    fn draw(&self, subject: &PictureInput) -> Vec<PictureOutput> {
        let (images, labels) = subject.first(self.count.get());
        let codes = subject.model.encode(images, Some(labels));
        // The form in which TensorBoard looks images up.
        let sprite = mosaic(&subject.tiles(images, 1));
        let shape = subject.shape();
        vec![PictureOutput::Embedding(Embedding {
            name: self.name.clone().unwrap_or_else(|| "projector".to_string()),
            features: codes.len() / labels.len().max(1),
            codes,
            classes: labels.iter().map(|&label| subject.class(label)).collect(),
            tile: [shape.width, shape.height],
            sprite: shown(sprite),
        })]
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn the_sprite_holds_the_images_row_by_row() {
        let fake_input = FakeInput::at(Fake::autoencoder());
        let fields = Projector {
            count: Positive(5),
            ..Projector::default()
        };
        let [PictureOutput::Embedding(projector)] = &fields.draw(&fake_input.subject())[..] else {
            panic!("a projector");
        };
        assert_eq!((projector.features, projector.codes.len()), (2, 10));
        assert_eq!(projector.classes[0], "seven");
        let sprite = &projector.sprite;
        assert_eq!((sprite.width, sprite.height), (3 * 28, 3 * 28));
        // The fourth image begins the second row; its first row of pixels is black.
        let fourth = fake_input.subject().tiles(fake_input.subject().image(3), 1);
        let middle = (28 + 14) * 3 * 28 * 3;
        let row: Vec<u8> = fourth[0].as_raw()[14 * 28 * 3..15 * 28 * 3].to_vec();
        assert_eq!(sprite.pixels[middle..middle + 28 * 3], row);
    }

    #[test]
    fn sprites_have_a_largest_size() {
        assert_eq!(
            messages(Fake::autoencoder(), "{ projector = { count = 100000 } }"),
            ["projector.count: expected a whole number of at most 85264, received 100000"]
        );
    }
}
