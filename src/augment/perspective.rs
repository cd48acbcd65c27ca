//! `perspective`: the image as seen from aside.

use nalgebra::{SMatrix, SVector};
use rand::Rng as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::resample::{Beyond, Border, resample_by};
use super::{Image, Interpolation, OperationFields, always, black, outside};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::{Drawn, Fraction};

/// The image's corners moved inward, each by itself, and what is between them as a plane is seen, as torchvision's
/// `RandomPerspective`. Corners are the centers of the outermost pixels and move by whole or broken numbers of pixels;
/// torchvision's move by whole ones and lie half a pixel above and to the left of the centers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Perspective {
    /// How far the corners may move, from 0, not at all, to below 1, almost to the image's middle; a number or a range
    /// as [low, high]. Default 0.5.
    #[serde(default = "half")]
    pub distortion: Drawn,
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

fn half() -> Drawn {
    Drawn::fixed(0.5)
}

/// Row and column of the corners in turn: top left, top right, bottom right, bottom left.
type Corners = [[f64; 2]; 4];

pub(super) fn corners(shape: ImageShape) -> Corners {
    let [bottom, right] = [shape.height, shape.width].map(|size| size as f64 - 1.0);
    [[0.0, 0.0], [0.0, right], [bottom, right], [bottom, 0.0]]
}

impl OperationFields for Perspective {
    /// Where the corners come to lie.
    type Draw = Corners;

    fn check(&self, _shape: ImageShape) -> Vec<Flaw> {
        let accepts = |distortion: f64| (0.0..1.0).contains(&distortion);
        let expected = "a number from 0 to below 1";
        let flaw = outside("distortion", self.distortion, accepts, expected);
        flaw.into_iter().collect()
    }

    fn draw(&self, shape: ImageShape, rng: &mut Rng) -> Corners {
        let distortion = self.distortion.draw(rng);
        let most = [shape.height, shape.width].map(|size| distortion * (size as f64 / 2.0).floor());
        corners(shape).map(|corner| {
            let inward = |axis: usize, rng: &mut Rng| {
                let by = rng.random::<f64>() * most[axis];
                if corner[axis] == 0.0 {
                    by
                } else {
                    corner[axis] - by
                }
            };
            [inward(0, rng), inward(1, rng)]
        })
    }

    fn apply(&self, to: &Corners, image: &mut Image) {
        // Corners that lie on a line, of images of one row or column, have no plane.
        let Some(map) = homography(*to, corners(image.shape)) else {
            return;
        };
        let source = |row: usize, column: usize| {
            let (row, column) = (row as f64, column as f64);
            let of = |at: usize| map[at] * row + map[at + 1] * column + map[at + 2];
            let depth = map[6] * row + map[7] * column + 1.0;
            [of(0) / depth, of(3) / depth]
        };
        let beyond = Beyond {
            border: self.border,
            fill: self.fill.get(),
        };
        resample_by(image, source, self.interpolation, beyond);
    }
}

/// The eight numbers of the map `(a r + b c + c', d r + e c + f) / (g r + h c + 1)` that takes four points to four
/// others.
fn homography(from: Corners, to: Corners) -> Option<[f64; 8]> {
    let mut matrix = SMatrix::<f64, 8, 8>::zeros();
    let mut values = SVector::<f64, 8>::zeros();
    for (point, ([row, column], target)) in from.into_iter().zip(to).enumerate() {
        for axis in 0..2 {
            let line = 2 * point + axis;
            for (at, value) in [row, column, 1.0].into_iter().enumerate() {
                matrix[(line, 3 * axis + at)] = value;
            }
            matrix[(line, 6)] = -target[axis] * row;
            matrix[(line, 7)] = -target[axis] * column;
            values[line] = target[axis];
        }
    }
    let solved = matrix.lu().solve(&values)?;
    let solved: [f64; 8] = solved.into();
    solved
        .iter()
        .all(|value| value.is_finite())
        .then_some(solved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_points_come_where_they_should() {
        let from = [[1.0, 2.0], [0.0, 8.0], [7.0, 9.0], [6.0, 0.0]];
        let to = corners(ImageShape::new(1, 9, 11));
        let map = homography(from, to).unwrap();
        for ([row, column], target) in from.into_iter().zip(to) {
            let depth = map[6] * row + map[7] * column + 1.0;
            for axis in 0..2 {
                let [a, b, c] = [0, 1, 2].map(|at| map[3 * axis + at]);
                let found = (a * row + b * column + c) / depth;
                assert!((found - target[axis]).abs() < 1e-9);
            }
        }
        assert_eq!(homography([[0.0; 2]; 4], to), None);
    }

    #[test]
    fn corners_that_stay_change_nothing() {
        let perspective: Perspective = serde_json::from_str("{}").unwrap();
        let shape = ImageShape::new(1, 4, 5);
        let before: Vec<f32> = (0..20).map(|at| at as f32 / 20.0).collect();
        let mut image = Image {
            shape,
            pixels: before.clone(),
        };
        perspective.apply(&corners(shape), &mut image);
        let pairs = image.pixels.iter().zip(&before);
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-5));
    }

    #[test]
    fn corners_move_inward_by_no_more_than_is_said() {
        let perspective: Perspective = serde_json::from_str(r#"{"distortion": 0.5}"#).unwrap();
        let shape = ImageShape::new(1, 40, 20);
        let mut rng = crate::rng::Seed(1).stream(crate::rng::Purpose::Augment, &[]);
        for _ in 0..100 {
            let drawn = perspective.draw(shape, &mut rng);
            for (moved, [row, column]) in drawn.into_iter().zip(corners(shape)) {
                assert!((moved[0] - row).abs() <= 10.0 && (moved[1] - column).abs() <= 5.0);
                assert!((0.0..=39.0).contains(&moved[0]) && (0.0..=19.0).contains(&moved[1]));
            }
        }
    }
}
