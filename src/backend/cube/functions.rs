//! Functions of every value, and their gradients.

use std::f32::consts::FRAC_1_SQRT_2;

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{UNITS, array, contiguous, cubes, empty, units};
use crate::backend::constants::{LEAST_PROBABILITY, NORMAL_PEAK};
use crate::backend::passes::Function;

/// With all digits where `x` is small, which `1 + x` has not: some drivers' own takes the logarithm of that. The error of the sum
/// is that of its logarithm, to first order (Higham 2002, section 1.14.1).
#[cube]
fn ln_1p(x: f32) -> f32 {
    let sum = 1.0 + x;
    let near = sum - 1.0;
    let part = select(x > 1.0, 1.0, x / near);
    select(near == 0.0, x, sum.ln() * part)
}

/// Without large intermediate values: `max(x, 0) + ln(1 + exp(-|x|))`.
#[cube]
fn softplus(x: f32) -> f32 {
    max(x, 0.0) + ln_1p((-x.abs()).exp())
}

/// By its bits: drivers take comparisons for what they are of numbers.
#[cube]
fn is_no_number(x: f32) -> bool {
    (u32::reinterpret(x) & 0x7fff_ffff) > 0x7f80_0000
}

#[cube]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// The share of a standard normal distribution below `x`.
#[cube]
fn normal_share(x: f32) -> f32 {
    0.5 * (1.0 + Erf::erf(x * FRAC_1_SQRT_2))
}

#[cube(launch_unchecked)]
fn function_kernel(
    x: &Array<f32>,
    out: &mut Array<f32>,
    values: usize,
    #[comptime] function: Function,
) {
    let at = ABSOLUTE_POS;
    if at < values {
        let x = x[at];
        out[at] = if comptime!(function == Function::Exp) {
            x.exp()
        } else if comptime!(function == Function::Ln) {
            x.ln()
        } else if comptime!(function == Function::Ln1p) {
            ln_1p(x)
        } else if comptime!(function == Function::Tanh) {
            x.tanh()
        } else if comptime!(function == Function::Sigmoid) {
            sigmoid(x)
        } else if comptime!(function == Function::Softplus) {
            softplus(x)
        } else if comptime!(function == Function::Elu) {
            select(x > 0.0, x, x.exp() - 1.0)
        } else if comptime!(function == Function::Gelu) {
            x * normal_share(x)
        } else {
            select(is_no_number(x), x, max(x, 0.0))
        };
    }
}

#[cube(launch_unchecked)]
fn gradient_kernel(
    saved: &Array<f32>,
    g: &Array<f32>,
    out: &mut Array<f32>,
    values: usize,
    #[comptime] function: Function,
) {
    let at = ABSOLUTE_POS;
    if at < values {
        let (v, g) = (saved[at], g[at]);
        out[at] = if comptime!(function == Function::Exp) {
            g * v
        } else if comptime!(function == Function::Ln) {
            g / v
        } else if comptime!(function == Function::Ln1p) {
            g / (1.0 + v)
        } else if comptime!(function == Function::Tanh) {
            g * (1.0 - v * v)
        } else if comptime!(function == Function::Sigmoid) {
            g * (v * (1.0 - v))
        } else if comptime!(function == Function::Softplus) {
            g * sigmoid(v)
        } else if comptime!(function == Function::Elu) {
            g * select(v > 0.0, 1.0, v.exp())
        } else if comptime!(function == Function::Gelu) {
            g * (normal_share(v) + v * (v * v * -0.5).exp() * NORMAL_PEAK)
        } else {
            select(v <= 0.0, 0.0, g)
        };
    }
}

#[cube]
fn bounded(p: f32) -> f32 {
    let most = comptime!(1.0 - LEAST_PROBABILITY);
    select(is_no_number(p), p, min(max(p, LEAST_PROBABILITY), most))
}

#[cube(launch_unchecked)]
fn binary_cross_entropy_kernel(
    probabilities: &Array<f32>,
    targets: &Array<f32>,
    out: &mut Array<f32>,
    values: usize,
) {
    let at = ABSOLUTE_POS;
    if at < values {
        let (p, target) = (bounded(probabilities[at]), targets[at]);
        out[at] = -(p.ln() * target + (1.0 - p).ln() * (1.0 - target));
    }
}

#[cube(launch_unchecked)]
fn binary_cross_entropy_gradient_kernel(
    probabilities: &Array<f32>,
    targets: &Array<f32>,
    g: &Array<f32>,
    out: &mut Array<f32>,
    values: usize,
) {
    let at = ABSOLUTE_POS;
    if at < values {
        let (p, target) = (probabilities[at], targets[at]);
        let q = bounded(p);
        let slope = (1.0 - target) / (1.0 - q) - target / q;
        // What is held at a bound does not move.
        let is_held = p < LEAST_PROBABILITY || p > 1.0 - LEAST_PROBABILITY;
        out[at] = g[at] * select(is_held, 0.0, slope);
    }
}

pub(super) fn function<R: CubeRuntime>(function: Function, x: CubeTensor<R>) -> CubeTensor<R> {
    let x = contiguous(x);
    let (out, values) = (empty(&x, x.meta.shape()), x.meta.num_elements());
    // SAFETY: a unit looks at the number of values before it reads or writes.
    unsafe {
        function_kernel::launch_unchecked(
            &x.client,
            cubes(values),
            units(UNITS),
            array(&x),
            array(&out),
            values,
            function,
        );
    }
    out
}

/// `saved` is what [`Function::saves_output`] says.
pub(super) fn gradient<R: CubeRuntime>(
    function: Function,
    saved: CubeTensor<R>,
    grad_output: CubeTensor<R>,
) -> CubeTensor<R> {
    let (saved, grad_output) = (contiguous(saved), contiguous(grad_output));
    let (out, values) = (empty(&saved, saved.meta.shape()), saved.meta.num_elements());
    // SAFETY: a unit looks at the number of values before it reads or writes.
    unsafe {
        gradient_kernel::launch_unchecked(
            &saved.client,
            cubes(values),
            units(UNITS),
            array(&saved),
            array(&grad_output),
            array(&out),
            values,
            function,
        );
    }
    out
}

pub(super) fn binary_cross_entropy<R: CubeRuntime>(
    probabilities: CubeTensor<R>,
    targets: CubeTensor<R>,
) -> CubeTensor<R> {
    let (probabilities, targets) = (contiguous(probabilities), contiguous(targets));
    let (out, values) = (
        empty(&probabilities, probabilities.meta.shape()),
        probabilities.meta.num_elements(),
    );
    // SAFETY: a unit looks at the number of values before it reads or writes.
    unsafe {
        binary_cross_entropy_kernel::launch_unchecked(
            &probabilities.client,
            cubes(values),
            units(UNITS),
            array(&probabilities),
            array(&targets),
            array(&out),
            values,
        );
    }
    out
}

pub(super) fn binary_cross_entropy_gradient<R: CubeRuntime>(
    probabilities: CubeTensor<R>,
    targets: CubeTensor<R>,
    grad_output: CubeTensor<R>,
) -> CubeTensor<R> {
    let (probabilities, targets, grad_output) = (
        contiguous(probabilities),
        contiguous(targets),
        contiguous(grad_output),
    );
    let (out, values) = (
        empty(&probabilities, probabilities.meta.shape()),
        probabilities.meta.num_elements(),
    );
    // SAFETY: a unit looks at the number of values before it reads or writes.
    unsafe {
        binary_cross_entropy_gradient_kernel::launch_unchecked(
            &probabilities.client,
            cubes(values),
            units(UNITS),
            array(&probabilities),
            array(&targets),
            array(&grad_output),
            array(&out),
            values,
        );
    }
    out
}
