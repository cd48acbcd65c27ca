//! `avg_pool2d`: the mean of each window.

use burn::module::Module;
use burn::tensor::backend::Backend;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::convolution::Sweep;
use super::pooling::{mean, pool_output, valid};
use super::{Around, Fields, Forward, Pass, Signal, Weights, needs};
use crate::error::Flaw;
use crate::shape::{Padding, Shape};
use crate::value::Pair;

/// Average pooling: `[batch, channels, height, width]` to `[batch, channels, rows, columns]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AvgPool2d {
    /// What the layer is called in summaries, logs and grid keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Height and width of the window. Default 2.
    #[serde(default = "two")]
    pub size: Pair,
    /// Steps of the window. Default: its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<Pair>,
    /// `valid` (default) or `same`; padded places do not count, as in TensorFlow.
    #[serde(default = "valid")]
    pub padding: Padding,
}

fn two() -> Pair {
    Pair::both(2)
}

impl AvgPool2d {
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
    ) -> AvgPool2dLayer {
        AvgPool2dLayer {
            fields: self.clone(),
        }
    }
}

impl Fields for AvgPool2d {
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

/// Average pooling, ready to apply.
#[derive(Module, Clone, Debug)]
pub struct AvgPool2dLayer {
    #[module(skip)]
    fields: AvgPool2d,
}

impl<B: Backend> Forward<B> for AvgPool2dLayer {
    fn forward(&self, input: Signal<B>, _pass: &mut Pass<B>) -> Signal<B> {
        Signal::Image(mean(input.image(), self.fields.pool()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_layer, check_slopes, expect, outputs};

    #[test]
    fn avg_pool2d_keeps_the_promises_of_every_layer() {
        check_layer(
            "avg_pool2d = { size = 2 }",
            &[2, 7, 7],
            expect(&[2, 3, 3], 0),
        );
        check_layer(
            "avg_pool2d = { size = 3, stride = 2, padding = 'same' }",
            &[2, 8, 8],
            expect(&[2, 4, 4], 0),
        );
    }

    #[test]
    fn avg_pool2d_has_the_slopes_of_its_gradients() {
        check_slopes("avg_pool2d = { size = 2 }", &[2, 7, 7]);
        check_slopes(
            "avg_pool2d = { size = 3, stride = 2, padding = 'same' }",
            &[2, 8, 8],
        );
    }

    #[test]
    fn padded_places_do_not_count() {
        let means = outputs(
            "avg_pool2d = { size = 2, padding = 'same' }",
            &[1, 3, 3],
            &[1.0; 9],
        );
        assert_eq!(means, [1.0; 4]);
    }
}
