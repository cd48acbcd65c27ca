//! Operations that a backend may do faster than Burn does them.
//!
//! A backend without a faster way takes Burn's own.

use burn::tensor::backend::Backend;
#[cfg(test)]
use burn::tensor::module::{conv_transpose2d, conv2d};
use burn::tensor::module::{conv_transpose3d, conv3d};
#[cfg(test)]
use burn::tensor::ops::PaddedConvOptions;
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions, PadMode};
use burn::tensor::{BasicOps, Tensor};

use super::products;

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

impl Sliding {
    /// Windows along an axis, 0 for the height and 1 for the width, of an image with so many places there.
    pub(super) fn outputs(&self, axis: usize, places: usize, kernel: usize) -> usize {
        let window = (kernel - 1) * self.dilation[axis] + 1;
        (places + self.before[axis] + self.after[axis] - window) / self.stride[axis] + 1
    }
}

/// How a window sweeps over a volume that is padded already: `[depth, height, width]` each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweep3d {
    pub stride: [usize; 3],
    /// Distance between the values under the window.
    pub dilation: [usize; 3],
    /// Groups of channels, each seen by its own share of the filters.
    pub groups: usize,
}

impl Sweep3d {
    pub(super) fn options(self) -> ConvOptions<3> {
        ConvOptions::new(self.stride, [0; 3], self.dilation, self.groups)
    }

    pub(super) fn transposed_options(self) -> ConvTransposeOptions<3> {
        ConvTransposeOptions::new(self.stride, [0; 3], [0; 3], self.dilation, self.groups)
    }
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
}

#[cfg(test)]
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

#[cfg(test)]
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
        Some(bias) => {
            let [_, filters, _, _] = y.dims();
            y + reshape(bias, [1, filters, 1, 1])
        }
        None => y,
    }
}

fn burns_convolve3d<B: Backend>(
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

fn burns_convolve3d_transpose<B: Backend>(
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
fn widened<B: Backend, const D: usize, const N: usize>(
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
        false => (weight.pad(missing, PadMode::Constant(0.0)), added),
    }
}

/// The same values in row-major order in another shape, by way of a single axis.
///
/// Burn 0.21's cube backends give a tensor that is not laid out in row-major order, and that has axes of length 1,
/// its values in another order where the rank grows; so would the gradient be on its way back. Mended in Burn 0.22.1.
///
/// # Panics
/// The shapes have different numbers of values.
pub fn reshape<B: Backend, const D: usize, const E: usize, K: BasicOps<B>>(
    x: Tensor<B, D, K>,
    shape: [usize; E],
) -> Tensor<B, E, K> {
    let values: usize = x.dims().iter().product();
    x.reshape([values]).reshape(shape)
}

/// All values along the first axis in a row: `[batch, ...]` to `[batch, values]`.
pub fn rows<B: Backend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, 2> {
    let dims = x.dims();
    reshape(x, [dims[0], dims[1..].iter().product()])
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
