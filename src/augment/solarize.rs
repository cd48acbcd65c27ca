//! `solarize`: bright values made their opposite.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Image, OperationFields, always, color, outside};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::{Drawn, Fraction};

/// Values from a threshold on become 1 - value, as Pillow's and torchvision's `solarize`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Solarize {
    /// From 0, which changes all, to 1, which changes white alone; a number or a range as [low, high]. Default 0.5.
    #[serde(default = "half")]
    pub threshold: Drawn,
    /// Share of the images that are changed. Default 1.
    #[serde(default = "always")]
    pub probability: Fraction,
}

fn half() -> Drawn {
    Drawn::fixed(0.5)
}

impl OperationFields for Solarize {
    type Draw = f64;

    fn check(&self, _shape: ImageShape) -> Vec<Flaw> {
        let accepts = |threshold: f64| (0.0..=1.0).contains(&threshold);
        let flaw = outside("threshold", self.threshold, accepts, "a number from 0 to 1");
        flaw.into_iter().collect()
    }

    fn draw(&self, _shape: ImageShape, rng: &mut Rng) -> f64 {
        self.threshold.draw(rng)
    }

    fn apply(&self, threshold: &f64, image: &mut Image) {
        color::solarize(image, *threshold);
    }
}
