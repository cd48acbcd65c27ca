//! `global_max_pool`: the largest value of every channel.

use burn::module::Module;
use burn::tensor::backend::Backend;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bounds::largest_of;
use super::pooling::places;
use super::{Around, Fields, Forward, Pass, Signal, Weights, needs};
use crate::backend::reshape;
use crate::error::Flaw;
use crate::shape::Shape;

/// The largest value over all places (steps of a sequence): `[batch, channels, height, width]` to
/// `[batch, channels]`, and the like for sequences and volumes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GlobalMaxPool {
    /// What the layer is called in summaries, logs and grid keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl GlobalMaxPool {
    /// Pooling has no weights.
    pub fn build<B: Backend>(
        &self,
        _input: Shape,
        _around: Around,
        _weights: &mut Weights<B>,
    ) -> GlobalMaxPoolLayer {
        GlobalMaxPoolLayer {}
    }
}

impl Fields for GlobalMaxPool {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn output(&self, input: Shape, _around: Around) -> Result<Shape, Flaw> {
        match input {
            Shape::Features(_) => Err(needs("a sequence, an image or a volume", input)),
            _ => Ok(Shape::Features(input.channels())),
        }
    }
}

/// Global pooling, ready to apply.
#[derive(Module, Clone, Debug)]
pub struct GlobalMaxPoolLayer {}

impl<B: Backend> Forward<B> for GlobalMaxPoolLayer {
    fn forward(&self, input: Signal<B>, _pass: &mut Pass<B>) -> Signal<B> {
        let x = places(input);
        let [batch, channels, _] = x.dims();
        let y = largest_of(x, |x| x.max_dim(2));
        Signal::Features(reshape(y, [batch, channels]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_layer, check_slopes, expect, outputs};
    use super::*;

    #[test]
    fn global_max_pool_keeps_the_promises_of_every_layer() {
        check_layer("global_max_pool = {}", &[5, 3], expect(&[3], 0));
        check_layer("global_max_pool = {}", &[3, 4, 5], expect(&[3], 0));
        check_layer("global_max_pool = {}", &[3, 2, 4, 5], expect(&[3], 0));
    }

    #[test]
    fn global_max_pool_has_the_slopes_of_its_gradients() {
        check_slopes("global_max_pool = {}", &[5, 3]);
        check_slopes("global_max_pool = {}", &[3, 4, 5]);
        check_slopes("global_max_pool = {}", &[3, 2, 4, 5]);
    }

    #[test]
    fn channels_stay_apart() {
        let image = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        assert_eq!(
            outputs("global_max_pool = {}", &[2, 2, 2], &image),
            [4.0, 8.0]
        );
        let steps = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(outputs("global_max_pool = {}", &[3, 2], &steps), [5.0, 6.0]);
    }

    #[test]
    fn features_have_no_places() {
        let flaw = GlobalMaxPool { name: None }
            .output(Shape::Features(24), Around::new(10))
            .unwrap_err();
        assert_eq!(
            flaw.message,
            "needs a sequence, an image or a volume but the layer before gives features (24)"
        );
    }
}
