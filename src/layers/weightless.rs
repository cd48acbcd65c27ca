//! Layers without weights: their fields are all that they are.

use std::fmt::Debug;

use burn::module::Module;

use super::{Forward, ForwardContext, Signal};
use crate::backend::Kernels;

/// A layer whose output follows from its fields and its input.
pub trait Weightless {
    /// Applies the layer to a batch, but for its activation function.
    fn forward<B: Kernels>(&self, input: Signal<B>, context: &mut ForwardContext<B>) -> Signal<B>;
}

/// Such a layer in a network.
#[derive(Module, Clone, Debug)]
pub struct WithoutWeights<F: Clone + Debug + Send> {
    #[module(skip)]
    fields: F,
}

impl<F: Clone + Debug + Send> WithoutWeights<F> {
    /// The layer with these fields.
    pub fn new(fields: F) -> Self {
        WithoutWeights { fields }
    }
}

impl<B: Kernels, F: Weightless + Clone + Debug + Send> Forward<B> for WithoutWeights<F> {
    fn forward(&self, input: Signal<B>, context: &mut ForwardContext<B>) -> Signal<B> {
        self.fields.forward(input, context)
    }
}
