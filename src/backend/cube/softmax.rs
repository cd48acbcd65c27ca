//! The logarithm of the softmax of each row, and its gradient.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{array, contiguous, empty, grid, units};
use super::sums::sum_of_units;

/// Units of a row.
const UNITS: usize = 64;

/// The largest value of all units of a cube.
#[cube]
fn largest_of_units(value: f32) -> f32 {
    let mut shared = SharedMemory::<f32>::new(UNITS);
    shared[UNIT_POS as usize] = value;
    sync_cube();
    let mut largest = shared[0];
    for unit in 1..UNITS {
        largest = max(largest, shared[unit]);
    }
    sync_cube();
    largest
}

#[cube(launch_unchecked)]
fn log_softmax_kernel(x: &Array<f32>, out: &mut Array<f32>, rows: usize, classes: usize) {
    if CUBE_POS >= rows {
        terminate!();
    }
    let row = CUBE_POS * classes;
    let unit = UNIT_POS as usize;
    let mut largest = x[row];
    let mut at = unit;
    while at < classes {
        largest = max(largest, x[row + at]);
        at += UNITS;
    }
    let largest = largest_of_units(largest);
    let mut sum = f32::new(0.0);
    let mut at = unit;
    while at < classes {
        sum += (x[row + at] - largest).exp();
        at += UNITS;
    }
    let all = largest + sum_of_units(sum, UNITS).ln();
    let mut at = unit;
    while at < classes {
        out[row + at] = x[row + at] - all;
        at += UNITS;
    }
}

#[cube(launch_unchecked)]
fn log_softmax_back_kernel(
    g: &Array<f32>,
    y: &Array<f32>,
    out: &mut Array<f32>,
    rows: usize,
    classes: usize,
) {
    if CUBE_POS >= rows {
        terminate!();
    }
    let row = CUBE_POS * classes;
    let mut sum = f32::new(0.0);
    let mut at = UNIT_POS as usize;
    while at < classes {
        sum += g[row + at];
        at += UNITS;
    }
    let sum = sum_of_units(sum, UNITS);
    let mut at = UNIT_POS as usize;
    while at < classes {
        out[row + at] = g[row + at] - y[row + at].exp() * sum;
        at += UNITS;
    }
}

/// Of `[rows, classes]`.
pub(super) fn log_softmax<R: CubeRuntime>(x: CubeTensor<R>) -> CubeTensor<R> {
    let x = contiguous(x);
    let shape = x.meta.shape().to_vec();
    let out = empty(&x, &shape);
    let client = x.client.clone();
    // SAFETY: units read and write inside their row.
    unsafe {
        log_softmax_kernel::launch_unchecked(
            &client,
            grid(shape[0]),
            units(UNITS),
            array(&x),
            array(&out),
            shape[0],
            shape[1],
        );
    }
    out
}

/// The gradient of what [`log_softmax`] was given, of its output `y` and that one's gradient.
pub(super) fn log_softmax_back<R: CubeRuntime>(
    gradient: CubeTensor<R>,
    y: CubeTensor<R>,
) -> CubeTensor<R> {
    let gradient = contiguous(gradient);
    let shape = y.meta.shape().to_vec();
    let out = empty(&y, &shape);
    let client = y.client.clone();
    // SAFETY: units read and write inside their row.
    unsafe {
        log_softmax_back_kernel::launch_unchecked(
            &client,
            grid(shape[0]),
            units(UNITS),
            array(&gradient),
            array(&y),
            array(&out),
            shape[0],
            shape[1],
        );
    }
    out
}
