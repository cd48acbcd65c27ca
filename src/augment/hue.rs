//! `hue`: colors moved along the circle of colors.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::color::needs_color;
use super::{Image, OperationFields, always, outside};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::{Drawn, Fraction};

/// The hue of every pixel moved, its saturation and value (HSV; Smith 1978) kept.
///
/// As torchvision's `adjust_hue`, whose factor is a share of the circle: 0.5 is 180 degrees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hue {
    /// From -180 to 180, red to green being 120; a number or a range as [low, high].
    pub degrees: Drawn,
    /// Share of the images that are changed. Default 1.
    #[serde(default = "always")]
    pub probability: Fraction,
}

impl OperationFields for Hue {
    type Draw = f64;

    fn check(&self, shape: ImageShape) -> Vec<Flaw> {
        let accepts = |degrees: f64| degrees.abs() <= 180.0;
        let expected = "an angle from -180 to 180 degrees";
        let flaw = outside("degrees", self.degrees, accepts, expected);
        needs_color(shape).into_iter().chain(flaw).collect()
    }

    fn draw(&self, _shape: ImageShape, rng: &mut Rng) -> f64 {
        self.degrees.draw(rng)
    }

    fn apply(&self, degrees: &f64, image: &mut Image) {
        if image.shape.channels != 3 {
            return;
        }
        let plane = image.shape.height * image.shape.width;
        for at in 0..plane {
            let places = [at, plane + at, 2 * plane + at];
            let color = turned(places.map(|at| image.pixels[at]), *degrees as f32 / 60.0);
            for (place, value) in places.into_iter().zip(color) {
                image.pixels[place] = value;
            }
        }
    }
}

/// A color whose hue is moved by sixths of the circle.
fn turned(color: [f32; 3], sixths: f32) -> [f32; 3] {
    let [red, green, blue] = color;
    let value = red.max(green).max(blue);
    let span = value - red.min(green).min(blue);
    if span == 0.0 {
        return color;
    }
    let hue = match value {
        _ if value == red => (green - blue) / span,
        _ if value == green => 2.0 + (blue - red) / span,
        _ => 4.0 + (red - green) / span,
    };
    let hue = (hue + sixths).rem_euclid(6.0);
    // How much of the span each channel lacks, by its distance from its own third of the circle.
    [0.0, 2.0, 4.0].map(|own: f32| {
        let distance = (hue - own).abs().min(6.0 - (hue - own).abs());
        (value - span * (distance - 1.0).clamp(0.0, 1.0)).clamp(0.0, 1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_of_the_circle_makes_red_green() {
        let near = |found: [f32; 3], expected: [f32; 3]| {
            let pairs = found.iter().zip(&expected);
            assert!(
                pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-6),
                "{found:?}"
            );
        };
        near(turned([1.0, 0.0, 0.0], 2.0), [0.0, 1.0, 0.0]);
        near(turned([1.0, 0.0, 0.0], -2.0), [0.0, 0.0, 1.0]);
        near(turned([0.5, 0.25, 0.25], 1.0), [0.5, 0.5, 0.25]);
        near(turned([0.2, 0.4, 0.9], 6.0), [0.2, 0.4, 0.9]);
        near(turned([0.3, 0.3, 0.3], 1.7), [0.3, 0.3, 0.3]);
    }
}
