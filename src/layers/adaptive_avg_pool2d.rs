//! `adaptive_avg_pool2d`: means of an image cut to a given size.

use burn::tensor::module::adaptive_avg_pool2d;

use super::fields::layer;
use super::{ForwardContext, LayerContext, LayerFields, Signal, Weightless, needs};
use crate::backend::Kernels;
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::shape::Shape;
use crate::value::Pair;

layer! {
    /// Average pooling to a given size: `[batch, channels, height, width]` to `[batch, channels, size...]`.
    ///
    /// Window `i` of `size` reaches from `floor(i * input / size)` to `ceil((i + 1) * input / size)`, as
    /// PyTorch's; windows overlap where the size does not divide the input, and repeat where it is larger.
    pub struct AdaptiveAvgPool2d {
        /// Height and width of the output.
        pub size: Pair,
    }
}

impl LayerFields for AdaptiveAvgPool2d {
    fn keeps_range(&self) -> bool {
        true
    }

    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        match input {
            Shape::Image(image) => Ok(input.with(image.channels, &self.size.get())),
            _ => Err(needs("an image", input)),
        }
    }
}

impl Weightless for AdaptiveAvgPool2d {
    fn forward<B: Kernels>(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        Signal::Image(adaptive_avg_pool2d(input.image(), self.size.get()))
    }

    fn onnx(&self, input: &Value, graph: &mut Graph) -> Name {
        let [rows, columns] = self.size.get();
        let places = input.shape.places();
        // As products with two small matrices: windows may overlap and differ in length.
        let down = graph.floats("rows", &[rows, places[0]], shares(places[0], rows));
        let across = graph.floats("columns", &[columns, places[1]], shares(places[1], columns));
        let across = graph.transposed(&across, &[1, 0]);
        let y = graph.node("MatMul", &[&down, &input.name], []);
        graph.node("MatMul", &[&y, &across], [])
    }
}

/// `[size, length]`: the share of every value in the mean of every window.
fn shares(length: usize, size: usize) -> Vec<f32> {
    let mut shares = vec![0.0; size * length];
    for (index, row) in shares.chunks_exact_mut(length).enumerate() {
        let start = index * length / size;
        let end = ((index + 1) * length).div_ceil(size);
        row[start..end].fill(1.0 / (end - start) as f32);
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_finite_differences, check_layer, expect, outputs};

    #[test]
    fn adaptive_avg_pool2d_keeps_the_promises_of_every_layer() {
        for (size, output) in [("3", [2, 3, 3]), ("[2, 7]", [2, 2, 7]), ("8", [2, 8, 8])] {
            let layer = format!("adaptive_avg_pool2d = {{ size = {size} }}");
            check_layer(&layer, &[2, 6, 7], expect(&output, 0));
        }
    }

    #[test]
    fn adaptive_avg_pool2d_gradients_match_finite_differences() {
        for size in ["3", "[4, 2]", "8"] {
            check_finite_differences(
                &format!("adaptive_avg_pool2d = {{ size = {size} }}"),
                &[2, 6, 7],
            );
        }
    }

    #[test]
    fn windows_overlap_where_the_size_does_not_divide() {
        let values: Vec<f32> = (0..15).map(|value| value as f32).collect();
        let y = outputs(
            "adaptive_avg_pool2d = { size = [2, 3] }",
            &[1, 3, 5],
            &values,
        );
        assert_eq!(y, [3.0, 4.5, 6.0, 8.0, 9.5, 11.0]);
    }
}
