//! `conv3d`: 3-d convolution.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn::tensor::ops::PadMode;

use super::constants::{constant, constant_bias};
use super::convolution::{SlidingWindow, indivisible, one};
use super::fields::trained_layer;
use super::init::Fan;
use super::penalty::penalty;
use super::{
    Cost, Forward, ForwardContext, LayerContext, LayerFields, SharedWeight, Signal, Weights, needs,
};
use crate::backend::{Kernels, Sliding3d, convolve3d};
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::shape::{Padding, Shape};
use crate::value::{Positive, Triple};

trained_layer! {
    /// 3-d convolution: `[batch, channels, depth, height, width]` to `[batch, filters, slices, rows, columns]`.
    pub struct Conv3d {
        /// Number of output channels.
        pub filters: Positive,
        /// Depth, height and width of the window.
        pub kernel: Triple,
        /// Steps of the window. Default 1.
        #[serde(default = "ones")]
        pub stride: Triple,
        /// `same` (default) or `valid`, as TensorFlow computes them; or how many zeros on all sides, as PyTorch.
        #[serde(default)]
        pub padding: Padding,
        /// Distance between the values under the window; above 1 the convolution is called atrous. Default 1.
        #[serde(default = "ones")]
        pub dilation: Triple,
        /// Groups of channels, each seen by its own share of the filters; divides both. Default 1.
        #[serde(default = "one")]
        pub groups: Positive,
    }
}

pub(super) fn ones() -> Triple {
    Triple::all(1)
}

impl Conv3d {
    fn sliding_window(&self) -> SlidingWindow<3> {
        SlidingWindow::new(self.kernel, self.stride, self.dilation, self.padding)
    }

    /// The filters and bias on the device.
    pub fn build<B: Backend>(
        &self,
        input: Shape,
        _context: LayerContext,
        weights: &mut Weights<B>,
    ) -> Conv3dLayer<B> {
        let (filters, groups) = (self.filters.get(), self.groups.get());
        let (seen, window) = (input.channels() / groups, self.sliding_window().values());
        let fan = Fan {
            fan_in: seen * window,
            fan_out: filters / groups * window,
        };
        let [depth, rows, columns] = self.kernel.get();
        let shape = [filters, seen, depth, rows, columns];
        Conv3dLayer {
            weight: weights.param(self.init, shape, fan),
            bias: weights.bias(self.bias, self.bias_init, filters, fan),
            fields: self.clone(),
        }
    }
}

impl LayerFields for Conv3d {
    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        let Shape::Volume(volume) = input else {
            return Err(needs("a volume", input));
        };
        match indivisible(self.groups, volume.channels, self.filters) {
            Some(flaw) => Err(flaw),
            None => self.sliding_window().output(input, self.filters.get()),
        }
    }

    fn cost(&self, input: Shape, context: LayerContext) -> Cost {
        let Ok(output) = self.output(input, context) else {
            return Cost::default();
        };
        let filters = self.filters.get();
        let (channels, window) = (
            input.channels() / self.groups.get(),
            self.sliding_window().values(),
        );
        let weights = super::product([filters, channels, window]);
        Cost::of_filters(weights, filters * usize::from(self.bias), output)
    }
}

/// A 3-d convolution's filters.
#[derive(Module, Debug)]
pub struct Conv3dLayer<B: Backend> {
    /// `[filters, channels / groups, kernel depth, kernel height, kernel width]`
    pub weight: Param<Tensor<B, 5>>,
    /// `[filters]`
    pub bias: Option<Param<Tensor<B, 1>>>,
    #[module(skip)]
    fields: Conv3d,
}

impl<B: Kernels> Forward<B> for Conv3dLayer<B> {
    fn forward(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        let x = input.volume();
        let [_, channels, depth, height, width] = x.dims();
        let sliding_window = self.fields.sliding_window();
        let windows = sliding_window
            .windows(Shape::volume(channels, depth, height, width))
            .expect("the shape rule saw that the kernel fits");
        // Burn's own padding is the same on both sides.
        let pads = windows.map(|window| (window.before, window.after));
        let x = match pads == [(0, 0); 3] {
            true => x,
            false => x.pad(pads, PadMode::Constant(0.0)),
        };
        let groups = self.fields.groups.get();
        let sliding_window = Sliding3d {
            stride: sliding_window.stride,
            dilation: sliding_window.dilation,
            groups,
        };
        let bias = self.bias.as_ref().map(Param::val);
        let y = convolve3d(x, self.weight.val(), bias, sliding_window);
        Signal::Volume(y)
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
    fn conv3d_keeps_the_promises_of_every_layer() {
        check_layer(
            "conv3d = { filters = 4, kernel = 3, activation = 'relu' }",
            &[1, 5, 6, 7],
            expect(&[4, 5, 6, 7], 112),
        );
        check_layer(
            "conv3d = { filters = 4, kernel = [1, 2, 3], stride = 2, groups = 2, bias = false, l1 = 0.1 }",
            &[2, 5, 6, 7],
            expect(&[4, 3, 3, 4], 24),
        );
        check_layer(
            "conv3d = { filters = 2, kernel = 2, dilation = [1, 2, 3], padding = 'valid' }",
            &[2, 5, 6, 7],
            expect(&[2, 4, 4, 4], 34),
        );
    }

    #[test]
    fn conv3d_gradients_match_finite_differences() {
        for fields in [
            "stride = 1",
            "stride = 2",
            "stride = [1, 2, 3], padding = 'valid'",
            "dilation = 2",
            "groups = 2",
            "groups = 4, dilation = [1, 2, 1], stride = [2, 1, 2]",
        ] {
            let layer = format!("conv3d = {{ filters = 4, kernel = [2, 3, 3], {fields} }}");
            check_finite_differences(&layer, &[4, 4, 6, 5]);
        }
    }

    #[test]
    fn a_window_reaches_over_the_depth() {
        let layer =
            "conv3d = { filters = 1, kernel = [3, 1, 1], init = { constant = { value = 1 } } }";
        let sums = outputs(layer, &[1, 3, 1, 2], &[1.0, 10.0, 2.0, 20.0, 3.0, 30.0]);
        assert_eq!(sums, [3.0, 30.0, 6.0, 60.0, 5.0, 50.0]);
    }
}
