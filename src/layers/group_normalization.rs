//! `group_normalization`: groups of channels brought to mean 0 and variance 1 in each sample.

use burn::module::Module;
use burn::tensor::backend::Backend;

use super::fields::layer;
use super::standardize::{Affine, standardize_groups, thousandth};
use super::{
    Cost, Forward, ForwardContext, LayerContext, LayerFields, SharedWeight, Signal, Weights,
};
use crate::backend::Kernels;
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::shape::Shape;
use crate::value::{Positive, PositiveReal};

layer! {
    /// Group normalization (Wu and He 2018), as Keras: neighboring channels and all places of a sample together
    /// over `[batch, channels, height, width]` and volumes, features in place of channels over
    /// `[batch, features]` and `[batch, steps, features]`. Keeps the shape.
    pub struct GroupNormalization {
        /// Groups of channels; divides their number. Default 32.
        #[serde(default = "thirty_two")]
        pub groups: Positive,
        /// Added to the variance. Default 0.001, as Keras.
        #[serde(default = "thousandth")]
        pub epsilon: PositiveReal,
    }
}

fn thirty_two() -> Positive {
    Positive(32)
}

impl GroupNormalization {
    /// Scale 1 and offset 0 on the device.
    pub fn build<B: Backend>(
        &self,
        input: Shape,
        _context: LayerContext,
        weights: &mut Weights<B>,
    ) -> GroupNormalizationLayer<B> {
        GroupNormalizationLayer {
            affine: Affine::new(input.channels(), weights),
            fields: self.clone(),
        }
    }
}

impl LayerFields for GroupNormalization {
    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        let (groups, channels) = (self.groups.get(), input.channels());
        if channels % groups == 0 {
            return Ok(input);
        }
        let message =
            format!("has {groups} groups, which do not divide its {channels} input channels");
        Err(Flaw::new("groups", message).hint("choose a divisor"))
    }

    fn cost(&self, input: Shape, _context: LayerContext) -> Cost {
        Cost {
            parameters: 2 * input.channels(),
            multiply_adds: 0,
        }
    }
}

/// A group normalization's scale and offset.
#[derive(Module, Debug)]
pub struct GroupNormalizationLayer<B: Backend> {
    affine: Affine<B>,
    #[module(skip)]
    fields: GroupNormalization,
}

impl<B: Kernels> Forward<B> for GroupNormalizationLayer<B> {
    fn forward(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        let (groups, epsilon) = (self.fields.groups.get(), self.fields.epsilon.get());
        input.by_channels(|x| self.affine.apply(standardize_groups(x, groups, epsilon)))
    }

    fn onnx(&self, input: &Value, graph: &mut Graph, _tied: Option<SharedWeight<B>>) -> Name {
        let (groups, epsilon) = (self.fields.groups.get(), self.fields.epsilon.get());
        self.affine.onnx_of_groups(input, graph, groups, epsilon)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        check_finite_differences, check_layer, expect, flaw, near, outputs,
    };

    #[test]
    fn group_normalization_keeps_the_promises_of_every_layer() {
        let layer = "group_normalization = { groups = 2 }";
        check_layer(layer, &[6], expect(&[6], 12));
        check_layer(layer, &[3, 4], expect(&[3, 4], 8));
        check_layer(layer, &[4, 3, 2], expect(&[4, 3, 2], 8));
        check_layer(layer, &[2, 3, 4, 2], expect(&[2, 3, 4, 2], 4));
        check_layer(
            "group_normalization = {}",
            &[64, 2, 2],
            expect(&[64, 2, 2], 128),
        );
    }

    #[test]
    fn group_normalization_gradients_match_finite_differences() {
        for input in [&[6][..], &[3, 4], &[4, 3, 2]] {
            check_finite_differences("group_normalization = { groups = 2, epsilon = 3 }", input);
        }
    }

    #[test]
    fn the_channels_and_places_of_a_group_get_mean_0_and_variance_1() {
        let layer = "group_normalization = { groups = 2, epsilon = 1e-9 }";
        let image = outputs(layer, &[2, 1, 2], &[1.0, 3.0, 9.0, 5.0]);
        near(&image, &[-1.0, 1.0, 1.0, -1.0]);
        let steps = outputs(layer, &[2, 2], &[1.0, 9.0, 3.0, 5.0]);
        near(&steps, &[-1.0, 1.0, 1.0, -1.0]);
    }

    #[test]
    fn groups_must_divide_the_channels() {
        let flaw = flaw("group_normalization = {}", &[48, 2, 2]);
        assert_eq!(flaw.key, "groups");
        assert_eq!(
            flaw.message,
            "has 32 groups, which do not divide its 48 input channels"
        );
    }
}
