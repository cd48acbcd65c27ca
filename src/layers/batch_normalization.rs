//! `batch_normalization`: each channel brought to mean 0 and variance 1 over the batch.

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::backend::Backend;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Around, Cost, Fields, Forward, Pass, Signal, Weights};
use crate::error::Flaw;
use crate::shape::Shape;
use crate::value::{PositiveReal, Rate};

/// Batch normalization (Ioffe and Szegedy 2015) of every feature over `[batch, features]` and
/// `[batch, steps, features]`, of every channel over `[batch, channels, height, width]` and volumes.
/// Keeps the shape.
///
/// Training uses the batch's mean and (biased) variance; otherwise the running ones are used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchNormalization {
    /// What the layer is called in summaries, logs and grid keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `running = momentum * running + (1 - momentum) * batch`. Default 0.99, as Keras.
    #[serde(default = "momentum")]
    pub momentum: Rate,
    /// Added to the variance. Default 0.001, as Keras.
    #[serde(default = "epsilon")]
    pub epsilon: PositiveReal,
}

fn momentum() -> Rate {
    Rate(0.99)
}

fn epsilon() -> PositiveReal {
    PositiveReal(1e-3)
}

impl BatchNormalization {
    /// Scale 1, offset 0, running mean 0, running variance 1, on the device.
    pub fn build<B: Backend>(
        &self,
        input: Shape,
        _around: Around,
        weights: &mut Weights<B>,
    ) -> BatchNormalizationLayer<B> {
        let norm = BatchNormConfig::new(input.channels())
            .with_momentum(1.0 - self.momentum.get())
            .with_epsilon(self.epsilon.get())
            .init(weights.device());
        BatchNormalizationLayer { norm }
    }
}

impl Fields for BatchNormalization {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn output(&self, input: Shape, _around: Around) -> Result<Shape, Flaw> {
        Ok(input)
    }

    fn cost(&self, input: Shape, _around: Around) -> Cost {
        Cost {
            parameters: 2 * input.channels(),
            multiply_adds: 0,
        }
    }
}

/// A batch normalization's scale, offset and running statistics.
#[derive(Module, Debug)]
pub struct BatchNormalizationLayer<B: Backend> {
    norm: BatchNorm<B>,
}

impl<B: Backend> Forward<B> for BatchNormalizationLayer<B> {
    /// Burn's layer itself takes the batch's statistics on a training backend only.
    fn forward(&self, input: Signal<B>, _pass: &mut Pass<B>) -> Signal<B> {
        match input {
            Signal::Features(x) => Signal::Features(self.norm.forward(x)),
            // Burn's axis of channels is the second one.
            Signal::Sequence(x) => {
                Signal::Sequence(self.norm.forward(x.swap_dims(1, 2)).swap_dims(1, 2))
            }
            Signal::Image(x) => Signal::Image(self.norm.forward(x)),
            Signal::Volume(x) => Signal::Volume(self.norm.forward(x)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_layer, expect, training_outputs};

    #[test]
    fn batch_normalization_keeps_the_promises_of_every_layer() {
        check_layer(
            "batch_normalization = {}",
            &[2, 3, 4],
            expect(&[2, 3, 4], 4),
        );
        check_layer("batch_normalization = {}", &[5, 3], expect(&[5, 3], 6));
        check_layer(
            "batch_normalization = {}",
            &[2, 3, 4, 5],
            expect(&[2, 3, 4, 5], 4),
        );
        check_layer(
            "batch_normalization = { momentum = 0.9 }",
            &[5],
            expect(&[5], 10),
        );
    }

    #[test]
    fn training_brings_a_batch_to_mean_0_and_variance_1() {
        let values: Vec<f32> = (0..64).map(|v| v as f32).collect();
        let normal = training_outputs(
            "batch_normalization = { epsilon = 1e-6 }",
            &[1, 8, 8],
            &values,
        );
        let mean = normal.iter().sum::<f32>() / 64.0;
        let variance = normal.iter().map(|v| v * v).sum::<f32>() / 64.0;
        assert!(mean.abs() < 1e-5, "{mean}");
        assert!((variance - 1.0).abs() < 1e-4, "{variance}");
    }
}
