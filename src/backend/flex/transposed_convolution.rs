//! Transposed 2-d convolution of the CPU's tensors, of the same pieces as the convolution.
//!
//! What a convolution does to get the gradient of its images is done forward here, and the other way round.

use burn::tensor::TensorMetadata;

use super::plain::{Plain, plain, values};
use crate::backend::convolution_sizes::ConvolutionSizes;
use crate::backend::cpu::{self, Simd};

/// `[batch, filters, out_height, out_width]` to `[batch, channels, height, width]`; the sizes are those of the
/// convolution that leads back, and so is the weight, `[filters, channels / groups, kernel_height, kernel_width]`.
pub(super) fn forward(
    x: &Plain,
    weight: &Plain,
    bias: Option<&Plain>,
    sizes: ConvolutionSizes,
) -> Plain {
    let (x, weight) = (values(x), values(weight));
    let bias = bias.map(values);
    let images = cpu::back(Simd::detected(), &x, &weight, bias.as_deref(), sizes);
    let shape = [sizes.batch, sizes.channels, sizes.height, sizes.width];
    plain(images, &shape)
}

/// The gradients of [`forward`]'s inputs `x`, `weight` and bias, as far as they are wanted.
pub(super) fn backward(
    x: &Plain,
    weight: &Plain,
    grad_output: &Plain,
    sizes: ConvolutionSizes,
    wanted: [bool; 3],
) -> [Option<Plain>; 3] {
    let simd = Simd::detected();
    let (of_x, of_weight) = (x.shape(), weight.shape());
    let (x, grad_output) = (values(x), values(grad_output));
    let back = || cpu::forward(simd, &grad_output, &values(weight), None, sizes);
    let of_filters = || cpu::of_filters(simd, &grad_output, &x, sizes);
    let places = sizes.height * sizes.width;
    let of_bias = || cpu::sums::sum_channels(simd, &grad_output, sizes.channels, places);
    let [with_x, with_weight, with_bias] = wanted;
    [
        with_x.then(|| plain(back(), &of_x)),
        with_weight.then(|| plain(of_filters(), &of_weight)),
        with_bias.then(|| plain(of_bias(), &[sizes.channels])),
    ]
}
