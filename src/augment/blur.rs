//! `blur`: the image out of focus.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::smooth::smooth;
use super::{Image, OperationFields, always, outside};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::{Drawn, Fraction};

/// A Gaussian blur, as `scipy.ndimage.gaussian_filter`, which mirrors the image beyond its border and reaches four
/// standard deviations; torchvision's `gaussian_blur` mirrors it without its outermost pixels and reaches as far as its
/// `kernel_size` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Blur {
    /// The Gaussian's standard deviation in pixels, from 0, which changes nothing, to the image's larger side; a number
    /// or a range as [low, high].
    pub sigma: Drawn,
    /// Share of the images that are changed. Default 1.
    #[serde(default = "always")]
    pub probability: Fraction,
}

impl OperationFields for Blur {
    type Draw = f64;

    fn check(&self, shape: ImageShape) -> Vec<Flaw> {
        sigma_flaw(self.sigma, shape).into_iter().collect()
    }

    fn draw(&self, _shape: ImageShape, rng: &mut Rng) -> f64 {
        self.sigma.draw(rng)
    }

    fn apply(&self, sigma: &f64, image: &mut Image) {
        let size = [image.shape.height, image.shape.width];
        for plane in image.planes() {
            let smooth = smooth(plane, size, *sigma);
            for (pixel, smooth) in plane.iter_mut().zip(smooth) {
                *pixel = smooth.clamp(0.0, 1.0);
            }
        }
    }
}

/// The flaw of a standard deviation that leaves nothing of an image.
pub(super) fn sigma_flaw(sigma: Drawn, shape: ImageShape) -> Option<Flaw> {
    let largest = shape.height.max(shape.width) as f64;
    let expected = format!("a standard deviation from 0 to {largest} pixels");
    outside(
        "sigma",
        sigma,
        |sigma| (0.0..=largest).contains(&sigma),
        &expected,
    )
}
