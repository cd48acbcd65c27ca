//! 2-d convolution of the CPU's tensors, with its gradients.
//!
//! Burn's own backward pass on the CPU takes the gradient of the filters as a convolution with a kernel as
//! large as the image, which costs several times the forward pass. As matrix products both cost about the same.

use super::cpu::{self, Simd, Sizes};
use super::plain::{Plain, plain, values};

/// `[batch, channels, height, width]` to `[batch, filters, down, across]`.
pub(super) fn forward(x: &Plain, weight: &Plain, bias: Option<&Plain>, sizes: Sizes) -> Plain {
    let (x, weight) = (values(x), values(weight));
    let bias = bias.map(values);
    let outputs = cpu::forward(Simd::detected(), &x, &weight, bias.as_deref(), sizes);
    let shape = [sizes.batch, sizes.filters, sizes.down, sizes.across];
    plain(outputs, &shape)
}

/// Gradients of a convolution's three inputs.
pub(super) struct ConvolutionGradients {
    pub(super) x: Option<Vec<f32>>,
    pub(super) weight: Option<Vec<f32>>,
    pub(super) bias: Option<Vec<f32>>,
}

/// The gradients of [`forward`]'s inputs `x`, `weight` and bias, as far as they are wanted.
pub(super) fn backward(
    x: &Plain,
    weight: &Plain,
    of_output: &Plain,
    sizes: Sizes,
    wanted: [bool; 3],
) -> ConvolutionGradients {
    let simd = Simd::detected();
    let (x, of_output) = (values(x), values(of_output));
    let back = || cpu::back(simd, &of_output, &values(weight), None, sizes);
    let of_filters = || cpu::of_filters(simd, &x, &of_output, sizes);
    let of_bias = || cpu::sums::sum_channels(simd, &of_output, sizes.filters, sizes.places());
    let [with_x, with_weight, with_bias] = wanted;
    ConvolutionGradients {
        x: with_x.then(back),
        weight: with_weight.then(of_filters),
        bias: with_bias.then(of_bias),
    }
}
