//! Images sampled anew at other places: what all operations share that move pixels.
//!
//! Works in SciPy's coordinates: pixel centers at whole numbers, rows before columns, mappings from
//! output to input, in 64 bits. imageproc reads the pixels between the pixels.

use image::{ImageBuffer, Luma};
use imageproc::geometric_transformations::{self as warp, warp_into_with};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Image;
use crate::shape::ImageShape;

/// How the value between pixels is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Interpolation {
    /// The nearest pixel; halfway, the one further right or down.
    Nearest,
    /// Linear between the 2x2 pixels around.
    Bilinear,
    /// Cubic through the 4x4 pixels around (Keys 1981, a = -1/2: Catmull-Rom), clipped to [0, 1].
    #[default]
    Bicubic,
}

/// What lies beyond the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Border {
    /// The value `fill`, with which the outermost pixels blend on the way out: SciPy's `grid-constant`. Its `constant`, the
    /// default of `affine_transform`, takes `fill` whole wherever it looks beyond the outermost pixels' centers.
    #[default]
    Constant,
    /// The outermost pixels: `a a a | a b c d | d d d`, torchvision's `edge`.
    Nearest,
    /// The image mirrored, with its outermost pixels: `c b a | a b c d | d c b`, SciPy's `reflect`, torchvision's
    /// `symmetric`.
    Reflect,
    /// The image mirrored, without its outermost pixels: `d c b | a b c d | c b a`, SciPy's `mirror`, torchvision's
    /// `reflect`.
    Mirror,
    /// The image again: `b c d | a b c d | a b c`, SciPy's `grid-wrap`.
    Wrap,
}

impl Border {
    /// Whether it is what a file need not say.
    pub fn is_constant(&self) -> bool {
        *self == Border::Constant
    }

    /// The place in an axis of `size` pixels for one that may lie beyond it; the outermost pixels reach half a
    /// pixel out.
    fn inside(self, at: f64, size: usize) -> f64 {
        let size = size as f64;
        match self {
            Border::Constant => at,
            Border::Nearest => at.clamp(0.0, size - 1.0),
            Border::Reflect => {
                let turned = (at + 0.5).rem_euclid(2.0 * size);
                turned.min(2.0 * size - turned) - 0.5
            }
            Border::Mirror => {
                let turned = at.rem_euclid((2.0 * size - 2.0).max(1.0));
                turned.min((2.0 * size - 2.0 - turned).max(0.0))
            }
            Border::Wrap => (at + 0.5).rem_euclid(size) - 0.5,
        }
    }

    /// The pixel that stands for one that may lie beyond an axis of `size` pixels; none for the fill.
    pub fn pixel(self, at: isize, size: usize) -> Option<usize> {
        let whole = size as isize;
        match self {
            Border::Constant => (0..whole).contains(&at).then_some(at as usize),
            Border::Nearest => Some(at.clamp(0, whole - 1) as usize),
            Border::Reflect => {
                let turned = at.rem_euclid(2 * whole);
                Some(turned.min(2 * whole - 1 - turned) as usize)
            }
            Border::Mirror => {
                let turned = at.rem_euclid((2 * whole - 2).max(1));
                Some(turned.min((2 * whole - 2 - turned).max(0)) as usize)
            }
            Border::Wrap => Some(at.rem_euclid(whole) as usize),
        }
    }
}

/// What is read beyond the image: its border, and the value of a constant one.
#[derive(Debug, Clone, Copy)]
pub struct Beyond {
    pub border: Border,
    pub fill: f64,
}

/// Where in the input each output pixel comes from: `input = matrix * output + offset`, as in
/// `scipy.ndimage.affine_transform`; axes are `[row, column]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mapping {
    matrix: [[f64; 2]; 2],
    offset: [f64; 2],
}

/// Pixels further out than this are far outside of every image there is; keeps coordinates within what
/// imageproc can count.
const FAR: f64 = 1e9;

impl Mapping {
    /// The mapping that leaves the image's center, `(size - 1) / 2` on each axis, where it is.
    pub fn about_center(matrix: [[f64; 2]; 2], shape: ImageShape) -> Self {
        let center = [shape.height, shape.width].map(|size| (size as f64 - 1.0) / 2.0);
        let moved = matrix.map(|row| row[0] * center[0] + row[1] * center[1]);
        Mapping {
            matrix,
            offset: [center[0] - moved[0], center[1] - moved[1]],
        }
    }

    /// The mapping that leaves the image's upper left corner, `-1 / 2` on each axis, where it is.
    pub fn about_corner(matrix: [[f64; 2]; 2]) -> Self {
        let moved = matrix.map(|row| (row[0] + row[1]) / 2.0);
        Mapping {
            matrix,
            offset: [moved[0] - 0.5, moved[1] - 0.5],
        }
    }

    /// The mapping that moves everything by `down` and `right` pixels, each positive or negative.
    pub fn moved(down: f64, right: f64) -> Self {
        Mapping {
            matrix: [[1.0, 0.0], [0.0, 1.0]],
            offset: [-down, -right],
        }
    }

    /// `[row, column]` of the input for one of the output.
    ///
    /// Adds in SciPy's order: which way a tie between two pixels falls hangs on the last bit.
    fn source(&self, row: f64, column: f64) -> [f64; 2] {
        let [down, right] = self.matrix;
        [
            self.offset[0] + row * down[0] + column * down[1],
            self.offset[1] + row * right[0] + column * right[1],
        ]
    }
}

/// Samples every channel at the places the mapping names; the image keeps its size.
pub fn resample(image: &mut Image, mapping: Mapping, interpolation: Interpolation, beyond: Beyond) {
    let source = |row: usize, column: usize| mapping.source(row as f64, column as f64);
    resample_by(image, source, interpolation, beyond);
}

/// Pixels around an image that cubics reach.
const MARGIN: usize = 2;

/// Samples every channel at the `[row, column]` that a function gives for each of the output.
pub fn resample_by(
    image: &mut Image,
    source: impl Fn(usize, usize) -> [f64; 2] + Sync + Send,
    interpolation: Interpolation,
    Beyond { border, fill }: Beyond,
) {
    let ImageShape { height, width, .. } = image.shape;
    // imageproc's coordinates have 32 bits, too few for ties; whole numbers survive them.
    let place = |at: f64| match interpolation {
        Interpolation::Nearest => (at + 0.5).floor() as f32,
        Interpolation::Bilinear | Interpolation::Bicubic => at as f32,
    };
    let margin = if border.is_constant() { 0 } else { MARGIN };
    let inside = |at: f64, size| border.inside(at.clamp(-FAR, FAR), size) + margin as f64;
    let source = |x: f32, y: f32| {
        let [row, column] = source(y as usize, x as usize);
        (place(inside(column, width)), place(inside(row, height)))
    };
    let method = match interpolation {
        Interpolation::Nearest => warp::Interpolation::Nearest,
        Interpolation::Bilinear => warp::Interpolation::Bilinear,
        Interpolation::Bicubic => warp::Interpolation::Bicubic,
    };
    let outside = warp::Border::Constant(Luma([fill as f32]));
    let mut after = ImageBuffer::<Luma<f32>, _>::new(width as u32, height as u32);
    for plane in image.planes() {
        let before = match margin {
            0 => plane.to_vec(),
            _ => with_margin(plane, [height, width], border),
        };
        let size = [width, height].map(|size| (size + 2 * margin) as u32);
        let before = ImageBuffer::<Luma<f32>, _>::from_raw(size[0], size[1], before)
            .expect("a plane has height times width pixels");
        warp_into_with(&before, source, method, outside, &mut after);
        for (pixel, sampled) in plane.iter_mut().zip(after.iter()) {
            *pixel = sampled.clamp(0.0, 1.0);
        }
    }
}

/// A plane with what lies around it.
fn with_margin(plane: &[f32], [height, width]: [usize; 2], border: Border) -> Vec<f32> {
    let places = |size: usize| {
        let all = -(MARGIN as isize)..(size + MARGIN) as isize;
        let pixels = all.map(move |at| border.pixel(at, size).expect("the border is not constant"));
        pixels.collect::<Vec<usize>>()
    };
    let columns = places(width);
    let rows = places(height).into_iter();
    rows.flat_map(|row| {
        columns
            .iter()
            .map(move |&column| plane[row * width + column])
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: [f32; 4] = [0.25, 0.5, 1.0, 0.0];

    fn row(pixels: [f32; 4]) -> Image {
        Image {
            shape: ImageShape::new(1, 1, 4),
            pixels: pixels.to_vec(),
        }
    }

    fn moved(right: f64, interpolation: Interpolation, border: Border, fill: f64) -> Vec<f32> {
        let mut image = row(ROW);
        let beyond = Beyond { border, fill };
        resample(
            &mut image,
            Mapping::moved(0.0, right),
            interpolation,
            beyond,
        );
        image.pixels
    }

    #[test]
    fn the_border_is_blended_with_the_fill() {
        use Interpolation::{Bilinear, Nearest};
        let moved = |right, how, fill| moved(right, how, Border::Constant, fill);
        assert_eq!(moved(0.5, Bilinear, 0.75), [0.5, 0.375, 0.75, 0.5]);
        assert_eq!(moved(0.25, Nearest, 0.75), [0.25, 0.5, 1.0, 0.0]);
        assert_eq!(moved(-3.0, Nearest, 0.75), [0.0, 0.75, 0.75, 0.75]);
    }

    #[test]
    fn borders_go_on_as_their_names_say() {
        use Border::{Mirror, Nearest, Reflect, Wrap};
        for how in [
            Interpolation::Nearest,
            Interpolation::Bilinear,
            Interpolation::Bicubic,
        ] {
            let moved = |right, border| moved(right, how, border, 0.9);
            assert_eq!(moved(2.0, Nearest), [0.25, 0.25, 0.25, 0.5]);
            assert_eq!(moved(-3.0, Nearest), [0.0; 4]);
            assert_eq!(moved(2.0, Reflect), [0.5, 0.25, 0.25, 0.5]);
            assert_eq!(moved(-6.0, Reflect), [0.5, 0.25, 0.25, 0.5]);
            assert_eq!(moved(2.0, Mirror), [1.0, 0.5, 0.25, 0.5]);
            assert_eq!(moved(-6.0, Mirror), ROW);
            assert_eq!(moved(2.0, Wrap), [1.0, 0.0, 0.25, 0.5]);
            assert_eq!(moved(-401.0, Wrap), [0.5, 1.0, 0.0, 0.25]);
        }
        let half = |border| moved(0.5, Interpolation::Bilinear, border, 0.9)[0];
        assert_eq!(
            [Nearest, Reflect, Mirror, Wrap].map(half),
            [0.25, 0.25, 0.375, 0.125]
        );
        for at in -3..3 {
            assert_eq!(Mirror.pixel(at, 1), Some(0));
            assert_eq!(Mirror.inside(at as f64 + 0.25, 1), 0.0);
        }
    }

    #[test]
    fn cubics_go_through_the_pixels_and_are_clipped() {
        let cubic = |image: &mut Image, right| {
            let beyond = Beyond {
                border: Border::Constant,
                fill: 0.0,
            };
            resample(
                image,
                Mapping::moved(0.0, right),
                Interpolation::Bicubic,
                beyond,
            );
        };
        let mut same = row(ROW);
        cubic(&mut same, 0.0);
        assert_eq!(same.pixels, ROW);
        let mut image = row([1.0, 1.0, 1.0, 0.0]);
        cubic(&mut image, 0.5);
        assert_eq!(image.pixels[2], 1.0);
    }

    #[test]
    fn places_far_away_are_fill() {
        for right in [1e18, -1e300, f64::MAX] {
            let moved = moved(right, Interpolation::Bicubic, Border::Constant, 0.5);
            assert_eq!(moved, [0.5; 4]);
        }
    }
}
