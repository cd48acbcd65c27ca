//! `shift`: a move to the side, up or down.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::resample::{Beyond, Border, Mapping, resample};
use super::{Image, Interpolation, OperationFields, always, black, outside};
use crate::error::{Flaw, count};
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::{DrawnLength, Fraction};

/// A move by whole or broken numbers of pixels, as `scipy.ndimage.shift`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    /// Pixels to the right, negative to the left, or a share of the width as "10%"; one or a range as [low, high]. Default 0.
    #[serde(default = "zero")]
    pub x: DrawnLength,
    /// Pixels down, negative up, or a share of the height as "10%"; one or a range as [low, high]. Default 0.
    #[serde(default = "zero")]
    pub y: DrawnLength,
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

fn zero() -> DrawnLength {
    DrawnLength::fixed(0.0)
}

impl OperationFields for Shift {
    /// Pixels to the right, pixels down.
    type Draw = [f64; 2];

    fn check(&self, shape: ImageShape) -> Vec<Flaw> {
        if self.x == zero() && self.y == zero() {
            return vec![Flaw::new("", "moves nothing").hint("give `x`, `y` or both")];
        }
        let axis = |key, drawn: DrawnLength, size, noun| {
            let expected = format!(
                "a move by less than the image's {}, which leaves some of it in sight",
                count(size, noun)
            );
            outside(
                key,
                drawn.pixels(size),
                |by| by.abs() < size as f64,
                &expected,
            )
        };
        let across = axis("x", self.x, shape.width, "column");
        let down = axis("y", self.y, shape.height, "row");
        across.into_iter().chain(down).collect()
    }

    fn draw(&self, shape: ImageShape, rng: &mut Rng) -> [f64; 2] {
        [
            self.x.pixels(shape.width).draw(rng),
            self.y.pixels(shape.height).draw(rng),
        ]
    }

    fn apply(&self, [right, down]: &[f64; 2], image: &mut Image) {
        let mapping = Mapping::moved(*down, *right);
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

    fn shift(json: &str) -> Shift {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn x_goes_right_and_y_goes_down() {
        let mut image = Image {
            shape: ImageShape::new(1, 2, 2),
            pixels: vec![0.1, 0.2, 0.3, 0.4],
        };
        shift("{}").apply(&[1.0, 0.0], &mut image);
        assert_eq!(image.pixels, [0.0, 0.1, 0.0, 0.3]);
        shift("{}").apply(&[0.0, 1.0], &mut image);
        assert_eq!(image.pixels, [0.0, 0.0, 0.0, 0.1]);
    }

    #[test]
    fn moves_out_of_sight_are_flaws() {
        let shape = ImageShape::new(1, 20, 28);
        let flaws = shift(r#"{"x": [-30, 2], "y": 20}"#).check(shape);
        assert_eq!(
            flaws,
            [
                Flaw::new(
                    "x",
                    "expected a move by less than the image's 28 columns, \
                     which leaves some of it in sight, received [-30, 2]"
                ),
                Flaw::new(
                    "y",
                    "expected a move by less than the image's 20 rows, \
                     which leaves some of it in sight, received 20"
                ),
            ]
        );
        assert_eq!(shift("{}").check(shape)[0].message, "moves nothing");
        assert_eq!(shift(r#"{"x": 27.5}"#).check(shape), []);
        assert_eq!(
            shift(r#"{"x": "99%", "y": ["-50%", "0%"]}"#).check(shape),
            []
        );
        assert_eq!(shift(r#"{"y": "100%"}"#).check(shape)[0].key, "y");
    }

    #[test]
    fn shares_are_of_the_images_own_size() {
        let mut rng = crate::rng::Seed(1).stream(crate::rng::Purpose::Augment, &[]);
        let shape = ImageShape::new(1, 20, 28);
        let drawn = shift(r#"{"x": "25%", "y": "-10%"}"#).draw(shape, &mut rng);
        assert_eq!(drawn, [7.0, -2.0]);
    }
}
