//! `sharpness`: edges made stronger or weaker.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::color::sharpen;
use super::{Image, OperationFields, always, factor_flaw};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::{Drawn, Fraction};

/// `value * factor + smooth * (1 - factor)`, clipped to [0, 1]; smooth is the mean of the 3x3 pixels around, of which
/// that in the middle counts five times. The outermost pixels stay as they are.
///
/// As Pillow's `ImageEnhance.Sharpness` and torchvision's `adjust_sharpness`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sharpness {
    /// From 0, which smooths, through 1, which changes nothing, to 256; a number or a range as [low, high].
    pub factor: Drawn,
    /// Share of the images that are changed. Default 1.
    #[serde(default = "always")]
    pub probability: Fraction,
}

impl OperationFields for Sharpness {
    type Draw = f64;

    fn check(&self, _shape: ImageShape) -> Vec<Flaw> {
        factor_flaw(self.factor).into_iter().collect()
    }

    fn draw(&self, _shape: ImageShape, rng: &mut Rng) -> f64 {
        self.factor.draw(rng)
    }

    fn apply(&self, factor: &f64, image: &mut Image) {
        sharpen(image, *factor);
    }
}
