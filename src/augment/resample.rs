//! Images sampled anew at other places: what turning, scaling, moving and shearing share.
//!
//! Works in SciPy's coordinates: pixel centers at whole numbers, rows before columns, mappings from
//! output to input, in 64 bits. imageproc reads the pixels between the pixels.

use image::{ImageBuffer, Luma};
use imageproc::geometric_transformations::{self as warp, Border, warp_into_with};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Image;
use crate::shape::ImageShape;

/// How the value between pixels is found. Beyond the border every pixel has the value `fill`.
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

/// Where in the input each output pixel comes from: `input = matrix * output + offset`, as in
/// `scipy.ndimage.affine_transform`; axes are `[row, column]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mapping {
    matrix: [[f64; 2]; 2],
    offset: [f64; 2],
}

/// Pixels further out than this are fill for every image there is; keeps coordinates within what
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
            (self.offset[0] + row * down[0] + column * down[1]).clamp(-FAR, FAR),
            (self.offset[1] + row * right[0] + column * right[1]).clamp(-FAR, FAR),
        ]
    }
}

/// Samples every channel at the places the mapping names; the image keeps its size.
pub fn resample(image: &mut Image, mapping: Mapping, interpolation: Interpolation, fill: f64) {
    let (width, height) = (image.shape.width as u32, image.shape.height as u32);
    let border = Border::Constant(Luma([fill as f32]));
    // imageproc's coordinates have 32 bits, too few for ties; whole numbers survive them.
    let place = |at: f64| match interpolation {
        Interpolation::Nearest => (at + 0.5).floor() as f32,
        Interpolation::Bilinear | Interpolation::Bicubic => at as f32,
    };
    let source = |x: f32, y: f32| {
        let [row, column] = mapping.source(f64::from(y), f64::from(x));
        (place(column), place(row))
    };
    let method = match interpolation {
        Interpolation::Nearest => warp::Interpolation::Nearest,
        Interpolation::Bilinear => warp::Interpolation::Bilinear,
        Interpolation::Bicubic => warp::Interpolation::Bicubic,
    };
    let mut after = ImageBuffer::<Luma<f32>, _>::new(width, height);
    for plane in image.planes() {
        let before = ImageBuffer::<Luma<f32>, _>::from_raw(width, height, plane.to_vec())
            .expect("a plane has height times width pixels");
        warp_into_with(&before, source, method, border, &mut after);
        for (pixel, sampled) in plane.iter_mut().zip(after.iter()) {
            *pixel = sampled.clamp(0.0, 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pixels: [f32; 4]) -> Image {
        Image {
            shape: ImageShape::new(1, 1, 4),
            pixels: pixels.to_vec(),
        }
    }

    fn moved(right: f64, interpolation: Interpolation, fill: f64) -> Vec<f32> {
        let mut image = row([0.25, 0.5, 1.0, 0.0]);
        resample(&mut image, Mapping::moved(0.0, right), interpolation, fill);
        image.pixels
    }

    #[test]
    fn the_border_is_blended_with_the_fill() {
        use Interpolation::{Bilinear, Nearest};
        assert_eq!(moved(0.5, Bilinear, 0.75), [0.5, 0.375, 0.75, 0.5]);
        assert_eq!(moved(0.25, Nearest, 0.75), [0.25, 0.5, 1.0, 0.0]);
        assert_eq!(moved(-3.0, Nearest, 0.75), [0.0, 0.75, 0.75, 0.75]);
    }

    #[test]
    fn cubics_go_through_the_pixels_and_are_clipped() {
        assert_eq!(
            moved(0.0, Interpolation::Bicubic, 0.0),
            [0.25, 0.5, 1.0, 0.0]
        );
        let mut image = row([1.0, 1.0, 1.0, 0.0]);
        resample(
            &mut image,
            Mapping::moved(0.0, 0.5),
            Interpolation::Bicubic,
            0.0,
        );
        assert_eq!(image.pixels[2], 1.0);
    }

    #[test]
    fn places_far_away_are_fill() {
        for right in [1e18, -1e300, f64::MAX] {
            assert_eq!(moved(right, Interpolation::Bicubic, 0.5), [0.5; 4]);
        }
    }
}
