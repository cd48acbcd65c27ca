//! `max_pool2d`: the largest value of each window.

use burn::module::Module;
use burn::tensor::backend::Backend;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::PadMode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Around, Fields, Forward, Pass, Signal, Weights, needs};
use crate::error::Flaw;
use crate::shape::{ImageShape, Padding, Shape, Window, window};
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

pub(super) fn two() -> Pair {
    Pair::both(2)
}

pub(super) fn valid() -> Padding {
    Padding::Valid
}

/// The windows of a pooling layer along `[height, width]`, or the flaw of one that does not fit.
pub(super) fn pool_windows(
    image: ImageShape,
    size: Pair,
    stride: Option<Pair>,
    padding: Padding,
) -> Result<[Window; 2], Flaw> {
    let [rows, columns] = size.get();
    let [down, right] = stride.unwrap_or(size).get();
    let windows = (
        window(image.height, rows, down, padding),
        window(image.width, columns, right, padding),
    );
    match windows {
        (Some(rows), Some(columns)) => Ok([rows, columns]),
        _ => Err(Flaw::new(
            "size",
            format!("has a {rows}x{columns} window, larger than its input ({image})"),
        )
        .hint("pool less, or use `padding = \"same\"`")),
    }
}

/// The output of a pooling layer.
pub(super) fn pool_output(
    input: Shape,
    size: Pair,
    stride: Option<Pair>,
    padding: Padding,
) -> Result<Shape, Flaw> {
    let Shape::Image(image) = input else {
        return Err(needs("an image", input));
    };
    let [rows, columns] = pool_windows(image, size, stride, padding)?;
    Ok(Shape::Image(ImageShape::new(
        image.channels,
        rows.output,
        columns.output,
    )))
}

impl MaxPool2d {
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
        pool_output(input, self.size, self.stride, self.padding)
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
        let MaxPool2d {
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
        let x = if pads == (0, 0, 0, 0) {
            x
        } else {
            x.pad(pads, PadMode::Constant(f32::NEG_INFINITY))
        };
        let stride = stride.unwrap_or(size).get();
        Signal::Image(max_pool2d(x, size.get(), stride, [0, 0], [1, 1], false))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_layer, check_slopes, expect};

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
}
