//! `flip`: the mirror image.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Image, OperationFields, always};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::Fraction;

/// The mirror image; with `probability = 0.5`, of every second image on average.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flip {
    /// `horizontal` (default): left and right change places; `vertical`: top and bottom; `both`.
    #[serde(default)]
    pub direction: Direction,
    /// Share of the images that are changed. Default 1.
    #[serde(default = "always")]
    pub probability: Fraction,
}

/// What changes places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Left and right.
    #[default]
    Horizontal,
    /// Top and bottom.
    Vertical,
    /// Left and right, and top and bottom: half a turn.
    Both,
}

impl OperationFields for Flip {
    type Draw = ();

    fn check(&self, _shape: ImageShape) -> Vec<Flaw> {
        Vec::new()
    }

    fn draw(&self, _shape: ImageShape, _rng: &mut Rng) {}

    fn apply(&self, _draw: &(), image: &mut Image) {
        let width = image.shape.width.max(1);
        for plane in image.planes() {
            match self.direction {
                Direction::Both => plane.reverse(),
                Direction::Horizontal => plane.chunks_exact_mut(width).for_each(<[f32]>::reverse),
                Direction::Vertical => {
                    plane.reverse();
                    plane.chunks_exact_mut(width).for_each(<[f32]>::reverse);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_mirrored_each_by_itself() {
        let flipped = |direction| {
            let mut image = Image {
                shape: ImageShape::new(2, 2, 2),
                pixels: vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8],
            };
            let flip = Flip {
                direction,
                probability: always(),
            };
            flip.apply(&(), &mut image);
            image.pixels
        };
        assert_eq!(
            flipped(Direction::Horizontal),
            [0.2, 0.1, 0.4, 0.3, 0.6, 0.5, 0.8, 0.7]
        );
        assert_eq!(
            flipped(Direction::Vertical),
            [0.3, 0.4, 0.1, 0.2, 0.7, 0.8, 0.5, 0.6]
        );
        assert_eq!(
            flipped(Direction::Both),
            [0.4, 0.3, 0.2, 0.1, 0.8, 0.7, 0.6, 0.5]
        );
    }
}
