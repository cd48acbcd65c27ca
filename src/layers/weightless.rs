//! Layers without weights: their fields are all that they are.

use std::fmt::Debug;

use burn::module::Module;

use super::{Forward, ForwardContext, SharedWeight, Signal};
use crate::backend::Kernels;
use crate::onnx::{Graph, Name, Value};

/// A layer whose output follows from its fields and its input.
pub trait Weightless {
    /// Applies the layer to a batch, but for its activation function.
    fn forward<B: Kernels>(&self, input: Signal<B>, context: &mut ForwardContext<B>) -> Signal<B>;

    /// What it does in inference, but for its activation function, as nodes of an ONNX graph.
    fn onnx(&self, input: &Value, graph: &mut Graph) -> Name;
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

    fn onnx(&self, input: &Value, graph: &mut Graph, _tied: Option<SharedWeight<B>>) -> Name {
        self.fields.onnx(input, graph)
    }
}
