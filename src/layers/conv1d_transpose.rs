//! `conv1d_transpose`: 1-d transposed convolution.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::constants::{constant, constant_bias};
use super::convolution::{SlidingWindow, in_a_row, one};
use super::fields::trained_layer;
use super::init::Fan;
use super::penalty::penalty;
use super::{
    Cost, Forward, ForwardContext, LayerContext, LayerFields, SharedWeight, Signal, Weights, needs,
};
use crate::backend::{Kernels, reshape};
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::shape::{Padding, Shape};
use crate::value::Positive;

trained_layer! {
    /// 1-d transposed convolution: `[batch, steps, features]` to `[batch, steps out, filters]`, with
    /// `steps * stride` steps out for `same`, `steps * stride + max(kernel - stride, 0)` for `valid`.
    pub struct Conv1dTranspose {
        /// Number of output channels.
        pub filters: Positive,
        /// Length of the window.
        pub kernel: Positive,
        /// Steps of the window over the output. Default 1.
        #[serde(default = "one")]
        pub stride: Positive,
        /// `same` (default) or `valid`, as TensorFlow computes them; or how many values are cut off on all sides, as
        /// PyTorch.
        #[serde(default)]
        pub padding: Padding,
    }
}

impl Conv1dTranspose {
    fn sliding_window(&self) -> SlidingWindow<1> {
        SlidingWindow::undilated(self.kernel, self.stride, self.padding)
    }

    /// The filters and bias on the device.
    pub fn build<B: Backend>(
        &self,
        input: Shape,
        _context: LayerContext,
        weights: &mut Weights<B>,
    ) -> Conv1dTransposeLayer<B> {
        let (filters, kernel) = (self.filters.get(), self.kernel.get());
        // Counted as Keras and PyTorch do: as if the filters were applied the other way.
        let fan = Fan {
            fan_in: filters * kernel,
            fan_out: input.channels() * kernel,
        };
        Conv1dTransposeLayer {
            weight: weights.param(self.init, [input.channels(), filters, kernel], fan),
            bias: weights.bias(self.bias, self.bias_init, filters, fan),
            fields: self.clone(),
        }
    }
}

impl LayerFields for Conv1dTranspose {
    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        match input {
            Shape::Sequence(_) => self
                .sliding_window()
                .transposed_output(input, self.filters.get()),
            _ => Err(needs("a sequence", input)),
        }
    }

    fn cost(&self, input: Shape, _context: LayerContext) -> Cost {
        let filters = self.filters.get();
        let weights = super::product([input.channels(), filters, self.kernel.get()]);
        Cost::of_filters(weights, filters * usize::from(self.bias), input)
    }
}

/// A 1-d transposed convolution's filters.
#[derive(Module, Debug)]
pub struct Conv1dTransposeLayer<B: Backend> {
    /// `[features, filters, kernel]`
    pub weight: Param<Tensor<B, 3>>,
    /// `[filters]`
    pub bias: Option<Param<Tensor<B, 1>>>,
    #[module(skip)]
    fields: Conv1dTranspose,
}

impl<B: Kernels> Forward<B> for Conv1dTransposeLayer<B> {
    fn forward(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        let x = in_a_row(input.sequence().swap_dims(1, 2));
        let weight = in_a_row(self.weight.val());
        let bias = self.bias.as_ref().map(Param::val);
        let sliding_window = self.fields.sliding_window().in_a_row();
        let (size, sliding) = sliding_window.transposed_sliding(x.dims());
        let y = B::convolve2d_transpose(x, weight, bias, size, sliding);
        let [batch, filters, _, steps] = y.dims();
        let y = reshape(y, [batch, filters, steps]).swap_dims(1, 2);
        Signal::Sequence(y)
    }

    fn onnx(&self, input: &Value, graph: &mut Graph, _tied: Option<SharedWeight<B>>) -> Name {
        let weight = constant(graph, "weight", self.weight.val());
        let bias = constant_bias(graph, self.bias.as_ref());
        let window = self.fields.sliding_window();
        window.transposed_convolved(input, graph, &weight, bias.as_ref())
    }

    fn penalty(&self) -> Option<Tensor<B, 1>> {
        penalty(self.weight.val(), self.fields.l1, self.fields.l2)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_finite_differences, check_layer, expect, outputs};

    #[test]
    fn conv1d_transpose_keeps_the_promises_of_every_layer() {
        check_layer(
            "conv1d_transpose = { filters = 3, kernel = 3, stride = 2, activation = 'relu' }",
            &[4, 2],
            expect(&[8, 3], 21),
        );
        check_layer(
            "conv1d_transpose = { filters = 3, kernel = 3, stride = 2, padding = 'valid', bias = false, l1 = 0.1 }",
            &[4, 2],
            expect(&[9, 3], 18),
        );
        check_layer(
            "conv1d_transpose = { filters = 1, kernel = 1, stride = 3 }",
            &[4, 2],
            expect(&[12, 1], 3),
        );
    }

    #[test]
    fn conv1d_transpose_gradients_match_finite_differences() {
        for fields in [
            "stride = 1",
            "stride = 2",
            "stride = 4",
            "stride = 2, padding = 'valid'",
        ] {
            let layer = format!("conv1d_transpose = {{ filters = 2, kernel = 3, {fields} }}");
            check_finite_differences(&layer, &[5, 3]);
        }
    }

    #[test]
    fn every_step_leaves_a_window() {
        let ones = "init = { constant = { value = 1 } }";
        let layer = format!("conv1d_transpose = {{ filters = 1, kernel = 3, stride = 2, {ones} }}");
        let y = outputs(&layer, &[3, 1], &[1.0, 10.0, 100.0]);
        assert_eq!(y, [1.0, 1.0, 11.0, 10.0, 110.0, 100.0]);
        let layer = format!("conv1d_transpose = {{ filters = 1, kernel = 1, stride = 2, {ones} }}");
        let y = outputs(&layer, &[3, 1], &[1.0, 10.0, 100.0]);
        assert_eq!(y, [1.0, 0.0, 10.0, 0.0, 100.0, 0.0]);
    }
}
