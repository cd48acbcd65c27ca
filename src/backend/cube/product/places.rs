//! Where the values of a product's factors and of what is made of them lie.

use cubecl::prelude::*;

use super::{KernelForm, Operands, ProductSizes};

#[cube]
pub(super) fn left_at(
    left: &Array<f32>,
    z: usize,
    m: usize,
    k: usize,
    sizes: &ProductSizes,
    #[comptime] form: KernelForm,
) -> f32 {
    if comptime!(form.operands == Operands::Matrices) {
        left[z * sizes.left_z + m * sizes.left_m + k * sizes.left_k]
    } else if comptime!(form.operands == Operands::Forward) {
        left[(z * sizes.filters + m) * sizes.k + k]
    } else if comptime!(form.operands == Operands::Images) {
        let taps = comptime!(form.kernel_height * form.kernel_width);
        let filter = z * sizes.filters + k / taps;
        left[(filter * sizes.channels + m) * taps + k % taps]
    } else {
        let places = sizes.out_height * sizes.out_width;
        let image = k / places;
        left[(image * sizes.all_filters + z * sizes.filters + m) * places + k % places]
    }
}

/// The value of a window's tap at a place of the output, or 0 outside of the image.
#[cube]
pub(in crate::backend::cube) fn window_value(
    images: &Array<f32>,
    plane: usize,
    place: usize,
    tap: usize,
    sizes: &ProductSizes,
    #[comptime] form: KernelForm,
) -> f32 {
    let y = place / sizes.out_width * form.stride_y + tap / form.kernel_width * form.dilation_y;
    let x = place % sizes.out_width * form.stride_x + tap % form.kernel_width * form.dilation_x;
    let mut value = f32::new(0.0);
    if y >= form.padding_top && x >= form.padding_left {
        let y = y - form.padding_top;
        let x = x - form.padding_left;
        if y < sizes.height && x < sizes.width {
            value = images[(plane * sizes.height + y) * sizes.width + x];
        }
    }
    value
}

/// The output whose window has its tap at a place of the image, or 0 if there is none.
#[cube]
pub(in crate::backend::cube) fn output_value(
    outputs: &Array<f32>,
    plane: usize,
    place: usize,
    tap: usize,
    sizes: &ProductSizes,
    #[comptime] form: KernelForm,
) -> f32 {
    let y = place / sizes.width + form.padding_top;
    let x = place % sizes.width + form.padding_left;
    let row = tap / form.kernel_width * form.dilation_y;
    let column = tap % form.kernel_width * form.dilation_x;
    let mut value = f32::new(0.0);
    if y >= row && x >= column {
        let y = y - row;
        let x = x - column;
        if y % form.stride_y == 0 && x % form.stride_x == 0 {
            let y = y / form.stride_y;
            let x = x / form.stride_x;
            if y < sizes.out_height && x < sizes.out_width {
                value = outputs[(plane * sizes.out_height + y) * sizes.out_width + x];
            }
        }
    }
    value
}

/// The image of column `n` of `Images`, and a place of it: those of one phase lie beside each other.
#[cube]
pub(super) fn place_of_column(
    n: usize,
    phase: usize,
    sizes: &ProductSizes,
    #[comptime] form: KernelForm,
) -> (usize, usize, usize) {
    let rows = sizes.height.div_ceil(form.stride_y);
    let columns = sizes.width.div_ceil(form.stride_x);
    let count = rows * columns;
    let at = n % count;
    let y = at / columns * form.stride_y + phase / form.stride_x;
    let x = at % columns * form.stride_x + phase % form.stride_x;
    (n / count, y, x)
}

#[cube]
pub(super) fn right_at(
    right: &Array<f32>,
    z: usize,
    phase: usize,
    k: usize,
    n: usize,
    sizes: &ProductSizes,
    #[comptime] form: KernelForm,
) -> f32 {
    let taps = comptime!(form.kernel_height * form.kernel_width);
    if comptime!(form.operands == Operands::Matrices) {
        right[z * sizes.right_z + k * sizes.right_k + n * sizes.right_n]
    } else if comptime!(form.operands == Operands::Forward) {
        let places = sizes.out_height * sizes.out_width;
        let plane = n / places * sizes.all_channels + z * sizes.channels + k / taps;
        window_value(right, plane, n % places, k % taps, sizes, form)
    } else if comptime!(form.operands == Operands::Images) {
        let (image, y, x) = place_of_column(n, phase, sizes, form);
        let plane = image * sizes.all_filters + z * sizes.filters + k / taps;
        output_value(right, plane, y * sizes.width + x, k % taps, sizes, form)
    } else {
        let places = sizes.out_height * sizes.out_width;
        let plane = k / places * sizes.all_channels + z * sizes.channels + n / taps;
        window_value(right, plane, k % places, n % taps, sizes, form)
    }
}

/// What a column sees at one tap: where the first channel's value lies, and whether there is one.
#[cube]
pub(super) fn source_of_column(
    n: usize,
    z: usize,
    phase: usize,
    tap: usize,
    channel: usize,
    sizes: &ProductSizes,
    #[comptime] form: KernelForm,
) -> (usize, bool) {
    let row = tap / form.kernel_width * form.dilation_y;
    let column = tap % form.kernel_width * form.dilation_x;
    if comptime!(form.operands == Operands::Forward) {
        let places = sizes.out_height * sizes.out_width;
        let (image, place) = (n / places, n % places);
        let y = place / sizes.out_width * form.stride_y + row;
        let x = place % sizes.out_width * form.stride_x + column;
        let is_inside = y >= form.padding_top
            && x >= form.padding_left
            && y < sizes.height + form.padding_top
            && x < sizes.width + form.padding_left;
        let plane = image * sizes.all_channels + z * sizes.channels + channel;
        let at =
            (plane * sizes.height + y - form.padding_top) * sizes.width + x - form.padding_left;
        (at, is_inside)
    } else {
        let (image, y, x) = place_of_column(n, phase, sizes, form);
        let is_there = y < sizes.height && x < sizes.width;
        let y = y + form.padding_top;
        let x = x + form.padding_left;
        let is_inside = is_there
            && y >= row
            && x >= column
            && y < sizes.out_height * form.stride_y + row
            && x < sizes.out_width * form.stride_x + column;
        let plane = image * sizes.all_filters + z * sizes.filters + channel;
        let y = (y - row) / form.stride_y;
        let at = (plane * sizes.out_height + y) * sizes.out_width + (x - column) / form.stride_x;
        (at, is_inside)
    }
}

/// Whether a tap ever hits what a phase's values were made of.
#[cube]
pub(super) fn phase_has_tap(phase: usize, tap: usize, #[comptime] form: KernelForm) -> bool {
    if comptime!(form.operands == Operands::Images && form.by_taps) {
        // Multiples of the strides, so that nothing is below 0.
        let more = comptime!(form.kernel_height * form.dilation_y * form.stride_y);
        let y = phase / form.stride_x + form.padding_top + more
            - tap / form.kernel_width * form.dilation_y;
        let more = comptime!(form.kernel_width * form.dilation_x * form.stride_x);
        let x = phase % form.stride_x + form.padding_left + more
            - tap % form.kernel_width * form.dilation_x;
        y % form.stride_y == 0 && x % form.stride_x == 0
    } else {
        true.runtime()
    }
}

/// A filter's value at a tap.
#[cube]
pub(super) fn left_of_tap(
    left: &Array<f32>,
    z: usize,
    m: usize,
    tap: usize,
    channel: usize,
    sizes: &ProductSizes,
    #[comptime] form: KernelForm,
) -> f32 {
    let taps = comptime!(form.kernel_height * form.kernel_width);
    if comptime!(form.operands == Operands::Forward) {
        left[((z * sizes.filters + m) * sizes.channels + channel) * taps + tap]
    } else {
        left[((z * sizes.filters + channel) * sizes.channels + m) * taps + tap]
    }
}

/// Where the first value of a column of the product goes, and whether it goes anywhere.
#[cube]
pub(super) fn column_of(
    n: usize,
    z: usize,
    phase: usize,
    sizes: &ProductSizes,
    #[comptime] form: KernelForm,
) -> (usize, bool) {
    if comptime!(form.operands == Operands::Forward) {
        let places = sizes.out_height * sizes.out_width;
        let plane = n / places * sizes.all_filters + z * sizes.filters;
        (plane * places + n % places, true.runtime())
    } else if comptime!(form.operands == Operands::Images) {
        let (image, y, x) = place_of_column(n, phase, sizes, form);
        let plane = image * sizes.all_channels + z * sizes.channels;
        let at = (plane * sizes.height + y) * sizes.width + x;
        (at, y < sizes.height && x < sizes.width)
    } else {
        (z * sizes.m * sizes.n + n, true.runtime())
    }
}
