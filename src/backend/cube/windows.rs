//! Windows of images as matrices in memory, and back: what tensor cores multiply.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{UNITS, array, contiguous, cubes, empty, units};
use super::product::{Convolution, KernelForm, ProductSizes, output_value, window_value};

/// `[batch, channels, height, width]` to `[batch, channels * taps, places]`.
#[cube(launch_unchecked)]
fn unfold_kernel(
    images: &Array<f32>,
    out: &mut Array<f32>,
    values: usize,
    sizes: &ProductSizes,
    #[comptime] form: KernelForm,
) {
    let at = ABSOLUTE_POS;
    if at < values {
        let taps = comptime!(form.kernel_height * form.kernel_width);
        let places = sizes.out_height * sizes.out_width;
        let row = at / places;
        out[at] = window_value(images, row / taps, at % places, row % taps, sizes, form);
    }
}

/// The way back: each value of an image is the sum of where it lies in the windows.
#[cube(launch_unchecked)]
fn fold_kernel(
    windows: &Array<f32>,
    out: &mut Array<f32>,
    values: usize,
    sizes: &ProductSizes,
    #[comptime] form: KernelForm,
) {
    let at = ABSOLUTE_POS;
    if at < values {
        let taps = comptime!(form.kernel_height * form.kernel_width);
        let places = sizes.height * sizes.width;
        let (plane, place) = (at / places, at % places);
        let mut sum = f32::new(0.0);
        for tap in 0..taps {
            sum += output_value(windows, plane * taps + tap, place, tap, sizes, form);
        }
        out[at] = sum;
    }
}

/// `[batch, channels, height, width]` to `[batch, groups, depth, places]`.
pub(super) fn unfold<R: CubeRuntime>(x: CubeTensor<R>, convolution: Convolution) -> CubeTensor<R> {
    let (x, of) = (contiguous(x), convolution.0);
    let shape = [of.batch, of.sliding.groups, of.seen(), of.places()];
    let (out, values) = (empty(&x, &shape), shape.iter().product());
    // SAFETY: a unit looks at the number of values before it writes, and at the image's edges before it reads.
    unsafe {
        unfold_kernel::launch_unchecked(
            &x.client,
            cubes(values),
            units(UNITS),
            array(&x),
            array(&out),
            values,
            convolution.window_sizes(),
            convolution.window_form(),
        );
    }
    out
}

/// `[batch, groups, depth, places]` to `[batch, channels, height, width]`.
pub(super) fn fold<R: CubeRuntime>(
    windows: CubeTensor<R>,
    convolution: Convolution,
) -> CubeTensor<R> {
    let (windows, of) = (contiguous(windows), convolution.0);
    let shape = [of.batch, of.channels, of.height, of.width];
    let (out, values) = (empty(&windows, &shape), shape.iter().product());
    // SAFETY: a unit looks at the number of values before it writes, and at the output's edges before it reads.
    unsafe {
        fold_kernel::launch_unchecked(
            &windows.client,
            cubes(values),
            units(UNITS),
            array(&windows),
            array(&out),
            values,
            convolution.window_sizes(),
            convolution.window_form(),
        );
    }
    out
}
