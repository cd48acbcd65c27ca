//! `adaptive_max_pool2d`: largest values of an image cut to a given size.

use burn::tensor::Tensor;

use super::fields::layer;
use super::{ForwardContext, LayerContext, LayerFields, Signal, Weightless, needs};
use crate::backend::{Kernels, largest_of};
use crate::error::Flaw;
use crate::onnx::{Attribute, Graph, Name, Value};
use crate::shape::Shape;
use crate::value::Pair;

layer! {
    /// Max pooling to a given size: `[batch, channels, height, width]` to `[batch, channels, size...]`.
    ///
    /// Window `i` of `size` reaches from `floor(i * input / size)` to `ceil((i + 1) * input / size)`, as
    /// PyTorch's; windows overlap where the size does not divide the input, and repeat where it is larger.
    pub struct AdaptiveMaxPool2d {
        /// Height and width of the output.
        pub size: Pair,
    }
}

impl LayerFields for AdaptiveMaxPool2d {
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

impl Weightless for AdaptiveMaxPool2d {
    fn forward<B: Kernels>(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        let [rows, columns] = self.size.get();
        let x = largest_along(input.image(), 2, rows);
        Signal::Image(largest_along(x, 3, columns))
    }

    fn onnx(&self, input: &Value, graph: &mut Graph) -> Name {
        let [rows, columns] = self.size.get();
        let places = input.shape.places();
        let y = largest_nodes(&input.name, graph, (2, places[0]), rows);
        largest_nodes(&y, graph, (3, places[1]), columns)
    }
}

/// Where a window along an axis of this length begins, and where it has ended.
fn window(index: usize, length: usize, size: usize) -> [usize; 2] {
    [index * length / size, ((index + 1) * length).div_ceil(size)]
}

/// The largest values of `size` windows along an axis of a length, as nodes of an ONNX graph.
fn largest_nodes(x: &Name, graph: &mut Graph, (axis, length): (i64, usize), size: usize) -> Name {
    let axes = graph.ints("axis", &[axis]);
    let windows: Vec<Name> = (0..size)
        .map(|index| {
            let ends = window(index, length, size).map(|end| graph.ints("end", &[end as i64]));
            let part = graph.node("Slice", &[x, &ends[0], &ends[1], &axes], []);
            graph.node("ReduceMax", &[&part], [Attribute::ints("axes", [axis])])
        })
        .collect();
    let windows: Vec<&Name> = windows.iter().collect();
    graph.node("Concat", &windows, [Attribute::int("axis", axis)])
}

/// The largest values of `size` windows along an axis.
fn largest_along<B: Kernels>(x: Tensor<B, 4>, axis: usize, size: usize) -> Tensor<B, 4> {
    let length = x.dims()[axis];
    largest_of(x, |x| {
        let windows = (0..size).map(|index| {
            let [start, end] = window(index, length, size);
            x.clone().narrow(axis, start, end - start).max_dim(axis)
        });
        Tensor::cat(windows.collect(), axis)
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_finite_differences, check_layer, expect, outputs};

    #[test]
    fn adaptive_max_pool2d_keeps_the_promises_of_every_layer() {
        for (size, output) in [("3", [2, 3, 3]), ("[2, 7]", [2, 2, 7]), ("8", [2, 8, 8])] {
            let layer = format!("adaptive_max_pool2d = {{ size = {size} }}");
            check_layer(&layer, &[2, 6, 7], expect(&output, 0));
        }
    }

    #[test]
    fn adaptive_max_pool2d_gradients_match_finite_differences() {
        for size in ["3", "[4, 2]", "8"] {
            check_finite_differences(
                &format!("adaptive_max_pool2d = {{ size = {size} }}"),
                &[2, 6, 7],
            );
        }
    }

    #[test]
    fn windows_overlap_where_the_size_does_not_divide() {
        let values: Vec<f32> = (0..15).map(|value| value as f32).collect();
        let y = outputs(
            "adaptive_max_pool2d = { size = [2, 3] }",
            &[1, 3, 5],
            &values,
        );
        assert_eq!(y, [6.0, 8.0, 9.0, 11.0, 13.0, 14.0]);
    }
}
