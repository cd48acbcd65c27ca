//! `posterize`: fewer shades.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Image, OperationFields, always, color};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::{Fraction, Positive};

/// Of each value, in steps of 255, only the highest bits are kept, as Pillow's and torchvision's `posterize`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Posterize {
    /// How many of the 8 bits are kept.
    pub bits: Positive,
    /// Share of the images that are changed. Default 1.
    #[serde(default = "always")]
    pub probability: Fraction,
}

impl OperationFields for Posterize {
    type Draw = ();

    fn check(&self, _shape: ImageShape) -> Vec<Flaw> {
        let bits = self.bits.get();
        let message = format!("expected a whole number from 1 to 8, received {bits}");
        let flaw = (bits > 8).then(|| Flaw::new("bits", message));
        flaw.into_iter().collect()
    }

    fn draw(&self, _shape: ImageShape, _rng: &mut Rng) {}

    fn apply(&self, _draw: &(), image: &mut Image) {
        color::posterize(image, self.bits.get());
    }
}
