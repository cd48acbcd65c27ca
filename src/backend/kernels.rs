//! Operations that a backend may do faster than Burn does them.
//!
//! A backend without a faster way takes Burn's own.

use burn::tensor::backend::Backend;
use burn::tensor::module::{conv_transpose3d, conv3d, linear};
use burn::tensor::ops::PadMode;
use burn::tensor::{ElementConversion, Int, Tensor, activation};

use super::products;
use super::shapes::{fit, reshape};
use super::sliding::{Sliding, Sweep3d};

/// What the layers need of a backend besides Burn's operations.
pub trait Kernels: Backend {
    /// Whether Burn's own convolutions are right only where a window is at least as long as its stride.
    const WINDOWS_SPAN_STRIDES: bool = true;

    /// Whether a value can be looked at without waiting for a device.
    const IS_AT_HAND: bool = false;

    /// `[batch, channels, height, width]` and `[filters, channels / groups, rows, columns]` to
    /// `[batch, filters, height out, width out]`, with `[filters]` added.
    fn convolve2d(
        x: Tensor<Self, 4>,
        weight: Tensor<Self, 4>,
        bias: Option<Tensor<Self, 1>>,
        sliding: Sliding,
    ) -> Tensor<Self, 4> {
        products::convolve2d(x, weight, bias, sliding)
    }

    /// The transposed convolution: `[batch, channels, height, width]` and
    /// `[channels, filters / groups, rows, columns]` to `[batch, filters, size...]`, with `[filters]` added.
    ///
    /// It goes the way of a convolution back, from that one's output to its images of `size`,
    /// `[height, width]`; the zeros that `sliding` adds to them there are cut off here.
    fn convolve2d_transpose(
        x: Tensor<Self, 4>,
        weight: Tensor<Self, 4>,
        bias: Option<Tensor<Self, 1>>,
        size: [usize; 2],
        sliding: Sliding,
    ) -> Tensor<Self, 4> {
        products::convolve2d_transpose(x, weight, bias, size, sliding)
    }

    /// `[batch, channels, depth, height, width]` and `[filters, channels / groups, planes, rows, columns]` to
    /// `[batch, filters, depth out, height out, width out]`, with `[filters]` added.
    fn convolve3d(
        x: Tensor<Self, 5>,
        weight: Tensor<Self, 5>,
        bias: Option<Tensor<Self, 1>>,
        sweep: Sweep3d,
    ) -> Tensor<Self, 5> {
        burns_convolve3d(x, weight, bias, sweep)
    }

    /// The transposed convolution: `[batch, channels, depth, height, width]` and
    /// `[channels, filters / groups, planes, rows, columns]` to `[batch, filters, ...]`, the `(n - 1) * stride + window`
    /// places of each axis.
    fn convolve3d_transpose(
        x: Tensor<Self, 5>,
        weight: Tensor<Self, 5>,
        sweep: Sweep3d,
    ) -> Tensor<Self, 5> {
        burns_convolve3d_transpose(x, weight, sweep)
    }

    /// Brings every channel of `[batch, channels, places]` to mean 0 and variance 1.
    fn standardize(x: Tensor<Self, 3>, epsilon: f64) -> Standardized<Self> {
        standardize(x, epsilon)
    }

    /// `[batch, channels, places]` times `[channels]` plus `[channels]`.
    fn scale_channels(
        x: Tensor<Self, 3>,
        scale: Tensor<Self, 1>,
        shift: Tensor<Self, 1>,
    ) -> Tensor<Self, 3> {
        scale_channels(x, scale, shift)
    }

    /// `[batch, inputs]` times `[inputs, outputs]`, with `[outputs]` added.
    fn linear(
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
    ) -> Tensor<Self, 2> {
        linear(x, weight, bias)
    }

    /// `[..., rows, inner]` times `[..., inner, columns]`; leading axes of length 1 are repeated.
    fn matmul<const D: usize>(left: Tensor<Self, D>, right: Tensor<Self, D>) -> Tensor<Self, D> {
        left.matmul(right)
    }

    /// `e^x`
    fn exp<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        x.exp()
    }

    /// The natural logarithm.
    fn ln<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        x.log()
    }

    /// `ln(1 + x)`
    fn ln_1p<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        x.log1p()
    }

    /// The hyperbolic tangent.
    fn tanh<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        activation::tanh(x)
    }

    /// `1 / (1 + e^-x)`
    fn sigmoid<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        activation::sigmoid(x)
    }

    /// `ln(1 + e^x)`
    fn softplus<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        activation::log_sigmoid(x.neg()).neg()
    }

    /// The larger of `x` and 0, with a slope of 0 at 0; NaN stays NaN.
    fn relu<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        // Burn's is one pass where a mask takes two, and a sum is quicker than either.
        if !holds_nan(&x) {
            return activation::relu(x);
        }
        let below = x.clone().lower_equal_elem(0.0);
        x.mask_fill(below, 0.0)
    }

    /// The sum of all values, `[1]`.
    fn sum<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, 1> {
        x.sum()
    }

    /// The mean of all values, `[1]`.
    fn mean<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, 1> {
        x.mean()
    }

    /// The sums along an axis, whose length becomes 1.
    fn sum_dim<const D: usize>(x: Tensor<Self, D>, axis: usize) -> Tensor<Self, D> {
        x.sum_dim(axis)
    }

    /// The means along an axis, whose length becomes 1.
    fn mean_dim<const D: usize>(x: Tensor<Self, D>, axis: usize) -> Tensor<Self, D> {
        x.mean_dim(axis)
    }

    /// `x` with every axis of length 1 repeated to the length that `shape` has there.
    fn expand<const D: usize>(x: Tensor<Self, D>, shape: [usize; D]) -> Tensor<Self, D> {
        x.expand(shape)
    }

    /// The logarithm of the softmax of each row of `[batch, classes]`.
    fn log_softmax(x: Tensor<Self, 2>) -> Tensor<Self, 2> {
        activation::log_softmax(x, 1)
    }

    /// The mean of `-log_softmax(logits)[target]` over a batch, `[1]`, of `[batch, classes]` and `[batch]`.
    fn cross_entropy(logits: Tensor<Self, 2>, targets: Tensor<Self, 1, Int>) -> Tensor<Self, 1> {
        let [batch, _] = logits.dims();
        let logs = activation::log_softmax(logits, 1);
        logs.gather(1, reshape(targets, [batch, 1])).mean().neg()
    }

    /// The binary cross-entropy of `sigmoid(logits)`, value by value; no gradient goes to the targets.
    fn binary_cross_entropy<const D: usize>(
        logits: Tensor<Self, D>,
        targets: Tensor<Self, D>,
    ) -> Tensor<Self, D> {
        Self::softplus(logits.clone()) - logits * targets.detach()
    }
}

/// Whether a value is NaN, asked where it costs a sum: a graphics card would have to be waited for.
pub fn holds_nan<B: Kernels, const D: usize>(x: &Tensor<B, D>) -> bool {
    let x = || x.clone().detach();
    // A sum of infinities is NaN, too.
    B::IS_AT_HAND
        && <B as Kernels>::sum(x())
            .into_scalar()
            .elem::<f32>()
            .is_nan()
        && x().is_nan().any().into_data().iter::<bool>().any(|is| is)
}

fn burns_convolve3d<B: Kernels>(
    x: Tensor<B, 5>,
    weight: Tensor<B, 5>,
    bias: Option<Tensor<B, 1>>,
    sweep: Sweep3d,
) -> Tensor<B, 5> {
    let (weight, added) = widened(weight, sweep.stride, sweep.dilation);
    let x = match added {
        [0, 0, 0] => x,
        _ => x.pad(added.map(|added| (0, added)), PadMode::Constant(0.0)),
    };
    conv3d(x, weight, bias, sweep.options())
}

fn burns_convolve3d_transpose<B: Kernels>(
    x: Tensor<B, 5>,
    weight: Tensor<B, 5>,
    sweep: Sweep3d,
) -> Tensor<B, 5> {
    let (weight, added) = widened(weight, sweep.stride, sweep.dilation);
    let y = conv_transpose3d(x, weight, None, sweep.transposed_options());
    let dims = y.dims();
    let size = [0, 1, 2].map(|axis| dims[2 + axis] - added[axis]);
    fit(y, [0, 0, 0], size)
}

/// The filters with zeros behind them until the window is as long as the stride, and what that adds to its length.
///
/// Burn 0.21's cube backends give nothing but zeros for a transposed convolution, and so for the gradient of a
/// convolution's images, whose stride is longer than its window. Not needed from Burn 0.22.1 on.
fn widened<B: Kernels, const D: usize, const N: usize>(
    weight: Tensor<B, D>,
    stride: [usize; N],
    dilation: [usize; N],
) -> (Tensor<B, D>, [usize; N]) {
    let kernel = weight.dims();
    let mut missing = [(0, 0); N];
    let mut added = [0; N];
    for axis in 0..N {
        let values = stride[axis].div_ceil(dilation[axis]);
        missing[axis].1 = values.saturating_sub(kernel[D - N + axis]);
        added[axis] = missing[axis].1 * dilation[axis];
    }
    match added.iter().all(|&added| added == 0) {
        true => (weight, added),
        false if !B::WINDOWS_SPAN_STRIDES => (weight, [0; N]),
        false => (weight.pad(missing, PadMode::Constant(0.0)), added),
    }
}

/// Channels with mean 0 and variance 1, and what was taken away.
pub struct Standardized<B: Backend> {
    /// `(x - mean) / sqrt(variance + epsilon)`, `[batch, channels, places]`.
    pub values: Tensor<B, 3>,
    /// `[channels]`, without gradients.
    pub mean: Tensor<B, 1>,
    /// Biased: the mean of the squares; `[channels]`, without gradients.
    pub variance: Tensor<B, 1>,
}

/// [`Kernels::standardize`] with Burn's operations.
pub(super) fn standardize<B: Backend>(x: Tensor<B, 3>, epsilon: f64) -> Standardized<B> {
    let [_, channels, _] = x.dims();
    // Of the places, then of the batch: all means are of equally many.
    let mean_of = |x: Tensor<B, 3>| x.mean_dim(2).mean_dim(0);
    let mean = mean_of(x.clone());
    let off = x - mean.clone();
    let variance = mean_of(off.clone().square());
    let values = off / (variance.clone() + epsilon).sqrt();
    Standardized {
        values,
        mean: reshape(mean, [channels]).detach(),
        variance: reshape(variance, [channels]).detach(),
    }
}

/// [`Kernels::scale_channels`] with Burn's operations.
pub(super) fn scale_channels<B: Backend>(
    x: Tensor<B, 3>,
    scale: Tensor<B, 1>,
    shift: Tensor<B, 1>,
) -> Tensor<B, 3> {
    let [_, channels, _] = x.dims();
    x * reshape(scale, [1, channels, 1]) + reshape(shift, [1, channels, 1])
}
