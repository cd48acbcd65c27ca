//! `prelu`: a rectifier whose slope below 0 is trained.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::bounds::at_most;
use super::constants::numbers;
use super::fields::layer;
use super::signal::{EachRank, along_channels};
use super::{
    Cost, Forward, ForwardContext, LayerContext, LayerFields, SharedWeight, Signal, Weights,
};
use crate::backend::{Kernels, math};
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::shape::Shape;
use crate::value::Real;

layer! {
    /// `x` above 0, else `weight * x` with a trained weight for each channel (feature of a sequence or a vector),
    /// or one for all (He et al. 2015). Keeps the shape.
    pub struct Prelu {
        /// First value of the weights. Default 0.25.
        #[serde(default = "quarter")]
        pub slope: Real,
        /// Whether all channels share one weight. Default false.
        #[serde(default)]
        pub shared: bool,
    }
}

fn quarter() -> Real {
    Real(0.25)
}

impl Prelu {
    fn weights(&self, input: Shape) -> usize {
        if self.shared { 1 } else { input.channels() }
    }

    /// The slopes on the device.
    pub fn build<B: Backend>(
        &self,
        input: Shape,
        _context: LayerContext,
        weights: &mut Weights<B>,
    ) -> PreluLayer<B> {
        PreluLayer {
            weight: weights.vector(vec![self.slope.get() as f32; self.weights(input)]),
        }
    }
}

impl LayerFields for Prelu {
    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        Ok(input)
    }

    fn cost(&self, input: Shape, _context: LayerContext) -> Cost {
        Cost {
            parameters: self.weights(input),
            multiply_adds: 0,
        }
    }
}

/// A parametric rectifier's slopes.
#[derive(Module, Debug)]
pub struct PreluLayer<B: Backend> {
    /// `[channels]`, or `[1]` if shared.
    pub weight: Param<Tensor<B, 1>>,
}

impl<B: Kernels> EachRank<B> for &PreluLayer<B> {
    fn apply<const D: usize>(&self, x: Tensor<B, D>, channels: usize) -> Tensor<B, D> {
        let dims = x.dims();
        let weight = math::expand(along_channels(self.weight.val(), channels), dims);
        math::relu(x.clone()) + at_most(x, 0.0) * weight
    }
}

impl<B: Kernels> Forward<B> for PreluLayer<B> {
    fn forward(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        input.map(self)
    }

    fn onnx(&self, input: &Value, graph: &mut Graph, _tied: Option<SharedWeight<B>>) -> Name {
        let slopes = graph.along_channels(input, "weight", numbers(self.weight.val()));
        graph.node("PRelu", &[&input.name, &slopes], [])
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_finite_differences, check_layer, expect, outputs};

    #[test]
    fn prelu_keeps_the_promises_of_every_layer() {
        check_layer("prelu = {}", &[5], expect(&[5], 5));
        check_layer("prelu = {}", &[4, 3], expect(&[4, 3], 3));
        check_layer("prelu = { slope = 0.1 }", &[2, 3, 4], expect(&[2, 3, 4], 2));
        check_layer(
            "prelu = { shared = true }",
            &[3, 2, 3, 4],
            expect(&[3, 2, 3, 4], 1),
        );
    }

    #[test]
    fn prelu_gradients_match_finite_differences() {
        check_finite_differences("prelu = {}", &[2, 3, 4]);
        check_finite_differences("prelu = {}", &[4, 3]);
        check_finite_differences("prelu = { shared = true }", &[2, 3, 4]);
    }

    #[test]
    fn what_is_below_0_is_multiplied_by_the_slope() {
        assert_eq!(
            outputs("prelu = {}", &[3], &[-2.0, 0.0, 2.0]),
            [-0.5, 0.0, 2.0]
        );
        assert_eq!(
            outputs("prelu = { slope = -1, shared = true }", &[2], &[-2.0, 2.0]),
            [2.0, 2.0]
        );
    }
}
