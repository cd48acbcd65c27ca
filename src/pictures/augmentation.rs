//! `augmentation`: training images and what the recipe makes of them.

use image::RgbImage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::canvas::{Grid, enlargement, short};
use super::{PictureContext, PictureFields, PictureInput, PictureOutput, above, tiles};
use crate::augment::{Augment, Chain, Image};
use crate::data::Scale;
use crate::error::Flaw;
use crate::rng::Seed;
use crate::shape::ImageShape;
use crate::value::Positive;

/// The first training images in one row; below, a row for each of the recipe's copies, and one for each of
/// the first three epochs of its random operations. What `batch` mixes is not shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Augmentation {
    /// What its files and its tag in TensorBoard are called. Default `augmentation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Number of images, at most 40. Default 8.
    pub count: Positive,
}

impl Default for Augmentation {
    fn default() -> Self {
        Augmentation {
            name: None,
            count: Positive(8),
        }
    }
}

/// Epochs whose random operations are shown.
const EPOCHS: usize = 3;

impl Augmentation {
    /// How many training images a drawing takes at most.
    pub const MOST: usize = 40;

    /// Whether nothing is drawn for a recipe: it has neither `copies` nor `random`, as that of a variant without augmentation.
    pub fn shows_nothing(recipe: &Augment) -> bool {
        recipe.copies.is_empty() && recipe.random.is_empty()
    }
}

impl PictureFields for Augmentation {
    fn check(&self, _: &PictureContext) -> Vec<Flaw> {
        let count = above("count", self.count.get(), Augmentation::MOST);
        count.into_iter().collect()
    }

    fn draw(&self, subject: &PictureInput) -> Vec<PictureOutput> {
        if Augmentation::shows_nothing(subject.augment) {
            return Vec::new();
        }
        let shape = subject.shape();
        let size = shape.len().max(1);
        let count = self.count.get().min(subject.train.len() / size);
        let images = &subject.train[..count * size];
        let drawn = draw_recipe(subject.augment, images, shape, subject.seed);
        vec![PictureOutput::Picture(drawn)]
    }
}

/// Images from 0 to 1, `[images, channels, height, width]`, in one row, and what a recipe makes of them below.
pub fn draw_recipe(recipe: &Augment, images: &[f32], shape: ImageShape, seed: Seed) -> RgbImage {
    let size = shape.len().max(1);
    let count = (images.len() / size).max(1);
    let mut rows = vec!["originals".to_string()];
    let mut pixels = images.to_vec();
    pixels.extend(recipe.copies_of(images, shape, seed));
    rows.extend(recipe.copies.iter().map(chain_name));
    if !recipe.random.is_empty() {
        for epoch in 1..=EPOCHS {
            for (index, pixel) in images.chunks_exact(size).enumerate() {
                let mut image = Image {
                    shape,
                    pixels: pixel.to_vec(),
                };
                recipe.random_into(&mut image, seed, epoch, index);
                pixels.extend(image.pixels);
            }
            rows.push(format!("random, epoch {epoch}"));
        }
    }
    let times = enlargement([shape.width, shape.height], count, 84);
    let tiles = tiles::images(&pixels, shape, &Scale::default());
    let tiles = tiles
        .iter()
        .map(|tile| super::canvas::enlarged(tile, times));
    let grid = Grid {
        rows,
        ..Grid::new(tiles.collect(), count)
    };
    grid.draw()
}

/// `rotate, noise`: the operations of a copy.
fn chain_name(chain: &Chain) -> String {
    let names: Vec<&str> = chain.operations().iter().map(|o| o.key()).collect();
    short(&names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn every_copy_and_some_random_draws_have_a_row() {
        let fake_input = FakeInput::at(Fake::classifier());
        let picture = fake_input.save("augmentation", "augmentation");
        // Originals, three copies, three epochs.
        assert!(picture.height() > 7 * 84);
    }

    #[test]
    fn of_an_empty_recipe_nothing_is_drawn() {
        let plain = Fake {
            augments: false,
            ..Fake::classifier()
        };
        let drawn = |fake| {
            read("augmentation")
                .draw(&FakeInput::at(fake).subject())
                .len()
        };
        assert_eq!(drawn(plain), 0);
        assert_eq!(drawn(Fake::classifier()), 1);
    }
}
