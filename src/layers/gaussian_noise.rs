//! `gaussian_noise`: a normally distributed number added to each value in training.

use burn::module::Module;
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::signal::EachRank;
use super::{Around, Fields, Forward, Pass, Signal, Weights};
use crate::error::Flaw;
use crate::shape::Shape;
use crate::value::NonNegative;

/// A normally distributed number with mean 0 is added to each value in training, anew for every batch;
/// nothing happens outside training. Keeps the shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GaussianNoise {
    /// What the layer is called in summaries, logs and grid keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of the numbers added, in the unit of the values.
    pub standard_deviation: NonNegative,
}

impl GaussianNoise {
    /// Noise has no weights.
    pub fn build<B: Backend>(
        &self,
        _input: Shape,
        _around: Around,
        _weights: &mut Weights<B>,
    ) -> GaussianNoiseLayer {
        GaussianNoiseLayer {
            deviation: self.standard_deviation.get(),
        }
    }
}

impl Fields for GaussianNoise {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn output(&self, input: Shape, _around: Around) -> Result<Shape, Flaw> {
        Ok(input)
    }
}

/// Noise, ready to apply.
#[derive(Module, Clone, Debug)]
pub struct GaussianNoiseLayer {
    deviation: f64,
}

struct Add {
    deviation: f64,
}

impl<B: Backend> EachRank<B> for Add {
    fn apply<const D: usize>(&self, x: Tensor<B, D>, _channels: usize) -> Tensor<B, D> {
        let noise = x.random_like(Distribution::Normal(0.0, self.deviation));
        x + noise
    }
}

impl<B: Backend> Forward<B> for GaussianNoiseLayer {
    fn forward(&self, input: Signal<B>, pass: &mut Pass<B>) -> Signal<B> {
        let deviation = self.deviation;
        if pass.corrupting && deviation > 0.0 {
            input.map(Add { deviation })
        } else {
            input
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_layer, expect, outputs, training_outputs};

    #[test]
    fn gaussian_noise_keeps_the_promises_of_every_layer() {
        let layer = "gaussian_noise = { standard_deviation = 0.5 }";
        check_layer(layer, &[2, 3, 4], expect(&[2, 3, 4], 0));
        check_layer(layer, &[5, 3], expect(&[5, 3], 0));
        check_layer(
            "gaussian_noise = { standard_deviation = 0 }",
            &[24],
            expect(&[24], 0),
        );
    }

    #[test]
    fn training_adds_noise_of_the_deviation_it_says() {
        let layer = "gaussian_noise = { standard_deviation = 0.5 }";
        let ones = vec![1.0; 20_000];
        let noisy = training_outputs(layer, &[20_000], &ones);
        let mean = noisy.iter().map(|&v| f64::from(v)).sum::<f64>() / 20_000.0;
        let squares = noisy.iter().map(|&v| (f64::from(v) - mean).powi(2));
        let deviation = (squares.sum::<f64>() / 20_000.0).sqrt();
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        assert!((deviation - 0.5).abs() < 0.02, "{deviation}");
        assert_eq!(outputs(layer, &[20_000], &ones), ones);
    }
}
