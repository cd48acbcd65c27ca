//! `gaussian_noise`: a normally distributed number added to each value in training.

use burn::tensor::Tensor;

use super::by_chance::ByChance;
use super::fields::layer;
use super::{ForwardContext, LayerContext, LayerFields, Role};
use crate::backend::{Distribution, Kernels, math};
use crate::error::Flaw;
use crate::rng::Draw;
use crate::shape::Shape;
use crate::value::NonNegative;

layer! {
    /// A normally distributed number with mean 0 is added to each value in training, anew for every batch;
    /// nothing happens outside training but where
    /// `test_corruption` measures, and in pictures of corrupted images. Keeps the shape.
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

impl ByChance for GaussianNoise {
    fn is_on<B: Kernels>(&self, context: &ForwardContext<B>) -> bool {
        context.corrupting && self.standard_deviation.get() > 0.0
    }

    fn change<B: Kernels, const D: usize>(
        &self,
        x: Tensor<B, D>,
        _channels: usize,
        draw: Draw,
    ) -> Tensor<B, D> {
        let noise = math::random_like(&x, Distribution::Normal, draw);
        x + noise * self.standard_deviation.get()
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
