//! `dropout`: values dropped at random in training.

use burn::tensor::Tensor;

use super::by_chance::ByChance;
use super::fields::layer;
use super::{ForwardContext, LayerContext, LayerFields};
use crate::backend::{Distribution, Kernels, math};
#[cfg(test)]
use crate::defects::{Defect, is_planted};
use crate::error::Flaw;
use crate::rng::Draw;
use crate::shape::Shape;
use crate::value::Rate;

layer! {
    /// Each value is 0 with probability `rate` in training, the others grow by `1 / (1 - rate)`
    /// (Srivastava et al. 2014); nothing happens outside training. Keeps the shape.
    pub struct Dropout {
        /// Share of the values dropped, from 0 to below 1.
        pub rate: Rate,
    }
}

impl LayerFields for Dropout {
    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        Ok(input)
    }
}

impl ByChance for Dropout {
    fn is_on<B: Kernels>(&self, context: &ForwardContext<B>) -> bool {
        let drops = context.training;
        #[cfg(test)]
        let drops = drops || is_planted(Defect::DropoutInEvaluation);
        drops && self.rate.get() > 0.0
    }

    fn change<B: Kernels, const D: usize>(
        &self,
        x: Tensor<B, D>,
        _channels: usize,
        draw: Draw,
    ) -> Tensor<B, D> {
        let kept = 1.0 - self.rate.get();
        let mask = math::random_like(&x, Distribution::Bernoulli(kept), draw);
        x * mask / kept
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_layer, expect, outputs, training_outputs};

    #[test]
    fn dropout_keeps_the_promises_of_every_layer() {
        check_layer(
            "dropout = { rate = 0.5 }",
            &[2, 3, 4],
            expect(&[2, 3, 4], 0),
        );
        check_layer("dropout = { rate = 0.0 }", &[24], expect(&[24], 0));
    }

    #[test]
    fn training_drops_the_share_and_keeps_the_mean() {
        let ones = vec![1.0; 20_000];
        let dropped = training_outputs("dropout = { rate = 0.25 }", &[20_000], &ones);
        let zeros = dropped.iter().filter(|&&v| v == 0.0).count() as f64 / 20_000.0;
        let mean = dropped.iter().map(|&v| f64::from(v)).sum::<f64>() / 20_000.0;
        assert!((zeros - 0.25).abs() < 0.02, "{zeros}");
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        assert_eq!(outputs("dropout = { rate = 0.25 }", &[20_000], &ones), ones);
    }
}
