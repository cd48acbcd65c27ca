//! Steps of optimizers on the CPU's tensors: one pass over a tensor and what is remembered of it.
//!
//! Every value goes through the operations of [`kernels`](crate::backend::kernels) one after another, each rounded.

use std::borrow::Cow;

use burn::tensor::TensorMetadata;

use super::plain::{Plain, plain, values};
use crate::backend::kernels::{AdamStep, MomentumStep};

pub(super) fn adam(
    weight: Plain,
    gradient: Plain,
    means: Option<[Plain; 2]>,
    step: AdamStep,
) -> [Plain; 3] {
    let shape = weight.shape();
    let [of_square, rate] = step.corrections().map(|number| number as f32);
    let (coupled, kept) = (step.coupled_decay as f32, step.kept() as f32);
    let [beta_1, fresh_1] = [step.beta_1, 1.0 - step.beta_1].map(|number| number as f32);
    let [beta_2, fresh_2] = [step.beta_2, 1.0 - step.beta_2].map(|number| number as f32);
    let epsilon = step.epsilon as f32;
    let (weight, gradient) = (values(&weight), values(&gradient));
    let count = weight.len();
    let [old_mean, old_square] = match &means {
        None => [Cow::Owned(vec![0.0; count]), Cow::Owned(vec![0.0; count])],
        Some(means) => means.each_ref().map(values),
    };
    // Equally long: no access is checked inside the loop.
    let (weight, gradient) = (&weight[..count], &gradient[..count]);
    let (old_mean, old_square) = (&old_mean[..count], &old_square[..count]);
    let [mut new_weight, mut new_mean, mut new_square] = [(); 3].map(|()| vec![0.0; count]);
    for at in 0..count {
        let gradient = match coupled > 0.0 {
            true => gradient[at] + weight[at] * coupled,
            false => gradient[at],
        };
        let mean = old_mean[at] * beta_1 + gradient * fresh_1;
        let square = old_square[at] * beta_2 + gradient * gradient * fresh_2;
        let root = square.sqrt() / of_square + epsilon;
        new_weight[at] = weight[at] * kept - mean / root * rate;
        new_mean[at] = mean;
        new_square[at] = square;
    }
    [new_weight, new_mean, new_square].map(|values| plain(values, &shape))
}

pub(super) fn momentum(
    weight: Plain,
    gradient: Plain,
    velocity: Option<Plain>,
    step: MomentumStep,
) -> [Plain; 2] {
    let shape = weight.shape();
    let [momentum, decay] = [step.momentum, step.weight_decay].map(|number| number as f32);
    let rate = step.learning_rate as f32;
    let (weight, gradient) = (values(&weight), values(&gradient));
    let count = weight.len();
    let old = match &velocity {
        None => Cow::Owned(vec![0.0; count]),
        Some(velocity) => values(velocity),
    };
    let (weight, gradient, old) = (&weight[..count], &gradient[..count], &old[..count]);
    let [mut new_weight, mut new_velocity] = [(); 2].map(|()| vec![0.0; count]);
    for at in 0..count {
        let gradient = match decay > 0.0 {
            true => gradient[at] + weight[at] * decay,
            false => gradient[at],
        };
        let velocity = old[at] * momentum + gradient;
        let change = match step.nesterov {
            true => gradient + velocity * momentum,
            false => velocity,
        };
        new_weight[at] = weight[at] - change * rate;
        new_velocity[at] = velocity;
    }
    [new_weight, new_velocity].map(|values| plain(values, &shape))
}
