//! `cross_entropy`: minus the log of the true class's softmax.

use std::borrow::Cow;
use std::fmt;

use burn::tensor::Tensor;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{LossFields, Truth};
use crate::backend::{Kernels, math, reshape};
use crate::error::{Flaw, count};
use crate::value::{Fraction, PositiveReal};

/// Minus the log of the true class's softmax, as `torch.nn.CrossEntropyLoss`: on the validation and the
/// test set too, as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CrossEntropy {
    /// Share of the truth that is spread evenly over all classes, the true one included. Default 0.
    #[serde(skip_serializing_if = "is_zero")]
    pub label_smoothing: Fraction,
    /// How much an image of each class counts: one number a class, or "balanced", which is
    /// `images / (classes * images of the class)` of the training images. The mean of a batch is divided by
    /// the sum of its images' weights. Default "none".
    #[serde(skip_serializing_if = "ClassWeights::is_none")]
    pub class_weights: ClassWeights,
}

impl Default for CrossEntropy {
    fn default() -> Self {
        CrossEntropy {
            label_smoothing: Fraction(0.0),
            class_weights: ClassWeights::None,
        }
    }
}

fn is_zero(share: &Fraction) -> bool {
    share.get() == 0.0
}

/// How much an image of each class counts.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ClassWeights {
    /// All the same.
    #[default]
    None,
    /// Each class as much as each other.
    Balanced,
    /// As listed, in the classes' order.
    Listed(Vec<PositiveReal>),
}

impl ClassWeights {
    fn is_none(&self) -> bool {
        *self == ClassWeights::None
    }
}

impl LossFields for CrossEntropy {
    fn check(&self, classes: usize) -> Vec<Flaw> {
        match &self.class_weights {
            ClassWeights::Listed(weights) if weights.len() != classes => {
                let message = format!(
                    "`class_weights` has {} but the dataset has {classes} classes",
                    count(weights.len(), "weight")
                );
                vec![Flaw::new("class_weights", message)]
            }
            _ => Vec::new(),
        }
    }

    fn is_of_classes(&self) -> bool {
        true
    }

    fn weighs_by_counts(&self) -> bool {
        self.class_weights == ClassWeights::Balanced
    }

    fn joins_samples(&self) -> Option<&'static str> {
        let has_weights = self.class_weights != ClassWeights::None;
        has_weights.then_some("divides by the weights of a batch's classes")
    }

    fn class_weights(&self, counts: &[usize]) -> Option<Vec<f64>> {
        match &self.class_weights {
            ClassWeights::None => None,
            ClassWeights::Listed(weights) => Some(weights.iter().map(|w| w.get()).collect()),
            ClassWeights::Balanced => {
                let images: usize = counts.iter().sum();
                let share = images as f64 / counts.len() as f64;
                Some(counts.iter().map(|&count| share / count as f64).collect())
            }
        }
    }

    fn of_values<B: Kernels>(&self, _: Tensor<B, 2>, _: Tensor<B, 2>) -> Tensor<B, 2> {
        unreachable!("it compares classes alone")
    }

    /// `(1 - s) * mean(w[target] * -log(softmax(outputs)[target]))`, and `s` times the mean over the
    /// classes of the same with each class for the target; means over the batch are divided by the sum
    /// of `w[target]`.
    fn mean_loss<B: Kernels>(
        &self,
        outputs: Tensor<B, 2>,
        truth: &Truth<B>,
        weights: Option<&Tensor<B, 1>>,
    ) -> Tensor<B, 1> {
        let targets = truth.classes();
        let smoothing = self.label_smoothing.get();
        if weights.is_none() && smoothing == 0.0 {
            return B::cross_entropy(outputs, targets);
        }
        let [batch, classes] = outputs.dims();
        let logs = math::log_softmax(outputs);
        // Weighted: `[batch, classes]` times `[1, classes]`, divided by the sum of the targets' weights.
        let (logs, weight) = match weights {
            None => (logs, None),
            Some(weights) => {
                let weight = math::sum(weights.clone().select(0, targets.clone()));
                (logs * reshape(weights.clone(), [1, classes]), Some(weight))
            }
        };
        let mean = |numbers: Tensor<B, 2>| match weight.clone() {
            None => math::mean(numbers),
            Some(weight) => math::sum(numbers) / weight,
        };
        let of_targets = mean(logs.clone().gather(1, reshape(targets, [batch, 1]))).neg();
        if smoothing == 0.0 {
            return of_targets;
        }
        let of_all = mean(math::sum_dim(logs, 1)).neg();
        of_targets * (1.0 - smoothing) + of_all * (smoothing / classes as f64)
    }
}

impl<'de> Deserialize<'de> for ClassWeights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrList;
        impl<'de> Visitor<'de> for NameOrList {
            type Value = ClassWeights;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a list of weights, \"balanced\" or \"none\"")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<ClassWeights, E> {
                match name {
                    "balanced" => Ok(ClassWeights::Balanced),
                    "none" => Ok(ClassWeights::None),
                    other => Err(E::invalid_value(Unexpected::Str(other), &self)),
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<ClassWeights, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(items)).map(ClassWeights::Listed)
            }
        }
        deserializer.deserialize_any(NameOrList)
    }
}

impl Serialize for ClassWeights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            ClassWeights::None => serializer.serialize_str("none"),
            ClassWeights::Balanced => serializer.serialize_str("balanced"),
            ClassWeights::Listed(weights) => weights.serialize(serializer),
        }
    }
}

impl JsonSchema for ClassWeights {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "ClassWeights".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "string", "enum": ["none", "balanced"] },
            { "type": "array", "items": { "type": "number", "exclusiveMinimum": 0.0 } }
        ] })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{OUTPUTS, TARGETS, check, loss};
    use crate::error::Flaw;

    /// Value and gradient in 64-bit floats: `-sum(q * log softmax) / sum(w[target])` with
    /// `q = w * ((1 - smoothing) * one_hot + smoothing / 3)`.
    fn by_hand(smoothing: f64, weights: [f64; 3]) -> (f64, [[f64; 3]; 2]) {
        let all: f64 = TARGETS.iter().map(|&target| weights[target as usize]).sum();
        let mut value = 0.0;
        let mut gradient = [[0.0; 3]; 2];
        for (row, (outputs, target)) in OUTPUTS.iter().zip(TARGETS).enumerate() {
            let powers = outputs.map(|output| f64::from(output).exp());
            let sum: f64 = powers.iter().sum();
            let truth = |class: usize| {
                let hot = f64::from(u8::from(class == target as usize));
                weights[class] * ((1.0 - smoothing) * hot + smoothing / 3.0)
            };
            let whole: f64 = (0..3).map(truth).sum();
            for class in 0..3 {
                let share = powers[class] / sum;
                value -= truth(class) * share.ln() / all;
                gradient[row][class] = (share * whole - truth(class)) / all;
            }
        }
        (value, gradient)
    }

    #[test]
    fn cross_entropy_has_the_value_and_gradient_of_its_formula() {
        let (value, gradient) = by_hand(0.0, [1.0; 3]);
        check("'cross_entropy'", &[1, 1, 1], value, gradient);
    }

    #[test]
    fn labels_are_smoothed() {
        let (value, gradient) = by_hand(0.1, [1.0; 3]);
        let json = "{'cross_entropy': {'label_smoothing': 0.1}}";
        check(json, &[1, 1, 1], value, gradient);
    }

    #[test]
    fn classes_are_weighted_with_and_without_smoothing() {
        let (value, gradient) = by_hand(0.0, [0.5, 1.0, 4.0]);
        let json = "{'cross_entropy': {'class_weights': [0.5, 1, 4]}}";
        check(json, &[1, 1, 1], value, gradient);
        let (value, gradient) = by_hand(0.2, [0.5, 1.0, 4.0]);
        let json = "{'cross_entropy': {'class_weights': [0.5, 1, 4], 'label_smoothing': 0.2}}";
        check(json, &[1, 1, 1], value, gradient);
    }

    #[test]
    fn balanced_weights_make_up_for_the_counts() {
        // 12 images: 12 / (3 * 2), 12 / (3 * 4), 12 / (3 * 6).
        let (value, gradient) = by_hand(0.0, [2.0, 1.0, 2.0 / 3.0]);
        let json = "{'cross_entropy': {'class_weights': 'balanced'}}";
        check(json, &[2, 4, 6], value, gradient);
    }

    #[test]
    fn there_is_one_weight_a_class_above_0() {
        let message = "`class_weights` has 2 weights but the dataset has 3 classes";
        assert_eq!(
            loss("{'cross_entropy': {'class_weights': [1, 2]}}").check(3),
            [Flaw::new("cross_entropy.class_weights", message)]
        );
        let json = r#"{"cross_entropy": {"class_weights": [1, 0]}}"#;
        let text = serde_json::from_str::<super::super::Loss>(json)
            .unwrap_err()
            .to_string();
        assert!(text.contains("expected a number above 0"), "{text}");
    }

    #[test]
    fn fields_go_round() {
        let json = "{'cross_entropy': {'label_smoothing': 0.1, 'class_weights': 'balanced'}}";
        let text = serde_json::to_string(&loss(json)).unwrap();
        assert_eq!(
            text,
            json.replace('\'', "\"")
                .replace(": ", ":")
                .replace(", ", ",")
        );
    }
}
