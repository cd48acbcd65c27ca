//! `conv1d`: 1-d convolution.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::constants::{constant, constant_bias};
use super::convolution::{SlidingWindow, in_a_row, indivisible, one};
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
    /// 1-d convolution: `[batch, steps, features]` to `[batch, steps out, filters]`.
    pub struct Conv1d {
        /// Number of output channels.
        pub filters: Positive,
        /// Length of the window.
        pub kernel: Positive,
        /// Steps of the window. Default 1.
        #[serde(default = "one")]
        pub stride: Positive,
        /// `same` (default) or `valid`, as TensorFlow computes them; or how many zeros on all sides, as PyTorch.
        #[serde(default)]
        pub padding: Padding,
        /// Distance between the values under the window; above 1 the convolution is called atrous. Default 1.
        #[serde(default = "one")]
        pub dilation: Positive,
        /// Groups of features, each seen by its own share of the filters; divides both. Default 1.
        #[serde(default = "one")]
        pub groups: Positive,
    }
}

impl Conv1d {
    fn sliding_window(&self) -> SlidingWindow<1> {
        SlidingWindow::new(self.kernel, self.stride, self.dilation, self.padding)
    }

    /// The filters and bias on the device.
    pub fn build<B: Backend>(
        &self,
        input: Shape,
        _context: LayerContext,
        weights: &mut Weights<B>,
    ) -> Conv1dLayer<B> {
        let (filters, groups, kernel) = (self.filters.get(), self.groups.get(), self.kernel.get());
        let seen = input.channels() / groups;
        let fan = Fan {
            fan_in: seen * kernel,
            fan_out: filters / groups * kernel,
        };
        Conv1dLayer {
            weight: weights.param(self.init, [filters, seen, kernel], fan),
            bias: weights.bias(self.bias, self.bias_init, filters, fan),
            fields: self.clone(),
        }
    }
}

impl LayerFields for Conv1d {
    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        let Shape::Sequence(sequence) = input else {
            return Err(needs("a sequence", input));
        };
        match indivisible(self.groups, sequence.features, self.filters) {
            Some(flaw) => Err(flaw),
            None => self.sliding_window().output(input, self.filters.get()),
        }
    }

    fn cost(&self, input: Shape, context: LayerContext) -> Cost {
        let Ok(output) = self.output(input, context) else {
            return Cost::default();
        };
        let filters = self.filters.get();
        let channels = input.channels() / self.groups.get();
        let weights = super::product([filters, channels, self.kernel.get()]);
        Cost::of_filters(weights, filters * usize::from(self.bias), output)
    }
}

/// A 1-d convolution's filters.
#[derive(Module, Debug)]
pub struct Conv1dLayer<B: Backend> {
    /// `[filters, features / groups, kernel]`
    pub weight: Param<Tensor<B, 3>>,
    /// `[filters]`
    pub bias: Option<Param<Tensor<B, 1>>>,
    #[module(skip)]
    fields: Conv1d,
}

impl<B: Kernels> Forward<B> for Conv1dLayer<B> {
    fn forward(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        let x = in_a_row(input.sequence().swap_dims(1, 2));
        let weight = in_a_row(self.weight.val());
        let bias = self.bias.as_ref().map(Param::val);
        let groups = self.fields.groups.get();
        let sliding = self
            .fields
            .sliding_window()
            .in_a_row()
            .sliding(x.dims(), groups);
        let y = B::convolve2d(x, weight, bias, sliding);
        let [batch, filters, _, steps] = y.dims();
        let y = reshape(y, [batch, filters, steps]).swap_dims(1, 2);
        Signal::Sequence(y)
    }

    fn onnx(&self, input: &Value, graph: &mut Graph, _tied: Option<SharedWeight<B>>) -> Name {
        let weight = constant(graph, "weight", self.weight.val());
        let bias = constant_bias(graph, self.bias.as_ref());
        let (window, groups) = (self.fields.sliding_window(), self.fields.groups.get());
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
    fn conv1d_keeps_the_promises_of_every_layer() {
        check_layer(
            "conv1d = { filters = 4, kernel = 3, activation = 'relu' }",
            &[9, 2],
            expect(&[9, 4], 28),
        );
        check_layer(
            "conv1d = { filters = 4, kernel = 3, stride = 2, groups = 2, bias = false, l2 = 0.1 }",
            &[9, 2],
            expect(&[5, 4], 12),
        );
        check_layer(
            "conv1d = { filters = 3, kernel = 3, dilation = 2, padding = 'valid' }",
            &[9, 2],
            expect(&[5, 3], 21),
        );
    }

    #[test]
    fn conv1d_gradients_match_finite_differences() {
        for fields in [
            "stride = 1",
            "stride = 2",
            "groups = 2, dilation = 2",
            "padding = 'valid'",
        ] {
            let layer = format!("conv1d = {{ filters = 4, kernel = 3, {fields} }}");
            check_finite_differences(&layer, &[8, 2]);
        }
    }

    #[test]
    fn a_window_slides_over_the_steps() {
        let layer = "conv1d = { filters = 1, kernel = 3, init = { constant = { value = 1 } } }";
        let sums = outputs(layer, &[3, 2], &[1.0, 10.0, 2.0, 20.0, 3.0, 30.0]);
        assert_eq!(sums, [33.0, 66.0, 55.0]);
    }
}
