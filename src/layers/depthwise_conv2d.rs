//! `depthwise_conv2d`: every channel is convolved with filters of its own.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::constants::{constant, constant_bias};
use super::conv2d::ones;
use super::convolution::{SlidingWindow, one};
use super::fields::trained_layer;
use super::init::Fan;
use super::penalty::penalty;
use super::{
    Cost, Forward, ForwardContext, LayerContext, LayerFields, Role, SharedWeight, Signal, Weights,
    needs,
};
use crate::backend::Kernels;
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::shape::{Padding, Shape};
use crate::value::{Pair, Positive};

trained_layer! {
    /// Depthwise convolution: `[batch, channels, height, width]` to
    /// `[batch, channels * multiplier, rows, columns]`; the filters of one channel stand side by side.
    pub struct DepthwiseConv2d {
        /// Height and width of the window.
        pub kernel: Pair,
        /// Steps of the window. Default 1.
        #[serde(default = "ones")]
        pub stride: Pair,
        /// `same` (default) or `valid`, as TensorFlow computes them; or how many zeros on all sides, as PyTorch.
        #[serde(default)]
        pub padding: Padding,
        /// Distance between the values under the window; above 1 the convolution is called atrous. Default 1.
        #[serde(default = "ones")]
        pub dilation: Pair,
        /// Filters of each channel. Default 1.
        #[serde(default = "one")]
        pub multiplier: Positive,
    }
}

impl DepthwiseConv2d {
    fn sliding_window(&self) -> SlidingWindow<2> {
        SlidingWindow::new(self.kernel, self.stride, self.dilation, self.padding)
    }

    /// The filters and bias on the device.
    pub fn build<B: Backend>(
        &self,
        input: Shape,
        _context: LayerContext,
        weights: &mut Weights<B>,
    ) -> DepthwiseConv2dLayer<B> {
        let filters = input.channels() * self.multiplier.get();
        let window = self.sliding_window().values();
        let fan = Fan {
            fan_in: window,
            fan_out: self.multiplier.get() * window,
        };
        let [rows, columns] = self.kernel.get();
        DepthwiseConv2dLayer {
            weight: weights.param(self.init, [filters, 1, rows, columns], fan),
            bias: weights.bias(self.bias, self.bias_init, filters, fan),
            fields: self.clone(),
        }
    }
}

impl LayerFields for DepthwiseConv2d {
    fn role(&self) -> Role {
        Role::Filters
    }

    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        let Shape::Image(image) = input else {
            return Err(needs("an image", input));
        };
        let filters = image.channels * self.multiplier.get();
        self.sliding_window().output(input, filters)
    }

    fn cost(&self, input: Shape, context: LayerContext) -> Cost {
        let Ok(output) = self.output(input, context) else {
            return Cost::default();
        };
        let filters = output.channels();
        let weights = super::product([filters, self.sliding_window().values()]);
        Cost::of_filters(weights, filters * usize::from(self.bias), output)
    }
}

/// A depthwise convolution's filters.
#[derive(Module, Debug)]
pub struct DepthwiseConv2dLayer<B: Backend> {
    /// `[channels * multiplier, 1, kernel height, kernel width]`
    pub weight: Param<Tensor<B, 4>>,
    /// `[channels * multiplier]`
    pub bias: Option<Param<Tensor<B, 1>>>,
    #[module(skip)]
    fields: DepthwiseConv2d,
}

impl<B: Kernels> Forward<B> for DepthwiseConv2dLayer<B> {
    fn forward(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        let x = input.image();
        let [_, channels, _, _] = x.dims();
        let sliding = self.fields.sliding_window().sliding(x.dims(), channels);
        let bias = self.bias.as_ref().map(Param::val);
        let y = B::convolve2d(x, self.weight.val(), bias, sliding);
        Signal::Image(y)
    }

    fn onnx(&self, input: &Value, graph: &mut Graph, _tied: Option<SharedWeight<B>>) -> Name {
        let weight = constant(graph, "weight", self.weight.val());
        let bias = constant_bias(graph, self.bias.as_ref());
        let (window, groups) = (self.fields.sliding_window(), input.shape.channels());
        window.convolved(input, graph, groups, &weight, bias.as_ref())
    }

    fn penalty(&self) -> Option<Tensor<B, 1>> {
        penalty(self.weight.val(), self.fields.l1, self.fields.l2)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_finite_differences, check_layer, expect, outputs};

    #[test]
    fn depthwise_conv2d_keeps_the_promises_of_every_layer() {
        check_layer(
            "depthwise_conv2d = { kernel = 3, activation = 'relu', l2 = 0.1 }",
            &[3, 9, 7],
            expect(&[3, 9, 7], 30),
        );
        check_layer(
            "depthwise_conv2d = { kernel = [2, 3], stride = 2, multiplier = 2, bias = false }",
            &[3, 9, 7],
            expect(&[6, 5, 4], 36),
        );
        check_layer(
            "depthwise_conv2d = { kernel = 3, dilation = 2, padding = 'valid' }",
            &[2, 9, 7],
            expect(&[2, 5, 3], 20),
        );
    }

    #[test]
    fn depthwise_conv2d_gradients_match_finite_differences() {
        for fields in ["stride = 1", "stride = 2, multiplier = 2", "dilation = 2"] {
            let layer = format!("depthwise_conv2d = {{ kernel = 3, {fields} }}");
            check_finite_differences(&layer, &[3, 8, 7]);
        }
    }

    #[test]
    fn channels_stay_apart() {
        let layer = "depthwise_conv2d = { kernel = [1, 3], multiplier = 2, \
                     init = { constant = { value = 1 } } }";
        let sums = outputs(layer, &[2, 1, 2], &[1.0, 2.0, 10.0, 20.0]);
        assert_eq!(sums, [3.0, 3.0, 3.0, 3.0, 30.0, 30.0, 30.0, 30.0]);
    }
}
