//! `local_response_normalization`: each channel held down by its neighbors at the same place.

use burn::tensor::{Tensor, TensorData};

use super::fields::layer;
use super::signal::EachRank;
use super::{ForwardContext, LayerContext, LayerFields, Signal, Weightless, with_places};
use crate::backend::{Kernels, math, reshape};
use crate::error::Flaw;
use crate::onnx::{Attribute, Graph, Name, Value};
use crate::shape::Shape;
use crate::value::{NonNegative, Positive, PositiveReal};

layer! {
    /// `x / (k + alpha * sum)^beta`, the sum being that of the squares of `size` neighboring channels at the same
    /// place, itself in their middle (AlexNet: Krizhevsky et al. 2012). Keeps the shape.
    ///
    /// Caffe, PyTorch and ONNX divide `alpha` by `size`; what they write as 1e-4 with size 5 is 2e-5 here.
    pub struct LocalResponseNormalization {
        /// Channels in a sum; of an even number one more lies before than after. Default 5.
        #[serde(default = "five")]
        pub size: Positive,
        /// Weight of the sum. Default 1e-4.
        #[serde(default = "alpha")]
        pub alpha: NonNegative,
        /// Exponent. Default 0.75.
        #[serde(default = "beta")]
        pub beta: PositiveReal,
        /// Added to the sum, above 0. Default 2.
        #[serde(default = "two")]
        pub k: PositiveReal,
    }
}

fn five() -> Positive {
    Positive(5)
}

fn alpha() -> NonNegative {
    NonNegative(1e-4)
}

fn beta() -> PositiveReal {
    PositiveReal(0.75)
}

fn two() -> PositiveReal {
    PositiveReal(2.0)
}

impl LocalResponseNormalization {
    /// `[1, channels, channels]`: 1 where the second channel is in the first one's sum.
    fn neighbors<B: Kernels>(&self, channels: usize, device: &B::Device) -> Tensor<B, 3> {
        let data = TensorData::new(self.near(channels), [1, channels, channels]);
        Tensor::from_data(data, device)
    }

    fn near(&self, channels: usize) -> Vec<f32> {
        let size = self.size.get();
        let is_near =
            |of: usize, other: usize| other + size / 2 >= of && other <= of + (size - 1) / 2;
        let rows = (0..channels).flat_map(|of| (0..channels).map(move |other| (of, other)));
        rows.map(|(of, other)| f32::from(u8::from(is_near(of, other))))
            .collect()
    }
}

impl LayerFields for LocalResponseNormalization {
    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        with_places(input)
    }
}

impl<B: Kernels> EachRank<B> for &LocalResponseNormalization {
    fn apply<const D: usize>(&self, x: Tensor<B, D>, channels: usize) -> Tensor<B, D> {
        let first = x.clone().swap_dims(1, channels);
        let dims = first.dims();
        let places = dims[2..].iter().product();
        let squares = reshape(first.square(), [dims[0], dims[1], places]);
        // All sums in one matrix product, whose gradient is another: no copies shifted along the channels.
        let sums = math::matmul(self.neighbors(dims[1], &x.device()), squares);
        let scale = math::exp(math::ln(sums * self.alpha.get() + self.k.get()) * -self.beta.get());
        x * reshape(scale, dims).swap_dims(1, channels)
    }
}

impl Weightless for LocalResponseNormalization {
    fn forward<B: Kernels>(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        input.map(self)
    }

    fn onnx(&self, input: &Value, graph: &mut Graph) -> Name {
        let (size, channels) = (self.size.get(), input.shape.channels());
        let (alpha, beta, k) = (self.alpha.get(), self.beta.get(), self.k.get());
        if let (Shape::Image(_), 1) = (input.shape, size % 2) {
            let settings = [
                Attribute::int("size", size as i64),
                Attribute::float("alpha", alpha * size as f64),
                Attribute::float("beta", beta),
                Attribute::float("bias", k),
            ];
            return graph.node("LRN", &[&input.name], settings);
        }
        // The operator is for images, and lays even sizes otherwise.
        let places = input.shape.places();
        let whole: Vec<usize> = std::iter::once(channels).chain(places).collect();
        let values = whole[1..].iter().product();
        let near = graph.floats("neighbors", &[channels, channels], self.near(channels));
        let (alpha, beta) = (graph.float("alpha", alpha), graph.float("beta", beta));
        let k = graph.float("k", k);
        graph.with_channels_first(input, |graph, x| {
            let rows = graph.reshaped(x, &[channels, values]);
            let squares = graph.node("Mul", &[&rows, &rows], []);
            let sums = graph.node("MatMul", &[&near, &squares], []);
            let weighed = graph.node("Mul", &[&sums, &alpha], []);
            let scale = graph.node("Add", &[&weighed, &k], []);
            let scale = graph.node("Pow", &[&scale, &beta], []);
            let rows = graph.node("Div", &[&rows, &scale], []);
            graph.reshaped(&rows, &whole)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        check_finite_differences, check_layer, expect, flaw, near, outputs,
    };

    #[test]
    fn local_response_normalization_keeps_the_promises_of_every_layer() {
        let layer = "local_response_normalization = {}";
        check_layer(layer, &[8, 3, 4], expect(&[8, 3, 4], 0));
        check_layer(layer, &[3, 7], expect(&[3, 7], 0));
        check_layer(layer, &[2, 3, 4, 2], expect(&[2, 3, 4, 2], 0));
    }

    #[test]
    fn local_response_normalization_gradients_match_finite_differences() {
        let layer = "local_response_normalization = { size = 3, alpha = 0.5, k = 1 }";
        check_finite_differences(layer, &[5, 2, 3]);
        check_finite_differences(layer, &[3, 5]);
    }

    #[test]
    fn a_channel_is_divided_by_a_power_of_its_neighbors() {
        let of = |size: usize| {
            let layer = format!(
                "local_response_normalization = {{ size = {size}, alpha = 0.5, beta = 2, k = 1 }}"
            );
            outputs(&layer, &[4, 1, 1], &[1.0, 2.0, 3.0, 4.0])
        };
        let expected = |sums: [f32; 4]| {
            [1.0f32, 2.0, 3.0, 4.0]
                .into_iter()
                .zip(sums)
                .map(|(x, sum)| x / (1.0 + 0.5 * sum).powi(2))
                .collect::<Vec<_>>()
        };
        near(&of(1), &expected([1.0, 4.0, 9.0, 16.0]));
        near(&of(3), &expected([5.0, 14.0, 29.0, 25.0]));
        near(&of(2), &expected([1.0, 5.0, 13.0, 25.0]));
        near(&of(99), &expected([30.0; 4]));
    }

    #[test]
    fn the_defaults_are_those_of_alexnet() {
        let scale = (2.0f32 + 1e-4 * 100.0).powf(-0.75);
        let layer = "local_response_normalization = {}";
        near(&outputs(layer, &[1, 1, 1], &[10.0]), &[10.0 * scale]);
    }

    #[test]
    fn features_have_no_neighbors_at_one_place() {
        assert_eq!(
            flaw("local_response_normalization = {}", &[7]).message,
            "needs a sequence, an image or a volume but the layer before gives features (7)"
        );
    }
}
