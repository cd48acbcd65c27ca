//! The CPU by Burn's `flex` backend, with the passes of our own kernels.

mod bytes;
mod convolution;
mod elementwise;
mod linear;
mod losses;
mod normalization;
mod plain;
mod pool;
mod reductions;
mod steps;
mod transposed_convolution;

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::flex::FlexDevice;
use burn::tensor::Shape;
use burn::tensor::ops::IntTensor;

use self::plain::Plain;
use super::convolution_sizes::ConvolutionSizes;
use super::cpu::Simd;
use super::distribution::Distribution;
use super::kernels::random_values;
use super::optimizer_steps::{AdamStep, MomentumStep};
use super::passes::{Direction, Function, Passes, Reduction, Statistics, only_wanted};
use super::sliding::Sliding;
use crate::error::Result;
use crate::rng::Draw;
use crate::shape::ImageShape;

pub(super) type Backend = Flex;
pub(super) const IS_GPU: bool = false;

pub(super) fn models() -> Result<Vec<Option<String>>> {
    Ok(vec![None])
}

pub(super) fn device(_: usize) -> FlexDevice {
    Default::default()
}

/// What `BURNLAB_SIMD` asks for.
pub(super) fn requirements(_: usize) -> Result<()> {
    Simd::asked_for().map(|_| ())
}

pub(super) fn memory(_: usize) -> Result<Option<(u64, u64)>> {
    Ok(None)
}

pub(super) fn is_shared() -> bool {
    true
}

impl Passes for Flex {
    const IS_AT_HAND: bool = true;

    fn convolution(
        direction: Direction,
        x: &Plain,
        weight: &Plain,
        bias: Option<&Plain>,
        sizes: ConvolutionSizes,
    ) -> Plain {
        match direction {
            Direction::Convolution => convolution::forward(x, weight, bias, sizes),
            Direction::Transposed => transposed_convolution::forward(x, weight, bias, sizes),
        }
    }

    fn convolution_gradients(
        direction: Direction,
        x: &Plain,
        weight: &Plain,
        grad_output: &Plain,
        sizes: ConvolutionSizes,
        wanted: [bool; 3],
    ) -> [Option<Plain>; 3] {
        match direction {
            Direction::Convolution => convolution::backward(x, weight, grad_output, sizes, wanted),
            Direction::Transposed => {
                transposed_convolution::backward(x, weight, grad_output, sizes, wanted)
            }
        }
    }

    fn linear(x: &Plain, weight: &Plain, bias: Option<&Plain>) -> Plain {
        linear::linear(x, weight, bias)
    }

    fn linear_gradients(
        x: &Plain,
        weight: &Plain,
        grad_output: &Plain,
        wanted: [bool; 3],
    ) -> [Option<Plain>; 3] {
        linear::linear_gradients(x, weight, grad_output, wanted)
    }

    fn product(left: &Plain, right: &Plain) -> Plain {
        linear::product_of(left, right)
    }

    fn product_gradients(
        left: &Plain,
        right: &Plain,
        grad_output: &Plain,
        wanted: [bool; 2],
    ) -> [Option<Plain>; 2] {
        linear::product_gradients(left, right, grad_output, wanted)
    }

    fn function(function: Function, x: Plain) -> Plain {
        elementwise::forward(function, x)
    }

    fn function_gradient(function: Function, saved: &Plain, grad_output: Plain) -> Plain {
        elementwise::backward(function, saved, grad_output)
    }

    fn max_pool(x: &Plain, kernel: [usize; 2], sliding: Sliding) -> Option<(Plain, Arc<Vec<u32>>)> {
        Some(pool::largest(x, kernel, sliding))
    }

    fn max_pool_gradient(shape: &Shape, places: &[u32], grad_output: &Plain) -> Plain {
        pool::largest_gradient(shape, places, grad_output)
    }

    fn reduction(reduction: Reduction, x: &Plain) -> Plain {
        reductions::forward(reduction, x)
    }

    fn reduction_gradient(reduction: Reduction, shape: &Shape, grad_output: &Plain) -> Plain {
        reductions::backward(reduction, shape, grad_output)
    }

    fn standardization(x: &Plain, epsilon: f64) -> Statistics<Flex> {
        normalization::standardization(x, epsilon)
    }

    fn standardization_gradient(values: &Plain, rate: &Plain, grad_output: &Plain) -> Plain {
        normalization::standardization_gradient(values, rate, grad_output)
    }

    fn scaling(x: &Plain, scale: &Plain, shift: &Plain) -> Plain {
        normalization::scaling(x, scale, shift)
    }

    fn scaling_gradients(
        x: &Plain,
        scale: &Plain,
        grad_output: &Plain,
        wanted: [bool; 3],
    ) -> [Option<Plain>; 3] {
        normalization::scaling_gradients(x, scale, grad_output, wanted)
    }

    fn normalization(
        x: &Plain,
        scale: &Plain,
        shift: &Plain,
        epsilon: f64,
    ) -> (Statistics<Flex>, Plain) {
        normalization::normalization(x, scale, shift, epsilon)
    }

    fn normalization_gradients(
        values: &Plain,
        rate: &Plain,
        scale: &Plain,
        grad_output: &Plain,
        wanted: [bool; 3],
    ) -> [Option<Plain>; 3] {
        let made = normalization::normalization_gradients(values, rate, scale, grad_output);
        only_wanted(made, wanted)
    }

    fn log_softmax(x: &Plain) -> Plain {
        losses::log_softmax(x)
    }

    fn log_softmax_gradient(y: &Plain, grad_output: &Plain) -> Plain {
        losses::log_softmax_gradient(y, grad_output)
    }

    fn mean_of_targets(logs: &Plain, targets: &IntTensor<Flex>) -> Plain {
        losses::mean_of_targets(logs, targets)
    }

    fn cross_entropy_gradient(
        logs: &Plain,
        targets: &IntTensor<Flex>,
        grad_output: &Plain,
    ) -> Plain {
        losses::cross_entropy_gradient(logs, targets, grad_output)
    }

    fn binary_cross_entropy(probabilities: &Plain, values: &Plain) -> Plain {
        losses::binary_cross_entropy(probabilities, values)
    }

    fn binary_cross_entropy_gradient(
        probabilities: &Plain,
        values: &Plain,
        grad_output: &Plain,
    ) -> Plain {
        losses::binary_cross_entropy_gradient(probabilities, values, grad_output)
    }

    fn sum_of_squares(tensors: Vec<Plain>) -> Plain {
        reductions::sum_of_squares(&tensors)
    }

    fn random(
        shape: &[usize],
        distribution: Distribution,
        draw: Draw,
        _device: &FlexDevice,
    ) -> Plain {
        plain::plain(random_values(shape, distribution, draw), shape)
    }

    fn look_up(
        words: &IntTensor<Flex>,
        chosen: &IntTensor<Flex>,
        meanings: &Plain,
        shape: ImageShape,
    ) -> Plain {
        bytes::look_up(words, chosen, meanings, shape)
    }

    fn adam_step(
        weight: Plain,
        gradient: Plain,
        means: Option<[Plain; 2]>,
        step: AdamStep,
    ) -> [Plain; 3] {
        steps::adam(weight, gradient, means, step)
    }

    fn momentum_step(
        weight: Plain,
        gradient: Plain,
        velocity: Option<Plain>,
        step: MomentumStep,
    ) -> [Plain; 2] {
        steps::momentum(weight, gradient, velocity, step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::kernels::{burns_convolve2d, burns_convolve2d_transpose};
    use crate::backend::{Kernels, Sliding};
    use burn::backend::Autodiff;
    use burn::tensor::{Tensor, TensorData};
    use rand::Rng;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    type Training = Autodiff<Flex>;

    fn values(count: usize, pace: f32) -> Vec<f32> {
        (0..count).map(|i| (i as f32 * pace).sin()).collect()
    }

    fn tensor<const D: usize>(shape: [usize; D], pace: f32) -> Tensor<Training, D> {
        let data = TensorData::new(values(shape.iter().product(), pace), shape);
        Tensor::from_data(data, &Default::default()).require_grad()
    }

    fn near<const D: usize>(ours: Tensor<Flex, D>, burns: Tensor<Flex, D>, what: &str) {
        let ours: Vec<f32> = ours.into_data().into_vec().unwrap();
        let burns: Vec<f32> = burns.into_data().into_vec().unwrap();
        assert_eq!(ours.len(), burns.len(), "{what}");
        for (ours, burns) in ours.iter().zip(&burns) {
            assert!(
                (ours - burns).abs() < 1e-3 * (1.0 + burns.abs()),
                "{what}: {ours} against {burns}"
            );
        }
    }

    type Inputs = (
        Tensor<Training, 4>,
        Tensor<Training, 4>,
        Tensor<Training, 1>,
    );

    /// Compares two ways from the same inputs to an output and all three gradients.
    fn agree(inputs: &Inputs, ours: Tensor<Training, 4>, burns: Tensor<Training, 4>) {
        assert_eq!(ours.dims(), burns.dims());
        near(ours.clone().inner(), burns.clone().inner(), "output");
        let (x, weight, bias) = inputs;
        let conv_gradients = |output: Tensor<Training, 4>| {
            let gradients = output.square().sum().backward();
            (
                x.grad(&gradients).unwrap(),
                weight.grad(&gradients).unwrap(),
                bias.grad(&gradients).unwrap(),
            )
        };
        let (ours, burns) = (conv_gradients(ours), conv_gradients(burns));
        near(ours.0, burns.0, "gradient of x");
        near(ours.1, burns.1, "gradient of the filters");
        near(ours.2, burns.2, "gradient of the bias");
    }

    #[test]
    fn it_agrees_with_burns_convolution() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        let cases = [
            ([3, 1, 9, 8], [4, 1, 3, 3], [1, 1], [1, 1], [1, 1], [1, 1]),
            ([9, 3, 9, 8], [4, 3, 3, 3], [2, 2], [0, 0], [1, 1], [1, 1]),
            ([2, 2, 7, 7], [5, 2, 4, 2], [3, 1], [1, 0], [2, 1], [1, 1]),
            ([10, 2, 5, 6], [3, 2, 1, 1], [1, 2], [0, 0], [0, 0], [1, 1]),
            ([1, 2, 3, 3], [3, 2, 5, 5], [1, 1], [2, 2], [2, 2], [1, 1]),
            ([3, 4, 9, 8], [6, 2, 3, 3], [1, 2], [2, 2], [2, 1], [2, 2]),
            ([9, 4, 7, 7], [4, 1, 3, 2], [2, 1], [1, 0], [1, 1], [1, 3]),
            ([2, 3, 8, 8], [6, 1, 3, 3], [1, 1], [1, 1], [1, 1], [1, 1]),
        ];
        for (x_shape, weight_shape, stride, before, after, dilation) in cases {
            let sliding = Sliding {
                stride,
                before,
                after,
                dilation,
                groups: x_shape[1] / weight_shape[1],
            };
            let inputs = (
                tensor(x_shape, 0.37),
                tensor(weight_shape, 0.71),
                tensor([weight_shape[0]], 1.3),
            );
            let (x, weight, bias) = inputs.clone();
            let burns = burns_convolve2d(x, weight, Some(bias), sliding);
            let (x, weight, bias) = inputs.clone();
            let ours = Training::convolve2d(x, weight, Some(bias), sliding);
            agree(&inputs, ours, burns);
        }
    }

    #[test]
    fn it_agrees_with_burns_convolution_of_random_sizes() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        let mut chance = ChaCha8Rng::seed_from_u64(7);
        let mut compared = 0;
        while compared < 60 {
            let mut up_to = |most: usize| chance.random_range(1..=most);
            let groups = [1, 1, 2, 3][up_to(4) - 1];
            let (seen, share) = (up_to(4), up_to(20));
            let x_shape = [up_to(5), seen * groups, up_to(9), up_to(9)];
            let weight_shape = [share * groups, seen, up_to(3), up_to(3)];
            let sliding = Sliding {
                stride: [up_to(3), up_to(3)],
                before: [up_to(3) - 1, up_to(3) - 1],
                after: [up_to(3) - 1, up_to(3) - 1],
                dilation: [up_to(2), up_to(2)],
                groups,
            };
            let fits = |axis: usize| {
                let padded = x_shape[2 + axis] + sliding.before[axis] + sliding.after[axis];
                (weight_shape[2 + axis] - 1) * sliding.dilation[axis] < padded
            };
            if !(fits(0) && fits(1)) {
                continue;
            }
            let inputs = (
                tensor(x_shape, 0.37),
                tensor(weight_shape, 0.71),
                tensor([weight_shape[0]], 1.3),
            );
            let (x, weight, bias) = inputs.clone();
            let burns = burns_convolve2d(x, weight, Some(bias), sliding);
            let (x, weight, bias) = inputs.clone();
            let ours = Training::convolve2d(x, weight, Some(bias), sliding);
            agree(&inputs, ours, burns);
            compared += 1;
        }
    }

    #[test]
    fn it_agrees_with_burns_transposed_convolution() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        // x, weight, groups, stride, before, dilation, size of the output
        let cases = [
            (
                [3, 2, 5, 4],
                [2, 3, 3, 3],
                1,
                [1, 1],
                [1, 1],
                [1, 1],
                [5, 4],
            ),
            (
                [9, 3, 4, 4],
                [3, 2, 3, 3],
                1,
                [2, 2],
                [0, 0],
                [1, 1],
                [8, 8],
            ),
            (
                [2, 2, 4, 3],
                [2, 5, 4, 2],
                1,
                [3, 1],
                [0, 0],
                [1, 1],
                [13, 4],
            ),
            (
                [10, 2, 4, 3],
                [2, 3, 1, 1],
                1,
                [1, 2],
                [0, 0],
                [1, 1],
                [4, 6],
            ),
            (
                [1, 3, 3, 3],
                [3, 2, 5, 5],
                1,
                [1, 1],
                [2, 2],
                [1, 1],
                [3, 3],
            ),
            (
                [3, 4, 4, 4],
                [4, 2, 3, 2],
                2,
                [2, 1],
                [1, 0],
                [1, 1],
                [8, 5],
            ),
            (
                [2, 4, 5, 5],
                [4, 1, 3, 3],
                2,
                [1, 2],
                [2, 1],
                [2, 1],
                [5, 10],
            ),
        ];
        for (x_shape, weight_shape, groups, stride, before, dilation, size) in cases {
            let sliding = Sliding {
                stride,
                before,
                after: [0, 0],
                dilation,
                groups,
            };
            let inputs = (
                tensor(x_shape, 0.37),
                tensor(weight_shape, 0.71),
                tensor([weight_shape[1] * groups], 1.3),
            );
            let (x, weight, bias) = inputs.clone();
            let burns = burns_convolve2d_transpose(x, weight, Some(bias), size, sliding);
            let (x, weight, bias) = inputs.clone();
            let ours = Training::convolve2d_transpose(x, weight, Some(bias), size, sliding);
            agree(&inputs, ours, burns);
        }
    }
}
