//! `dense`: every output is a weighted sum of all inputs.

use std::borrow::Cow;
use std::fmt;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};
use serde::{Serialize, Serializer};

use super::constants::{constant, constant_bias};
use super::context::matrix;
use super::fields::trained_layer;
use super::init::Fan;
use super::penalty::penalty;
use super::{
    Cost, Forward, ForwardContext, InPytorch, LayerContext, LayerFields, Role, SharedWeight,
    Signal, Weights, idle, needs, not_alike,
};
use crate::backend::{Kernels, math};
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::shape::Shape;
use crate::value::{Positive, positive_schema};

trained_layer! {
    /// Fully connected layer: `[batch, features]` to `[batch, units]`.
    pub struct Dense {
        /// Number of outputs, or `"classes"`: the number of the dataset's classes.
        pub units: Units,
    }
    then {
        /// A `dense` layer before it, whose weights it uses transposed instead of its own: a decoder's layer
        /// tied to its encoder's. Default none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub tied_to: Option<String>,
    }
}

/// A number of outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Units {
    /// A number.
    Count(Positive),
    /// As many as the dataset has classes.
    Classes,
}

impl Units {
    fn count(self, context: LayerContext) -> usize {
        match self {
            Units::Count(count) => count.get(),
            Units::Classes => context.classes,
        }
    }
}

impl<'de> Deserialize<'de> for Units {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CountOrClasses;
        impl Visitor<'_> for CountOrClasses {
            type Value = Units;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a whole number of at least 1, or \"classes\"")
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Units, E> {
                Positive::deserialize(de::value::U64Deserializer::new(number)).map(Units::Count)
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Units, E> {
                Positive::deserialize(de::value::I64Deserializer::new(number)).map(Units::Count)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Units, E> {
                match text {
                    "classes" => Ok(Units::Classes),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(CountOrClasses)
    }
}

impl Serialize for Units {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Units::Count(count) => count.serialize(serializer),
            Units::Classes => serializer.serialize_str("classes"),
        }
    }
}

impl JsonSchema for Units {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Units".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            positive_schema(),
            { "type": "string", "enum": ["classes"] }
        ] })
    }
}

impl Dense {
    /// The weights and bias on the device.
    pub fn build<B: Backend>(
        &self,
        input: Shape,
        context: LayerContext,
        weights: &mut Weights<B>,
    ) -> DenseLayer<B> {
        let (fan_in, fan_out) = (input.len(), self.units.count(context));
        let fan = Fan { fan_in, fan_out };
        let own = self.tied_to.is_none();
        DenseLayer {
            weight: own.then(|| weights.param(self.init, [fan_in, fan_out], fan)),
            bias: weights.bias(self.bias, self.bias_init, fan_out, fan),
            fields: self.clone(),
        }
    }
}

impl LayerFields for Dense {
    fn role(&self) -> Role {
        Role::Affine
    }

    fn in_pytorch(&self) -> InPytorch {
        InPytorch {
            transposed: &["weight"],
            ..InPytorch::default()
        }
    }

    fn tied_to(&self) -> Option<&str> {
        self.tied_to.as_deref()
    }

    fn shared_weight(&self, input: Shape, context: LayerContext) -> Option<Vec<usize>> {
        let own = self.tied_to.is_none();
        own.then(|| vec![input.len(), self.units.count(context)])
    }

    fn output(&self, input: Shape, context: LayerContext) -> Result<Shape, Flaw> {
        let Shape::Features(features) = input else {
            return Err(needs("features", input));
        };
        if let Some(flaw) = idle(self.tied_to.as_deref(), self.init, self.l1, self.l2) {
            return Err(flaw);
        }
        let units = self.units.count(context);
        match (context.partner, self.tied_to.as_deref()) {
            (Some(&[inputs, outputs]), Some(name)) if [outputs, inputs] != [features, units] => {
                let message = format!(
                    "makes {units} of {features} features with the weights of `{name}`, \
                     which make {outputs} of {inputs}"
                );
                let hint = format!("tied to `{name}` it takes {outputs} and has units = {inputs}");
                Err(Flaw::new("tied_to", message).hint(hint))
            }
            (Some(&[_, _]) | None, _) => Ok(Shape::Features(units)),
            (Some(_), name) => Err(not_alike(name, "dense")),
        }
    }

    fn cost(&self, input: Shape, context: LayerContext) -> Cost {
        let units = self.units.count(context);
        let own = usize::from(self.tied_to.is_none());
        Cost {
            parameters: units * (own * input.len() + usize::from(self.bias)),
            multiply_adds: units * input.len(),
        }
    }
}

/// A dense layer's weights.
#[derive(Module, Debug)]
pub struct DenseLayer<B: Backend> {
    /// `[features, units]`; none if it is tied to another layer's.
    pub weight: Option<Param<Tensor<B, 2>>>,
    /// `[units]`
    pub bias: Option<Param<Tensor<B, 1>>>,
    #[module(skip)]
    fields: Dense,
}

impl<B: Kernels> Forward<B> for DenseLayer<B> {
    fn forward(&self, input: Signal<B>, context: &mut ForwardContext<B>) -> Signal<B> {
        let bias = self.bias.as_ref().map(Param::val);
        let weight = match &self.weight {
            Some(weight) => weight.val(),
            None => context.matrix().transpose(),
        };
        let y = math::linear(input.features(), weight, bias);
        Signal::Features(y)
    }

    fn onnx(&self, input: &Value, graph: &mut Graph, tied: Option<SharedWeight<B>>) -> Name {
        let weight = match &self.weight {
            Some(weight) => weight.val(),
            None => matrix(tied).transpose(),
        };
        let weight = constant(graph, "weight", weight);
        let bias = constant_bias(graph, self.bias.as_ref());
        graph.linear(&input.name, &weight, bias.as_ref())
    }

    fn shared(&self) -> Option<SharedWeight<B>> {
        let weight = self.weight.as_ref()?;
        Some(SharedWeight::Matrix(weight.val()))
    }

    fn penalty(&self) -> Option<Tensor<B, 1>> {
        let weight = self.weight.as_ref()?.val();
        penalty(weight, self.fields.l1, self.fields.l2)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_layer, expect, near, outputs};

    #[test]
    fn dense_keeps_the_promises_of_every_layer() {
        check_layer(
            "dense = { units = 7, activation = 'elu' }",
            &[12],
            expect(&[7], 91),
        );
        check_layer(
            "dense = { units = 'classes', bias = false }",
            &[12],
            expect(&[10], 120),
        );
    }

    #[test]
    fn weights_and_biases_start_as_the_layer_says() {
        let cut = "init = { truncated_normal = { standard_deviation = 0.1 } }";
        let layer = format!(
            "dense = {{ units = 500, {cut}, bias_init = {{ constant = {{ value = 0.1 }} }} }}"
        );
        near(&outputs(&layer, &[1], &[0.0]), &[0.1; 500]);
        let weights: Vec<f32> = outputs(&layer, &[1], &[1.0])
            .iter()
            .map(|y| y - 0.1)
            .collect();
        assert!(weights.iter().all(|weight| weight.abs() <= 0.2001));
        assert!(weights.iter().any(|weight| weight.abs() > 0.15));
    }
}
