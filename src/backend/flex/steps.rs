//! Steps of optimizers on the CPU's tensors: one pass over a tensor and what is remembered of it.

use burn::backend::Flex;
use burn::tensor::ops::FloatTensorOps;
use burn::tensor::{FloatDType, TensorMetadata};
use rayon::prelude::*;

use super::plain::{Plain, in_order, values};
use crate::backend::cpu::{SHARED, Simd, steps};
use crate::backend::optimizer_steps::{AdamStep, MomentumStep};

pub(super) fn adam(
    weight: Plain,
    gradient: Plain,
    means: Option<[Plain; 2]>,
    step: AdamStep,
) -> [Plain; 3] {
    let (simd, by) = (Simd::detected(), steps::Adam::from(step));
    let gradient = values(&gradient);
    let mut weight = in_order(weight);
    let means = means.map(|means| means.map(in_order));
    let [mut mean, mut square] = means.unwrap_or_else(|| [zeros(&weight), zeros(&weight)]);
    parts(&mut weight)
        .zip(gradient.par_chunks(SHARED))
        .zip(parts(&mut mean).zip(parts(&mut square)))
        .for_each(|((weight, gradient), (mean, square))| {
            steps::adam(simd, by, weight, gradient, mean, square);
        });
    [weight, mean, square]
}

pub(super) fn momentum(
    weight: Plain,
    gradient: Plain,
    velocity: Option<Plain>,
    step: MomentumStep,
) -> [Plain; 2] {
    let (simd, by) = (Simd::detected(), steps::Momentum::from(step));
    let gradient = values(&gradient);
    let mut weight = in_order(weight);
    let mut velocity = velocity.map_or_else(|| zeros(&weight), in_order);
    parts(&mut weight)
        .zip(gradient.par_chunks(SHARED))
        .zip(parts(&mut velocity))
        .for_each(|((weight, gradient), velocity)| {
            steps::momentum(simd, by, weight, gradient, velocity);
        });
    [weight, velocity]
}

fn zeros(like: &Plain) -> Plain {
    Flex::float_zeros(like.shape(), &Default::default(), FloatDType::F32)
}

/// What threads write over; a copy, where the tensor has another owner.
fn parts(tensor: &mut Plain) -> impl IndexedParallelIterator<Item = &mut [f32]> {
    tensor.storage_mut::<f32>().par_chunks_mut(SHARED)
}
