//! Mean 0 and variance 1, then a trained scale and offset: what the normalizations have in common.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::Weights;
use super::constants::numbers;
use crate::backend::{Kernels, reshape};
use crate::onnx::{Attribute, Graph, Name, Value};
use crate::value::PositiveReal;

/// Scale and offset of each channel.
#[derive(Module, Debug)]
pub struct Affine<B: Backend> {
    /// `[channels]`, from 1.
    pub gamma: Param<Tensor<B, 1>>,
    /// `[channels]`, from 0.
    pub beta: Param<Tensor<B, 1>>,
}

impl<B: Backend> Affine<B> {
    pub fn new(channels: usize, weights: &mut Weights<B>) -> Self {
        Affine {
            gamma: weights.vector(vec![1.0; channels]),
            beta: weights.vector(vec![0.0; channels]),
        }
    }
}

impl<B: Kernels> Affine<B> {
    /// Of `[batch, channels, places]`.
    pub fn apply(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        B::scale_channels(x, self.gamma.val(), self.beta.val())
    }
}

impl<B: Backend> Affine<B> {
    /// Groups of channels standardized, each over its channels and all places of one sample, then scaled, as nodes of
    /// an ONNX graph.
    pub(super) fn onnx_of_groups(
        &self,
        input: &Value,
        graph: &mut Graph,
        groups: usize,
        epsilon: f64,
    ) -> Name {
        let (channels, places) = (input.shape.channels(), input.shape.places());
        let whole: Vec<usize> = std::iter::once(channels).chain(places).collect();
        let grouped = whole.iter().product::<usize>() / groups;
        let standard = graph.with_channels_first(input, |graph, x| {
            let rows = graph.reshaped(x, &[groups, grouped]);
            let ones = graph.floats("ones", &[groups], vec![1.0; groups]);
            let zeros = graph.floats("zeros", &[groups], vec![0.0; groups]);
            let epsilon = Attribute::float("epsilon", epsilon);
            let rows = graph.node("InstanceNormalization", &[&rows, &ones, &zeros], [epsilon]);
            graph.reshaped(&rows, &whole)
        });
        let standard = Value {
            name: standard,
            shape: input.shape,
        };
        let (gamma, beta) = (numbers(self.gamma.val()), numbers(self.beta.val()));
        graph.scaled(&standard, Some(("gamma", gamma)), Some(("beta", beta)))
    }
}

/// Standardizes groups of the channels of `[batch, channels, places]`, each over its channels and all
/// places of one sample.
pub(super) fn standardize_groups<B: Kernels>(
    x: Tensor<B, 3>,
    groups: usize,
    epsilon: f64,
) -> Tensor<B, 3> {
    let dims = x.dims();
    let [batch, channels, places] = dims;
    let rows = reshape(x, [1, batch * groups, channels / groups * places]);
    reshape(B::standardize(rows, epsilon).values, dims)
}

/// Standardizes the channels of `[batch, channels, places]` at each place.
pub(super) fn standardize_places<B: Kernels>(x: Tensor<B, 3>, epsilon: f64) -> Tensor<B, 3> {
    let [batch, channels, places] = x.dims();
    let rows = reshape(x.swap_dims(1, 2), [1, batch * places, channels]);
    let rows = B::standardize(rows, epsilon).values;
    reshape(rows, [batch, places, channels]).swap_dims(1, 2)
}

/// The default of Keras.
pub(super) fn thousandth() -> PositiveReal {
    PositiveReal(1e-3)
}
