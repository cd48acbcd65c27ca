//! `spatial_dropout`: whole channels dropped at random in training.

use burn::tensor::Tensor;

use super::by_chance::ByChance;
use super::fields::layer;
use super::{ForwardContext, LayerContext, LayerFields, with_places};
use crate::backend::{Distribution, Kernels};
use crate::error::Flaw;
use crate::rng::Draw;
use crate::shape::Shape;
use crate::value::Rate;

layer! {
    /// Each channel of a sample (feature of a sequence) is 0 at all places with probability `rate` in training,
    /// the others grow by `1 / (1 - rate)` (Tompson et al. 2015); nothing happens outside training. Keeps the
    /// shape.
    pub struct SpatialDropout {
        /// Share of the channels dropped, from 0 to below 1.
        pub rate: Rate,
    }
}

impl LayerFields for SpatialDropout {
    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        with_places(input)
    }
}

impl ByChance for SpatialDropout {
    fn is_on<B: Kernels>(&self, context: &ForwardContext<B>) -> bool {
        context.training && self.rate.get() > 0.0
    }

    fn change<B: Kernels, const D: usize>(
        &self,
        x: Tensor<B, D>,
        channels: usize,
        draw: Draw,
    ) -> Tensor<B, D> {
        let kept = 1.0 - self.rate.get();
        let dims = x.dims();
        let mut shape = [1; D];
        (shape[0], shape[channels]) = (dims[0], dims[channels]);
        let mask = B::random(shape, Distribution::Bernoulli(kept), draw, &x.device());
        x * mask / kept
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_layer, expect, flaw, outputs, training_outputs};

    #[test]
    fn spatial_dropout_keeps_the_promises_of_every_layer() {
        let layer = "spatial_dropout = { rate = 0.5 }";
        check_layer(layer, &[2, 3, 4], expect(&[2, 3, 4], 0));
        check_layer(layer, &[5, 3], expect(&[5, 3], 0));
        check_layer(layer, &[2, 3, 4, 2], expect(&[2, 3, 4, 2], 0));
    }

    #[test]
    fn whole_channels_are_dropped_and_the_mean_is_kept() {
        let layer = "spatial_dropout = { rate = 0.25 }";
        let ones = vec![1.0; 2 * 5000 * 4];
        let dropped = training_outputs(layer, &[5000, 2, 2], &ones);
        let channels: Vec<&[f32]> = dropped.chunks(4).collect();
        assert!(
            channels
                .iter()
                .all(|channel| channel.iter().all(|v| v == &channel[0]))
        );
        let zeros = channels.iter().filter(|channel| channel[0] == 0.0).count() as f64 / 10_000.0;
        assert!((zeros - 0.25).abs() < 0.02, "{zeros}");
        let mean = dropped.iter().sum::<f32>() / dropped.len() as f32;
        assert!((mean - 1.0).abs() < 0.03, "{mean}");
        assert_eq!(outputs(layer, &[5000, 2, 2], &ones), ones);

        let steps = training_outputs(layer, &[2, 5000], &ones[..10_000]);
        assert_eq!(steps[..5000], steps[5000..]);
        assert!(steps.contains(&0.0));
    }

    #[test]
    fn features_have_no_places() {
        assert_eq!(
            flaw("spatial_dropout = { rate = 0.5 }", &[7]).message,
            "needs a sequence, an image or a volume but the layer before gives features (7)"
        );
    }
}
