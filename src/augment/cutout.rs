//! `cutout`: a rectangle painted over at a random place.

use rand::Rng as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Image, OperationFields, always, black};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::{Fraction, Size};

/// A rectangle painted over in all channels (DeVries and Taylor 2017, arXiv:1708.04552).
///
/// Its center is any pixel with equal chance, so that it may be cut off at the border.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cutout {
    /// Pixels, or a share of the image's size as "25%": one for a square, or two as [height, width].
    pub size: Size,
    /// Value it is painted with. Default 0, black.
    #[serde(default = "black")]
    pub fill: Fraction,
    /// Share of the images that are changed. Default 1.
    #[serde(default = "always")]
    pub probability: Fraction,
}

impl OperationFields for Cutout {
    /// Row and column of the center.
    type Draw = [usize; 2];

    fn check(&self, shape: ImageShape) -> Vec<Flaw> {
        self.size.flaw("size", shape).into_iter().collect()
    }

    fn draw(&self, shape: ImageShape, rng: &mut Rng) -> [usize; 2] {
        [shape.height, shape.width].map(|size| rng.random_range(0..size.max(1)))
    }

    fn apply(&self, [row, column]: &[usize; 2], image: &mut Image) {
        let [height, width] = self.size.pixels(image.shape);
        let rows = span(*row, height, image.shape.height);
        let columns = span(*column, width, image.shape.width);
        let (stride, fill) = (image.shape.width, self.fill.get() as f32);
        for plane in image.planes() {
            for row in rows.clone() {
                plane[row * stride..][columns.clone()].fill(fill);
            }
        }
    }
}

/// `size` pixels about the center, of an even size the further half before it, cut at the border.
pub(super) fn span(center: usize, size: usize, border: usize) -> std::ops::Range<usize> {
    let end = (center + size.div_ceil(2)).min(border);
    center.saturating_sub(size / 2).min(end)..end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(center: [usize; 2]) -> Vec<f32> {
        let cutout: Cutout = serde_json::from_str(r#"{"size": [1, 2], "fill": 0.5}"#).unwrap();
        let mut image = Image {
            shape: ImageShape::new(2, 2, 3),
            pixels: vec![1.0; 12],
        };
        cutout.apply(&center, &mut image);
        assert_eq!(image.pixels[..6], image.pixels[6..]);
        image.pixels[..6].to_vec()
    }

    #[test]
    fn a_rectangle_is_painted_in_every_channel_and_cut_at_the_border() {
        assert_eq!(cut([1, 2]), [1.0, 1.0, 1.0, 1.0, 0.5, 0.5]);
        assert_eq!(cut([0, 0]), [0.5, 1.0, 1.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn sizes_are_kept() {
        assert_eq!(span(5, 4, 28), 3..7);
        assert_eq!(span(5, 3, 28), 4..7);
        assert_eq!(span(27, 8, 28), 23..28);
        assert_eq!(span(0, 8, 28), 0..4);
    }

    #[test]
    fn a_cutout_fits_into_the_image() {
        let cutout: Cutout = serde_json::from_str(r#"{"size": [8, 40]}"#).unwrap();
        assert_eq!(
            cutout.check(ImageShape::new(1, 28, 28)),
            [Flaw::new(
                "size",
                "expected at most the image's 28x28 pixels, received 8x40"
            )]
        );
    }
}
