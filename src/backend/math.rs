//! Functions of tensors as every room writes them: each is the backend's own kernel, or Burn's where it has none.
//!
//! Sums have one order and functions one polynomial on every CPU. Burn's own `exp`, `sum`, `matmul` and their kin may
//! give other last digits on another processor; what Burn does value by value with one operation may not.

use burn::tensor::Tensor;

use super::distribution::Distribution;
use super::kernels::Kernels;
use crate::rng::Draw;

macro_rules! of_each_value {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        pub fn $name<B: Kernels, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
            <B as Kernels>::$name(x)
        }
    )+};
}

of_each_value! {
    /// `e^x`
    exp;
    /// The natural logarithm.
    ln;
    /// `ln(1 + x)`
    ln_1p;
    /// The hyperbolic tangent.
    tanh;
    /// `1 / (1 + e^-x)`
    sigmoid;
    /// `x` above 0, else `e^x - 1`.
    elu;
    /// `x` times the share of a standard normal distribution below it.
    gelu;
    /// The larger of `x` and 0; NaN stays NaN.
    relu;
}

/// The sum of all values, `[1]`.
pub fn sum<B: Kernels, const D: usize>(x: Tensor<B, D>) -> Tensor<B, 1> {
    <B as Kernels>::sum(x)
}

/// The mean of all values, `[1]`.
pub fn mean<B: Kernels, const D: usize>(x: Tensor<B, D>) -> Tensor<B, 1> {
    <B as Kernels>::mean(x)
}

/// The sums along an axis, whose length becomes 1.
pub fn sum_dim<B: Kernels, const D: usize>(x: Tensor<B, D>, axis: usize) -> Tensor<B, D> {
    <B as Kernels>::sum_dim(x, axis)
}

/// The means along an axis, whose length becomes 1.
pub fn mean_dim<B: Kernels, const D: usize>(x: Tensor<B, D>, axis: usize) -> Tensor<B, D> {
    <B as Kernels>::mean_dim(x, axis)
}

/// `x` with every axis of length 1 repeated to the length that `shape` has there: where a gradient flows, in place of
/// Burn's own repetition in `+` and `*`.
pub fn expand<B: Kernels, const D: usize>(x: Tensor<B, D>, shape: [usize; D]) -> Tensor<B, D> {
    <B as Kernels>::expand(x, shape)
}

/// `exp(x)` over the sum of all along an axis.
pub fn softmax<B: Kernels, const D: usize>(x: Tensor<B, D>, axis: usize) -> Tensor<B, D> {
    // Only the ratios count: without the largest value none overflows.
    let largest = x.clone().detach().max_dim(axis);
    let powers = exp(x - largest);
    let dims = powers.dims();
    powers.clone() / expand(sum_dim(powers, axis), dims)
}

/// The logarithm of the softmax of each row of `[batch, classes]`.
pub fn log_softmax<B: Kernels>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    <B as Kernels>::log_softmax(x)
}

/// `[..., rows, inner]` times `[..., inner, columns]`; leading axes of length 1 are repeated.
pub fn matmul<B: Kernels, const D: usize>(left: Tensor<B, D>, right: Tensor<B, D>) -> Tensor<B, D> {
    <B as Kernels>::matmul(left, right)
}

/// `[batch, inputs]` times `[inputs, outputs]`, with `[outputs]` added.
pub fn linear<B: Kernels>(
    x: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
) -> Tensor<B, 2> {
    <B as Kernels>::linear(x, weight, bias)
}

/// Random numbers of the shape of `x`, `[batch, ...]`.
pub fn random_like<B: Kernels, const D: usize>(
    x: &Tensor<B, D>,
    distribution: Distribution,
    draw: Draw,
) -> Tensor<B, D> {
    <B as Kernels>::random(x.dims(), distribution, draw, &x.device())
}
