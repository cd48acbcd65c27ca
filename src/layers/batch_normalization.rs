//! `batch_normalization`: each channel brought to mean 0 and variance 1 over the batch.

use burn::module::{Module, Param, RunningState};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::constants::constant;
use super::fields::layer;
use super::init::{Fan, zeros};
use super::{
    Cost, Forward, ForwardContext, Initializer, LayerContext, LayerFields, SharedWeight, Signal,
    Weights,
};
use crate::backend::Kernels;
#[cfg(test)]
use crate::defects::{Defect, is_planted};
use crate::error::Flaw;
use crate::onnx::{Attribute, Graph, Name, Value};
use crate::shape::Shape;
use crate::value::{PositiveReal, Rate};

layer! {
    /// Batch normalization (Ioffe and Szegedy 2015) of every feature over `[batch, features]` and
    /// `[batch, steps, features]`, of every channel over `[batch, channels, height, width]` and volumes.
    /// Keeps the shape.
    ///
    /// Training uses the batch's mean and (biased) variance; otherwise the running ones are used. A frozen
    /// layer keeps its running statistics and uses them in training too, as Keras's `trainable = False`.
    pub struct BatchNormalization {
        /// `running = momentum * running + (1 - momentum) * batch`. Default 0.99, as Keras.
        #[serde(default = "momentum")]
        pub momentum: Rate,
        /// Added to the variance. Default 0.001, as Keras.
        #[serde(default = "epsilon")]
        pub epsilon: PositiveReal,
        /// First values of the scale. Default ones; zeros at the end of every residual unit lets a very deep
        /// network begin as a shallow one (Goyal et al. 2017).
        #[serde(default = "ones")]
        pub gamma_init: Initializer,
    }
}

fn momentum() -> Rate {
    Rate(0.99)
}

fn ones() -> Initializer {
    Initializer::Ones {}
}

fn epsilon() -> PositiveReal {
    PositiveReal(1e-3)
}

impl BatchNormalization {
    /// Scale 1, offset 0, running mean 0, running variance 1, on the device.
    pub fn build<B: Backend>(
        &self,
        input: Shape,
        _context: LayerContext,
        weights: &mut Weights<B>,
    ) -> BatchNormalizationLayer<B> {
        let channels = [input.channels()];
        let fan = Fan {
            fan_in: input.channels(),
            fan_out: input.channels(),
        };
        let gamma = weights.param(self.gamma_init, channels, fan);
        let beta = weights.param(zeros(), channels, fan);
        let device = weights.device();
        BatchNormalizationLayer {
            gamma,
            beta,
            running_mean: RunningState::new(Tensor::zeros(channels, device)),
            running_var: RunningState::new(Tensor::ones(channels, device)),
            momentum: self.momentum.get(),
            epsilon: self.epsilon.get(),
        }
    }
}

impl LayerFields for BatchNormalization {
    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        Ok(input)
    }

    fn joins_samples(&self, is_frozen: bool) -> bool {
        !is_frozen
    }

    fn cost(&self, input: Shape, _context: LayerContext) -> Cost {
        Cost {
            parameters: 2 * input.channels(),
            multiply_adds: 0,
        }
    }
}

/// A batch normalization's scale, offset and running statistics, `[channels]` each.
#[derive(Module, Debug)]
pub struct BatchNormalizationLayer<B: Backend> {
    /// Trained factors, `[channels]`.
    pub gamma: Param<Tensor<B, 1>>,
    /// Trained offsets, `[channels]`.
    pub beta: Param<Tensor<B, 1>>,
    /// Mean over the batches so far, `[channels]`; used in inference.
    pub running_mean: RunningState<Tensor<B, 1>>,
    /// Variance over the batches so far, `[channels]`; used in inference.
    pub running_var: RunningState<Tensor<B, 1>>,
    momentum: f64,
    epsilon: f64,
}

impl<B: Kernels> BatchNormalizationLayer<B> {
    /// `[batch, channels, places]`
    fn normalize(&self, x: Tensor<B, 3>, context: &ForwardContext<B>) -> Tensor<B, 3> {
        let (gamma, beta) = (self.gamma.val(), self.beta.val());
        let by_batch = context.training && !context.frozen;
        #[cfg(test)]
        let by_batch = by_batch || is_planted(Defect::BatchStatisticsInEvaluation);
        if by_batch {
            let normal = B::normalize_channels(x, gamma, beta, self.epsilon);
            let keep = |state: &RunningState<Tensor<B, 1>>, batch: Tensor<B, 1>| {
                let old = state.value_sync();
                state.update((old * self.momentum + batch * (1.0 - self.momentum)).detach());
            };
            keep(&self.running_mean, normal.mean);
            keep(&self.running_var, normal.variance);
            return normal.values;
        }
        // Those that a checkpoint gave back ask for gradients, and would be trained.
        let mean = self.running_mean.value_sync().set_require_grad(false);
        let variance = self.running_var.value_sync().set_require_grad(false);
        let scale = gamma / (variance + self.epsilon).sqrt();
        let shift = beta - mean * scale.clone();
        B::scale_channels(x, scale, shift)
    }
}

impl<B: Kernels> Forward<B> for BatchNormalizationLayer<B> {
    fn forward(&self, input: Signal<B>, context: &mut ForwardContext<B>) -> Signal<B> {
        input.by_channels(|x| self.normalize(x, context))
    }

    fn onnx(&self, input: &Value, graph: &mut Graph, _tied: Option<SharedWeight<B>>) -> Name {
        let tensors = [
            ("gamma", self.gamma.val()),
            ("beta", self.beta.val()),
            ("running_mean", self.running_mean.value_sync()),
            ("running_var", self.running_var.value_sync()),
        ];
        let [gamma, beta, mean, variance] =
            tensors.map(|(role, tensor)| constant(graph, role, tensor));
        graph.with_channels_first(input, |graph, x| {
            let inputs = [x, &gamma, &beta, &mean, &variance];
            graph.node(
                "BatchNormalization",
                &inputs,
                [Attribute::float("epsilon", self.epsilon)],
            )
        })
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
            "batch_normalization = { momentum = 0.9, gamma_init = 'zeros' }",
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
        let layer = spec.build(Shape::Features(1), LayerContext::new(2), &mut weights);
        let batch = |values: [f32; 2]| {
            let values = Tensor::from_floats([[values[0]], [values[1]]], &Default::default());
            Signal::Features(values)
        };
        let values = |signal: Signal<Training>| -> Vec<f32> {
            signal.features().into_data().into_vec().unwrap()
        };
        // Mean 3 and variance 1: the running ones become 1.5 and 1.
        layer.forward(
            batch([2.0, 4.0]),
            &mut ForwardContext::training(crate::rng::Chance::new(1)),
        );
        let mut frozen = ForwardContext::training(crate::rng::Chance::new(1));
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
