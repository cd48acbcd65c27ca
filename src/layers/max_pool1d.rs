//! `max_pool1d`: the largest value of each window.

use burn::module::Module;
use burn::tensor::backend::Backend;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::convolution::Sweep;
use super::pooling::{in_sequence, largest, pool_output, valid};
use super::{Around, Fields, Forward, Pass, Signal, Weights, needs};
use crate::error::Flaw;
use crate::shape::{Padding, Shape};
use crate::value::Positive;

/// Max pooling: `[batch, steps, features]` to `[batch, steps out, features]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaxPool1d {
    /// What the layer is called in summaries, logs and grid keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Length of the window. Default 2.
    #[serde(default = "two")]
    pub size: Positive,
    /// Steps of the window. Default: its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<Positive>,
    /// `valid` (default) or `same`; padded places never win.
    #[serde(default = "valid")]
    pub padding: Padding,
}

fn two() -> Positive {
    Positive(2)
}

impl MaxPool1d {
    fn pool(&self) -> Sweep<1> {
        Sweep {
            kernel: [self.size.get()],
            stride: [self.stride.unwrap_or(self.size).get()],
            dilation: [1; 1],
            padding: self.padding,
        }
    }

    /// Pooling has no weights.
    pub fn build<B: Backend>(
        &self,
        _input: Shape,
        _around: Around,
        _weights: &mut Weights<B>,
    ) -> MaxPool1dLayer {
        MaxPool1dLayer {
            fields: self.clone(),
        }
    }
}

impl Fields for MaxPool1d {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn output(&self, input: Shape, _around: Around) -> Result<Shape, Flaw> {
        match input {
            Shape::Sequence(_) => pool_output(input, self.pool()),
            _ => Err(needs("a sequence", input)),
        }
    }
}

/// Max pooling, ready to apply.
#[derive(Module, Clone, Debug)]
pub struct MaxPool1dLayer {
    #[module(skip)]
    fields: MaxPool1d,
}

impl<B: Backend> Forward<B> for MaxPool1dLayer {
    fn forward(&self, input: Signal<B>, _pass: &mut Pass<B>) -> Signal<B> {
        Signal::Sequence(in_sequence(input.sequence(), self.fields.pool(), largest))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_layer, check_slopes, expect, outputs};

    #[test]
    fn max_pool1d_keeps_the_promises_of_every_layer() {
        check_layer("max_pool1d = { size = 2 }", &[7, 2], expect(&[3, 2], 0));
        check_layer(
            "max_pool1d = { size = 3, stride = 2, padding = 'same' }",
            &[8, 2],
            expect(&[4, 2], 0),
        );
    }

    #[test]
    fn max_pool1d_has_the_slopes_of_its_gradients() {
        check_slopes("max_pool1d = { size = 2 }", &[7, 2]);
        check_slopes(
            "max_pool1d = { size = 3, stride = 2, padding = 'same' }",
            &[8, 2],
        );
    }

    #[test]
    fn steps_are_pooled_and_features_stay_apart() {
        let layer = "max_pool1d = { size = 2, padding = 'same' }";
        let y = outputs(layer, &[3, 2], &[1.0, -6.0, 2.0, -5.0, 3.0, -4.0]);
        assert_eq!(y, [2.0, -5.0, 3.0, -4.0]);
    }
}
