//! Sums in one order, whatever else the GPU does.

use burn::tensor::Shape;
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{UNITS, array, contiguous, cubes, empty, grid, shaped, units};
use crate::backend::passes::Reduction;

/// Neighboring values that a cube of [`columns_kernel`] sums beside each other.
const COLUMNS: usize = 32;
/// Units that share a column.
const LANES: usize = 8;

/// The sum of one value of each unit of a cube, known to all of them.
#[cube]
pub(super) fn sum_of_units(value: f32, #[comptime] units: usize) -> f32 {
    let mut shared = SharedMemory::<f32>::new(units);
    let unit = UNIT_POS as usize;
    shared[unit] = value;
    sync_cube();
    let halvings = comptime!(units.ilog2());
    #[unroll]
    for halving in 0..halvings {
        let half = comptime!(units >> (halving + 1));
        if unit < half {
            let other = shared[unit + half];
            shared[unit] += other;
        }
        sync_cube();
    }
    let sum = shared[0];
    sync_cube();
    sum
}

/// `[outer, axis, inner]` to `[outer, inner]`: the values of a column one after another.
#[cube(launch_unchecked)]
fn columns_kernel(
    x: &Array<f32>,
    out: &mut Array<f32>,
    more: &mut Array<f32>,
    rows: usize,
    axis: usize,
    inner: usize,
    first: usize,
    factor: f32,
) {
    let blocks = inner.div_ceil(COLUMNS);
    let outer = CUBE_POS / blocks;
    if outer >= rows {
        terminate!();
    }
    let column = CUBE_POS % blocks * COLUMNS + UNIT_POS as usize % COLUMNS;
    let lane = UNIT_POS as usize / COLUMNS;
    let mut shared = SharedMemory::<f32>::new(comptime!(COLUMNS * LANES));
    let mut sum = f32::new(0.0);
    if column < inner {
        let mut at = lane;
        while at < axis {
            sum += x[(outer * axis + at) * inner + column];
            at += LANES;
        }
    }
    shared[UNIT_POS as usize] = sum;
    sync_cube();
    if lane == 0 && column < inner {
        let mut all = f32::new(0.0);
        #[unroll]
        for lane in 0..LANES {
            all += shared[lane * COLUMNS + UNIT_POS as usize];
        }
        if column < first {
            out[outer * first + column] = all * factor;
        } else {
            more[column - first] = all * factor;
        }
    }
}

/// `[outer, axis]` to `[outer]`, a cube for each.
#[cube(launch_unchecked)]
fn rows_kernel(x: &Array<f32>, out: &mut Array<f32>, rows: usize, axis: usize, factor: f32) {
    let outer = CUBE_POS;
    if outer >= rows {
        terminate!();
    }
    let mut sum = f32::new(0.0);
    let mut at = UNIT_POS as usize;
    while at < axis {
        sum += x[outer * axis + at];
        at += UNITS;
    }
    let all = sum_of_units(sum, UNITS);
    if UNIT_POS == 0 {
        out[outer] = all * factor;
    }
}

/// Sums of parts of all values, or of their squares.
#[cube(launch_unchecked)]
fn parts_kernel(
    x: &Array<f32>,
    out: &mut Array<f32>,
    first: usize,
    values: usize,
    part: usize,
    #[comptime] squares: bool,
) {
    let start = CUBE_POS_X as usize * part;
    let end = clamp_max(start + part, values);
    let mut sum = f32::new(0.0);
    let mut at = start + UNIT_POS as usize;
    while at < end {
        let value = x[at];
        if comptime!(squares) {
            sum = fma(value, value, sum);
        } else {
            sum += value;
        }
        at += UNITS;
    }
    let all = sum_of_units(sum, UNITS);
    if UNIT_POS == 0 {
        out[first + CUBE_POS_X as usize] = all;
    }
}

fn columns<R: CubeRuntime>(
    x: CubeTensor<R>,
    [outer, axis, inner]: [usize; 3],
    out: CubeTensor<R>,
    more: Option<CubeTensor<R>>,
    factor: f32,
) {
    let client = x.client.clone();
    let first = out.meta.num_elements() / outer;
    let more = more.unwrap_or_else(|| out.clone());
    // SAFETY: the kernel looks at the sizes before it reads or writes.
    unsafe {
        columns_kernel::launch_unchecked(
            &client,
            grid(inner.div_ceil(COLUMNS) * outer),
            units(COLUMNS * LANES),
            array(&x),
            array(&out),
            array(&more),
            outer,
            axis,
            inner,
            first,
            factor,
        );
    }
}

/// The sums of `[parts, values]` over the parts: the first in a shape, the last `sums` in a row of their own.
pub(super) fn of_parts<R: CubeRuntime>(
    parts: CubeTensor<R>,
    shape: Vec<usize>,
    sums: Option<usize>,
) -> (CubeTensor<R>, Option<CubeTensor<R>>) {
    let dims = parts.meta.shape().to_vec();
    let out = empty(&parts, &shape);
    let more = sums.map(|sums| empty(&parts, &[sums]));
    columns(parts, [1, dims[0], dims[1]], out.clone(), more.clone(), 1.0);
    (out, more)
}

/// Sums along an axis, whose length becomes 1, times a factor.
pub(super) fn along<R: CubeRuntime>(x: CubeTensor<R>, axis: usize, factor: f32) -> CubeTensor<R> {
    let x = contiguous(x);
    let mut shape = x.meta.shape().to_vec();
    let outer: usize = shape[..axis].iter().product();
    let length = shape[axis];
    let inner: usize = shape[axis + 1..].iter().product();
    shape[axis] = 1;
    let out = empty(&x, &shape);
    if inner > 1 {
        columns(x, [outer, length, inner], out.clone(), None, factor);
        return out;
    }
    let client = x.client.clone();
    // SAFETY: the kernel looks at the length before it reads.
    unsafe {
        rows_kernel::launch_unchecked(
            &client,
            grid(outer),
            units(UNITS),
            array(&x),
            array(&out),
            outer,
            length,
            factor,
        );
    }
    out
}

/// Values of a part of [`of_all`], at least.
const PART: usize = 8192;
/// Parts at most.
const PARTS: usize = 128;

fn part_of(values: usize) -> [usize; 2] {
    let parts = values.div_ceil(PART).clamp(1, PARTS);
    let part = values.div_ceil(parts).max(1);
    [part, values.div_ceil(part).max(1)]
}

/// Sums of each tensor's values or squares in parts, all in a row.
fn parts<R: CubeRuntime>(tensors: Vec<CubeTensor<R>>, squares: bool) -> CubeTensor<R> {
    let counts: Vec<usize> = tensors.iter().map(|x| x.meta.num_elements()).collect();
    let all: usize = counts.iter().map(|&values| part_of(values)[1]).sum();
    let out = empty(&tensors[0], &[1, all]);
    let mut first = 0;
    for (x, values) in tensors.into_iter().zip(counts) {
        let [part, parts] = part_of(values);
        let (x, client) = (contiguous(x), out.client.clone());
        // SAFETY: the kernel looks at the number of values before it reads.
        unsafe {
            parts_kernel::launch_unchecked(
                &client,
                CubeCount::Static(parts as u32, 1, 1),
                units(UNITS),
                array(&x),
                array(&out),
                first,
                values,
                part,
                squares,
            );
        }
        first += parts;
    }
    out
}

/// The sum of all values times a factor, `[1]`.
pub(super) fn of_all<R: CubeRuntime>(x: CubeTensor<R>, factor: f32) -> CubeTensor<R> {
    let parts = parts(vec![x], false);
    shaped(along(parts, 1, factor), &[1])
}

/// The sum of the squares of all values of the tensors, `[1]`.
pub(super) fn of_squares<R: CubeRuntime>(tensors: Vec<CubeTensor<R>>) -> CubeTensor<R> {
    let parts = parts(tensors, true);
    shaped(along(parts, 1, 1.0), &[1])
}

/// The sums of each channel of `[batch, channels, height, width]`, `[channels]`.
pub(super) fn of_channels<R: CubeRuntime>(x: CubeTensor<R>) -> CubeTensor<R> {
    let [batch, channels, height, width] = x.meta.shape().dims();
    let x = shaped(contiguous(x), &[batch * channels, height * width]);
    let of_images = shaped(along(x, 1, 1.0), &[batch, channels]);
    shaped(along(of_images, 0, 1.0), &[channels])
}

/// The gradient of what was reduced, which had this shape: each value again for all that it is a sum of.
#[cube(launch_unchecked)]
fn back_kernel(
    g: &Array<f32>,
    out: &mut Array<f32>,
    values: usize,
    axis: usize,
    inner: usize,
    factor: f32,
) {
    let at = ABSOLUTE_POS;
    if at < values {
        out[at] = g[at / (axis * inner) * inner + at % inner] * factor;
    }
}

pub(super) fn back<R: CubeRuntime>(
    gradient: CubeTensor<R>,
    reduction: Reduction,
    shape: &Shape,
) -> CubeTensor<R> {
    let gradient = contiguous(gradient);
    let (axis, inner) = reduction.sizes(shape);
    let (out, values) = (empty(&gradient, shape), shape.num_elements());
    // SAFETY: a unit looks at the number of values before it reads or writes.
    unsafe {
        back_kernel::launch_unchecked(
            &gradient.client,
            cubes(values),
            units(UNITS),
            array(&gradient),
            array(&out),
            values,
            axis,
            inner,
            reduction.factor(shape) as f32,
        );
    }
    out
}
