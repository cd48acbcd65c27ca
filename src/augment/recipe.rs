//! The `[augment]` table: what is done to the training images before and during training.
//!
//! Every image draws from a stream of its own, so that results hang on no order and no number of
//! threads. Knows the operations only as the registry shows them.

use std::fmt;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer, StrDeserializer};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::batch::BatchOperation;
use super::{Image, Operation};
use crate::error::Flaw;
use crate::rng::{Purpose, Seed};
use crate::shape::ImageShape;

/// What is done to the training images; validation and test images stay as they are.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Augment {
    /// Each entry adds one transformed copy of the training images: an operation, or a list of
    /// operations applied in order. Made once, before the first epoch. Default none.
    #[serde(default)]
    pub copies: Vec<Chain>,
    /// Operations applied in order, drawn anew for every image in every epoch, to the copies as well
    /// as to the images themselves. Default none.
    #[serde(default)]
    pub random: Vec<Operation>,
    /// Operations that mix the images of a batch with one another and their classes with them, after all
    /// others; of several, one is drawn for each batch, each as likely as any other. Default none.
    #[serde(default)]
    pub batch: Vec<BatchOperation>,
}

/// One operation, or several applied in order.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Chain {
    /// A single operation.
    One(Operation),
    /// Operations in the order in which they are applied.
    Many(Vec<Operation>),
}

impl Chain {
    /// The operations in the order in which they are applied; at least one.
    pub fn operations(&self) -> &[Operation] {
        match self {
            Chain::One(operation) => std::slice::from_ref(operation),
            Chain::Many(operations) => operations,
        }
    }

    fn check(&self, shape: ImageShape) -> Vec<Flaw> {
        match self {
            Chain::One(operation) => operation.check(shape),
            Chain::Many(operations) => check_all(operations, shape),
        }
    }
}

impl Augment {
    /// What does not augment as people expect.
    pub fn notes(&self) -> Vec<String> {
        let is_whole = |operation: &&Operation| matches!(operation, Operation::Flip(flip) if flip.probability.get() >= 1.0);
        let flip = self.random.iter().find(is_whole);
        let note = flip.map(|_| {
            "`flip` in `augment.random` mirrors every image in every epoch: `{ flip = { probability = 0.5 } }` mirrors half of them"
        });
        note.map(String::from).into_iter().collect()
    }

    /// What is wrong with it for images of this shape; keys are such as `copies.1.zoom.factor`,
    /// within a list `copies.1.0.zoom.factor`.
    pub fn check(&self, shape: ImageShape) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        for (index, chain) in self.copies.iter().enumerate() {
            let outer = format!("copies.{index}");
            flaws.extend(
                chain
                    .check(shape)
                    .into_iter()
                    .map(|flaw| flaw.under(&outer)),
            );
        }
        let random = check_all(&self.random, shape);
        flaws.extend(random.into_iter().map(|flaw| flaw.under("random")));
        flaws
    }

    /// How many images are trained on for every image: itself and its copies.
    pub fn images_per_image(&self) -> usize {
        1 + self.copies.len()
    }

    /// The transformed images of all copies, `[copies, images, channels, height, width]`.
    ///
    /// `images` is `[images, channels, height, width]` and not part of the result.
    pub fn copies_of(&self, images: &[f32], shape: ImageShape, seed: Seed) -> Vec<f32> {
        let size = shape.len().max(1);
        let count = images.len() / size;
        let mut made = vec![0.0; self.copies.len() * images.len()];
        let rooms = made.par_chunks_exact_mut(size).enumerate();
        rooms.for_each(|(at, room)| {
            let (copy, index) = (at / count, at % count);
            let mut image = Image {
                shape,
                pixels: images[index * size..][..size].to_vec(),
            };
            let place = [0, copy as u64, index as u64];
            apply_all(self.copies[copy].operations(), &mut image, seed, place);
            room.copy_from_slice(&image.pixels);
        });
        made
    }

    /// Applies the random operations to the training image with this index in this epoch (from 1).
    pub fn random_into(&self, image: &mut Image, seed: Seed, epoch: usize, index: usize) {
        let place = [epoch as u64, u64::MAX, index as u64];
        apply_all(&self.random, image, seed, place);
    }
}

fn check_all(operations: &[Operation], shape: ImageShape) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    for (index, operation) in operations.iter().enumerate() {
        let outer = index.to_string();
        let inner = operation.check(shape);
        flaws.extend(inner.into_iter().map(|flaw| flaw.under(&outer)));
    }
    flaws
}

fn apply_all(operations: &[Operation], image: &mut Image, seed: Seed, place: [u64; 3]) {
    let mut rng = seed.stream(Purpose::Augment, &place);
    for operation in operations {
        operation.apply(image, &mut rng);
    }
}

impl<'de> Deserialize<'de> for Chain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Chain;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an operation, or a list of operations applied in order")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Chain, E> {
                Operation::deserialize(StrDeserializer::new(name)).map(Chain::One)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Chain, A::Error> {
                Operation::deserialize(MapAccessDeserializer::new(map)).map(Chain::One)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Chain, A::Error> {
                let operations = Vec::deserialize(SeqAccessDeserializer::new(items))?;
                if operations.is_empty() {
                    return Err(de::Error::invalid_length(0, &"at least one operation"));
                }
                Ok(Chain::Many(operations))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPE: &str = r#"
        copies = [
          { rotate = { degrees = 10 } },
          "flip",
          [{ zoom = { factor = 0.8 } }, { noise = { standard_deviation = 0.1 } }],
        ]
        random = [{ rotate = { degrees = [-10, 10] } }, { noise = { standard_deviation = 0.1 } }]
    "#;

    fn read(text: &str) -> Result<Augment, String> {
        toml::from_str(text).map_err(|error| error.message().to_string())
    }

    #[test]
    fn recipes_read_and_write() {
        let recipe = read(RECIPE).unwrap();
        assert_eq!(recipe.copies.len(), 3);
        assert_eq!(recipe.copies[2].operations().len(), 2);
        assert_eq!(read(&toml::to_string(&recipe).unwrap()), Ok(recipe));
        assert_eq!(read(""), Ok(Augment::default()));
    }

    #[test]
    fn a_mirror_that_never_rests_is_noted() {
        let notes = |text: &str| read(text).unwrap().notes().len();
        assert_eq!(notes("random = ['flip']"), 1);
        assert_eq!(notes("copies = ['flip']"), 0);
        assert_eq!(notes("random = [{ flip = { probability = 0.5 } }]"), 0);
    }

    #[test]
    fn mistakes_are_reported_where_they_are() {
        assert_eq!(
            read("copies = [3]").unwrap_err(),
            "invalid type: integer `3`, expected an operation, or a list of operations applied in order"
        );
        assert_eq!(
            read("copies = [[]]").unwrap_err(),
            "invalid length 0, expected at least one operation"
        );
        assert_eq!(
            read("copy = []").unwrap_err(),
            "unknown field `copy`, expected one of `copies`, `random`, `batch`"
        );
        let source = "copies = ['flip', ['flip', { rotate = { degree = 1 } }]]";
        let error = toml::from_str::<Augment>(source).unwrap_err();
        assert_eq!(&source[error.span().unwrap()], "degree");
    }

    #[test]
    fn flaws_name_the_key() {
        let recipe = read(
            "copies = ['flip', { zoom = { factor = 0 } }, [{ flip = {} }, { cutout = { size = 30 } }]]
             random = ['shift']",
        );
        let flaws = recipe.unwrap().check(ImageShape::new(1, 28, 28));
        let keys: Vec<&str> = flaws.iter().map(|flaw| flaw.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "copies.1.zoom.factor",
                "copies.2.1.cutout.size",
                "random.0.shift"
            ]
        );
    }

    #[test]
    fn copies_come_one_after_another_and_repeat() {
        let shape = ImageShape::new(1, 2, 3);
        let images: Vec<f32> = (0..12).map(|i| i as f32 / 12.0).collect();
        let recipe = read(RECIPE).unwrap();
        let made = recipe.copies_of(&images, shape, Seed(0));
        assert_eq!(made.len(), 3 * images.len());
        assert_eq!(made[12..15], [2.0 / 12.0, 1.0 / 12.0, 0.0]);
        assert_eq!(made, recipe.copies_of(&images, shape, Seed(0)));
        let first = recipe.copies_of(&images[..6], shape, Seed(0));
        assert_eq!(made[24..30], first[12..18]);
        assert_ne!(made, recipe.copies_of(&images, shape, Seed(1)));
    }

    #[test]
    fn random_operations_differ_by_seed_epoch_and_image_alone() {
        let recipe = read(RECIPE).unwrap();
        let draw = |seed, epoch, index| {
            let mut image = Image {
                shape: ImageShape::new(1, 4, 4),
                pixels: vec![0.5; 16],
            };
            recipe.random_into(&mut image, Seed(seed), epoch, index);
            image
        };
        assert_eq!(draw(0, 1, 7), draw(0, 1, 7));
        assert_ne!(draw(0, 1, 7), draw(1, 1, 7));
        assert_ne!(draw(0, 1, 7), draw(0, 2, 7));
        assert_ne!(draw(0, 1, 7), draw(0, 1, 8));
    }
}
