//! Steps of optimizers: every value goes through the operations of [`kernels`](crate::backend::kernels) one after
//! another, each rounded.

use super::simd::on_every_set;
use crate::backend::optimizer_steps::{AdamStep, MomentumStep};

/// The numbers of [`adam`], rounded.
#[derive(Debug, Clone, Copy)]
pub struct Adam {
    beta_1: f32,
    fresh_1: f32,
    beta_2: f32,
    fresh_2: f32,
    epsilon: f32,
    /// Of the mean square, and the learning rate with the mean's.
    of_square: f32,
    rate: f32,
    coupled: f32,
    kept: f32,
}

impl From<AdamStep> for Adam {
    fn from(step: AdamStep) -> Self {
        let [of_square, rate] = step.corrections().map(|number| number as f32);
        Adam {
            beta_1: step.beta_1 as f32,
            fresh_1: (1.0 - step.beta_1) as f32,
            beta_2: step.beta_2 as f32,
            fresh_2: (1.0 - step.beta_2) as f32,
            epsilon: step.epsilon as f32,
            of_square,
            rate,
            coupled: step.coupled_decay as f32,
            kept: step.kept() as f32,
        }
    }
}

on_every_set! {
    /// Moves weights, and the means of their gradients and of the gradients' squares.
    pub fn adam(
        by: Adam,
        weight: &mut [f32],
        gradient: &[f32],
        mean: &mut [f32],
        square: &mut [f32],
    ) {
        let means = mean.iter_mut().zip(square);
        for ((weight, gradient), (mean, square)) in weight.iter_mut().zip(gradient).zip(means) {
            let gradient = match by.coupled > 0.0 {
                true => gradient + *weight * by.coupled,
                false => *gradient,
            };
            *mean = *mean * by.beta_1 + gradient * by.fresh_1;
            *square = *square * by.beta_2 + gradient * gradient * by.fresh_2;
            let root = square.sqrt() / by.of_square + by.epsilon;
            *weight = *weight * by.kept - *mean / root * by.rate;
        }
    }
}

/// The numbers of [`momentum`], rounded.
#[derive(Debug, Clone, Copy)]
pub struct Momentum {
    momentum: f32,
    decay: f32,
    rate: f32,
    nesterov: bool,
}

impl From<MomentumStep> for Momentum {
    fn from(step: MomentumStep) -> Self {
        Momentum {
            momentum: step.momentum as f32,
            decay: step.weight_decay as f32,
            rate: step.learning_rate as f32,
            nesterov: step.nesterov,
        }
    }
}

on_every_set! {
    /// Moves weights, and their velocities.
    pub fn momentum(by: Momentum, weight: &mut [f32], gradient: &[f32], velocity: &mut [f32]) {
        for ((weight, gradient), velocity) in weight.iter_mut().zip(gradient).zip(velocity) {
            let gradient = match by.decay > 0.0 {
                true => gradient + *weight * by.decay,
                false => *gradient,
            };
            *velocity = *velocity * by.momentum + gradient;
            let change = match by.nesterov {
                true => gradient + *velocity * by.momentum,
                false => *velocity,
            };
            *weight -= change * by.rate;
        }
    }
}
