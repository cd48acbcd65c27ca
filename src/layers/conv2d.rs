//! `conv2d`: 2-d convolution.

use burn::module::{Module, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::constants::{constant, constant_bias};
use super::convolution::{SlidingWindow, indivisible, one};
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
    /// 2-d convolution: `[batch, channels, height, width]` to `[batch, filters, rows, columns]`.
    pub struct Conv2d {
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
        /// Groups of channels, each seen by its own share of the filters; divides both. Default 1.
        #[serde(default = "one")]
        pub groups: Positive,
        /// The input channels, from 0, that each filter sees: LeNet-5's partial connections. First values are drawn as if it saw
        /// all; those that it does not see are 0. Default: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub connections: Option<Vec<Vec<usize>>>,
    }
}

pub(super) fn ones() -> Pair {
    Pair::all(1)
}

impl Conv2d {
    fn sliding_window(&self) -> SlidingWindow<2> {
        SlidingWindow::new(self.kernel, self.stride, self.dilation, self.padding)
    }

    /// Values that one filter sees, over all filters: `filters * channels / groups * rows * columns`, or
    /// fewer with `connections`.
    fn seen(&self, channels: usize) -> usize {
        let [rows, columns] = self.kernel.get();
        let channels = match &self.connections {
            Some(connections) => connections.iter().map(Vec::len).sum(),
            None => self.filters.get() * (channels / self.groups.get()),
        };
        super::product([channels, rows, columns])
    }

    /// What is wrong with the groups or connections for this many input channels.
    fn grouping(&self, channels: usize) -> Option<Flaw> {
        if let Some(flaw) = indivisible(self.groups, channels, self.filters) {
            return Some(flaw);
        }
        let connections = self.connections.as_ref()?;
        if self.groups.get() > 1 {
            let message = "has `groups` and `connections`, which both say what a filter sees";
            return Some(Flaw::new("connections", message));
        }
        if connections.len() != self.filters.get() {
            let (lists, filters) = (connections.len(), self.filters.get());
            let message = format!("has {lists} lists of connections for {filters} filters");
            return Some(Flaw::new("connections", message).hint("one list for each filter"));
        }
        let beyond = connections
            .iter()
            .flatten()
            .find(|&&channel| channel >= channels);
        if let Some(beyond) = beyond {
            let message =
                format!("connects to channel {beyond} of an input with {channels} channels");
            return Some(Flaw::new("connections", message).hint("channels are counted from 0"));
        }
        let twice = connections.iter().enumerate().find_map(|(filter, seen)| {
            let is_again = |&at: &usize| seen[..at].contains(&seen[at]);
            Some((filter, seen[(0..seen.len()).find(is_again)?]))
        });
        twice.map(|(filter, channel)| {
            let message = format!("connects filter {filter} to channel {channel} twice");
            Flaw::new("connections", message)
        })
    }

    /// `[filters, channels, 1, 1]`: 1 where a filter sees a channel.
    fn mask<B: Backend>(&self, channels: usize, device: &B::Device) -> Option<Tensor<B, 4>> {
        let connections = self.connections.as_ref()?;
        let rows = connections.iter().flat_map(|seen| {
            (0..channels).map(move |channel| f32::from(u8::from(seen.contains(&channel))))
        });
        let data = TensorData::new(rows.collect(), [connections.len(), channels, 1, 1]);
        Some(Tensor::from_data(data, device))
    }

    /// The filters and bias on the device.
    pub fn build<B: Backend>(
        &self,
        input: Shape,
        _context: LayerContext,
        weights: &mut Weights<B>,
    ) -> Conv2dLayer<B> {
        let Shape::Image(image) = input else {
            unreachable!("the shape rule asks for an image")
        };
        let (filters, [rows, columns]) = (self.filters.get(), self.kernel.get());
        let (seen, groups) = (image.channels / self.groups.get(), self.groups.get());
        let fan = Fan {
            fan_in: seen * rows * columns,
            fan_out: filters / groups * rows * columns,
        };
        let shape = [filters, seen, rows, columns];
        // What nothing sees is neither written nor shown, and no penalty is about it.
        let hide = |values: &mut [f32]| {
            let Some(connections) = &self.connections else {
                return;
            };
            for (place, values) in values.chunks_exact_mut(rows * columns).enumerate() {
                if !connections[place / seen].contains(&(place % seen)) {
                    values.fill(0.0);
                }
            }
        };
        Conv2dLayer {
            mask: self.mask(image.channels, weights.device()),
            weight: weights.param_with(self.init, shape, fan, hide),
            bias: weights.bias(self.bias, self.bias_init, filters, fan),
            fields: self.clone(),
        }
    }
}

impl LayerFields for Conv2d {
    fn role(&self) -> Role {
        Role::Filters
    }

    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        let Shape::Image(image) = input else {
            return Err(needs("an image", input));
        };
        if let Some(flaw) = self.grouping(image.channels) {
            return Err(flaw);
        }
        self.sliding_window().output(input, self.filters.get())
    }

    fn shared_weight(&self, input: Shape, _context: LayerContext) -> Option<Vec<usize>> {
        let [rows, columns] = self.kernel.get();
        let whole = self.groups.get() == 1 && self.connections.is_none();
        whole.then(|| vec![self.filters.get(), input.channels(), rows, columns])
    }

    fn cost(&self, input: Shape, context: LayerContext) -> Cost {
        let Ok(output) = self.output(input, context) else {
            return Cost::default();
        };
        let seen = self.seen(input.channels());
        Cost::of_filters(seen, self.filters.get() * usize::from(self.bias), output)
    }
}

/// A convolution's filters.
#[derive(Module, Debug)]
pub struct Conv2dLayer<B: Backend> {
    /// `[filters, channels / groups, kernel height, kernel width]`
    pub weight: Param<Tensor<B, 4>>,
    /// `[filters]`
    pub bias: Option<Param<Tensor<B, 1>>>,
    mask: Option<Tensor<B, 4>>,
    #[module(skip)]
    fields: Conv2d,
}

impl<B: Kernels> Forward<B> for Conv2dLayer<B> {
    fn forward(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        let x = input.image();
        let groups = self.fields.groups.get();
        let sliding = self.fields.sliding_window().sliding(x.dims(), groups);
        let bias = self.bias.as_ref().map(Param::val);
        let weight = match &self.mask {
            Some(mask) => self.weight.val() * mask.clone(),
            None => self.weight.val(),
        };
        let y = B::convolve2d(x, weight, bias, sliding);
        Signal::Image(y)
    }

    fn onnx(&self, input: &Value, graph: &mut Graph, _tied: Option<SharedWeight<B>>) -> Name {
        let weight = match &self.mask {
            Some(mask) => self.weight.val() * mask.clone(),
            None => self.weight.val(),
        };
        let weight = constant(graph, "weight", weight);
        let bias = constant_bias(graph, self.bias.as_ref());
        let (window, groups) = (self.fields.sliding_window(), self.fields.groups.get());
        window.convolved(input, graph, groups, &weight, bias.as_ref())
    }

    fn shared(&self) -> Option<SharedWeight<B>> {
        Some(SharedWeight::Filters(self.weight.val()))
    }

    fn penalty(&self) -> Option<Tensor<B, 1>> {
        penalty(self.weight.val(), self.fields.l1, self.fields.l2)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_finite_differences, check_layer, expect, flaw, outputs};

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
        check_layer(
            "conv2d = { filters = 4, kernel = 3, groups = 2, dilation = 2, l2 = 0.1 }",
            &[2, 9, 7],
            expect(&[4, 9, 7], 40),
        );
    }

    #[test]
    fn conv2d_gradients_match_finite_differences() {
        for kernel in ["3", "[2, 5]", "4"] {
            for stride in [1, 2, 3] {
                for padding in ["same", "valid"] {
                    let layer = format!(
                        "conv2d = {{ filters = 3, kernel = {kernel}, stride = {stride}, padding = '{padding}' }}"
                    );
                    check_finite_differences(&layer, &[2, 8, 7]);
                }
            }
        }
        for fields in [
            "groups = 2",
            "dilation = 2",
            "groups = 4, dilation = [1, 2], stride = 2",
        ] {
            let layer = format!("conv2d = {{ filters = 4, kernel = 3, {fields} }}");
            check_finite_differences(&layer, &[4, 8, 7]);
        }
    }

    #[test]
    fn a_filter_sees_only_the_channels_it_is_connected_to() {
        let layer = "conv2d = { filters = 2, kernel = 1, connections = [[0], [0, 1]], \
                     init = { constant = { value = 1 } } }";
        assert_eq!(outputs(layer, &[2, 1, 1], &[3.0, 4.0]), [3.0, 7.0]);
        let twice = "conv2d = { filters = 2, kernel = 1, connections = [[0], [1, 0, 1]] }";
        assert_eq!(
            flaw(twice, &[2, 1, 1]).message,
            "connects filter 1 to channel 1 twice"
        );
    }
}
