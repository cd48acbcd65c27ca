//! `gaussian_noise`: a normally distributed number added to each value in training.

use burn::tensor::Tensor;

use super::fields::layer;
use super::signal::EachRank;
use super::{ForwardContext, LayerContext, LayerFields, Role, Signal, Weightless};
use crate::backend::{Distribution, Kernels, math};
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::rng::Draw;
use crate::shape::Shape;
use crate::value::NonNegative;

layer! {
    /// A normally distributed number with mean 0 is added to each value in training, anew for every batch;
    /// nothing happens outside training. Keeps the shape.
    pub struct GaussianNoise {
        /// Of the numbers added, in the unit of the values.
        pub standard_deviation: NonNegative,
    }
}

impl LayerFields for GaussianNoise {
    fn role(&self) -> Role {
        Role::Noise
    }

    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        Ok(input)
    }
}

struct Add {
    deviation: f64,
    draw: Draw,
}

impl<B: Kernels> EachRank<B> for Add {
    fn apply<const D: usize>(&self, x: Tensor<B, D>, _channels: usize) -> Tensor<B, D> {
        let noise = math::random_like(&x, Distribution::Normal, self.draw);
        x + noise * self.deviation
    }
}

impl Weightless for GaussianNoise {
    fn forward<B: Kernels>(&self, input: Signal<B>, context: &mut ForwardContext<B>) -> Signal<B> {
        let deviation = self.standard_deviation.get();
        if context.corrupting && deviation > 0.0 {
            let draw = context.chance.draw();
            input.map(Add { deviation, draw })
        } else {
            input
        }
    }

    fn onnx(&self, input: &Value, _graph: &mut Graph) -> Name {
        input.name.clone()
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
