//! 2-d convolution of the CPU's tensors, and its gradients.
//!
//! Burn's own backward pass on the CPU takes the gradient of the filters as a convolution with a kernel as
//! large as the image, which costs several times the forward pass. As matrix products both cost about the same.

use burn::tensor::TensorMetadata;

use super::plain::{Plain, plain, values};
use crate::backend::convolution_sizes::ConvolutionSizes;
use crate::backend::cpu::{self, Simd};

/// `[batch, channels, height, width]` to `[batch, filters, out_height, out_width]`.
pub(super) fn forward(
    x: &Plain,
    weight: &Plain,
    bias: Option<&Plain>,
    sizes: ConvolutionSizes,
) -> Plain {
    let (x, weight) = (values(x), values(weight));
    let bias = bias.map(values);
    let outputs = cpu::forward(Simd::detected(), &x, &weight, bias.as_deref(), sizes);
    let shape = [
        sizes.batch,
        sizes.filters,
        sizes.out_height,
        sizes.out_width,
    ];
    plain(outputs, &shape)
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
    let back = || cpu::back(simd, &grad_output, &values(weight), None, sizes);
    let of_filters = || cpu::of_filters(simd, &x, &grad_output, sizes);
    let of_bias = || cpu::sums::sum_channels(simd, &grad_output, sizes.filters, sizes.places());
    let [with_x, with_weight, with_bias] = wanted;
    [
        with_x.then(|| plain(back(), &of_x)),
        with_weight.then(|| plain(of_filters(), &of_weight)),
        with_bias.then(|| plain(of_bias(), &[sizes.filters])),
    ]
}
