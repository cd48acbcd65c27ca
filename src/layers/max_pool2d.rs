//! `max_pool2d`: the largest value of each window.

use burn::module::Module;
use burn::tensor::backend::Backend;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::convolution::Sweep;
use super::pooling::{largest, pool_output, valid};
use super::{Around, Fields, Forward, Pass, Signal, Weights, needs};
use crate::error::Flaw;
use crate::shape::{Padding, Shape};
use crate::value::Pair;

/// Max pooling: `[batch, channels, height, width]` to `[batch, channels, rows, columns]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaxPool2d {
    /// What the layer is called in summaries, logs and grid keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Height and width of the window. Default 2.
    #[serde(default = "two")]
    pub size: Pair,
    /// Steps of the window. Default: its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<Pair>,
    /// `valid` (default) or `same`; padded places never win.
    #[serde(default = "valid")]
    pub padding: Padding,
}

fn two() -> Pair {
    Pair::both(2)
}

impl MaxPool2d {
    fn pool(&self) -> Sweep<2> {
        Sweep {
            kernel: self.size.get(),
            stride: self.stride.unwrap_or(self.size).get(),
            dilation: [1; 2],
            padding: self.padding,
        }
    }

    /// Pooling has no weights.
    pub fn build<B: Backend>(
        &self,
        _input: Shape,
        _around: Around,
        _weights: &mut Weights<B>,
    ) -> MaxPool2dLayer {
        MaxPool2dLayer {
            fields: self.clone(),
        }
    }
}

impl Fields for MaxPool2d {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn output(&self, input: Shape, _around: Around) -> Result<Shape, Flaw> {
        match input {
            Shape::Image(_) => pool_output(input, self.pool()),
            _ => Err(needs("an image", input)),
        }
    }
}

/// Max pooling, ready to apply.
#[derive(Module, Clone, Debug)]
pub struct MaxPool2dLayer {
    #[module(skip)]
    fields: MaxPool2d,
}

impl<B: Backend> Forward<B> for MaxPool2dLayer {
    fn forward(&self, input: Signal<B>, _pass: &mut Pass<B>) -> Signal<B> {
        Signal::Image(largest(input.image(), self.fields.pool()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_layer, check_slopes, expect};
    use super::*;

    #[test]
    fn max_pool2d_keeps_the_promises_of_every_layer() {
        check_layer(
            "max_pool2d = { size = 2 }",
            &[2, 7, 7],
            expect(&[2, 3, 3], 0),
        );
        check_layer(
            "max_pool2d = { size = 3, stride = 2, padding = 'same' }",
            &[2, 8, 8],
            expect(&[2, 4, 4], 0),
        );
    }

    #[test]
    fn max_pool2d_has_the_slopes_of_its_gradients() {
        check_slopes("max_pool2d = { size = 2 }", &[2, 7, 7]);
        check_slopes(
            "max_pool2d = { size = 3, stride = 2, padding = 'same' }",
            &[2, 8, 8],
        );
    }

    #[test]
    fn a_window_must_fit() {
        let fields: MaxPool2d = toml::from_str("size = [2, 3]").unwrap();
        let flaw = fields
            .output(Shape::image(4, 7, 2), Around::new(10))
            .unwrap_err();
        assert_eq!(
            flaw.message,
            "has a 2x3 window, larger than its input (4x7x2)"
        );
    }
}
