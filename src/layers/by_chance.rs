//! What dropouts and noise layers have in common: they change values by chance where they are on, and nothing elsewhere.

use burn::tensor::Tensor;

use super::signal::EachRank;
use super::{ForwardContext, Signal, Weightless};
use crate::backend::Kernels;
use crate::onnx::{Graph, Name, Value};
use crate::rng::Draw;

/// A layer that changes values by chance.
pub trait ByChance {
    /// Whether it changes anything in such a pass.
    fn is_on<B: Kernels>(&self, context: &ForwardContext<B>) -> bool;

    /// The values changed; `channels` is the axis of the channels, or of a vector's or sequence's features.
    fn change<B: Kernels, const D: usize>(
        &self,
        x: Tensor<B, D>,
        channels: usize,
        draw: Draw,
    ) -> Tensor<B, D>;
}

struct Change<'a, F>(&'a F, Draw);

impl<B: Kernels, F: ByChance> EachRank<B> for Change<'_, F> {
    fn apply<const D: usize>(&self, x: Tensor<B, D>, channels: usize) -> Tensor<B, D> {
        let Change(layer, draw) = self;
        layer.change(x, channels, *draw)
    }
}

impl<F: ByChance> Weightless for F {
    fn forward<B: Kernels>(&self, input: Signal<B>, context: &mut ForwardContext<B>) -> Signal<B> {
        match self.is_on(context) {
            true => {
                let draw = context.chance.draw();
                input.map(Change(self, draw))
            }
            false => input,
        }
    }

    fn onnx(&self, input: &Value, _graph: &mut Graph) -> Name {
        input.name.clone()
    }
}
