//! `shear`: rows or columns slid along each other about the image's center.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::resample::{Beyond, Border, Mapping, resample};
use super::{Image, Interpolation, OperationFields, always, black, outside};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::{Drawn, Fraction};

/// Rows or columns slid along each other, those in the middle staying where they are; torchvision's `affine` leans
/// upright lines the other way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shear {
    /// How far lines lean, between -90 and 90 degrees, positive counter-clockwise, the way `rotate`
    /// turns them; a number or a range as [low, high].
    pub degrees: Drawn,
    /// `x` (default): rows slide sideways and upright lines lean; `y`: columns slide up and down.
    #[serde(default)]
    pub axis: Axis,
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

/// The direction in which pixels slide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Rows slide sideways.
    #[default]
    X,
    /// Columns slide up and down.
    Y,
}

impl OperationFields for Shear {
    type Draw = f64;

    fn check(&self, _shape: ImageShape) -> Vec<Flaw> {
        let accepts = |degrees: f64| degrees.abs() < 90.0;
        let expected = "an angle between -90 and 90 degrees";
        let flaw = outside("degrees", self.degrees, accepts, expected);
        flaw.into_iter().collect()
    }

    fn draw(&self, _shape: ImageShape, rng: &mut Rng) -> f64 {
        self.degrees.draw(rng)
    }

    fn apply(&self, degrees: &f64, image: &mut Image) {
        let slope = libm::tan(degrees.to_radians());
        let matrix = match self.axis {
            Axis::X => [[1.0, 0.0], [-slope, 1.0]],
            Axis::Y => [[1.0, slope], [0.0, 1.0]],
        };
        let mapping = Mapping::about_center(matrix, image.shape);
        let beyond = Beyond {
            border: self.border,
            fill: self.fill.get(),
        };
        resample(image, mapping, self.interpolation, beyond);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheared(axis: &str) -> Vec<f32> {
        let json = format!(r#"{{"degrees": 45, "axis": "{axis}", "interpolation": "nearest"}}"#);
        let shear: Shear = serde_json::from_str(&json).unwrap();
        let mut image = Image {
            shape: ImageShape::new(1, 3, 3),
            pixels: vec![0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
        };
        shear.apply(&45.0, &mut image);
        image.pixels
    }

    #[test]
    fn lines_lean_counter_clockwise() {
        assert_eq!(sheared("x"), [0.2, 0.3, 0.0, 0.4, 0.5, 0.6, 0.0, 0.7, 0.8]);
        assert_eq!(sheared("y"), [0.0, 0.2, 0.6, 0.1, 0.5, 0.9, 0.4, 0.8, 0.0]);
    }

    #[test]
    fn lines_cannot_lie_down() {
        let shear: Shear = serde_json::from_str(r#"{"degrees": [0, 90]}"#).unwrap();
        let flaws = shear.check(ImageShape::new(1, 3, 3));
        assert_eq!(
            flaws[0].message,
            "expected an angle between -90 and 90 degrees, received [0, 90]"
        );
    }
}
