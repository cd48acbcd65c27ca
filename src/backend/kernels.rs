//! Operations that a backend may do faster than Burn does them.
//!
//! A backend without a faster way takes Burn's own.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn::tensor::module::conv2d;
use burn::tensor::ops::PaddedConvOptions;

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
}

#[cfg(feature = "ndarray")]
impl Kernels for burn::backend::NdArray {}
#[cfg(feature = "ndarray")]
impl Kernels for burn::backend::Autodiff<burn::backend::NdArray> {}

#[cfg(feature = "cuda")]
impl Kernels for burn::backend::Cuda {}
#[cfg(feature = "cuda")]
impl Kernels for burn::backend::Autodiff<burn::backend::Cuda> {}
