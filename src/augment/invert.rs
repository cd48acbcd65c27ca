//! `invert`: the negative.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Image, OperationFields, always};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::Fraction;

/// Every value becomes 1 - value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Invert {
    /// Share of the images that are changed. Default 1.
    #[serde(default = "always")]
    pub probability: Fraction,
}

impl OperationFields for Invert {
    type Draw = ();

    fn check(&self, _shape: ImageShape) -> Vec<Flaw> {
        Vec::new()
    }

    fn draw(&self, _shape: ImageShape, _rng: &mut Rng) {}

    fn apply(&self, _draw: &(), image: &mut Image) {
        image.change(|value| 1.0 - value);
    }
}
