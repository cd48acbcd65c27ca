//! `conv2d`: 2-d convolution.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::activation_function::activate;
use super::init::{Fan, glorot_uniform, zeros};
use super::{
    ActivationFunction, Around, Cost, Fields, Forward, Initialisation, Signal, Weights, needs,
};
use crate::backend::{Kernels, Sliding};
use crate::error::Flaw;
use crate::shape::{ImageShape, Padding, Shape, Window, window};
use crate::value::{Pair, Positive};

/// 2-d convolution: `[batch, channels, height, width]` to `[batch, filters, rows, columns]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Conv2d {
    /// What the layer is called in summaries, logs and grid keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Number of output channels.
    pub filters: Positive,
    /// Height and width of the window.
    pub kernel: Pair,
    /// Steps of the window. Default 1.
    #[serde(default = "one")]
    pub stride: Pair,
    /// `same` (default) or `valid`, as TensorFlow computes them.
    #[serde(default)]
    pub padding: Padding,
    /// Activation function after the bias. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<ActivationFunction>,
    /// Whether a bias is added to each filter. Default true.
    #[serde(default = "yes")]
    pub bias: bool,
    /// First values of the filters. Default glorot_uniform.
    #[serde(default = "glorot_uniform")]
    pub init: Initialisation,
    /// First values of the bias. Default zeros.
    #[serde(default = "zeros")]
    pub bias_init: Initialisation,
}

fn one() -> Pair {
    Pair::both(1)
}

fn yes() -> bool {
    true
}

impl Conv2d {
    fn windows(&self, image: ImageShape) -> Option<[Window; 2]> {
        let ([rows, columns], [down, right]) = (self.kernel.get(), self.stride.get());
        Some([
            window(image.height, rows, down, self.padding)?,
            window(image.width, columns, right, self.padding)?,
        ])
    }

    /// The filters and bias on the device.
    pub fn build<B: Backend>(
        &self,
        input: Shape,
        _around: Around,
        weights: &mut Weights<B>,
    ) -> Conv2dLayer<B> {
        let Shape::Image(image) = input else {
            unreachable!("the shape rule asks for an image")
        };
        let (filters, [rows, columns]) = (self.filters.get(), self.kernel.get());
        let fan = Fan {
            fan_in: image.channels * rows * columns,
            fan_out: filters * rows * columns,
        };
        let shape = [filters, image.channels, rows, columns];
        Conv2dLayer {
            weight: weights.param(self.init, shape, fan),
            bias: self
                .bias
                .then(|| weights.param(self.bias_init, [filters], fan)),
            fields: self.clone(),
        }
    }
}

impl Fields for Conv2d {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn activation(&self) -> Option<ActivationFunction> {
        self.activation
    }

    fn output(&self, input: Shape, _around: Around) -> Result<Shape, Flaw> {
        let Shape::Image(image) = input else {
            return Err(needs("an image", input));
        };
        let [rows, columns] = self.windows(image).ok_or_else(|| {
            let [rows, columns] = self.kernel.get();
            Flaw::new(
                "kernel",
                format!("has a {rows}x{columns} kernel, larger than its input ({image})"),
            )
            .hint("use a smaller `kernel`, or `padding = \"same\"`")
        })?;
        Ok(Shape::Image(ImageShape::new(
            self.filters.get(),
            rows.output,
            columns.output,
        )))
    }

    fn cost(&self, input: Shape, around: Around) -> Cost {
        let (Shape::Image(image), Ok(Shape::Image(output))) = (input, self.output(input, around))
        else {
            return Cost::default();
        };
        let [rows, columns] = self.kernel.get();
        let filter = image.channels * rows * columns;
        Cost {
            parameters: self.filters.get() * (filter + usize::from(self.bias)),
            multiply_adds: output.len() * filter,
        }
    }
}

/// A convolution's filters.
#[derive(Module, Debug)]
pub struct Conv2dLayer<B: Backend> {
    /// `[filters, channels, kernel height, kernel width]`
    pub weight: Param<Tensor<B, 4>>,
    /// `[filters]`
    pub bias: Option<Param<Tensor<B, 1>>>,
    #[module(skip)]
    fields: Conv2d,
}

impl<B: Kernels> Forward<B> for Conv2dLayer<B> {
    fn forward(&self, input: Signal<B>, _training: bool) -> Signal<B> {
        let x = input.image();
        let [_, channels, height, width] = x.dims();
        let [rows, columns] = self
            .fields
            .windows(ImageShape::new(channels, height, width))
            .expect("the shape rule saw that the kernel fits");
        let sliding = Sliding {
            stride: self.fields.stride.get(),
            before: [rows.before, columns.before],
            after: [rows.after, columns.after],
        };
        let bias = self.bias.as_ref().map(Param::val);
        let y = B::convolve2d(x, self.weight.val(), bias, sliding);
        Signal::Image(activate(self.fields.activation, y))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_layer, check_slopes, expect};

    #[test]
    fn conv2d_keeps_the_promises_of_every_layer() {
        let image = [1, 28, 28];
        check_layer(
            "conv2d = { filters = 4, kernel = 3 }",
            &image,
            expect(&[4, 28, 28], 40),
        );
        check_layer(
            "conv2d = { filters = 4, kernel = [3, 5], stride = 2, activation = 'relu' }",
            &image,
            expect(&[4, 14, 14], 64),
        );
        check_layer(
            "conv2d = { filters = 2, kernel = 4, padding = 'valid', bias = false, init = 'he_normal' }",
            &[3, 9, 7],
            expect(&[2, 6, 4], 96),
        );
    }

    #[test]
    fn conv2d_has_the_slopes_of_its_gradients() {
        for kernel in ["3", "[2, 5]", "4"] {
            for stride in [1, 2, 3] {
                for padding in ["same", "valid"] {
                    let layer = format!(
                        "conv2d = {{ filters = 3, kernel = {kernel}, stride = {stride}, padding = '{padding}' }}"
                    );
                    check_slopes(&layer, &[2, 8, 7]);
                }
            }
        }
    }
}
