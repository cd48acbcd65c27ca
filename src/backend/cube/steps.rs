//! Steps of optimizers: one pass over a tensor and what is remembered of it.

use burn::tensor::Shape;
use burn_cubecl::CubeRuntime;
use burn_cubecl::ops::numeric::zeros_client;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{UNITS, array, contiguous, cubes, shaped, units};
use crate::backend::optimizer_steps::{AdamStep, MomentumStep};

#[derive(CubeLaunch, CubeType)]
struct AdamNumbers {
    coupled_decay: f32,
    kept_weight: f32,
    beta_1: f32,
    fresh_mean: f32,
    beta_2: f32,
    fresh_square: f32,
    square_root: f32,
    epsilon: f32,
    rate: f32,
}

#[cube(launch_unchecked)]
fn adam_kernel(
    weight: &mut Array<f32>,
    gradient: &Array<f32>,
    mean: &mut Array<f32>,
    mean_square: &mut Array<f32>,
    numbers: &AdamNumbers,
    values: usize,
) {
    let at = ABSOLUTE_POS;
    if at < values {
        let before = weight[at];
        let g = gradient[at] + before * numbers.coupled_decay;
        let m = mean[at] * numbers.beta_1 + g * numbers.fresh_mean;
        let s = mean_square[at] * numbers.beta_2 + g * g * numbers.fresh_square;
        let root = s.sqrt() / numbers.square_root + numbers.epsilon;
        weight[at] = before * numbers.kept_weight - m / root * numbers.rate;
        mean[at] = m;
        mean_square[at] = s;
    }
}

#[cube(launch_unchecked)]
fn momentum_kernel(
    weight: &mut Array<f32>,
    gradient: &Array<f32>,
    velocity: &mut Array<f32>,
    values: usize,
    decay: f32,
    momentum: f32,
    rate: f32,
    #[comptime] nesterov: bool,
) {
    let at = ABSOLUTE_POS;
    if at < values {
        let before = weight[at];
        let g = gradient[at] + before * decay;
        let v = velocity[at] * momentum + g;
        let step = if comptime!(nesterov) {
            g + v * momentum
        } else {
            v
        };
        weight[at] = before - step * rate;
        velocity[at] = v;
    }
}

/// A tensor that may be written over: itself, if nobody else has it.
fn own<R: CubeRuntime>(tensor: CubeTensor<R>) -> CubeTensor<R> {
    let tensor = contiguous(tensor);
    if tensor.can_mut() {
        return tensor;
    }
    let shape = tensor.meta.shape().to_vec();
    // In a row: rows of their own may be copied to lie further apart.
    let row = shaped(tensor, &[shape.iter().product()]);
    shaped(row.copy(), &shape)
}

/// Weight, running mean of the gradient and of its square after a step.
pub(super) fn adam<R: CubeRuntime>(
    weight: CubeTensor<R>,
    gradient: CubeTensor<R>,
    means: Option<[CubeTensor<R>; 2]>,
    step: AdamStep,
) -> [CubeTensor<R>; 3] {
    let (weight, gradient) = (own(weight), contiguous(gradient));
    let means = means.unwrap_or_else(|| [zeros(&weight), zeros(&weight)]);
    let [mean, mean_square] = means.map(own);
    let [of_square, rate] = step.corrections();
    let numbers = AdamNumbersLaunch::new(
        step.coupled_decay as f32,
        step.kept() as f32,
        step.beta_1 as f32,
        (1.0 - step.beta_1) as f32,
        step.beta_2 as f32,
        (1.0 - step.beta_2) as f32,
        of_square as f32,
        step.epsilon as f32,
        rate as f32,
    );
    let values = weight.meta.num_elements();
    // SAFETY: a unit looks at the number of values before it reads or writes, and no two write one.
    unsafe {
        adam_kernel::launch_unchecked(
            &weight.client,
            cubes(values),
            units(UNITS),
            array(&weight),
            array(&gradient),
            array(&mean),
            array(&mean_square),
            numbers,
            values,
        );
    }
    [weight, mean, mean_square]
}

/// Weight and velocity after a step.
pub(super) fn momentum<R: CubeRuntime>(
    weight: CubeTensor<R>,
    gradient: CubeTensor<R>,
    velocity: Option<CubeTensor<R>>,
    step: MomentumStep,
) -> [CubeTensor<R>; 2] {
    let (weight, gradient) = (own(weight), contiguous(gradient));
    let velocity = own(velocity.unwrap_or_else(|| zeros(&weight)));
    let values = weight.meta.num_elements();
    // SAFETY: a unit looks at the number of values before it reads or writes, and no two write one.
    unsafe {
        momentum_kernel::launch_unchecked(
            &weight.client,
            cubes(values),
            units(UNITS),
            array(&weight),
            array(&gradient),
            array(&velocity),
            values,
            step.weight_decay as f32,
            step.momentum as f32,
            step.learning_rate as f32,
            step.nesterov,
        );
    }
    [weight, velocity]
}

fn zeros<R: CubeRuntime>(like: &CubeTensor<R>) -> CubeTensor<R> {
    let (client, device) = (like.client.clone(), like.device.clone());
    let shape = like.meta.shape();
    let row = zeros_client(
        client,
        device,
        Shape::new([shape.num_elements()]),
        like.dtype,
    );
    shaped(row, shape)
}
