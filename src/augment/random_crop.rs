//! `random_crop`: the image moved by whole pixels, within a margin around it.

use rand::Rng as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::resample::Border;
use super::{Image, OperationFields, always, black};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::{Fraction, Size};

/// A margin put around the image, and a part of the image's own size cut out anywhere with equal chance: torchvision's
/// `RandomCrop` with `padding`, whose `padding_mode` has other names: `edge` is `nearest`, `reflect` is `mirror`, `symmetric`
/// is `reflect`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RandomCrop {
    /// The margin on every side: pixels, or a share of the image's size as "12.5%"; or two as [height, width].
    pub padding: Size,
    /// What the margin holds: constant, nearest, reflect, mirror or wrap. Default constant, the value `fill`.
    #[serde(default, skip_serializing_if = "Border::is_constant")]
    pub border: Border,
    /// Value of a constant margin. Default 0, black.
    #[serde(default = "black")]
    pub fill: Fraction,
    /// Share of the images that are changed. Default 1.
    #[serde(default = "always")]
    pub probability: Fraction,
}

impl OperationFields for RandomCrop {
    /// Rows and columns from the image's first ones to those of what is cut out.
    type Draw = [isize; 2];

    fn check(&self, shape: ImageShape) -> Vec<Flaw> {
        self.padding.flaw("padding", shape).into_iter().collect()
    }

    fn draw(&self, shape: ImageShape, rng: &mut Rng) -> [isize; 2] {
        self.padding.pixels(shape).map(|margin| {
            let margin = margin as i64;
            rng.random_range(-margin..=margin) as isize
        })
    }

    fn apply(&self, [down, right]: &[isize; 2], image: &mut Image) {
        let (height, width) = (image.shape.height, image.shape.width);
        let fill = self.fill.get() as f32;
        let place = |at: usize, by: isize, size| self.border.pixel(at as isize + by, size);
        for plane in image.planes() {
            let before = plane.to_vec();
            for (at, pixel) in plane.iter_mut().enumerate() {
                let row = place(at / width, *down, height);
                let column = place(at % width, *right, width);
                *pixel = match (row, column) {
                    (Some(row), Some(column)) => before[row * width + column],
                    _ => fill,
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cropped(border: &str, by: [isize; 2]) -> Vec<f32> {
        let json = format!(r#"{{"padding": 2, "border": "{border}", "fill": 0.5}}"#);
        let crop: RandomCrop = serde_json::from_str(&json).unwrap();
        let mut image = Image {
            shape: ImageShape::new(1, 2, 3),
            pixels: vec![0.1, 0.2, 0.3, 0.4, 0.6, 0.7],
        };
        crop.apply(&by, &mut image);
        image.pixels
    }

    #[test]
    fn what_is_cut_out_reaches_into_the_margin() {
        assert_eq!(cropped("constant", [0, 0]), [0.1, 0.2, 0.3, 0.4, 0.6, 0.7]);
        assert_eq!(cropped("constant", [1, -1]), [0.5, 0.4, 0.6, 0.5, 0.5, 0.5]);
        assert_eq!(cropped("nearest", [-1, 2]), [0.3, 0.3, 0.3, 0.3, 0.3, 0.3]);
        assert_eq!(cropped("reflect", [-1, 1]), [0.2, 0.3, 0.3, 0.2, 0.3, 0.3]);
        assert_eq!(cropped("wrap", [1, 1]), [0.6, 0.7, 0.4, 0.2, 0.3, 0.1]);
    }

    #[test]
    fn every_place_within_the_margin_is_drawn() {
        let crop: RandomCrop = serde_json::from_str(r#"{"padding": ["50%", 1]}"#).unwrap();
        let shape = ImageShape::new(1, 4, 9);
        let mut rng = crate::rng::Seed(1).stream(crate::rng::Purpose::Augment, &[]);
        let drawn: std::collections::BTreeSet<[isize; 2]> =
            (0..1000).map(|_| crop.draw(shape, &mut rng)).collect();
        assert_eq!(drawn.len(), 5 * 3);
        assert_eq!(drawn.first(), Some(&[-2, -1]));
        assert_eq!(drawn.last(), Some(&[2, 1]));
    }
}
