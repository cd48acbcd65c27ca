//! `global_avg_pool`: the mean of every channel.

use super::fields::layer;
use super::pooling::places;
use super::{ForwardContext, LayerContext, LayerFields, Signal, Weightless, needs};
use crate::backend::{Kernels, math, reshape};
use crate::error::Flaw;
use crate::onnx::{Attribute, Graph, Name, Value};
use crate::shape::Shape;

layer! {
    /// The mean over all places (steps of a sequence): `[batch, channels, height, width]` to
    /// `[batch, channels]`, and the like for sequences and volumes.
    pub struct GlobalAvgPool {
    }
}

impl LayerFields for GlobalAvgPool {
    fn keeps_range(&self) -> bool {
        true
    }

    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        match input {
            Shape::Features(_) => Err(needs("a sequence, an image or a volume", input)),
            _ => Ok(Shape::Features(input.channels())),
        }
    }
}

impl Weightless for GlobalAvgPool {
    fn forward<B: Kernels>(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        let x = places(input);
        let [batch, channels, _] = x.dims();
        Signal::Features(reshape(math::mean_dim(x, 2), [batch, channels]))
    }

    fn onnx(&self, input: &Value, graph: &mut Graph) -> Name {
        let axes = Attribute::ints("axes", input.place_axes());
        let settings = [axes, Attribute::int("keepdims", 0)];
        graph.node("ReduceMean", &[&input.name], settings)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_finite_differences, check_layer, expect, outputs};
    use super::*;

    #[test]
    fn global_avg_pool_keeps_the_promises_of_every_layer() {
        check_layer("global_avg_pool = {}", &[5, 3], expect(&[3], 0));
        check_layer("global_avg_pool = {}", &[3, 4, 5], expect(&[3], 0));
        check_layer("global_avg_pool = {}", &[3, 2, 4, 5], expect(&[3], 0));
    }

    #[test]
    fn global_avg_pool_gradients_match_finite_differences() {
        check_finite_differences("global_avg_pool = {}", &[5, 3]);
        check_finite_differences("global_avg_pool = {}", &[3, 4, 5]);
        check_finite_differences("global_avg_pool = {}", &[3, 2, 4, 5]);
    }

    #[test]
    fn channels_stay_apart() {
        let image = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        assert_eq!(
            outputs("global_avg_pool = {}", &[2, 2, 2], &image),
            [2.5, 6.5]
        );
        let steps = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(outputs("global_avg_pool = {}", &[3, 2], &steps), [3.0, 4.0]);
    }

    #[test]
    fn features_have_no_places() {
        let flaw = GlobalAvgPool { name: None }
            .output(Shape::Features(24), LayerContext::new(10))
            .unwrap_err();
        assert_eq!(
            flaw.message,
            "needs a sequence, an image or a volume but the layer before gives features (24)"
        );
    }
}
