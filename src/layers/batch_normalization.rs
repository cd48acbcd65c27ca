//! `batch_normalization`: each channel brought to mean 0 and variance 1 over the batch.

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::Tensor;
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
/// Training uses the batch's mean and (biased) variance; otherwise the running ones are used. A frozen
/// layer keeps its running statistics and uses them in training too, as Keras's `trainable = False`.
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
    fn forward(&self, input: Signal<B>, pass: &mut Pass<B>) -> Signal<B> {
        match input {
            Signal::Features(x) => Signal::Features(self.normalise(x, pass)),
            // Burn's axis of channels is the second one.
            Signal::Sequence(x) => {
                Signal::Sequence(self.normalise(x.swap_dims(1, 2), pass).swap_dims(1, 2))
            }
            Signal::Image(x) => Signal::Image(self.normalise(x, pass)),
            Signal::Volume(x) => Signal::Volume(self.normalise(x, pass)),
        }
    }
}

impl<B: Backend> BatchNormalizationLayer<B> {
    /// Burn's layer itself takes the batch's statistics, and changes the running ones, on a training
    /// backend only.
    fn normalise<const D: usize>(&self, x: Tensor<B, D>, pass: &Pass<B>) -> Tensor<B, D> {
        match pass.training && pass.frozen {
            false => self.norm.forward(x),
            true => self.by_running_statistics(x),
        }
    }

    fn by_running_statistics<const D: usize>(&self, x: Tensor<B, D>) -> Tensor<B, D> {
        let mut shape = [1; D];
        shape[1] = x.dims()[1];
        // Those that a checkpoint gave back ask for gradients, and would be trained.
        let mean = self.norm.running_mean.value_sync().set_require_grad(false);
        let variance = self.norm.running_var.value_sync().set_require_grad(false);
        let deviation = variance.add_scalar(self.norm.epsilon).sqrt();
        let x = x.sub(mean.reshape(shape)).div(deviation.reshape(shape));
        let x = x.mul(self.norm.gamma.val().reshape(shape));
        x.add(self.norm.beta.val().reshape(shape))
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::{Autodiff, Flex};

    use super::super::testing::{check_layer, expect, training_outputs};
    use super::*;
    use crate::rng::Seed;

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

    #[test]
    fn a_frozen_layer_uses_its_running_statistics_and_keeps_them() {
        type Training = Autodiff<Flex>;
        let mut weights = Weights::<Training>::new(Seed(0), Default::default());
        let spec: BatchNormalization = toml::from_str("momentum = 0.5\nepsilon = 1e-6").unwrap();
        let layer = spec.build(Shape::Features(1), Around::new(2), &mut weights);
        let batch = |values: [f32; 2]| {
            let values = Tensor::from_floats([[values[0]], [values[1]]], &Default::default());
            Signal::Features(values)
        };
        let values = |signal: Signal<Training>| -> Vec<f32> {
            signal.features().into_data().into_vec().unwrap()
        };
        // Mean 3 and variance 1: the running ones become 1.5 and 1.
        layer.forward(batch([2.0, 4.0]), &mut Pass::training());
        let mut frozen = Pass::training();
        frozen.frozen = true;
        for _ in 0..2 {
            let output = values(layer.forward(batch([1.5, 11.5]), &mut frozen));
            assert!(
                output[0].abs() < 1e-5 && (output[1] - 10.0).abs() < 1e-4,
                "{output:?}"
            );
        }
    }
}
