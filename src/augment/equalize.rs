//! `equalize`: all shades about as frequent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Image, OperationFields, always, color};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::Fraction;

/// The values of each channel, in steps of 255, spread so that all are about as frequent, as Pillow's and torchvision's
/// `equalize`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Equalize {
    /// Share of the images that are changed. Default 1.
    #[serde(default = "always")]
    pub probability: Fraction,
}

impl OperationFields for Equalize {
    type Draw = ();

    fn check(&self, _shape: ImageShape) -> Vec<Flaw> {
        Vec::new()
    }

    fn draw(&self, _shape: ImageShape, _rng: &mut Rng) {}

    fn apply(&self, _draw: &(), image: &mut Image) {
        color::equalize(image);
    }
}
