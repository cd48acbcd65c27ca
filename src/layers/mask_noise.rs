//! `mask_noise`: values set to 0 at random in training.

use burn::tensor::Tensor;

use super::by_chance::ByChance;
use super::fields::layer;
use super::{ForwardContext, LayerContext, LayerFields, Role};
use crate::backend::{Distribution, Kernels, math};
use crate::error::Flaw;
use crate::rng::Draw;
use crate::shape::Shape;
use crate::value::Fraction;

layer! {
    /// Each value stays with probability `keep` in training and is 0 otherwise, the corruption of denoising
    /// autoencoders (Vincent et al. 2008); nothing happens outside training but where
    /// `test_corruption` measures, and in pictures of corrupted images. Keeps the shape.
    ///
    /// Unlike `dropout` it lets the values that stay be as they are.
    pub struct MaskNoise {
        /// Share of the values that stay, from 0 to 1.
        pub keep: Fraction,
    }
}

impl LayerFields for MaskNoise {
    fn role(&self) -> Role {
        Role::Noise
    }

    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        Ok(input)
    }
}

impl ByChance for MaskNoise {
    fn is_on<B: Kernels>(&self, context: &ForwardContext<B>) -> bool {
        context.corrupting && self.keep.get() < 1.0
    }

    fn change<B: Kernels, const D: usize>(
        &self,
        x: Tensor<B, D>,
        _channels: usize,
        draw: Draw,
    ) -> Tensor<B, D> {
        let mask = math::random_like(&x, Distribution::Bernoulli(self.keep.get()), draw);
        x * mask
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_layer, expect, outputs, training_outputs};

    #[test]
    fn mask_noise_keeps_the_promises_of_every_layer() {
        let layer = "mask_noise = { keep = 0.7 }";
        check_layer(layer, &[2, 3, 4], expect(&[2, 3, 4], 0));
        check_layer(layer, &[5, 3], expect(&[5, 3], 0));
        check_layer("mask_noise = { keep = 1 }", &[24], expect(&[24], 0));
        check_layer("mask_noise = { keep = 0 }", &[24], expect(&[24], 0));
    }

    #[test]
    fn training_keeps_the_share_as_it_is() {
        let layer = "mask_noise = { keep = 0.7 }";
        let threes = vec![3.0; 20_000];
        let masked = training_outputs(layer, &[20_000], &threes);
        assert!(masked.iter().all(|&v| v == 0.0 || v == 3.0));
        let kept = masked.iter().filter(|&&v| v == 3.0).count() as f64 / 20_000.0;
        assert!((kept - 0.7).abs() < 0.02, "{kept}");
        assert_eq!(outputs(layer, &[20_000], &threes), threes);
    }
}
