//! `avg_pool2d`: the mean of each window.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::PadMode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::max_pool2d::{pool_output, pool_windows, two, valid};
use super::{Around, Fields, Forward, Pass, Signal, Weights};
use crate::error::Flaw;
use crate::shape::{ImageShape, Padding, Shape};
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

impl AvgPool2d {
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
        pool_output(input, self.size, self.stride, self.padding)
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
        let AvgPool2d {
            size,
            stride,
            padding,
            ..
        } = self.fields;
        let x = input.image();
        let [_, channels, height, width] = x.dims();
        let image = ImageShape::new(channels, height, width);
        let [rows, columns] = pool_windows(image, size, stride, padding)
            .expect("the shape rule saw that the window fits");
        let pads = (columns.before, columns.after, rows.before, rows.after);
        let stride = stride.unwrap_or(size).get();
        let mean = |x| avg_pool2d(x, size.get(), stride, [0, 0], true, false);
        if pads == (0, 0, 0, 0) {
            return Signal::Image(mean(x));
        }
        // The mean with zeros counted, over the share of each window that is not padding.
        let zeros = PadMode::Constant(0.0);
        let ones = Tensor::ones([1, 1, height, width], &x.device());
        let share = mean(ones.pad(pads, zeros));
        Signal::Image(mean(x.pad(pads, zeros)) / share)
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
    fn padded_places_do_not_count() {
        let means = outputs(
            "avg_pool2d = { size = 2, padding = 'same' }",
            &[1, 3, 3],
            &[1.0; 9],
        );
        assert_eq!(means, [1.0; 4]);
    }

    #[test]
    fn avg_pool2d_has_the_slopes_of_its_gradients() {
        check_slopes("avg_pool2d = { size = 2 }", &[2, 7, 7]);
        check_slopes(
            "avg_pool2d = { size = 3, stride = 2, padding = 'same' }",
            &[2, 8, 8],
        );
    }
}
