//! `brightness`: a number added to all values.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Image, OperationFields, always, outside};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::{Drawn, Fraction};

/// A number added to all values, clipped to [0, 1]; as `tf.image.adjust_brightness`, where torchvision's
/// `adjust_brightness` multiplies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Brightness {
    /// Between -1 (black) and 1 (white); a number or a range as [low, high].
    pub delta: Drawn,
    /// Share of the images that are changed. Default 1.
    #[serde(default = "always")]
    pub probability: Fraction,
}

impl OperationFields for Brightness {
    type Draw = f64;

    fn check(&self, _shape: ImageShape) -> Vec<Flaw> {
        let accepts = |delta: f64| delta.abs() < 1.0;
        let expected = "a number between -1 and 1, which leaves something to see";
        let flaw = outside("delta", self.delta, accepts, expected);
        flaw.into_iter().collect()
    }

    fn draw(&self, _shape: ImageShape, rng: &mut Rng) -> f64 {
        self.delta.draw(rng)
    }

    fn apply(&self, delta: &f64, image: &mut Image) {
        let delta = *delta as f32;
        image.change(|value| value + delta);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_added_to_and_clipped() {
        let brightness: Brightness = serde_json::from_str(r#"{"delta": 0.5}"#).unwrap();
        let mut image = Image {
            shape: ImageShape::new(1, 1, 3),
            pixels: vec![0.0, 0.25, 0.75],
        };
        brightness.apply(&0.5, &mut image);
        assert_eq!(image.pixels, [0.5, 0.75, 1.0]);
        brightness.apply(&-0.625, &mut image);
        assert_eq!(image.pixels, [0.0, 0.125, 0.375]);
    }
}
