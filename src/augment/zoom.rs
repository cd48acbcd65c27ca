//! `zoom`: a change of scale about the image's center.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::resample::{Beyond, Border, Mapping, resample};
use super::{Image, Interpolation, OperationFields, always, black, outside};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::{Drawn, Fraction};

/// A change of scale about the image's center; the image keeps its size.
///
/// As `scipy.ndimage.affine_transform` with the matrix 1 / factor, not `scipy.ndimage.zoom`, which
/// changes the size. Below 1 no smoothing goes before: small factors lose thin lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Zoom {
    /// Scale above 0: below 1 smaller with the border filled, above 1 larger with the rest cut off;
    /// a number or a range as [low, high].
    pub factor: Drawn,
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

impl OperationFields for Zoom {
    type Draw = f64;

    fn check(&self, shape: ImageShape) -> Vec<Flaw> {
        if let Some(flaw) = outside("factor", self.factor, |f| f > 0.0, "a factor above 0") {
            return vec![flaw];
        }
        let largest = shape.height.max(shape.width) as f64;
        let expected = format!(
            "a factor from 1/{largest} to {largest}, which leaves a pixel of {}x{} images",
            shape.height, shape.width
        );
        let range = 1.0 / largest..=largest;
        let flaw = outside("factor", self.factor, |f| range.contains(&f), &expected);
        flaw.into_iter().collect()
    }

    fn draw(&self, _shape: ImageShape, rng: &mut Rng) -> f64 {
        self.factor.draw(rng)
    }

    fn apply(&self, factor: &f64, image: &mut Image) {
        let matrix = [[1.0 / factor, 0.0], [0.0, 1.0 / factor]];
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

    fn zoomed(factor: f64, pixels: [f32; 4]) -> Vec<f32> {
        let json = r#"{"factor": 1, "interpolation": "nearest", "fill": 0.5}"#;
        let zoom: Zoom = serde_json::from_str(json).unwrap();
        let mut image = Image {
            shape: ImageShape::new(1, 1, 4),
            pixels: pixels.to_vec(),
        };
        zoom.apply(&factor, &mut image);
        image.pixels
    }

    #[test]
    fn out_shows_the_fill_and_in_shows_the_center() {
        assert_eq!(zoomed(0.5, [0.1, 0.2, 0.3, 0.4]), [0.5, 0.2, 0.4, 0.5]);
        assert_eq!(zoomed(2.0, [0.1, 0.2, 0.3, 0.4]), [0.2, 0.2, 0.3, 0.3]);
        assert_eq!(zoomed(1.0, [0.1, 0.2, 0.3, 0.4]), [0.1, 0.2, 0.3, 0.4]);
    }

    #[test]
    fn factors_that_leave_nothing_are_flaws() {
        let message = |factor: &str| {
            let zoom: Zoom = serde_json::from_str(&format!(r#"{{"factor": {factor}}}"#)).unwrap();
            let mut flaws = zoom.check(ImageShape::new(1, 28, 28));
            flaws.pop().map(|flaw| flaw.message)
        };
        assert_eq!(message("0.8"), None);
        assert_eq!(
            message("[0, 1]").unwrap(),
            "expected a factor above 0, received [0, 1]"
        );
        assert_eq!(
            message("0.01").unwrap(),
            "expected a factor from 1/28 to 28, which leaves a pixel of 28x28 images, received 0.01"
        );
    }
}
