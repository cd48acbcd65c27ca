//! Operations that a backend may do faster than Burn does them.
//!
//! A backend without a faster way takes Burn's own.

use std::f64::consts::SQRT_2;

use burn::tensor::backend::Backend;
use burn::tensor::module::{conv_transpose2d, conv2d, linear, max_pool2d};
use burn::tensor::ops::{ConvTransposeOptions, PadMode, PaddedConvOptions};
use burn::tensor::{ElementConversion, Int, Tensor, TensorData, activation};

use super::constants::LEAST_PROBABILITY;
use super::cpu::{self, Simd};
use super::distribution::Distribution;
use super::optimizer_steps::{AdamStep, MomentumStep};
use super::shapes::{fit, reshape};
use super::sliding::Sliding;
use crate::rng::Draw;
use crate::shape::ImageShape;

/// What the layers need of a backend besides Burn's operations.
pub trait Kernels: Backend {
    /// Whether a value can be looked at without waiting for a device.
    const IS_AT_HAND: bool = false;

    /// `[batch, channels, height, width]` and `[filters, channels / groups, kernel_height, kernel_width]` to
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

    /// The largest value of each window: `[batch, channels, height, width]` to `[batch, channels, rows, columns]`; NaN
    /// where a window holds NaN, but on GPUs, which pass it over. What pads the image never wins.
    fn max_pool(x: Tensor<Self, 4>, kernel: [usize; 2], sliding: Sliding) -> Tensor<Self, 4> {
        burns_max_pool2d(x, kernel, sliding)
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

    /// Both: [`standardize`](Self::standardize), whose values [`scale_channels`](Self::scale_channels) scales.
    fn normalize_channels(
        x: Tensor<Self, 3>,
        scale: Tensor<Self, 1>,
        shift: Tensor<Self, 1>,
        epsilon: f64,
    ) -> Standardized<Self> {
        let standard = Self::standardize(x, epsilon);
        Standardized {
            values: Self::scale_channels(standard.values, scale, shift),
            ..standard
        }
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

    /// `x` above 0, else `e^x - 1`, with a slope of 1 at 0.
    fn elu<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        // An exponential of nothing above 0: its overflow, though masked, would leave a gradient of NaN.
        let is_above = x.clone().greater_elem(0.0);
        let below = Self::exp(x.clone().mask_fill(is_above, 0.0)) - 1.0;
        <Self as Kernels>::relu(x) + below
    }

    /// `x` times the share of a standard normal distribution below it (Hendrycks and Gimpel 2016).
    fn gelu<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        // The gradient of Burn's own is that of an approximation.
        let share = ((x.clone() / SQRT_2).erf() + 1.0) * 0.5;
        x * share
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

    /// The binary cross-entropy of probabilities, value by value: `-(v ln(p) + (1 - v) ln(1 - p))`, with probabilities closer to
    /// 0 or 1 than [`LEAST_PROBABILITY`] as if they were that far off; no gradient goes to the values.
    fn binary_cross_entropy<const D: usize>(
        probabilities: Tensor<Self, D>,
        values: Tensor<Self, D>,
    ) -> Tensor<Self, D> {
        let least = f64::from(LEAST_PROBABILITY);
        let (p, values) = (probabilities.clamp(least, 1.0 - least), values.detach());
        let of_ones = p.clone().log() * values.clone();
        let of_zeros = (p.neg() + 1.0).log() * (values.neg() + 1.0);
        (of_ones + of_zeros).neg()
    }

    /// The sum of the squares of all values of all tensors, `[1]`, without gradients.
    fn sum_of_squares(tensors: Vec<Tensor<Self, 1>>) -> Tensor<Self, 1> {
        let squares = |x: Tensor<Self, 1>| <Self as Kernels>::sum(x.square());
        <Self as Kernels>::sum(Tensor::cat(tensors.into_iter().map(squares).collect(), 0))
    }

    /// Random numbers for a batch of samples, `[batch, ...]`: each is known by its draw, its sample and its place in it, and
    /// is the same on every device; of normal ones the last digits may differ.
    fn random<const D: usize>(
        shape: [usize; D],
        distribution: Distribution,
        draw: Draw,
        device: &Self::Device,
    ) -> Tensor<Self, D> {
        let values = random_values(&shape, distribution, draw);
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// The chosen of some images whose values are bytes, `[chosen, channels, height, width]`: each byte as what stands
    /// for it in `meanings`, `[channels, 256]`.
    ///
    /// `words` are `[images, words]`, each of four bytes of an image, the first of them lowest; what is left of the last
    /// word is not looked at.
    fn look_up(
        words: Tensor<Self, 2, Int>,
        chosen: Tensor<Self, 1, Int>,
        meanings: Tensor<Self, 2>,
        shape: ImageShape,
    ) -> Tensor<Self, 4> {
        look_up(words, chosen, meanings, shape)
    }

    /// A weight, the running mean of its gradient and that of its square after a step of Adam; no means before the first.
    fn adam_step<const D: usize>(
        weight: Tensor<Self, D>,
        gradient: Tensor<Self, D>,
        means: Option<[Tensor<Self, D>; 2]>,
        step: AdamStep,
    ) -> [Tensor<Self, D>; 3] {
        adam_step(weight, gradient, means, step)
    }

    /// A weight and its velocity after a step of gradient descent with momentum; no velocity before the first.
    fn momentum_step<const D: usize>(
        weight: Tensor<Self, D>,
        gradient: Tensor<Self, D>,
        velocity: Option<Tensor<Self, D>>,
        step: MomentumStep,
    ) -> [Tensor<Self, D>; 2] {
        momentum_step(weight, gradient, velocity, step)
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

/// The largest values that `pool` finds, of windows of any kind; NaN where a window holds NaN, which Burn's comparisons
/// do not see.
pub fn largest_of<B: Kernels, const D: usize>(
    x: Tensor<B, D>,
    pool: impl Fn(Tensor<B, D>) -> Tensor<B, D>,
) -> Tensor<B, D> {
    if !holds_nan(&x) {
        return pool(x);
    }
    let is_nan = x.clone().detach().is_nan().float();
    let holds = pool(is_nan).greater_elem(0.0);
    pool(x).mask_fill(holds, f64::NAN)
}

/// [`Kernels::max_pool`] with Burn's operation.
pub(super) fn burns_max_pool2d<B: Kernels>(
    x: Tensor<B, 4>,
    kernel: [usize; 2],
    sliding: Sliding,
) -> Tensor<B, 4> {
    let Sliding { before, after, .. } = sliding;
    let x = match before == [0; 2] && after == [0; 2] {
        true => x,
        false => {
            let pads = [0, 1].map(|axis| (before[axis], after[axis]));
            x.pad(pads, PadMode::Constant(f32::NEG_INFINITY))
        }
    };
    largest_of(x, |x| {
        max_pool2d(x, kernel, sliding.stride, [0; 2], [1; 2], false)
    })
}

/// [`Kernels::convolve2d`] with Burn's operation.
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

/// [`Kernels::convolve2d_transpose`] with Burn's operation.
pub(super) fn burns_convolve2d_transpose<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    bias: Option<Tensor<B, 1>>,
    size: [usize; 2],
    sliding: Sliding,
) -> Tensor<B, 4> {
    let (none, groups) = ([0, 0], sliding.groups);
    let options = ConvTransposeOptions::new(sliding.stride, none, none, sliding.dilation, groups);
    let y = conv_transpose2d(x, weight, None, options);
    let y = fit(y, sliding.before, size);
    match bias {
        Some(bias) => {
            let [_, filters, _, _] = y.dims();
            y + reshape(bias, [1, filters, 1, 1])
        }
        None => y,
    }
}

/// [`Kernels::look_up`] with Burn's operations.
fn look_up<B: Kernels>(
    words: Tensor<B, 2, Int>,
    chosen: Tensor<B, 1, Int>,
    meanings: Tensor<B, 2>,
    shape: ImageShape,
) -> Tensor<B, 4> {
    let words = words.select(0, chosen);
    let [count, width] = words.dims();
    let byte = |number: i32| {
        let words = words
            .clone()
            .bitwise_right_shift_scalar((8 * number).elem());
        words
            .bitwise_and_scalar(255.elem())
            .reshape([count, width, 1])
    };
    let bytes = Tensor::cat([0, 1, 2, 3].map(byte).into(), 2);
    let bytes = bytes.reshape([count, 4 * width]).narrow(1, 0, shape.len());
    let plane = shape.height * shape.width;
    let channels = Tensor::arange(0..shape.channels as i64, &words.device()) * 256;
    let places =
        bytes.reshape([count, shape.channels, plane]) + channels.reshape([1, shape.channels, 1]);
    let places = places.reshape([count * shape.len()]);
    let values = reshape(meanings, [shape.channels * 256]).select(0, places);
    reshape(values, [count, shape.channels, shape.height, shape.width])
}

/// Channels with mean 0 and variance 1, and what was taken away.
pub struct Standardized<B: Backend> {
    /// `(x - mean) / sqrt(variance + epsilon)`, `[batch, channels, places]`; scaled, where that was asked for.
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

/// [`Kernels::random`] in row-major order.
pub(super) fn random_values(shape: &[usize], distribution: Distribution, draw: Draw) -> Vec<f32> {
    let mut values = vec![0.0; shape.iter().product()];
    let from = first_value(shape, draw);
    cpu::random::fill(Simd::detected(), draw, distribution, from, &mut values);
    values
}

/// The number of a tensor's first value among all of the draw's.
pub(super) fn first_value(shape: &[usize], draw: Draw) -> u64 {
    draw.first * shape[1..].iter().product::<usize>() as u64
}

/// [`Kernels::adam_step`] with Burn's operations.
pub(super) fn adam_step<B: Backend, const D: usize>(
    mut weight: Tensor<B, D>,
    mut gradient: Tensor<B, D>,
    means: Option<[Tensor<B, D>; 2]>,
    step: AdamStep,
) -> [Tensor<B, D>; 3] {
    if step.coupled_decay > 0.0 {
        gradient = gradient + weight.clone() * step.coupled_decay;
    }
    if step.decoupled_decay > 0.0 {
        weight = weight * step.kept();
    }
    let fresh_mean = gradient.clone() * (1.0 - step.beta_1);
    let fresh_square = gradient.square() * (1.0 - step.beta_2);
    let [mean, mean_square] = match means {
        None => [fresh_mean, fresh_square],
        Some([mean, mean_square]) => [
            mean * step.beta_1 + fresh_mean,
            mean_square * step.beta_2 + fresh_square,
        ],
    };
    let [of_square, rate] = step.corrections();
    let root = mean_square.clone().sqrt() / of_square + step.epsilon;
    let change = mean.clone() / root * rate;
    [weight - change, mean, mean_square]
}

/// [`Kernels::momentum_step`] with Burn's operations.
pub(super) fn momentum_step<B: Backend, const D: usize>(
    weight: Tensor<B, D>,
    mut gradient: Tensor<B, D>,
    velocity: Option<Tensor<B, D>>,
    step: MomentumStep,
) -> [Tensor<B, D>; 2] {
    if step.weight_decay > 0.0 {
        gradient = gradient + weight.clone() * step.weight_decay;
    }
    let velocity = match velocity {
        None => gradient.clone(),
        Some(velocity) => velocity * step.momentum + gradient.clone(),
    };
    let change = match step.nesterov {
        true => gradient + velocity.clone() * step.momentum,
        false => velocity.clone(),
    };
    [weight - change * step.learning_rate, velocity]
}
