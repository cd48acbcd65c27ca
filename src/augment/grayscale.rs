//! `grayscale`: colors made gray.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::color::{needs_color, saturate};
use super::{Image, OperationFields, always};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::Fraction;

/// All three channels become the pixel's luma (ITU-R BT.601), as Pillow's and torchvision's `rgb_to_grayscale`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grayscale {
    /// Share of the images that are changed. Default 1.
    #[serde(default = "always")]
    pub probability: Fraction,
}

impl OperationFields for Grayscale {
    type Draw = ();

    fn check(&self, shape: ImageShape) -> Vec<Flaw> {
        needs_color(shape).into_iter().collect()
    }

    fn draw(&self, _shape: ImageShape, _rng: &mut Rng) {}

    fn apply(&self, _draw: &(), image: &mut Image) {
        saturate(image, 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_that_have_no_colors_are_refused() {
        let grayscale = Grayscale {
            probability: always(),
        };
        assert_eq!(grayscale.check(ImageShape::new(3, 2, 2)), []);
        assert_eq!(
            grayscale.check(ImageShape::new(1, 2, 2))[0].message,
            "needs images of 3 channels (red, green, blue), these have 1 channel"
        );
    }
}
