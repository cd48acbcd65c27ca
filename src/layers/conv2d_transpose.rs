//! `conv2d_transpose`: 2-d transposed convolution.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::constants::{constant, constant_bias};
use super::context::filters;
use super::conv2d::ones;
use super::convolution::SlidingWindow;
use super::fields::trained_layer;
use super::init::Fan;
use super::penalty::penalty;
use super::{
    Cost, Forward, ForwardContext, LayerContext, LayerFields, Role, SharedWeight, Signal, Weights,
    idle, needs, not_alike,
};
use crate::backend::Kernels;
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::shape::{Padding, Shape};
use crate::value::{Pair, Positive};

trained_layer! {
    /// 2-d transposed convolution: `[batch, channels, height, width]` to `[batch, filters, rows, columns]`, each
    /// axis `input * stride` long for `same`, `input * stride + max(kernel - stride, 0)` for `valid`.
    pub struct Conv2dTranspose {
        /// Number of output channels.
        pub filters: Positive,
        /// Height and width of the window.
        pub kernel: Pair,
        /// Steps of the window over the output. Default 1.
        #[serde(default = "ones")]
        pub stride: Pair,
        /// `same` (default) or `valid`, as TensorFlow computes them; or how many values are cut off on all sides, as
        /// PyTorch.
        #[serde(default)]
        pub padding: Padding,
    }
    then {
        /// A `conv2d` layer before it, whose filters it uses the other way instead of its own: a decoder's
        /// layer tied to its encoder's. Default none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub tied_to: Option<String>,
    }
}

impl Conv2dTranspose {
    fn sliding_window(&self) -> SlidingWindow<2> {
        SlidingWindow::undilated(self.kernel, self.stride, self.padding)
    }

    /// What is wrong with the filters of the layer that it is tied to, `[filters, channels, rows, columns]`.
    fn unfit(&self, channels: usize, partner: &[usize]) -> Option<Flaw> {
        let name = self.tied_to.as_deref();
        let &[inputs, outputs, rows, columns] = partner else {
            return Some(not_alike(name, "conv2d"));
        };
        let (filters, kernel) = (self.filters.get(), self.kernel.get());
        if ([inputs, outputs], [rows, columns]) == ([channels, filters], kernel) {
            return None;
        }
        let (name, [height, width]) = (name.unwrap_or_default(), kernel);
        let message = format!(
            "makes {filters} channels of {channels} by a {height}x{width} kernel with the weights of \
             `{name}`, which make {outputs} of {inputs} by a {rows}x{columns} kernel"
        );
        let hint = format!(
            "tied to `{name}` it takes {inputs} channels and has filters = {outputs}, \
             kernel = [{rows}, {columns}]"
        );
        Some(Flaw::new("tied_to", message).hint(hint))
    }

    /// The filters and bias on the device.
    pub fn build<B: Backend>(
        &self,
        input: Shape,
        _context: LayerContext,
        weights: &mut Weights<B>,
    ) -> Conv2dTransposeLayer<B> {
        let (channels, filters) = (input.channels(), self.filters.get());
        let window = self.sliding_window().values();
        // Counted as Keras and PyTorch do: as if the filters were applied the other way.
        let fan = Fan {
            fan_in: filters * window,
            fan_out: channels * window,
        };
        let [rows, columns] = self.kernel.get();
        let own = self.tied_to.is_none();
        Conv2dTransposeLayer {
            weight: own.then(|| weights.param(self.init, [channels, filters, rows, columns], fan)),
            bias: weights.bias(self.bias, self.bias_init, filters, fan),
            fields: self.clone(),
        }
    }
}

impl LayerFields for Conv2dTranspose {
    fn role(&self) -> Role {
        Role::Filters
    }

    fn tied_to(&self) -> Option<&str> {
        self.tied_to.as_deref()
    }

    fn output(&self, input: Shape, context: LayerContext) -> Result<Shape, Flaw> {
        let Shape::Image(image) = input else {
            return Err(needs("an image", input));
        };
        if let Some(flaw) = idle(self.tied_to.as_deref(), self.init, self.l1, self.l2) {
            return Err(flaw);
        }
        let partner = context.partner;
        match partner.and_then(|partner| self.unfit(image.channels, partner)) {
            Some(flaw) => Err(flaw),
            None => self
                .sliding_window()
                .transposed_output(input, self.filters.get()),
        }
    }

    fn cost(&self, input: Shape, _context: LayerContext) -> Cost {
        let filters = self.filters.get();
        let window = self.sliding_window().values();
        let weights = super::product([input.channels(), filters, window]);
        let bias = filters * usize::from(self.bias);
        let cost = Cost::of_filters(weights, bias, input);
        match &self.tied_to {
            None => cost,
            Some(_) => Cost {
                parameters: bias,
                ..cost
            },
        }
    }
}

/// A 2-d transposed convolution's filters.
#[derive(Module, Debug)]
pub struct Conv2dTransposeLayer<B: Backend> {
    /// `[channels, filters, kernel height, kernel width]`; none if it is tied to another layer's.
    pub weight: Option<Param<Tensor<B, 4>>>,
    /// `[filters]`
    pub bias: Option<Param<Tensor<B, 1>>>,
    #[module(skip)]
    fields: Conv2dTranspose,
}

impl<B: Kernels> Forward<B> for Conv2dTransposeLayer<B> {
    fn forward(&self, input: Signal<B>, context: &mut ForwardContext<B>) -> Signal<B> {
        let x = input.image();
        let weight = match &self.weight {
            Some(weight) => weight.val(),
            None => context.filters(),
        };
        let bias = self.bias.as_ref().map(Param::val);
        let (size, sliding) = self.fields.sliding_window().transposed_sliding(x.dims());
        let y = B::convolve2d_transpose(x, weight, bias, size, sliding);
        Signal::Image(y)
    }

    fn onnx(&self, input: &Value, graph: &mut Graph, tied: Option<SharedWeight<B>>) -> Name {
        let weight = match &self.weight {
            Some(weight) => weight.val(),
            None => filters(tied),
        };
        let weight = constant(graph, "weight", weight);
        let bias = constant_bias(graph, self.bias.as_ref());
        let window = self.fields.sliding_window();
        window.transposed_convolved(input, graph, &weight, bias.as_ref())
    }

    fn penalty(&self) -> Option<Tensor<B, 1>> {
        let weight = self.weight.as_ref()?.val();
        penalty(weight, self.fields.l1, self.fields.l2)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_finite_differences, check_layer, expect, outputs};
    use super::super::{ForwardContext, SharedWeight};
    use super::*;
    use burn::backend::Flex;
    use burn::tensor::TensorData;

    use crate::rng::Seed;

    #[test]
    fn conv2d_transpose_keeps_the_promises_of_every_layer() {
        check_layer(
            "conv2d_transpose = { filters = 3, kernel = 3, stride = 2, activation = 'relu' }",
            &[2, 4, 4],
            expect(&[3, 8, 8], 57),
        );
        check_layer(
            "conv2d_transpose = { filters = 3, kernel = [3, 2], stride = [2, 3], padding = 'valid', bias = false, l2 = 0.1 }",
            &[2, 4, 5],
            expect(&[3, 9, 15], 36),
        );
        check_layer(
            "conv2d_transpose = { filters = 1, kernel = 5 }",
            &[2, 4, 5],
            expect(&[1, 4, 5], 51),
        );
    }

    #[test]
    fn conv2d_transpose_gradients_match_finite_differences() {
        for kernel in ["3", "[2, 5]", "1"] {
            for stride in [1, 2, 3] {
                for padding in ["same", "valid"] {
                    let layer = format!(
                        "conv2d_transpose = {{ filters = 2, kernel = {kernel}, stride = {stride}, padding = '{padding}' }}"
                    );
                    check_finite_differences(&layer, &[3, 4, 3]);
                }
            }
        }
    }

    #[test]
    fn every_pixel_leaves_a_window() {
        let ones = "init = { constant = { value = 1 } }";
        let layer = format!("conv2d_transpose = {{ filters = 1, kernel = 3, {ones} }}");
        let y = outputs(&layer, &[1, 2, 2], &[1.0, 10.0, 100.0, 1000.0]);
        assert_eq!(y, [1111.0; 4]);
        let layer = format!(
            "conv2d_transpose = {{ filters = 1, kernel = [1, 3], stride = [1, 2], padding = 'valid', {ones} }}"
        );
        let y = outputs(&layer, &[1, 1, 2], &[1.0, 10.0]);
        assert_eq!(y, [1.0, 1.0, 11.0, 10.0, 10.0]);
    }

    fn tied() -> Conv2dTranspose {
        toml::from_str("filters = 2\nkernel = [1, 3]\nbias = false\ntied_to = 'encoder'").unwrap()
    }

    #[test]
    fn it_uses_the_filters_of_the_layer_that_it_is_tied_to() {
        let input = Shape::image(1, 1, 1);
        let mut weights = Weights::<Flex>::new(Seed(7), Default::default());
        let layer = tied().build(input, LayerContext::new(10), &mut weights);
        assert_eq!(tied().cost(input, LayerContext::new(10)).parameters, 0);

        let filters: Vec<f32> = (1..=6).map(|value| value as f32).collect();
        let filters = TensorData::new(filters, [1, 2, 1, 3]);
        let mut context = ForwardContext::inference();
        let filters = Tensor::from_data(filters, &Default::default());
        context.tied = Some(SharedWeight::Filters(filters));
        let x = Signal::Image(Tensor::full([1, 1, 1, 1], 2.0, &Default::default()));
        let y = layer.forward(x, &mut context).image().into_data();
        assert_eq!(y.into_vec::<f32>().unwrap(), [4.0, 10.0]);
    }

    #[test]
    fn filters_of_another_shape_cannot_be_shared() {
        let image = Shape::image(4, 7, 7);
        let context = |partner| LayerContext {
            classes: 10,
            partner: Some(partner),
        };
        let fits = tied().output(image, context(&[4, 2, 1, 3])).unwrap();
        assert_eq!(fits, Shape::image(2, 7, 7));
        let flaw = tied().output(image, context(&[8, 2, 3, 3])).unwrap_err();
        assert_eq!(
            flaw.message,
            "makes 2 channels of 4 by a 1x3 kernel with the weights of `encoder`, \
             which make 2 of 8 by a 3x3 kernel"
        );
        assert_eq!(
            flaw.hint.as_deref(),
            Some("tied to `encoder` it takes 8 channels and has filters = 2, kernel = [3, 3]")
        );
        let flaw = tied().output(image, context(&[8, 2])).unwrap_err();
        assert_eq!(
            flaw.message,
            "is tied to `encoder`, whose weights are of another kind"
        );
    }
}
