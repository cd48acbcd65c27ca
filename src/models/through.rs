//! Batches on their way through the parts of a model, in training and in inference.

use burn::tensor::Tensor;

use crate::backend::{Distribution, Kernels, math, reshape, rows};
use crate::layers::{ForwardContext, Signal};
use crate::network::Network;
use crate::objective::Loss;
use crate::rng::Chance;
use crate::shape::{ImageShape, Shape};

/// Number of the part that makes codes of images, or images of chance.
pub const FIRST: usize = 0;
/// Number of the part that makes images of codes, or distinguishes real from generated ones.
pub const SECOND: usize = 1;

/// `[batch, values]`, whatever the shape was.
pub fn flat<B: Kernels>(signal: Signal<B>) -> Tensor<B, 2> {
    match signal {
        Signal::Features(x) => x,
        Signal::Sequence(x) => rows(x),
        Signal::Image(x) => rows(x),
        Signal::Volume(x) => rows(x),
    }
}

/// `[batch, values]` as what a layer of this input shape takes.
pub fn shaped<B: Kernels>(values: Tensor<B, 2>, shape: Shape) -> Signal<B> {
    let [batch, _] = values.dims();
    match shape.dims()[..] {
        [_] => Signal::Features(values),
        [steps, features] => Signal::Sequence(reshape(values, [batch, steps, features])),
        [channels, height, width] => {
            Signal::Image(reshape(values, [batch, channels, height, width]))
        }
        [channels, depth, height, width] => {
            Signal::Volume(reshape(values, [batch, channels, depth, height, width]))
        }
        _ => unreachable!("a shape has one to four axes"),
    }
}

/// `[batch, values]` as images, `[batch, channels, height, width]`.
pub fn as_images<B: Kernels>(values: Tensor<B, 2>, shape: ImageShape) -> Tensor<B, 4> {
    shaped(values, Shape::Image(shape)).image()
}

/// The images, `[batch, channels, height, width]`, that a generator makes of latent numbers.
pub fn generate<B: Kernels>(
    network: &Network<B>,
    latent: Tensor<B, 2>,
    context: &mut ForwardContext<B>,
) -> Tensor<B, 4> {
    network
        .part(FIRST, Signal::Features(latent), context)
        .image()
}

/// Normally distributed numbers, `[batch, latent]`.
pub fn latent<B: Kernels>(shape: [usize; 2], chance: &Chance, device: &B::Device) -> Tensor<B, 2> {
    B::random(shape, Distribution::Normal, chance.draw(), device)
}

/// Images drawn from what came out, `[batch, pixels]`: pixels that are 0 or 1 where outputs are their
/// probabilities, else the outputs.
pub fn drawn<B: Kernels>(outputs: Tensor<B, 2>, loss: &Loss, chance: &Chance) -> Tensor<B, 2> {
    match loss.takes_probabilities() {
        true => {
            let drawn = math::random_like(&outputs, Distribution::Uniform, chance.draw());
            drawn.lower(outputs).float()
        }
        false => outputs,
    }
}
