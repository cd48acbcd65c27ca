//! Operations that a backend may do faster than Burn does them.
//!
//! A backend without a faster way takes Burn's own.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn::tensor::module::{conv_transpose2d, conv2d};
use burn::tensor::ops::{ConvTransposeOptions, PadMode, PaddedConvOptions};

/// How a window slides over an image: `[height, width]` each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sliding {
    pub stride: [usize; 2],
    /// Zeros above and to the left.
    pub before: [usize; 2],
    /// Zeros below and to the right.
    pub after: [usize; 2],
    /// Distance between the values under the window.
    pub dilation: [usize; 2],
    /// Groups of channels, each seen by its own share of the filters.
    pub groups: usize,
}

/// What the layers need of a backend besides Burn's operations.
pub trait Kernels: Backend {
    /// `[batch, channels, height, width]` and `[filters, channels / groups, rows, columns]` to
    /// `[batch, filters, height out, width out]`, with `[filters]` added.
    fn convolve2d(
        x: Tensor<Self, 4>,
        weight: Tensor<Self, 4>,
        bias: Option<Tensor<Self, 1>>,
        sliding: Sliding,
    ) -> Tensor<Self, 4> {
        burns_convolve2d(x, weight, bias, sliding)
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
        burns_convolve2d_transpose(x, weight, bias, size, sliding)
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
}

pub(super) fn burns_convolve2d<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    bias: Option<Tensor<B, 1>>,
    sliding: Sliding,
) -> Tensor<B, 4> {
    let Sliding {
        stride,
        before,
        after,
        dilation,
        groups,
    } = sliding;
    let options = PaddedConvOptions::asymmetric(stride, before, after, dilation, groups);
    conv2d(x, weight, bias, options)
}

pub(super) fn burns_convolve2d_transpose<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    bias: Option<Tensor<B, 1>>,
    size: [usize; 2],
    sliding: Sliding,
) -> Tensor<B, 4> {
    let (none, groups) = ([0, 0], sliding.groups);
    let options = ConvTransposeOptions::new(sliding.stride, none, none, sliding.dilation, groups);
    let y = fit(
        conv_transpose2d(x, weight, None, options),
        sliding.before,
        size,
    );
    match bias {
        Some(bias) => y + bias.reshape([1, -1, 1, 1]),
        None => y,
    }
}

/// Cuts `before` off the start of each of the last `N` axes and brings them to `size`, with zeros at the
/// end where they are too short: a transposed convolution without padding as one with it.
pub fn fit<B: Backend, const D: usize, const N: usize>(
    x: Tensor<B, D>,
    before: [usize; N],
    size: [usize; N],
) -> Tensor<B, D> {
    let first = D - N;
    let mut x = x;
    let mut missing = [(0, 0); N];
    for axis in 0..N {
        let there = (x.dims()[first + axis] - before[axis]).min(size[axis]);
        x = x.narrow(first + axis, before[axis], there);
        missing[axis].1 = size[axis] - there;
    }
    match missing.iter().all(|&(_, after)| after == 0) {
        true => x,
        false => x.pad(missing, PadMode::Constant(0.0)),
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
    let [batch, channels, places] = x.dims();
    let rows = x.swap_dims(0, 1).reshape([channels, batch * places]);
    let mean = rows.clone().mean_dim(1);
    let off = rows - mean.clone();
    let variance = off.clone().square().mean_dim(1);
    let values = off / (variance.clone() + epsilon).sqrt();
    Standardized {
        values: values.reshape([channels, batch, places]).swap_dims(0, 1),
        mean: mean.reshape([channels]).detach(),
        variance: variance.reshape([channels]).detach(),
    }
}

/// [`Kernels::scale_channels`] with Burn's operations.
pub(super) fn scale_channels<B: Backend>(
    x: Tensor<B, 3>,
    scale: Tensor<B, 1>,
    shift: Tensor<B, 1>,
) -> Tensor<B, 3> {
    let [_, channels, _] = x.dims();
    x * scale.reshape([1, channels, 1]) + shift.reshape([1, channels, 1])
}

#[cfg(feature = "ndarray")]
impl Kernels for burn::backend::NdArray {}
#[cfg(feature = "ndarray")]
impl Kernels for burn::backend::Autodiff<burn::backend::NdArray> {}

#[cfg(feature = "cuda")]
impl Kernels for burn::backend::Cuda {}
#[cfg(feature = "cuda")]
impl Kernels for burn::backend::Autodiff<burn::backend::Cuda> {}
