//! `trivial_augment`: one operation of many, of any strength.

use rand::Rng as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy::{BINS, Step, TRIVIAL};
use super::rand_augment::gray_or_color;
use super::{Image, OperationFields, always, black};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::Fraction;

/// TrivialAugment (Müller and Hutter 2021, arXiv:2103.10158) with its wide space, as torchvision's
/// `TrivialAugmentWide`: one operation of those of `rand_augment`, its strength drawn evenly, both anew for every image.
/// Half of the strongest translation is 16 pixels, where torchvision cuts 15.999999 to 15.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrivialAugment {
    /// Value beyond the border. Default 0, black.
    #[serde(default = "black")]
    pub fill: Fraction,
    /// Share of the images that are changed. Default 1.
    #[serde(default = "always")]
    pub probability: Fraction,
}

impl OperationFields for TrivialAugment {
    type Draw = Step;

    fn check(&self, shape: ImageShape) -> Vec<Flaw> {
        gray_or_color(shape).into_iter().collect()
    }

    fn draw(&self, _shape: ImageShape, rng: &mut Rng) -> Step {
        let magnitude = rng.random_range(0..BINS);
        TRIVIAL.draw(magnitude, rng)
    }

    fn apply(&self, step: &Step, image: &mut Image) {
        step.apply(image, self.fill.get());
    }
}
