//! `squeeze_excite`: channels weighed by what the whole image holds.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::constants::constant;
use super::fields::layer;
use super::init::{Fan, glorot_uniform};
use super::{
    Cost, Forward, ForwardContext, InPytorch, LayerContext, LayerFields, SharedWeight, Signal,
    Weights, needs,
};
use crate::backend::{Kernels, math, reshape};
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::shape::Shape;
use crate::value::Positive;

layer! {
    /// Each channel of `[batch, channels, height, width]` times a weight from 0 to 1 that two dense layers make of
    /// all channels' means: `sigmoid(expand(relu(reduce(means))))` (Hu et al. 2018). Keeps the shape.
    ///
    /// The weights start as glorot_uniform, the biases at 0.
    pub struct SqueezeExcite {
        /// The first dense layer makes `channels / ratio` values, rounded down. Default 16.
        #[serde(default = "sixteen")]
        pub ratio: Positive,
    }
}

fn sixteen() -> Positive {
    Positive(16)
}

impl SqueezeExcite {
    /// The two dense layers' weights on the device.
    pub fn build<B: Backend>(
        &self,
        input: Shape,
        _context: LayerContext,
        weights: &mut Weights<B>,
    ) -> SqueezeExciteLayer<B> {
        let channels = input.channels();
        let reduced = channels / self.ratio.get();
        let mut matrix = |fan_in: usize, fan_out: usize| {
            weights.param(glorot_uniform(), [fan_in, fan_out], Fan { fan_in, fan_out })
        };
        SqueezeExciteLayer {
            reduce_weight: matrix(channels, reduced),
            expand_weight: matrix(reduced, channels),
            reduce_bias: weights.vector(vec![0.0; reduced]),
            expand_bias: weights.vector(vec![0.0; channels]),
        }
    }
}

impl LayerFields for SqueezeExcite {
    fn in_pytorch(&self) -> InPytorch {
        InPytorch {
            transposed: &["reduce_weight", "expand_weight"],
            ..InPytorch::default()
        }
    }

    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        let Shape::Image(image) = input else {
            return Err(needs("an image", input));
        };
        let (ratio, channels) = (self.ratio.get(), image.channels);
        if ratio > channels {
            let message =
                format!("has the ratio {ratio}, larger than its {channels} input channels");
            return Err(Flaw::new("ratio", message).hint("use a smaller `ratio`"));
        }
        Ok(input)
    }

    fn cost(&self, input: Shape, _context: LayerContext) -> Cost {
        let channels = input.channels();
        let reduced = channels / self.ratio.get();
        Cost {
            parameters: 2 * channels * reduced + channels + reduced,
            multiply_adds: 2 * channels * reduced,
        }
    }
}

/// The weights of the two dense layers.
#[derive(Module, Debug)]
pub struct SqueezeExciteLayer<B: Backend> {
    /// `[channels, channels / ratio]`
    pub reduce_weight: Param<Tensor<B, 2>>,
    /// `[channels / ratio]`
    pub reduce_bias: Param<Tensor<B, 1>>,
    /// `[channels / ratio, channels]`
    pub expand_weight: Param<Tensor<B, 2>>,
    /// `[channels]`
    pub expand_bias: Param<Tensor<B, 1>>,
}

impl<B: Kernels> Forward<B> for SqueezeExciteLayer<B> {
    fn forward(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        let x = input.image();
        let [batch, channels, height, width] = x.dims();
        let places = reshape(x.clone(), [batch, channels, height * width]);
        let means = reshape(math::mean_dim(places, 2), [batch, channels]);
        let reduce_bias = Some(self.reduce_bias.val());
        let reduced = math::relu(math::linear(means, self.reduce_weight.val(), reduce_bias));
        let expand_bias = Some(self.expand_bias.val());
        let weights = math::sigmoid(math::linear(reduced, self.expand_weight.val(), expand_bias));
        let weights = reshape(weights, [batch, channels, 1, 1]);
        Signal::Image(x * math::expand(weights, [batch, channels, height, width]))
    }

    fn onnx(&self, input: &Value, graph: &mut Graph, _tied: Option<SharedWeight<B>>) -> Name {
        let channels = input.shape.channels();
        let reduce = constant(graph, "reduce_weight", self.reduce_weight.val());
        let expand = constant(graph, "expand_weight", self.expand_weight.val());
        let reduce_bias = constant(graph, "reduce_bias", self.reduce_bias.val());
        let expand_bias = constant(graph, "expand_bias", self.expand_bias.val());
        let means = graph.node("GlobalAveragePool", &[&input.name], []);
        let means = graph.reshaped(&means, &[channels]);
        let reduced = graph.linear(&means, &reduce, Some(&reduce_bias));
        let reduced = graph.node("Relu", &[&reduced], []);
        let weights = graph.linear(&reduced, &expand, Some(&expand_bias));
        let weights = graph.node("Sigmoid", &[&weights], []);
        let weights = graph.reshaped(&weights, &[channels, 1, 1]);
        graph.node("Mul", &[&input.name, &weights], [])
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_finite_differences, check_layer, expect, flaw, outputs};

    #[test]
    fn squeeze_excite_keeps_the_promises_of_every_layer() {
        check_layer(
            "squeeze_excite = { ratio = 2 }",
            &[6, 3, 4],
            expect(&[6, 3, 4], 6 * 3 + 3 + 3 * 6 + 6),
        );
        check_layer(
            "squeeze_excite = {}",
            &[40, 2, 2],
            expect(&[40, 2, 2], 40 * 2 + 2 + 2 * 40 + 40),
        );
    }

    #[test]
    fn squeeze_excite_gradients_match_finite_differences() {
        check_finite_differences("squeeze_excite = { ratio = 2 }", &[4, 3, 3]);
    }

    #[test]
    fn a_channel_is_weighed_as_a_whole_and_never_grows() {
        let x = [1.0, 2.0, 3.0, 4.0, -1.0, -2.0, -3.0, -4.0];
        let y = outputs("squeeze_excite = { ratio = 1 }", &[2, 2, 2], &x);
        for channel in [0..4, 4..8] {
            let weights: Vec<f32> = channel.map(|at| y[at] / x[at]).collect();
            assert!(
                weights.iter().all(|w| (w - weights[0]).abs() < 1e-6),
                "{weights:?}"
            );
            assert!(weights[0] > 0.0 && weights[0] < 1.0, "{weights:?}");
        }
    }

    #[test]
    fn the_ratio_leaves_a_value() {
        let flaw = flaw("squeeze_excite = {}", &[8, 2, 2]);
        assert_eq!(flaw.key, "ratio");
        assert_eq!(
            flaw.message,
            "has the ratio 16, larger than its 8 input channels"
        );
    }
}
