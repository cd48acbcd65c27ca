//! GPUs by Burn's cube backends, with the passes of our own kernels.
//!
//! Burn's own convolutions are wrong for some strides or slow, its sums are made in an order that differs from run to run, and
//! its products round their factors. Here every sum has one order: a run on a GPU repeats to the last bit on that kind of GPU.

// A kernel is given each array and each number by itself, and the language of kernels is a part of Rust only.
#![allow(
    clippy::too_many_arguments,
    clippy::manual_is_multiple_of,
    clippy::manual_range_contains,
    clippy::identity_op,
    clippy::eq_op,
    clippy::collapsible_if
)]

/// Declares the files of kernels, and has their text.
macro_rules! files {
    ($($file:ident),+; $($other:literal),+) => {
        $(mod $file;)+

        /// Kept kernels are known by their names: what was compiled of another text must not be taken for them.
        pub(super) const TEXTS: &[&str] = &[
            $(include_str!(concat!(stringify!($file), ".rs")),)+
            $(include_str!($other),)+
        ];
    };
}

mod product;

// And the numbers that they share with the CPU's.
files!(
    bytes,
    cache,
    channels,
    functions,
    launch,
    random,
    softmax,
    steps,
    sums,
    targets,
    tensor_cores,
    windows;
    "../constants.rs",
    "../cpu/random.rs"
);

use burn::tensor::ops::FloatTensorOps;
use burn::tensor::{FloatDType, Shape, TensorMetadata};
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime};

pub(super) use self::cache::keep_kernels;
use self::launch::contiguous;
use self::product::{Convolution, Matrices};
use super::convolution_sizes::ConvolutionSizes;
use super::distribution::Distribution;
use super::optimizer_steps::{AdamStep, MomentumStep};
use super::passes::{
    Direction, Function, Passes, Reduction, Statistics, matrix_shape, only_wanted,
};
use crate::rng::Draw;
use crate::shape::ImageShape;

/// One of Burn's cube backends.
type Gpu<R, T> = CubeBackend<R, f32, i32, T>;

impl<R: CubeRuntime, T: BoolElement> Passes for Gpu<R, T> {
    const IS_AT_HAND: bool = false;

    fn convolution(
        direction: Direction,
        x: &CubeTensor<R>,
        weight: &CubeTensor<R>,
        bias: Option<&CubeTensor<R>>,
        sizes: ConvolutionSizes,
    ) -> CubeTensor<R> {
        if tensor_cores::are_asked_for() {
            return tensor_cores::convolution::<R, T>(direction, x, weight, bias, sizes);
        }
        let convolution = Convolution(sizes);
        match direction {
            Direction::Convolution => convolution.forward(x.clone(), weight.clone(), bias.cloned()),
            Direction::Transposed => convolution.images(x.clone(), weight.clone(), bias.cloned()),
        }
    }

    fn convolution_gradients(
        direction: Direction,
        x: &CubeTensor<R>,
        weight: &CubeTensor<R>,
        grad_output: &CubeTensor<R>,
        sizes: ConvolutionSizes,
        wanted: [bool; 3],
    ) -> [Option<CubeTensor<R>>; 3] {
        if tensor_cores::are_asked_for() {
            return tensor_cores::convolution_gradients::<R, T>(
                direction,
                x,
                weight,
                grad_output,
                sizes,
                wanted,
            );
        }
        let [with_x, with_weight, with_bias] = wanted;
        let (convolution, weight) = (Convolution(sizes), weight.clone());
        let (x, grad_output) = (contiguous(x.clone()), contiguous(grad_output.clone()));
        let of_x = with_x.then(|| match direction {
            Direction::Convolution => convolution.images(grad_output.clone(), weight, None),
            Direction::Transposed => convolution.forward(grad_output.clone(), weight, None),
        });
        if !with_weight {
            return [
                of_x,
                None,
                with_bias.then(|| sums::of_channels(grad_output)),
            ];
        }
        let (of_weight, of_bias) = match direction {
            Direction::Convolution => convolution.filters(x, grad_output, with_bias),
            Direction::Transposed => {
                let of_bias = with_bias.then(|| sums::of_channels(grad_output.clone()));
                (convolution.filters(grad_output, x, false).0, of_bias)
            }
        };
        [of_x, Some(of_weight), of_bias]
    }

    fn linear(
        x: &CubeTensor<R>,
        weight: &CubeTensor<R>,
        bias: Option<&CubeTensor<R>>,
    ) -> CubeTensor<R> {
        if !tensor_cores::are_asked_for() {
            return Matrices::of(x, weight).product(bias.cloned());
        }
        let y = tensor_cores::product::<R, T>(x, weight);
        match bias {
            Some(bias) => {
                let bias = launch::shaped(bias.clone(), &[1, matrix_shape(weight)[1]]);
                Self::float_add(y, bias)
            }
            None => y,
        }
    }

    fn linear_gradients(
        x: &CubeTensor<R>,
        weight: &CubeTensor<R>,
        grad_output: &CubeTensor<R>,
        [with_x, with_weight, with_bias]: [bool; 3],
    ) -> [Option<CubeTensor<R>>; 3] {
        let is_one = with_weight && with_bias && !tensor_cores::are_asked_for();
        let wanted = [with_x, with_weight && !is_one];
        let [of_x, of_weight] = Self::product_gradients(x, weight, grad_output, wanted);
        if !is_one {
            let of_bias = || {
                let sums = sums::along(grad_output.clone(), 0, 1.0);
                launch::shaped(sums, &[matrix_shape(grad_output)[1]])
            };
            return [of_x, of_weight, with_bias.then(of_bias)];
        }
        let turned = Self::float_swap_dims(x.clone(), 0, 1);
        let (of_weight, of_bias) = Matrices::of(&turned, grad_output).product_and_sums();
        [of_x, Some(of_weight), Some(of_bias)]
    }

    fn product(left: &CubeTensor<R>, right: &CubeTensor<R>) -> CubeTensor<R> {
        match tensor_cores::are_asked_for() {
            true => tensor_cores::product::<R, T>(left, right),
            false => Matrices::of(left, right).product(None),
        }
    }

    fn product_gradients(
        left: &CubeTensor<R>,
        right: &CubeTensor<R>,
        grad_output: &CubeTensor<R>,
        [with_left, with_right]: [bool; 2],
    ) -> [Option<CubeTensor<R>>; 2] {
        let turned = |x: &CubeTensor<R>| {
            let rank = x.shape().num_dims();
            Self::float_swap_dims(x.clone(), rank - 2, rank - 1)
        };
        [
            with_left.then(|| Self::product(grad_output, &turned(right))),
            with_right.then(|| Self::product(&turned(left), grad_output)),
        ]
    }

    fn function(function: Function, x: CubeTensor<R>) -> CubeTensor<R> {
        functions::function(function, x)
    }

    fn function_gradient(
        function: Function,
        saved: &CubeTensor<R>,
        grad_output: CubeTensor<R>,
    ) -> CubeTensor<R> {
        functions::gradient(function, saved.clone(), grad_output)
    }

    fn reduction(reduction: Reduction, x: &CubeTensor<R>) -> CubeTensor<R> {
        let factor = reduction.factor(&x.shape()) as f32;
        match reduction.axis {
            None => sums::of_all(x.clone(), factor),
            Some(axis) => sums::along(x.clone(), axis, factor),
        }
    }

    fn reduction_gradient(
        reduction: Reduction,
        shape: &Shape,
        grad_output: &CubeTensor<R>,
    ) -> CubeTensor<R> {
        sums::back(grad_output.clone(), reduction, shape)
    }

    fn standardization(x: &CubeTensor<R>, epsilon: f64) -> Statistics<Self> {
        let [values, mean, variance, rate] = channels::standardize(x.clone(), epsilon);
        Statistics {
            values,
            mean,
            variance,
            rate,
        }
    }

    fn standardization_gradient(
        values: &CubeTensor<R>,
        rate: &CubeTensor<R>,
        grad_output: &CubeTensor<R>,
    ) -> CubeTensor<R> {
        channels::standardize_back(grad_output.clone(), values, rate)
    }

    fn scaling(x: &CubeTensor<R>, scale: &CubeTensor<R>, shift: &CubeTensor<R>) -> CubeTensor<R> {
        channels::scale(x.clone(), scale.clone(), shift.clone())
    }

    fn scaling_gradients(
        x: &CubeTensor<R>,
        scale: &CubeTensor<R>,
        grad_output: &CubeTensor<R>,
        wanted: [bool; 3],
    ) -> [Option<CubeTensor<R>>; 3] {
        let made = channels::scale_back(grad_output.clone(), x.clone(), scale.clone());
        only_wanted(made, wanted)
    }

    fn log_softmax(x: &CubeTensor<R>) -> CubeTensor<R> {
        softmax::log_softmax(x.clone())
    }

    fn log_softmax_gradient(y: &CubeTensor<R>, grad_output: &CubeTensor<R>) -> CubeTensor<R> {
        softmax::log_softmax_back(grad_output.clone(), y.clone())
    }

    fn mean_of_targets(logs: &CubeTensor<R>, targets: &CubeTensor<R>) -> CubeTensor<R> {
        targets::mean(logs.clone(), targets.clone())
    }

    fn cross_entropy_gradient(
        logs: &CubeTensor<R>,
        targets: &CubeTensor<R>,
        grad_output: &CubeTensor<R>,
    ) -> CubeTensor<R> {
        targets::gradient(logs.clone(), targets.clone(), grad_output.clone())
    }

    fn binary_cross_entropy(
        probabilities: &CubeTensor<R>,
        values: &CubeTensor<R>,
    ) -> CubeTensor<R> {
        functions::binary_cross_entropy(probabilities.clone(), values.clone())
    }

    fn binary_cross_entropy_gradient(
        probabilities: &CubeTensor<R>,
        values: &CubeTensor<R>,
        grad_output: &CubeTensor<R>,
    ) -> CubeTensor<R> {
        functions::binary_cross_entropy_gradient(
            probabilities.clone(),
            values.clone(),
            grad_output.clone(),
        )
    }

    fn sum_of_squares(tensors: Vec<CubeTensor<R>>) -> CubeTensor<R> {
        sums::of_squares(tensors)
    }

    fn random(
        shape: &[usize],
        distribution: Distribution,
        draw: Draw,
        device: &R::Device,
    ) -> CubeTensor<R> {
        random::random(shape, distribution, draw, device)
            .unwrap_or_else(|| Self::float_zeros(shape.to_vec().into(), device, FloatDType::F32))
    }

    fn look_up(
        words: &CubeTensor<R>,
        chosen: &CubeTensor<R>,
        meanings: &CubeTensor<R>,
        shape: ImageShape,
    ) -> CubeTensor<R> {
        bytes::look_up(words.clone(), chosen.clone(), meanings.clone(), shape)
    }

    fn adam_step(
        weight: CubeTensor<R>,
        gradient: CubeTensor<R>,
        means: Option<[CubeTensor<R>; 2]>,
        step: AdamStep,
    ) -> [CubeTensor<R>; 3] {
        steps::adam(weight, gradient, means, step)
    }

    fn momentum_step(
        weight: CubeTensor<R>,
        gradient: CubeTensor<R>,
        velocity: Option<CubeTensor<R>>,
        step: MomentumStep,
    ) -> [CubeTensor<R>; 2] {
        steps::momentum(weight, gradient, velocity, step)
    }
}
