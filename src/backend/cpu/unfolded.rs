//! Convolution by unfolding (im2col): the windows of an image laid out as a matrix, then products, group by group.
//!
//! For what the implicit product is too wide for: channels in several groups, and very few filters.

use super::panel::Start;
use super::product::{Matrix, add_product};
use super::simd::Simd;
use crate::backend::convolution_sizes::ConvolutionSizes;
use crate::backend::sliding::Sliding;

/// Adds to an output, `[filters, places]`, what the filters make of the windows.
pub fn apply(
    simd: Simd,
    filters: &[f32],
    windows: &[f32],
    sizes: ConvolutionSizes,
    output: &mut [f32],
) {
    let (seen, share, places) = (sizes.seen(), sizes.filters_per_group(), sizes.places());
    let groups = filters
        .chunks_exact(share * seen)
        .zip(windows.chunks_exact(seen * places))
        .zip(output.chunks_exact_mut(share * places));
    for ((filters, windows), output) in groups {
        let filters = Matrix::new(filters, share, seen);
        let windows = Matrix::new(windows, seen, places);
        add_product(simd, filters, windows, Start::Output, output);
    }
}

/// The filters applied backwards: an output spread over the windows, `[depth, places]`.
pub fn spread(
    simd: Simd,
    filters: &[f32],
    output: &[f32],
    sizes: ConvolutionSizes,
    windows: &mut [f32],
) {
    let (seen, share, places) = (sizes.seen(), sizes.filters_per_group(), sizes.places());
    let groups = output
        .chunks_exact(share * places)
        .zip(filters.chunks_exact(share * seen))
        .zip(windows.chunks_exact_mut(seen * places));
    for ((output, filters), windows) in groups {
        let turned = Matrix::new(filters, share, seen).turned();
        let output = Matrix::new(output, share, places);
        add_product(simd, turned, output, Start::Zero, windows);
    }
}

/// Adds one image's share to the gradient of the filters.
pub fn compare(
    simd: Simd,
    output: &[f32],
    windows: &[f32],
    sizes: ConvolutionSizes,
    of_filters: &mut [f32],
) {
    let (seen, share, places) = (sizes.seen(), sizes.filters_per_group(), sizes.places());
    let groups = output
        .chunks_exact(share * places)
        .zip(windows.chunks_exact(seen * places))
        .zip(of_filters.chunks_exact_mut(share * seen));
    for ((output, windows), of_filters) in groups {
        let turned = Matrix::new(windows, seen, places).turned();
        let output = Matrix::new(output, share, places);
        add_product(simd, output, turned, Start::Output, of_filters);
    }
}

/// Lays out the windows of an image: `[depth, places]`. What is padding must be 0 already.
pub fn unfold(image: &[f32], sizes: ConvolutionSizes, windows: &mut [f32]) {
    let step = sizes.sliding.stride[1];
    visit(sizes, |start, from, first, end| {
        let to = &mut windows[start + first..start + end];
        if step == 1 {
            to.copy_from_slice(&image[from..from + to.len()]);
        } else {
            for (to, from) in to.iter_mut().zip(image[from..].iter().step_by(step)) {
                *to = *from;
            }
        }
    });
}

/// Adds every value of the windows to its place in the image.
pub fn fold(windows: &[f32], sizes: ConvolutionSizes, image: &mut [f32]) {
    let step = sizes.sliding.stride[1];
    visit(sizes, |start, to, first, end| {
        let from = &windows[start + first..start + end];
        if step == 1 {
            let length = from.len();
            for (to, from) in image[to..to + length].iter_mut().zip(from) {
                *to += from;
            }
        } else {
            for (to, from) in image[to..].iter_mut().step_by(step).zip(from) {
                *to += from;
            }
        }
    });
}

/// Calls `visit(start of a row of windows, start of a row of the image, first, end)` for every value of
/// the window and every row of windows that meets the image: windows `first..end` of the row do, the
/// first of them at the image's given place.
fn visit(sizes: ConvolutionSizes, mut visit: impl FnMut(usize, usize, usize, usize)) {
    let Sliding {
        stride,
        before,
        dilation,
        ..
    } = sizes.sliding;
    for channel in 0..sizes.channels {
        for row in 0..sizes.kernel_height {
            for column in 0..sizes.kernel_width {
                let depth = (channel * sizes.kernel_height + row) * sizes.kernel_width + column;
                let (row, column) = (row * dilation[0], column * dilation[1]);
                let first = before[1].saturating_sub(column).div_ceil(stride[1]);
                let end = (sizes.width + before[1])
                    .saturating_sub(column)
                    .div_ceil(stride[1])
                    .min(sizes.out_width);
                if first >= end {
                    continue;
                }
                let x = first * stride[1] + column - before[1];
                for place in 0..sizes.out_height {
                    let y = place * stride[0] + row;
                    if y < before[0] || y - before[0] >= sizes.height {
                        continue;
                    }
                    let line = channel * sizes.height + y - before[0];
                    let windows = depth * sizes.places() + place * sizes.out_width;
                    visit(windows, line * sizes.width + x, first, end);
                }
            }
        }
    }
}
