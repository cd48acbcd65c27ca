//! The mean cross-entropy of logarithms of a softmax and classes, and its gradient.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{UNITS, array, contiguous, cubes, empty, units};
use super::sums::sum_of_units;

#[cube(launch_unchecked)]
fn mean_kernel(
    logs: &Array<f32>,
    targets: &Array<i32>,
    out: &mut Array<f32>,
    batch: usize,
    classes: usize,
) {
    let mut sum = f32::new(0.0);
    let mut at = UNIT_POS as usize;
    while at < batch {
        sum += logs[at * classes + targets[at] as usize];
        at += UNITS;
    }
    let all = sum_of_units(sum, UNITS);
    if UNIT_POS == 0 {
        out[0] = -all / f32::cast_from(batch);
    }
}

#[cube(launch_unchecked)]
fn gradient_kernel(
    logs: &Array<f32>,
    targets: &Array<i32>,
    g: &Array<f32>,
    out: &mut Array<f32>,
    batch: usize,
    classes: usize,
) {
    let at = ABSOLUTE_POS;
    if at < batch * classes {
        let is_target = at % classes == targets[at / classes] as usize;
        let share = g[0] / f32::cast_from(batch);
        out[at] = (logs[at].exp() - select(is_target, 1.0, 0.0)) * share;
    }
}

/// The mean of `-logs[target]`, `[1]`, of `[batch, classes]` and `[batch]`.
pub(super) fn mean<R: CubeRuntime>(logs: CubeTensor<R>, targets: CubeTensor<R>) -> CubeTensor<R> {
    let (logs, targets) = (contiguous(logs), contiguous(targets));
    let [batch, classes] = logs.meta.shape().dims();
    let out = empty(&logs, &[1]);
    // SAFETY: units look at the size of the batch before they read, and targets are classes.
    unsafe {
        mean_kernel::launch_unchecked(
            &logs.client,
            CubeCount::Static(1, 1, 1),
            units(UNITS),
            array(&logs),
            array(&targets),
            array(&out),
            batch,
            classes,
        );
    }
    out
}

/// The gradient of the logits.
pub(super) fn gradient<R: CubeRuntime>(
    logs: CubeTensor<R>,
    targets: CubeTensor<R>,
    grad_output: CubeTensor<R>,
) -> CubeTensor<R> {
    let (logs, targets) = (contiguous(logs), contiguous(targets));
    let [batch, classes] = logs.meta.shape().dims();
    let out = empty(&logs, &[batch, classes]);
    // SAFETY: a unit looks at the number of values before it reads or writes.
    unsafe {
        gradient_kernel::launch_unchecked(
            &logs.client,
            cubes(batch * classes),
            units(UNITS),
            array(&logs),
            array(&targets),
            array(&grad_output),
            array(&out),
            batch,
            classes,
        );
    }
    out
}
