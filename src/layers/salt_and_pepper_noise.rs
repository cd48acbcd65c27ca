//! `salt_and_pepper_noise`: values set to the lowest or the highest at random in training.

use burn::tensor::Tensor;

use super::fields::layer;
use super::signal::EachRank;
use super::{ForwardContext, LayerContext, LayerFields, Role, Signal, Weightless};
use crate::backend::{Distribution, Kernels, math};
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::rng::Draw;
use crate::shape::Shape;
use crate::value::{Fraction, Real};

layer! {
    /// Each value becomes `low` or `high`, with equal chance, with probability `rate` in training, a corruption of
    /// denoising autoencoders (Vincent et al. 2010); nothing happens outside training. Keeps the shape.
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

struct Replace<'a> {
    by: &'a SaltAndPepperNoise,
    draw: Draw,
}

impl<B: Kernels> EachRank<B> for Replace<'_> {
    fn apply<const D: usize>(&self, x: Tensor<B, D>, _channels: usize) -> Tensor<B, D> {
        // Up to `rate / 2` pepper, from there up to `rate` salt.
        let rate = self.by.rate.get();
        let draws = math::random_like(&x, Distribution::Uniform, self.draw);
        let replaced = draws.clone().lower_elem(rate);
        let pepper = draws.lower_elem(rate / 2.0);
        x.mask_fill(replaced, self.by.high.get())
            .mask_fill(pepper, self.by.low.get())
    }
}

impl Weightless for SaltAndPepperNoise {
    fn forward<B: Kernels>(&self, input: Signal<B>, context: &mut ForwardContext<B>) -> Signal<B> {
        if context.corrupting && self.rate.get() > 0.0 {
            let draw = context.chance.draw();
            input.map(Replace { by: self, draw })
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
