//! `scale`: each channel times a trained number, plus another.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::constants::numbers;
use super::fields::layer;
use super::{
    Cost, Forward, ForwardContext, LayerContext, LayerFields, SharedWeight, Signal, Weights,
};
use crate::backend::Kernels;
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::shape::Shape;

layer! {
    /// `weight * x + bias` with a trained weight (from 1) and bias (from 0) for each channel, or feature of a
    /// sequence or a vector; Caffe's Scale, and what follows the mean in LeNet-5's subsampling. Keeps the shape.
    pub struct Scale {
    }
}

impl Scale {
    /// Weight 1 and bias 0 on the device.
    pub fn build<B: Backend>(
        &self,
        input: Shape,
        _context: LayerContext,
        weights: &mut Weights<B>,
    ) -> ScaleLayer<B> {
        ScaleLayer {
            weight: weights.vector(vec![1.0; input.channels()]),
            bias: weights.vector(vec![0.0; input.channels()]),
        }
    }
}

impl LayerFields for Scale {
    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        Ok(input)
    }

    fn cost(&self, input: Shape, _context: LayerContext) -> Cost {
        Cost {
            parameters: 2 * input.channels(),
            multiply_adds: 0,
        }
    }
}

/// A scale's weights.
#[derive(Module, Debug)]
pub struct ScaleLayer<B: Backend> {
    /// `[channels]`
    pub weight: Param<Tensor<B, 1>>,
    /// `[channels]`
    pub bias: Param<Tensor<B, 1>>,
}

impl<B: Kernels> Forward<B> for ScaleLayer<B> {
    fn forward(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        input.by_channels(|x| B::scale_channels(x, self.weight.val(), self.bias.val()))
    }

    fn onnx(&self, input: &Value, graph: &mut Graph, _tied: Option<SharedWeight<B>>) -> Name {
        let (factors, offsets) = (numbers(self.weight.val()), numbers(self.bias.val()));
        graph.scaled(input, Some(("weight", factors)), Some(("bias", offsets)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_finite_differences, check_layer, expect, outputs};

    #[test]
    fn scale_keeps_the_promises_of_every_layer() {
        check_layer("scale = {}", &[5], expect(&[5], 10));
        check_layer("scale = {}", &[4, 3], expect(&[4, 3], 6));
        check_layer("scale = {}", &[2, 3, 4], expect(&[2, 3, 4], 4));
        check_layer("scale = {}", &[3, 2, 3, 4], expect(&[3, 2, 3, 4], 6));
    }

    #[test]
    fn scale_gradients_match_finite_differences() {
        check_finite_differences("scale = {}", &[2, 3, 4]);
        check_finite_differences("scale = {}", &[4, 3]);
    }

    #[test]
    fn a_fresh_scale_changes_nothing() {
        assert_eq!(outputs("scale = {}", &[2], &[-2.0, 3.0]), [-2.0, 3.0]);
    }
}
