//! `elastic`: every pixel moved a little, its neighbors alike.

use rand::Rng as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::blur::sigma_flaw;
use super::resample::{Beyond, Border, resample_by};
use super::smooth::smooth;
use super::{Image, Interpolation, OperationFields, always, black, outside};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::{Drawn, Fraction};

/// An elastic distortion (Simard et al. 2003): moves drawn evenly from -1 to 1 for every pixel and both directions,
/// smoothed by a Gaussian and enlarged. As torchvision's `ElasticTransform`, whose `alpha` is twice the one here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Elastic {
    /// By what the smoothed moves are multiplied, in pixels, from 0 to 10,000; a number or a range as [low, high]. Simard
    /// has 34 for digits of 28x28 pixels.
    pub alpha: Drawn,
    /// The Gaussian's standard deviation in pixels: large ones move the image as a whole. Simard has 4.
    pub sigma: Drawn,
    /// How values between pixels are found: nearest, bilinear or bicubic. Default bicubic.
    #[serde(default)]
    pub interpolation: Interpolation,
    /// What lies beyond the image: constant, nearest, reflect, mirror or wrap. Default constant, the value `fill`.
    #[serde(default, skip_serializing_if = "Border::is_constant")]
    pub border: Border,
    /// Value beyond a constant border. Default 0, black.
    #[serde(default = "black")]
    pub fill: Fraction,
    /// Share of the images that are changed. Default 1.
    #[serde(default = "always")]
    pub probability: Fraction,
}

impl OperationFields for Elastic {
    /// Pixels down and to the right, `[height, width]` each: where each pixel's value is taken from.
    type Draw = [Vec<f32>; 2];

    fn check(&self, shape: ImageShape) -> Vec<Flaw> {
        let accepts = |alpha: f64| (0.0..=10_000.0).contains(&alpha);
        let alpha = outside("alpha", self.alpha, accepts, "a number from 0 to 10,000");
        let sigma = sigma_flaw(self.sigma, shape);
        alpha.into_iter().chain(sigma).collect()
    }

    fn draw(&self, shape: ImageShape, rng: &mut Rng) -> [Vec<f32>; 2] {
        let (alpha, sigma) = (self.alpha.draw(rng), self.sigma.draw(rng));
        [0, 1].map(|_| {
            let plane = shape.height * shape.width;
            let moves: Vec<f32> = (0..plane).map(|_| rng.random_range(-1.0..=1.0)).collect();
            displacement(&moves, [shape.height, shape.width], alpha, sigma)
        })
    }

    fn apply(&self, [down, right]: &[Vec<f32>; 2], image: &mut Image) {
        let width = image.shape.width;
        let source = |row: usize, column: usize| {
            let at = row * width + column;
            [
                row as f64 + f64::from(down[at]),
                column as f64 + f64::from(right[at]),
            ]
        };
        let beyond = Beyond {
            border: self.border,
            fill: self.fill.get(),
        };
        resample_by(image, source, self.interpolation, beyond);
    }
}

/// Moves smoothed and enlarged.
pub(super) fn displacement(moves: &[f32], size: [usize; 2], alpha: f64, sigma: f64) -> Vec<f32> {
    let smooth = smooth(moves, size, sigma).into_iter();
    smooth.map(|by| by * alpha as f32).collect()
}
