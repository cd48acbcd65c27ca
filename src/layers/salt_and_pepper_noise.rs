//! `salt_and_pepper_noise`: values set to the lowest or the highest at random in training.

use burn::tensor::Tensor;

use super::by_chance::ByChance;
use super::fields::layer;
use super::{ForwardContext, LayerContext, LayerFields, Role};
use crate::backend::{Distribution, Kernels, math};
use crate::error::Flaw;
use crate::rng::Draw;
use crate::shape::Shape;
use crate::value::{Fraction, Real};

layer! {
    /// Each value becomes `low` or `high`, with equal chance, with probability `rate` in training, a corruption of
    /// denoising autoencoders (Vincent et al. 2010); nothing happens outside training but where
    /// `test_corruption` measures, and in pictures of corrupted images. Keeps the shape.
    pub struct SaltAndPepperNoise {
        /// Share of the values replaced, from 0 to 1.
        pub rate: Fraction,
        /// Pepper. Default 0, which is black.
        #[serde(default = "zero")]
        pub low: Real,
        /// Salt. Default 1, which is white.
        #[serde(default = "one")]
        pub high: Real,
    }
}

fn zero() -> Real {
    Real(0.0)
}

fn one() -> Real {
    Real(1.0)
}

impl LayerFields for SaltAndPepperNoise {
    fn role(&self) -> Role {
        Role::Noise
    }

    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        Ok(input)
    }
}

impl ByChance for SaltAndPepperNoise {
    fn is_on<B: Kernels>(&self, context: &ForwardContext<B>) -> bool {
        context.corrupting && self.rate.get() > 0.0
    }

    fn change<B: Kernels, const D: usize>(
        &self,
        x: Tensor<B, D>,
        _channels: usize,
        draw: Draw,
    ) -> Tensor<B, D> {
        // Up to `rate / 2` pepper, from there up to `rate` salt.
        let rate = self.rate.get();
        let draws = math::random_like(&x, Distribution::Uniform, draw);
        let replaced = draws.clone().lower_elem(rate);
        let pepper = draws.lower_elem(rate / 2.0);
        x.mask_fill(replaced, self.high.get())
            .mask_fill(pepper, self.low.get())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_layer, expect, outputs, training_outputs};

    #[test]
    fn salt_and_pepper_noise_keeps_the_promises_of_every_layer() {
        let layer = "salt_and_pepper_noise = { rate = 0.3 }";
        check_layer(layer, &[2, 3, 4], expect(&[2, 3, 4], 0));
        check_layer(layer, &[5, 3], expect(&[5, 3], 0));
        check_layer(
            "salt_and_pepper_noise = { rate = 0 }",
            &[24],
            expect(&[24], 0),
        );
    }

    #[test]
    fn training_replaces_the_share_by_low_and_high_evenly() {
        let layer = "salt_and_pepper_noise = { rate = 0.4, low = -1 }";
        let halves = vec![0.5; 20_000];
        let noisy = training_outputs(layer, &[20_000], &halves);
        let share = |value: f32| noisy.iter().filter(|&&v| v == value).count() as f64 / 20_000.0;
        for (value, expected) in [(-1.0, 0.2), (1.0, 0.2), (0.5, 0.6)] {
            assert!(
                (share(value) - expected).abs() < 0.02,
                "{value}: {}",
                share(value)
            );
        }
        assert_eq!(outputs(layer, &[20_000], &halves), halves);
    }
}
