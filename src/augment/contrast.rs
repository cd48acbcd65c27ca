//! `contrast`: values drawn nearer to or further from their mean.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Image, OperationFields, always, factor_flaw};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::{Drawn, Fraction};

/// `(value - mean) * factor + mean`, the mean being the image's own in each channel; clipped to [0, 1].
///
/// As `tf.image.adjust_contrast`; torchvision's `adjust_contrast` takes the mean of the luma for all channels, the same
/// for gray images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contrast {
    /// From 0, which leaves the mean alone, through 1, which changes nothing, to 256, which leaves
    /// black and white alone; a number or a range as [low, high].
    pub factor: Drawn,
    /// Share of the images that are changed. Default 1.
    #[serde(default = "always")]
    pub probability: Fraction,
}

impl OperationFields for Contrast {
    type Draw = f64;

    fn check(&self, _shape: ImageShape) -> Vec<Flaw> {
        factor_flaw(self.factor).into_iter().collect()
    }

    fn draw(&self, _shape: ImageShape, rng: &mut Rng) -> f64 {
        self.factor.draw(rng)
    }

    fn apply(&self, factor: &f64, image: &mut Image) {
        for plane in image.planes() {
            let sum: f64 = plane.iter().map(|&value| f64::from(value)).sum();
            let mean = sum / plane.len() as f64;
            for value in plane {
                let changed = (f64::from(*value) - mean) * factor + mean;
                *value = changed.clamp(0.0, 1.0) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_channel_keeps_its_own_mean() {
        let changed = |factor: f64| {
            let contrast: Contrast = serde_json::from_str(r#"{"factor": 1}"#).unwrap();
            let mut image = Image {
                shape: ImageShape::new(2, 1, 2),
                pixels: vec![0.25, 0.75, 0.0, 0.5],
            };
            contrast.apply(&factor, &mut image);
            image.pixels
        };
        assert_eq!(changed(0.5), [0.375, 0.625, 0.125, 0.375]);
        assert_eq!(changed(0.0), [0.5, 0.5, 0.25, 0.25]);
        assert_eq!(changed(4.0), [0.0, 1.0, 0.0, 1.0]);
    }
}
