//! `rotate`: a turn about the image's center.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::resample::{Beyond, Border, Mapping, resample};
use super::{Image, Interpolation, OperationFields, always, black, outside};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::{Drawn, Fraction};

/// A turn about the image's center, as `scipy.ndimage.rotate` with `reshape=False`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotate {
    /// Angle from -360 to 360 degrees, positive counter-clockwise; a number or a range as [low, high].
    pub degrees: Drawn,
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

impl OperationFields for Rotate {
    type Draw = f64;

    fn check(&self, _shape: ImageShape) -> Vec<Flaw> {
        let accepts = |degrees: f64| degrees.abs() <= 360.0;
        let expected = "an angle from -360 to 360 degrees";
        let flaw = outside("degrees", self.degrees, accepts, expected);
        flaw.into_iter().collect()
    }

    fn draw(&self, _shape: ImageShape, rng: &mut Rng) -> f64 {
        self.degrees.draw(rng)
    }

    fn apply(&self, degrees: &f64, image: &mut Image) {
        let mapping = turned(*degrees, image.shape);
        let beyond = Beyond {
            border: self.border,
            fill: self.fill.get(),
        };
        resample(image, mapping, self.interpolation, beyond);
    }
}

/// Where the pixels of a turned image come from.
pub(super) fn turned(degrees: f64, shape: ImageShape) -> Mapping {
    let (sine, cosine) = sine_and_cosine(degrees);
    Mapping::about_center([[cosine, sine], [-sine, cosine]], shape)
}

/// Exact for quarter turns, which therefore only rearrange the pixels of a square.
fn sine_and_cosine(degrees: f64) -> (f64, f64) {
    let degrees = degrees % 360.0;
    let quarters = (degrees / 90.0).round();
    let (sine, cosine) = libm::sincos((degrees - 90.0 * quarters).to_radians());
    match (quarters as i32).rem_euclid(4) {
        0 => (sine, cosine),
        1 => (cosine, -sine),
        2 => (-sine, -cosine),
        _ => (-cosine, sine),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarter_turns_are_exact_and_counter_clockwise() {
        let rotate: Rotate = serde_json::from_str(r#"{"degrees": 90}"#).unwrap();
        let after = |degrees: f64| {
            let mut image = Image {
                shape: ImageShape::new(1, 2, 2),
                pixels: vec![0.1, 0.2, 0.3, 0.4],
            };
            rotate.apply(&degrees, &mut image);
            image.pixels
        };
        assert_eq!(after(90.0), [0.2, 0.4, 0.1, 0.3]);
        assert_eq!(after(-270.0), [0.2, 0.4, 0.1, 0.3]);
        assert_eq!(after(180.0), [0.4, 0.3, 0.2, 0.1]);
        assert_eq!(after(-90.0), [0.3, 0.1, 0.4, 0.2]);
        assert_eq!(after(3600.0), [0.1, 0.2, 0.3, 0.4]);
    }

    #[test]
    fn sines_and_cosines_hold_all_around() {
        for degrees in -800..800 {
            let degrees = f64::from(degrees) * 1.7;
            let (sine, cosine) = sine_and_cosine(degrees);
            let (expected_sine, expected_cosine) = degrees.to_radians().sin_cos();
            assert!((sine - expected_sine).abs() < 1e-12, "{degrees}");
            assert!((cosine - expected_cosine).abs() < 1e-12, "{degrees}");
        }
    }
}
