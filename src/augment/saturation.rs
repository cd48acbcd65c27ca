//! `saturation`: colors drawn nearer to or further from gray.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::color::{needs_color, saturate};
use super::{Image, OperationFields, always, factor_flaw};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::{Drawn, Fraction};

/// `value * factor + gray * (1 - factor)`, gray being the pixel's luma (ITU-R BT.601); clipped to [0, 1].
///
/// As Pillow's `ImageEnhance.Color` and torchvision's `adjust_saturation`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Saturation {
    /// From 0, which leaves gray, through 1, which changes nothing, to 256; a number or a range as [low, high].
    pub factor: Drawn,
    /// Share of the images that are changed. Default 1.
    #[serde(default = "always")]
    pub probability: Fraction,
}

impl OperationFields for Saturation {
    type Draw = f64;

    fn check(&self, shape: ImageShape) -> Vec<Flaw> {
        let flaw = factor_flaw(self.factor);
        needs_color(shape).into_iter().chain(flaw).collect()
    }

    fn draw(&self, _shape: ImageShape, rng: &mut Rng) -> f64 {
        self.factor.draw(rng)
    }

    fn apply(&self, factor: &f64, image: &mut Image) {
        saturate(image, *factor);
    }
}
