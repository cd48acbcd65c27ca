//! `separable_conv2d`: a depthwise convolution, then a pointwise one.

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
    Cost, Forward, ForwardContext, LayerContext, LayerFields, SharedWeight, Signal, Weights, needs,
};
use crate::backend::{Kernels, Sliding};
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::shape::{Padding, Shape};
use crate::value::{Pair, Positive};

trained_layer! {
    /// Separable convolution (Chollet 2017): `[batch, channels, height, width]` to
    /// `[batch, filters, rows, columns]`. Every channel is convolved with filters of its own, then a 1x1
    /// convolution mixes them; there is nothing between the two.
    pub struct SeparableConv2d {
        /// Number of output channels.
        pub filters: Positive,
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
        /// Filters of each channel before they are mixed. Default 1.
        #[serde(default = "one")]
        pub multiplier: Positive,
    }
}

/// What a 1x1 convolution does at every place of its input.
const POINTWISE: Sliding = Sliding {
    stride: [1, 1],
    before: [0, 0],
    after: [0, 0],
    dilation: [1, 1],
    groups: 1,
};

impl SeparableConv2d {
    fn sliding_window(&self) -> SlidingWindow<2> {
        SlidingWindow::new(self.kernel, self.stride, self.dilation, self.padding)
    }

    /// Both convolutions' filters and the bias on the device.
    pub fn build<B: Backend>(
        &self,
        input: Shape,
        _context: LayerContext,
        weights: &mut Weights<B>,
    ) -> SeparableConv2dLayer<B> {
        let (filters, multiplier) = (self.filters.get(), self.multiplier.get());
        let (between, window) = (
            input.channels() * multiplier,
            self.sliding_window().values(),
        );
        let depthwise = Fan {
            fan_in: window,
            fan_out: multiplier * window,
        };
        let pointwise = Fan {
            fan_in: between,
            fan_out: filters,
        };
        let [rows, columns] = self.kernel.get();
        SeparableConv2dLayer {
            depthwise_weight: weights.param(self.init, [between, 1, rows, columns], depthwise),
            pointwise_weight: weights.param(self.init, [filters, between, 1, 1], pointwise),
            bias: weights.bias(self.bias, self.bias_init, filters, pointwise),
            fields: self.clone(),
        }
    }
}

impl LayerFields for SeparableConv2d {
    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        match input {
            Shape::Image(_) => self.sliding_window().output(input, self.filters.get()),
            _ => Err(needs("an image", input)),
        }
    }

    fn cost(&self, input: Shape, context: LayerContext) -> Cost {
        let Ok(output) = self.output(input, context) else {
            return Cost::default();
        };
        let (filters, between) = (self.filters.get(), input.channels() * self.multiplier.get());
        let weights = super::product([
            between,
            self.sliding_window().values().saturating_add(filters),
        ]);
        Cost::of_filters(weights, filters * usize::from(self.bias), output)
    }
}

/// A separable convolution's filters.
#[derive(Module, Debug)]
pub struct SeparableConv2dLayer<B: Backend> {
    /// `[channels * multiplier, 1, kernel height, kernel width]`
    pub depthwise_weight: Param<Tensor<B, 4>>,
    /// `[filters, channels * multiplier, 1, 1]`
    pub pointwise_weight: Param<Tensor<B, 4>>,
    /// `[filters]`
    pub bias: Option<Param<Tensor<B, 1>>>,
    #[module(skip)]
    fields: SeparableConv2d,
}

impl<B: Kernels> Forward<B> for SeparableConv2dLayer<B> {
    fn forward(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        let x = input.image();
        let [_, channels, _, _] = x.dims();
        let sliding = self.fields.sliding_window().sliding(x.dims(), channels);
        let bias = self.bias.as_ref().map(Param::val);
        let between = B::convolve2d(x, self.depthwise_weight.val(), None, sliding);
        let y = B::convolve2d(between, self.pointwise_weight.val(), bias, POINTWISE);
        Signal::Image(y)
    }

    fn onnx(&self, input: &Value, graph: &mut Graph, _tied: Option<SharedWeight<B>>) -> Name {
        let depthwise = constant(graph, "depthwise_weight", self.depthwise_weight.val());
        let pointwise = constant(graph, "pointwise_weight", self.pointwise_weight.val());
        let bias = constant_bias(graph, self.bias.as_ref());
        let (window, groups) = (self.fields.sliding_window(), input.shape.channels());
        let between = window.convolved(input, graph, groups, &depthwise, None);
        let inputs = [Some(&between), Some(&pointwise), bias.as_ref()];
        let [y] = graph.node_of("Conv", &inputs, []);
        y
    }

    fn penalty(&self) -> Option<Tensor<B, 1>> {
        let (l1, l2) = (self.fields.l1, self.fields.l2);
        let depthwise = penalty(self.depthwise_weight.val(), l1, l2)?;
        Some(depthwise + penalty(self.pointwise_weight.val(), l1, l2)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_finite_differences, check_layer, expect, outputs};
    use super::*;
    use burn::backend::Flex;

    use crate::rng::Seed;

    #[test]
    fn separable_conv2d_keeps_the_promises_of_every_layer() {
        check_layer(
            "separable_conv2d = { filters = 4, kernel = 3, activation = 'relu', l2 = 0.1 }",
            &[3, 9, 7],
            expect(&[4, 9, 7], 43),
        );
        check_layer(
            "separable_conv2d = { filters = 4, kernel = [2, 3], stride = 2, multiplier = 2, bias = false }",
            &[3, 9, 7],
            expect(&[4, 5, 4], 60),
        );
        check_layer(
            "separable_conv2d = { filters = 1, kernel = 3, dilation = 2, padding = 'valid' }",
            &[2, 9, 7],
            expect(&[1, 5, 3], 21),
        );
    }

    #[test]
    fn separable_conv2d_gradients_match_finite_differences() {
        for fields in ["stride = 1", "stride = 2, multiplier = 2", "dilation = 2"] {
            let layer = format!("separable_conv2d = {{ filters = 2, kernel = 3, {fields} }}");
            check_finite_differences(&layer, &[3, 8, 7]);
        }
    }

    #[test]
    fn channels_are_mixed_after_their_own_windows() {
        let layer = "separable_conv2d = { filters = 1, kernel = [1, 3], \
                     init = { constant = { value = 2 } }, bias_init = { constant = { value = 1 } } }";
        let sums = outputs(layer, &[2, 1, 3], &[1.0, 2.0, 3.0, 10.0, 20.0, 30.0]);
        assert_eq!(sums, [133.0, 265.0, 221.0]);
    }

    #[test]
    fn both_weights_count_in_the_penalty() {
        let fields: SeparableConv2d = toml::from_str(
            "filters = 2\nkernel = 2\nl2 = 0.5\ninit = { constant = { value = 2 } }",
        )
        .unwrap();
        let mut weights = Weights::<Flex>::new(Seed(7), Default::default());
        let layer = fields.build(Shape::image(3, 4, 4), LayerContext::new(10), &mut weights);
        let penalty = layer.penalty().unwrap().into_data();
        assert_eq!(penalty.into_vec::<f32>().unwrap(), [36.0]);
    }
}
