//! `layer_normalization`: all channels at one place brought to mean 0 and variance 1.

use burn::module::Module;
use burn::tensor::backend::Backend;

use super::constants::constant;
use super::fields::layer;
use super::standardize::{Affine, standardize_places, thousandth};
use super::{
    Cost, Forward, ForwardContext, LayerContext, LayerFields, SharedWeight, Signal, Weights,
};
use crate::backend::Kernels;
use crate::error::Flaw;
use crate::onnx::{Attribute, Graph, Name, Value};
use crate::shape::Shape;
use crate::value::PositiveReal;

layer! {
    /// Layer normalization (Ba et al. 2016), as Keras: of all features over `[batch, features]`, of the features
    /// of each step over `[batch, steps, features]`, of the channels at each place over
    /// `[batch, channels, height, width]` and volumes. Keeps the shape.
    pub struct LayerNormalization {
        /// Added to the variance. Default 0.001, as Keras.
        #[serde(default = "thousandth")]
        pub epsilon: PositiveReal,
    }
}

impl LayerNormalization {
    /// Scale 1 and offset 0 on the device.
    pub fn build<B: Backend>(
        &self,
        input: Shape,
        _context: LayerContext,
        weights: &mut Weights<B>,
    ) -> LayerNormalizationLayer<B> {
        LayerNormalizationLayer {
            affine: Affine::new(input.channels(), weights),
            epsilon: self.epsilon.get(),
        }
    }
}

impl LayerFields for LayerNormalization {
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

/// A layer normalization's scale and offset.
#[derive(Module, Debug)]
pub struct LayerNormalizationLayer<B: Backend> {
    affine: Affine<B>,
    epsilon: f64,
}

impl<B: Kernels> Forward<B> for LayerNormalizationLayer<B> {
    fn forward(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        input.by_channels(|x| self.affine.apply(standardize_places(x, self.epsilon)))
    }

    fn onnx(&self, input: &Value, graph: &mut Graph, _tied: Option<SharedWeight<B>>) -> Name {
        let gamma = constant(graph, "gamma", self.affine.gamma.val());
        let beta = constant(graph, "beta", self.affine.beta.val());
        graph.with_channels_last(input, |graph, x| {
            let settings = [
                Attribute::int("axis", -1),
                Attribute::float("epsilon", self.epsilon),
            ];
            graph.node("LayerNormalization", &[x, &gamma, &beta], settings)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_finite_differences, check_layer, expect, near, outputs};

    #[test]
    fn layer_normalization_keeps_the_promises_of_every_layer() {
        let layer = "layer_normalization = {}";
        check_layer(layer, &[5], expect(&[5], 10));
        check_layer(layer, &[4, 3], expect(&[4, 3], 6));
        check_layer(layer, &[2, 3, 4], expect(&[2, 3, 4], 4));
        check_layer(layer, &[3, 2, 3, 4], expect(&[3, 2, 3, 4], 6));
    }

    #[test]
    fn layer_normalization_gradients_match_finite_differences() {
        // Much epsilon, so that the squares' sum is not the same for all inputs.
        for input in [&[5][..], &[4, 3], &[3, 2, 4]] {
            check_finite_differences("layer_normalization = { epsilon = 3 }", input);
        }
    }

    #[test]
    fn the_channels_of_one_place_get_mean_0_and_variance_1() {
        let layer = "layer_normalization = { epsilon = 1e-9 }";
        near(
            &outputs(layer, &[2, 2], &[1.0, 3.0, 9.0, 5.0]),
            &[-1.0, 1.0, 1.0, -1.0],
        );
        let image = outputs(layer, &[2, 1, 2], &[1.0, 9.0, 3.0, 5.0]);
        near(&image, &[-1.0, 1.0, 1.0, -1.0]);
    }
}
