//! What a backend with kernels of its own writes: forward and backward passes on tensors without gradients.
//!
//! [`recorded`](super::recorded) makes of them operations that gradients flow through, once for all such backends.

use std::sync::Arc;

use burn::tensor::backend::Backend;
use burn::tensor::ops::{FloatTensor, IntTensor};
use burn::tensor::{Shape, TensorMetadata};

use super::convolution_sizes::ConvolutionSizes;
use super::distribution::Distribution;
use super::optimizer_steps::{AdamStep, MomentumStep};
use super::sliding::Sliding;
use crate::rng::Draw;
use crate::shape::ImageShape;

/// Which way filters are applied.
#[derive(Debug, Clone, Copy)]
pub(super) enum Direction {
    /// From images to outputs.
    Convolution,
    /// From a convolution's outputs to its images.
    Transposed,
}

/// A function of every value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Function {
    Exp,
    Ln,
    Ln1p,
    Tanh,
    Sigmoid,
    Softplus,
    Elu,
    Gelu,
    Relu,
}

impl Function {
    /// Whether the gradient is made of the function's values; else of what it was given.
    pub fn saves_output(self) -> bool {
        match self {
            Function::Exp | Function::Tanh | Function::Sigmoid | Function::Relu => true,
            Function::Ln | Function::Ln1p => false,
            Function::Softplus | Function::Elu | Function::Gelu => false,
        }
    }
}

/// Of which values a sum is made, and whether it is divided by their number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reduction {
    /// Of all values, without one.
    pub axis: Option<usize>,
    pub is_mean: bool,
}

impl Reduction {
    /// The sums along an axis.
    pub fn sum_along(axis: usize) -> Self {
        Reduction {
            axis: Some(axis),
            is_mean: false,
        }
    }

    /// How many values a sum has, and how far they are apart.
    pub fn sizes(self, shape: &Shape) -> (usize, usize) {
        match self.axis {
            None => (shape.num_elements(), 1),
            Some(axis) => (shape[axis], shape[axis + 1..].iter().product()),
        }
    }

    /// What a sum is multiplied by.
    pub fn factor(self, shape: &Shape) -> f64 {
        match self.is_mean {
            true => 1.0 / self.sizes(shape).0 as f64,
            false => 1.0,
        }
    }
}

/// What standardizing gives, and what its gradient needs.
pub(super) struct Statistics<B: Backend> {
    /// `[batch, channels, places]`
    pub values: FloatTensor<B>,
    /// `[channels]`
    pub mean: FloatTensor<B>,
    /// `[channels]`
    pub variance: FloatTensor<B>,
    /// `1 / sqrt(variance + epsilon)`, `[channels]`.
    pub rate: FloatTensor<B>,
}

/// Of gradients that are all made at once those that are wanted.
pub(super) fn only_wanted<T>(made: [T; 3], wanted: [bool; 3]) -> [Option<T>; 3] {
    let mut wanted = wanted.into_iter();
    made.map(|gradient| wanted.next().expect("three").then_some(gradient))
}

/// The last two axes.
pub(super) fn matrix_shape(x: &impl TensorMetadata) -> [usize; 2] {
    let shape = x.shape();
    let rank = shape.num_dims();
    [shape[rank - 2], shape[rank - 1]]
}

/// The passes; `wanted` says which inputs' gradients are.
pub(super) trait Passes: Backend {
    /// [`Kernels::IS_AT_HAND`](super::Kernels::IS_AT_HAND)
    const IS_AT_HAND: bool;

    fn convolution(
        direction: Direction,
        x: &FloatTensor<Self>,
        weight: &FloatTensor<Self>,
        bias: Option<&FloatTensor<Self>>,
        sizes: ConvolutionSizes,
    ) -> FloatTensor<Self>;

    /// Of the images, the filters and the bias.
    fn convolution_gradients(
        direction: Direction,
        x: &FloatTensor<Self>,
        weight: &FloatTensor<Self>,
        grad_output: &FloatTensor<Self>,
        sizes: ConvolutionSizes,
        wanted: [bool; 3],
    ) -> [Option<FloatTensor<Self>>; 3];

    /// `[batch, inputs]` times `[inputs, outputs]` plus `[outputs]`.
    fn linear(
        x: &FloatTensor<Self>,
        weight: &FloatTensor<Self>,
        bias: Option<&FloatTensor<Self>>,
    ) -> FloatTensor<Self>;

    /// Of the inputs, the weights and the bias.
    fn linear_gradients(
        x: &FloatTensor<Self>,
        weight: &FloatTensor<Self>,
        grad_output: &FloatTensor<Self>,
        wanted: [bool; 3],
    ) -> [Option<FloatTensor<Self>>; 3];

    /// As many matrices on the left as on the right.
    fn product(left: &FloatTensor<Self>, right: &FloatTensor<Self>) -> FloatTensor<Self>;

    fn product_gradients(
        left: &FloatTensor<Self>,
        right: &FloatTensor<Self>,
        grad_output: &FloatTensor<Self>,
        wanted: [bool; 2],
    ) -> [Option<FloatTensor<Self>>; 2];

    /// `x` may be written over.
    fn function(function: Function, x: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `saved` is what [`Function::saves_output`] says; the output's gradient may be written over.
    fn function_gradient(
        function: Function,
        saved: &FloatTensor<Self>,
        grad_output: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// The largest value of each window, and where it lies in its channel's plane; `None` where Burn's operation is taken.
    fn max_pool(
        _x: &FloatTensor<Self>,
        _kernel: [usize; 2],
        _sliding: Sliding,
    ) -> Option<(FloatTensor<Self>, Arc<Vec<u32>>)> {
        None
    }

    /// `shape` is that of what was pooled.
    fn max_pool_gradient(
        _shape: &Shape,
        _places: &[u32],
        _grad_output: &FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        unreachable!("there are no places but those that `max_pool` found")
    }

    fn reduction(reduction: Reduction, x: &FloatTensor<Self>) -> FloatTensor<Self>;

    /// `shape` is that of what was reduced.
    fn reduction_gradient(
        reduction: Reduction,
        shape: &Shape,
        grad_output: &FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// `[batch, channels, places]`
    fn standardization(x: &FloatTensor<Self>, epsilon: f64) -> Statistics<Self>;

    fn standardization_gradient(
        values: &FloatTensor<Self>,
        rate: &FloatTensor<Self>,
        grad_output: &FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// `[batch, channels, places]` times `[channels]` plus `[channels]`.
    fn scaling(
        x: &FloatTensor<Self>,
        scale: &FloatTensor<Self>,
        shift: &FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// Of the values, the scale and the shift.
    fn scaling_gradients(
        x: &FloatTensor<Self>,
        scale: &FloatTensor<Self>,
        grad_output: &FloatTensor<Self>,
        wanted: [bool; 3],
    ) -> [Option<FloatTensor<Self>>; 3];

    /// [`standardization`](Self::standardization), and what [`scaling`](Self::scaling) makes of it.
    fn normalization(
        x: &FloatTensor<Self>,
        scale: &FloatTensor<Self>,
        shift: &FloatTensor<Self>,
        epsilon: f64,
    ) -> (Statistics<Self>, FloatTensor<Self>) {
        let standard = Self::standardization(x, epsilon);
        let scaled = Self::scaling(&standard.values, scale, shift);
        (standard, scaled)
    }

    /// Of what was [normalized](Self::normalization), the scale and the shift; `values` are those standardized.
    fn normalization_gradients(
        values: &FloatTensor<Self>,
        rate: &FloatTensor<Self>,
        scale: &FloatTensor<Self>,
        grad_output: &FloatTensor<Self>,
        wanted: [bool; 3],
    ) -> [Option<FloatTensor<Self>>; 3] {
        let [of_values, of_scale, of_shift] =
            Self::scaling_gradients(values, scale, grad_output, wanted);
        let of_x = |gradient| Self::standardization_gradient(values, rate, &gradient);
        [of_values.map(of_x), of_scale, of_shift]
    }

    /// Of each row of `[batch, classes]`.
    fn log_softmax(x: &FloatTensor<Self>) -> FloatTensor<Self>;

    /// Of what [`log_softmax`](Self::log_softmax) was given, from its output.
    fn log_softmax_gradient(
        y: &FloatTensor<Self>,
        grad_output: &FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// The mean of `-logs[target]`, `[1]`, of `[batch, classes]` and `[batch]`.
    fn mean_of_targets(logs: &FloatTensor<Self>, targets: &IntTensor<Self>) -> FloatTensor<Self>;

    /// Of the logits whose [`log_softmax`](Self::log_softmax) are the logs that a mean of targets was made of.
    fn cross_entropy_gradient(
        logs: &FloatTensor<Self>,
        targets: &IntTensor<Self>,
        grad_output: &FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// [`Kernels::binary_cross_entropy`](super::Kernels::binary_cross_entropy)
    fn binary_cross_entropy(
        probabilities: &FloatTensor<Self>,
        values: &FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// Of the probabilities.
    fn binary_cross_entropy_gradient(
        probabilities: &FloatTensor<Self>,
        values: &FloatTensor<Self>,
        grad_output: &FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// The sum of the squares of all values of all tensors, `[1]`.
    fn sum_of_squares(tensors: Vec<FloatTensor<Self>>) -> FloatTensor<Self>;

    /// [`Kernels::random`](super::Kernels::random)
    fn random(
        shape: &[usize],
        distribution: Distribution,
        draw: Draw,
        device: &Self::Device,
    ) -> FloatTensor<Self>;

    /// [`Kernels::look_up`](super::Kernels::look_up)
    fn look_up(
        words: &IntTensor<Self>,
        chosen: &IntTensor<Self>,
        meanings: &FloatTensor<Self>,
        shape: ImageShape,
    ) -> FloatTensor<Self>;

    /// Weight, running mean of the gradient and running mean of its square after a step.
    fn adam_step(
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        means: Option<[FloatTensor<Self>; 2]>,
        step: AdamStep,
    ) -> [FloatTensor<Self>; 3];

    /// Weight and velocity after a step.
    fn momentum_step(
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        velocity: Option<FloatTensor<Self>>,
        step: MomentumStep,
    ) -> [FloatTensor<Self>; 2];
}
