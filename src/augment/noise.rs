//! `noise`: a normally distributed number added to each value.

use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Image, OperationFields, always, outside};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::{Drawn, Fraction};

/// A normally distributed number with mean 0 added to each value of each channel, clipped to [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Noise {
    /// From 0 to 1, 1 being the step from black to white; a number or a range as [low, high].
    pub standard_deviation: Drawn,
    /// Share of the images that are changed. Default 1.
    #[serde(default = "always")]
    pub probability: Fraction,
}

impl OperationFields for Noise {
    /// What is added to each value, `[channels, height, width]`.
    type Draw = Vec<f32>;

    fn check(&self, _shape: ImageShape) -> Vec<Flaw> {
        let accepts = |deviation: f64| (0.0..=1.0).contains(&deviation);
        let expected = "a standard deviation from 0 to 1";
        let flaw = outside(
            "standard_deviation",
            self.standard_deviation,
            accepts,
            expected,
        );
        flaw.into_iter().collect()
    }

    fn draw(&self, shape: ImageShape, rng: &mut Rng) -> Vec<f32> {
        let deviation = self.standard_deviation.draw(rng) as f32;
        let standard = StandardNormal.sample_iter(rng);
        standard
            .take(shape.len())
            .map(|value: f32| value * deviation)
            .collect()
    }

    fn apply(&self, added: &Vec<f32>, image: &mut Image) {
        for (value, added) in image.pixels.iter_mut().zip(added) {
            *value = (*value + added).clamp(0.0, 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Seed};

    #[test]
    fn noise_has_the_deviation_it_says() {
        let noise: Noise = serde_json::from_str(r#"{"standard_deviation": 0.1}"#).unwrap();
        let mut rng = Seed(0).stream(Purpose::Augment, &[]);
        let added = noise.draw(ImageShape::new(1, 100, 100), &mut rng);
        let mean = added.iter().sum::<f32>() / added.len() as f32;
        let square = added.iter().map(|a| a * a).sum::<f32>() / added.len() as f32;
        assert!(mean.abs() < 0.005, "mean {mean}");
        assert!(
            (square.sqrt() - 0.1).abs() < 0.003,
            "deviation {}",
            square.sqrt()
        );
    }

    #[test]
    fn values_are_added_to_and_clipped() {
        let noise: Noise = serde_json::from_str(r#"{"standard_deviation": 1}"#).unwrap();
        let mut image = Image {
            shape: ImageShape::new(1, 1, 3),
            pixels: vec![0.25, 0.5, 0.75],
        };
        noise.apply(&vec![-0.5, 0.25, 0.5], &mut image);
        assert_eq!(image.pixels, [0.0, 0.75, 1.0]);
    }
}
