//! `instance_normalization`: each channel of each sample brought to mean 0 and variance 1.

use burn::module::Module;
use burn::tensor::backend::Backend;

use super::fields::layer;
use super::standardize::{Affine, standardize_groups, thousandth};
use super::{
    Cost, Forward, ForwardContext, LayerContext, LayerFields, SharedWeight, Signal, Weights,
    with_places,
};
use crate::backend::Kernels;
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::shape::Shape;
use crate::value::PositiveReal;

layer! {
    /// Instance normalization (Ulyanov et al. 2016): of each channel over its places in one sample, over
    /// `[batch, channels, height, width]` and volumes; of each feature over the steps of
    /// `[batch, steps, features]`. Keeps the shape.
    pub struct InstanceNormalization {
        /// Added to the variance. Default 0.001.
        #[serde(default = "thousandth")]
        pub epsilon: PositiveReal,
    }
}

impl InstanceNormalization {
    /// Scale 1 and offset 0 on the device.
    pub fn build<B: Backend>(
        &self,
        input: Shape,
        _context: LayerContext,
        weights: &mut Weights<B>,
    ) -> InstanceNormalizationLayer<B> {
        InstanceNormalizationLayer {
            affine: Affine::new(input.channels(), weights),
            epsilon: self.epsilon.get(),
        }
    }
}

impl LayerFields for InstanceNormalization {
    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        with_places(input)
    }

    fn cost(&self, input: Shape, _context: LayerContext) -> Cost {
        Cost {
            parameters: 2 * input.channels(),
            multiply_adds: 0,
        }
    }
}

/// An instance normalization's scale and offset.
#[derive(Module, Debug)]
pub struct InstanceNormalizationLayer<B: Backend> {
    affine: Affine<B>,
    epsilon: f64,
}

impl<B: Kernels> Forward<B> for InstanceNormalizationLayer<B> {
    fn forward(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        input.by_channels(|x| {
            let [_, channels, _] = x.dims();
            self.affine
                .apply(standardize_groups(x, channels, self.epsilon))
        })
    }

    fn onnx(&self, input: &Value, graph: &mut Graph, _tied: Option<SharedWeight<B>>) -> Name {
        let channels = input.shape.channels();
        self.affine
            .onnx_of_groups(input, graph, channels, self.epsilon)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        check_finite_differences, check_layer, expect, flaw, near, outputs,
    };

    #[test]
    fn instance_normalization_keeps_the_promises_of_every_layer() {
        let layer = "instance_normalization = {}";
        check_layer(layer, &[4, 3], expect(&[4, 3], 6));
        check_layer(layer, &[2, 3, 4], expect(&[2, 3, 4], 4));
        check_layer(layer, &[3, 2, 3, 4], expect(&[3, 2, 3, 4], 6));
    }

    #[test]
    fn instance_normalization_gradients_match_finite_differences() {
        for input in [&[4, 3][..], &[3, 2, 4]] {
            check_finite_differences("instance_normalization = { epsilon = 3 }", input);
        }
    }

    #[test]
    fn the_places_of_a_channel_get_mean_0_and_variance_1() {
        let layer = "instance_normalization = { epsilon = 1e-9 }";
        let image = outputs(layer, &[2, 1, 2], &[1.0, 3.0, 9.0, 5.0]);
        near(&image, &[-1.0, 1.0, 1.0, -1.0]);
        let steps = outputs(layer, &[2, 2], &[1.0, 9.0, 3.0, 5.0]);
        near(&steps, &[-1.0, 1.0, 1.0, -1.0]);
    }

    #[test]
    fn features_have_no_places_to_normalize_over() {
        assert_eq!(
            flaw("instance_normalization = {}", &[7]).message,
            "needs a sequence, an image or a volume but the layer before gives features (7)"
        );
    }
}
