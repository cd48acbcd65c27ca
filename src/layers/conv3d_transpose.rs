//! `conv3d_transpose`: 3-d transposed convolution.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::constants::{constant, constant_bias};
use super::conv3d::ones;
use super::convolution::SlidingWindow;
use super::fields::trained_layer;
use super::init::Fan;
use super::penalty::penalty;
use super::{
    Cost, Forward, ForwardContext, LayerContext, LayerFields, SharedWeight, Signal, Weights, needs,
};
use crate::backend::{Kernels, Sliding3d, convolve3d_transpose, fit, math, reshape};
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::shape::{Padding, Shape};
use crate::value::{Positive, Triple};

trained_layer! {
    /// 3-d transposed convolution: `[batch, channels, depth, height, width]` to
    /// `[batch, filters, slices, rows, columns]`, each axis `input * stride` long for `same`,
    /// `input * stride + max(kernel - stride, 0)` for `valid`.
    pub struct Conv3dTranspose {
        /// Number of output channels.
        pub filters: Positive,
        /// Depth, height and width of the window.
        pub kernel: Triple,
        /// Steps of the window over the output. Default 1.
        #[serde(default = "ones")]
        pub stride: Triple,
        /// `same` (default) or `valid`, as TensorFlow computes them; or how many values are cut off on all sides, as
        /// PyTorch.
        #[serde(default)]
        pub padding: Padding,
    }
}

impl Conv3dTranspose {
    fn sliding_window(&self) -> SlidingWindow<3> {
        SlidingWindow::undilated(self.kernel, self.stride, self.padding)
    }

    /// The filters and bias on the device.
    pub fn build<B: Backend>(
        &self,
        input: Shape,
        _context: LayerContext,
        weights: &mut Weights<B>,
    ) -> Conv3dTransposeLayer<B> {
        let (channels, filters) = (input.channels(), self.filters.get());
        let window = self.sliding_window().values();
        // Counted as Keras and PyTorch do: as if the filters were applied the other way.
        let fan = Fan {
            fan_in: filters * window,
            fan_out: channels * window,
        };
        let [depth, rows, columns] = self.kernel.get();
        let shape = [channels, filters, depth, rows, columns];
        Conv3dTransposeLayer {
            weight: weights.param(self.init, shape, fan),
            bias: weights.bias(self.bias, self.bias_init, filters, fan),
            fields: self.clone(),
        }
    }
}

impl LayerFields for Conv3dTranspose {
    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        match input {
            Shape::Volume(_) => self
                .sliding_window()
                .transposed_output(input, self.filters.get()),
            _ => Err(needs("a volume", input)),
        }
    }

    fn cost(&self, input: Shape, _context: LayerContext) -> Cost {
        let filters = self.filters.get();
        let window = self.sliding_window().values();
        let weights = super::product([input.channels(), filters, window]);
        Cost::of_filters(weights, filters * usize::from(self.bias), input)
    }
}

/// A 3-d transposed convolution's filters.
#[derive(Module, Debug)]
pub struct Conv3dTransposeLayer<B: Backend> {
    /// `[channels, filters, kernel depth, kernel height, kernel width]`
    pub weight: Param<Tensor<B, 5>>,
    /// `[filters]`
    pub bias: Option<Param<Tensor<B, 1>>>,
    #[module(skip)]
    fields: Conv3dTranspose,
}

impl<B: Kernels> Forward<B> for Conv3dTransposeLayer<B> {
    fn forward(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        let x = input.volume();
        let [_, channels, depth, height, width] = x.dims();
        let sliding_window = self.fields.sliding_window();
        let windows = sliding_window.transposed(Shape::volume(channels, depth, height, width));
        let sliding_window = Sliding3d {
            stride: sliding_window.stride,
            dilation: sliding_window.dilation,
            groups: 1,
        };
        let y = convolve3d_transpose(x, self.weight.val(), sliding_window);
        let (before, size) = (windows.map(|w| w.before), windows.map(|w| w.output));
        let y = fit(y, before, size);
        let y = match &self.bias {
            Some(bias) => {
                let dims = y.dims();
                y + math::expand(reshape(bias.val(), [1, dims[1], 1, 1, 1]), dims)
            }
            None => y,
        };
        Signal::Volume(y)
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
    fn conv3d_transpose_keeps_the_promises_of_every_layer() {
        check_layer(
            "conv3d_transpose = { filters = 3, kernel = 3, stride = 2, activation = 'relu' }",
            &[2, 4, 3, 2],
            expect(&[3, 8, 6, 4], 165),
        );
        check_layer(
            "conv3d_transpose = { filters = 1, kernel = [1, 2, 3], stride = 2, padding = 'valid', bias = false, l2 = 0.1 }",
            &[2, 4, 3, 2],
            expect(&[1, 8, 6, 5], 12),
        );
    }

    #[test]
    fn conv3d_transpose_gradients_match_finite_differences() {
        for fields in [
            "stride = 1",
            "stride = 2",
            "stride = [3, 1, 2]",
            "stride = 2, padding = 'valid'",
        ] {
            let layer =
                format!("conv3d_transpose = {{ filters = 2, kernel = [2, 3, 4], {fields} }}");
            check_finite_differences(&layer, &[2, 3, 4, 3]);
        }
    }

    #[test]
    fn every_place_leaves_a_window() {
        let layer = "conv3d_transpose = { filters = 1, kernel = [3, 1, 1], stride = [2, 1, 2], \
                     init = { constant = { value = 1 } }, bias_init = { constant = { value = 1 } } }";
        let y = outputs(layer, &[1, 2, 1, 1], &[1.0, 10.0]);
        assert_eq!(y, [2.0, 1.0, 2.0, 1.0, 12.0, 1.0, 11.0, 1.0]);
    }
}
