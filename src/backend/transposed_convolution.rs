//! Transposed 2-d convolution of the CPU's tensors, of the same pieces as the convolution.
//!
//! What a convolution does to get the gradient of its images is done forward here, and the other way round.

use super::convolution::ConvolutionGradients;
use super::cpu::{self, Simd, Sizes};
use super::plain::{Plain, plain, values};

/// `[batch, filters, down, across]` to `[batch, channels, height, width]`; the sizes are those of the
/// convolution that leads back, and so is the weight, `[filters, channels / groups, rows, columns]`.
pub(super) fn forward(x: &Plain, weight: &Plain, bias: Option<&Plain>, sizes: Sizes) -> Plain {
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
    of_output: &Plain,
    sizes: Sizes,
    wanted: [bool; 3],
) -> ConvolutionGradients {
    let simd = Simd::detected();
    let (x, of_output) = (values(x), values(of_output));
    let back = || cpu::forward(simd, &of_output, &values(weight), None, sizes);
    let of_filters = || cpu::of_filters(simd, &of_output, &x, sizes);
    let places = sizes.height * sizes.width;
    let of_bias = || cpu::sums::sum_channels(simd, &of_output, sizes.channels, places);
    let [with_x, with_weight, with_bias] = wanted;
    ConvolutionGradients {
        x: with_x.then(back),
        weight: with_weight.then(of_filters),
        bias: with_bias.then(of_bias),
    }
}
