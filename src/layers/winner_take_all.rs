//! `winner_take_all`: in training only winners pass, of each channel's places or of the batch.

use burn::tensor::Tensor;

use super::fields::layer;
use super::largest::largest;
use super::{ForwardContext, GIVER, LayerContext, LayerFields, Signal, Weightless};
use crate::backend::{Kernels, reshape};
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::shape::Shape;
use crate::value::Fraction;

layer! {
    /// In training only winners pass, the others become 0, as do their gradients (Makhzani and Frey 2015); of equal
    /// values any wins. Outside training everything passes. Keeps the shape.
    pub struct WinnerTakeAll {
        /// Whether the largest value of each channel of a sample beats those at its other places. Default false.
        #[serde(default)]
        pub spatial: bool,
        /// Share of a unit's values in the batch that win, rounded, one at least: of all places of a channel, or with
        /// `spatial` of the winners there. Default: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub lifetime: Option<Fraction>,
    }
}

impl WinnerTakeAll {
    /// `[batch, channels, places]`, the losers 0.
    fn contest<B: Kernels>(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let mut y = x.clone();
        let x = x.detach();
        if self.spatial {
            y = y * of_places(x.clone());
        }
        match self.lifetime {
            Some(share) if self.spatial => y * of_batch(x.max_dim(2), share),
            Some(share) => y * of_batch(x, share),
            None => y,
        }
    }
}

/// 1 at the place of each sample's and channel's largest value, else 0: `[batch, channels, places]`.
fn of_places<B: Kernels>(x: Tensor<B, 3>) -> Tensor<B, 3> {
    let [batch, channels, places] = x.dims();
    let rows = reshape(x, [batch * channels, places]);
    reshape(largest(rows, 1), [batch, channels, places])
}

/// 1 for this share of each channel's values, the largest of them, else 0: `[batch, channels, places]`.
fn of_batch<B: Kernels>(x: Tensor<B, 3>, share: Fraction) -> Tensor<B, 3> {
    let [batch, channels, places] = x.dims();
    let winners = (share.get() * (batch * places) as f64).round() as usize;
    let rows = reshape(x.swap_dims(0, 1), [channels, batch * places]);
    let marked = largest(rows, winners.max(1));
    reshape(marked, [channels, batch, places]).swap_dims(0, 1)
}

impl LayerFields for WinnerTakeAll {
    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        if !self.spatial && self.lifetime.is_none() {
            let message = "has neither `spatial` nor `lifetime`: everything would win";
            return Err(Flaw::new("", message).hint("lifetime = 0.05"));
        }
        if self.spatial && matches!(input, Shape::Features(_)) {
            let message =
                format!("is `spatial` but {GIVER} gives features ({input}), which have no places");
            return Err(Flaw::new("spatial", message).hint("use `lifetime`"));
        }
        Ok(input)
    }

    fn joins_samples(&self, _is_frozen: bool) -> bool {
        self.lifetime.is_some()
    }
}

impl Weightless for WinnerTakeAll {
    fn forward<B: Kernels>(&self, input: Signal<B>, context: &mut ForwardContext<B>) -> Signal<B> {
        match context.training {
            true => input.by_channels(|x| self.contest(x)),
            false => input,
        }
    }

    fn onnx(&self, input: &Value, _graph: &mut Graph) -> Name {
        input.name.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        check_finite_differences, check_layer, expect, flaw, outputs, training_outputs,
    };

    #[test]
    fn winner_take_all_keeps_the_promises_of_every_layer() {
        check_layer(
            "winner_take_all = { lifetime = 0.3 }",
            &[6],
            expect(&[6], 0),
        );
        check_layer(
            "winner_take_all = { lifetime = 0 }",
            &[2, 2, 3],
            expect(&[2, 2, 3], 0),
        );
        check_layer(
            "winner_take_all = { spatial = true }",
            &[2, 3, 4],
            expect(&[2, 3, 4], 0),
        );
        check_layer(
            "winner_take_all = { spatial = true, lifetime = 0.7 }",
            &[5, 3],
            expect(&[5, 3], 0),
        );
        check_layer(
            "winner_take_all = { spatial = true, lifetime = 1 }",
            &[2, 2, 2, 3],
            expect(&[2, 2, 2, 3], 0),
        );
    }

    #[test]
    fn winner_take_all_gradients_match_finite_differences() {
        check_finite_differences("winner_take_all = { lifetime = 0.7 }", &[5]);
        check_finite_differences(
            "winner_take_all = { spatial = true, lifetime = 0.7 }",
            &[2, 3, 2],
        );
    }

    #[test]
    fn a_unit_passes_for_its_share_of_the_batch() {
        let layer = "winner_take_all = { lifetime = 0.5 }";
        let x = [1.0, -1.0, 4.0, -2.0, 3.0, -3.0, 2.0, -4.0];
        assert_eq!(
            training_outputs(layer, &[2], &x),
            [0.0, -1.0, 4.0, -2.0, 3.0, 0.0, 0.0, 0.0]
        );
        assert_eq!(outputs(layer, &[2], &x), x);
        // Every unit wins once at least.
        let rarely = "winner_take_all = { lifetime = 0.01 }";
        assert_eq!(
            training_outputs(rarely, &[2], &x),
            [0.0, -1.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0]
        );
    }

    #[test]
    fn a_channel_passes_at_one_place_and_for_its_share_of_the_winners() {
        // Two samples of two channels of 1x2.
        let x = [1.0, 2.0, 8.0, 7.0, 5.0, 1.5, -2.0, -1.0];
        assert_eq!(
            training_outputs("winner_take_all = { spatial = true }", &[2, 1, 2], &x),
            [0.0, 2.0, 8.0, 0.0, 5.0, 0.0, 0.0, -1.0]
        );
        assert_eq!(
            training_outputs(
                "winner_take_all = { spatial = true, lifetime = 0.5 }",
                &[2, 1, 2],
                &x
            ),
            [0.0, 0.0, 8.0, 0.0, 5.0, 0.0, 0.0, 0.0]
        );
    }

    #[test]
    fn a_contest_has_rules_and_places() {
        let message = |layer: &str| {
            let flaw = flaw(layer, &[8]);
            format!("{}: {}", flaw.key, flaw.message)
        };
        assert_eq!(
            message("winner_take_all = {}"),
            ": has neither `spatial` nor `lifetime`: everything would win"
        );
        assert_eq!(
            message("winner_take_all = { spatial = true }"),
            "spatial: is `spatial` but the layer before gives features (8), which have no places"
        );
    }
}
