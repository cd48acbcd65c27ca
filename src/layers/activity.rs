//! What a layer's outputs add to the loss of a batch.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::penalty::{is_none, none, penalty};
use super::{ActivationFunction, Signal};
use crate::backend::{Kernels, math, reshape, rows};
use crate::error::Flaw;
use crate::value::{Between, NonNegative};

/// What the outputs of a layer add to the loss; several add up.
///
/// `l1` and `l2` are those of Keras' `activity_regularizer` divided by the batch: they do not depend on its size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Activity {
    /// `l1 * sum |y|` of each sample's outputs, the mean over the batch. Default 0.
    #[serde(default = "none", skip_serializing_if = "is_none")]
    pub l1: NonNegative,
    /// `l2 * sum y^2` of each sample's outputs, the mean over the batch. Default 0.
    #[serde(default = "none", skip_serializing_if = "is_none")]
    pub l2: NonNegative,
    /// How far the units are from being active for a target share of the samples. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kl: Option<Sparsity>,
}

/// `weight` times the sum over the units of `t * log(t / m) + (1 - t) * log((1 - t) / (1 - m))`: the divergence in
/// nats of a unit's mean output `m` over the batch, and over all places of a channel, from the target `t` (Ng's
/// sparse auto-encoder). A set's number is the mean over its batches, and depends on their size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sparsity {
    /// The mean output wanted, between 0 and 1.
    pub target: Between,
    /// What the sum counts in the loss.
    pub weight: NonNegative,
}

impl Activity {
    /// What is wrong with it on a layer with this activation function, if anything.
    pub fn flaw(&self, function: Option<ActivationFunction>) -> Option<Flaw> {
        self.kl.as_ref()?;
        let gives = match function {
            Some(function) if function.gives_shares() => return None,
            Some(function) => format!("its activation is `{}`", function.key()),
            None => "it has no activation".to_string(),
        };
        let message = format!("has `kl`, which needs outputs from 0 to 1, but {gives}");
        Some(Flaw::new("activity.kl", message).hint("give it the activation `sigmoid`"))
    }

    /// Whether what a sample adds to the loss depends on the others of the batch.
    pub fn joins_samples(&self) -> bool {
        self.kl.is_some()
    }

    /// What these outputs of a batch add to its loss, `[1]` each.
    pub fn losses<B: Kernels>(&self, outputs: &Signal<B>) -> Vec<Tensor<B, 1>> {
        let batch = outputs.dims()[0] as f64;
        let rows = channel_rows(outputs.clone());
        let sizes = penalty(rows.clone(), self.l1, self.l2).map(|sum| sum / batch);
        let sparsity = self.kl.as_ref().map(|kl| kl.loss(rows));
        sizes.into_iter().chain(sparsity).collect()
    }
}

impl Sparsity {
    fn loss<B: Kernels>(&self, rows: Tensor<B, 2>) -> Tensor<B, 1> {
        // A unit that is never or always active has no logarithm.
        const EDGE: f64 = 1e-6;
        let target = self.target.get();
        let mean = math::mean_dim(rows, 1).clamp(EDGE, 1.0 - EDGE);
        let on = (-math::ln(mean.clone()) + libm::log(target)) * target;
        let off = (-math::ln(-mean + 1.0) + libm::log(1.0 - target)) * (1.0 - target);
        math::sum(on + off) * self.weight.get()
    }
}

/// All values of each channel, `[channels, batch * places]`.
fn channel_rows<B: Kernels>(outputs: Signal<B>) -> Tensor<B, 2> {
    match outputs {
        Signal::Features(x) => x.transpose(),
        Signal::Sequence(x) => {
            let [batch, steps, features] = x.dims();
            reshape(x, [batch * steps, features]).transpose()
        }
        Signal::Image(x) => rows(x.swap_dims(0, 1)),
        Signal::Volume(x) => rows(x.swap_dims(0, 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::near;
    use super::*;
    use burn::backend::Flex;

    fn read(text: &str) -> Activity {
        toml::from_str(text).expect("it parses")
    }

    fn losses(text: &str, outputs: Signal<Flex>) -> Vec<f32> {
        let losses = read(text).losses(&outputs).into_iter();
        losses.map(|loss| loss.into_scalar()).collect()
    }

    #[test]
    fn sparsity_is_of_outputs_from_0_to_1() {
        let kl = read("kl = { target = 0.1, weight = 2 }");
        for function in [
            ActivationFunction::Sigmoid {},
            ActivationFunction::Softmax {},
        ] {
            assert_eq!(kl.flaw(Some(function)), None);
        }
        assert!(kl.flaw(Some(ActivationFunction::Tanh {})).is_some() && kl.flaw(None).is_some());
    }

    #[test]
    fn sizes_are_those_of_a_sample_whatever_the_batch() {
        let of = |samples: usize| {
            let rows = Tensor::from_floats([[1.0, -2.0, 3.0]], &Default::default());
            Signal::Features(rows.repeat_dim(0, samples))
        };
        for samples in [1, 4] {
            near(&losses("l1 = 0.1", of(samples)), &[0.6]);
            near(&losses("l2 = 0.5", of(samples)), &[7.0]);
            near(&losses("l1 = 0.1\nl2 = 0.5", of(samples)), &[7.6]);
        }
    }

    #[test]
    fn sparsity_is_of_each_units_mean_over_batch_and_places() {
        let by_hand = |mean: f64| 0.1 * (0.1 / mean).ln() + 0.9 * (0.9 / (1.0 - mean)).ln();
        let expected = [(2.0 * (by_hand(0.4) + by_hand(0.1))) as f32];
        let device = Default::default();
        let kl = "kl = { target = 0.1, weight = 2 }";
        let rows = Tensor::from_floats([[0.2, 0.1], [0.6, 0.1]], &device);
        near(&losses(kl, Signal::Features(rows.clone())), &expected);
        // Steps of a sequence and places of an image count like samples.
        let sequence = rows.clone().reshape([1, 2, 2]);
        near(&losses(kl, Signal::Sequence(sequence)), &expected);
        let image = rows.transpose().reshape([1, 2, 2, 1]);
        near(&losses(kl, Signal::Image(image)), &expected);
    }

    #[test]
    fn a_dead_unit_costs_a_finite_loss() {
        let dead = Signal::Features(Tensor::zeros([2, 3], &Default::default()));
        let loss = losses("kl = { target = 0.5, weight = 1 }", dead)[0];
        assert!(loss.is_finite() && loss > 15.0, "{loss}");
    }

    #[test]
    fn sparsity_needs_outputs_from_0_to_1() {
        let message = |text: &str, function: Option<&str>| {
            let function = function.map(|name| serde_json::from_value(name.into()).unwrap());
            let flaw = read(text).flaw(function)?;
            Some(format!("{}: {}", flaw.key, flaw.message))
        };
        let kl = "kl = { target = 0.1, weight = 1 }";
        let needs = "activity.kl: has `kl`, which needs outputs from 0 to 1, but";
        assert_eq!(
            message(kl, None),
            Some(format!("{needs} it has no activation"))
        );
        assert_eq!(
            message(kl, Some("relu")),
            Some(format!("{needs} its activation is `relu`"))
        );
        assert_eq!(message(kl, Some("sigmoid")), None);
        assert_eq!(message("l2 = 1", Some("relu")), None);
    }
}
