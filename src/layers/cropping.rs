//! `cropping`: the border of an image cut off.

use burn::tensor::Tensor;

use super::axes::margins;
use super::fields::layer;
use super::signal::EachRank;
use super::{ForwardContext, LayerContext, LayerFields, Signal, Weightless};
use crate::backend::Kernels;
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::shape::Shape;
use crate::value::Margins;

layer! {
    /// The input without its border: `[batch, channels, height, width]` to
    /// `[batch, channels, height - before - after, width - before - after]`, and the like for volumes and the
    /// steps of sequences.
    pub struct Cropping {
        /// How much is cut off: one number for both sides of every axis, or a list with an entry
        /// for each, a number for both sides or `[before, after]`.
        pub size: Margins,
    }
}

fn nothing_left(length: usize, before: usize, after: usize) -> Flaw {
    let message = format!(
        "crops {before} before and {after} after along an axis of {length}, which leaves nothing"
    );
    Flaw::new("size", message)
}

impl LayerFields for Cropping {
    fn keeps_range(&self) -> bool {
        true
    }

    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        let margins = margins(&self.size, input)?;
        let axes = input.places().into_iter().zip(margins);
        let places: Result<Vec<usize>, Flaw> = axes
            .map(|(length, margin)| {
                let (before, after) = (margin.before, margin.after);
                length
                    .checked_sub(before + after)
                    .filter(|&left| left > 0)
                    .ok_or_else(|| nothing_left(length, before, after))
            })
            .collect();
        Ok(input.with(input.channels(), &places?))
    }
}

impl Weightless for Cropping {
    fn forward<B: Kernels>(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        let margins =
            margins(&self.size, input.shape()).expect("the shape rule saw a margin for each axis");
        let margins: Vec<_> = margins.iter().map(|m| (m.before, m.after)).collect();
        input.map(Crop(&margins))
    }

    fn onnx(&self, input: &Value, graph: &mut Graph) -> Name {
        let margins = margins(&self.size, input.shape);
        let margins = margins.expect("the shape rule saw a margin for each axis");
        let ends = input.shape.places().into_iter().zip(&margins);
        let ends: Vec<i64> = ends
            .map(|(length, margin)| (length - margin.after) as i64)
            .collect();
        let starts: Vec<i64> = margins.iter().map(|margin| margin.before as i64).collect();
        let (starts, ends) = (graph.ints("starts", &starts), graph.ints("ends", &ends));
        let axes = graph.ints("axes", &input.place_axes());
        graph.node("Slice", &[&input.name, &starts, &ends, &axes], [])
    }
}

struct Crop<'a>(&'a [(usize, usize)]);

impl<B: Kernels> EachRank<B> for Crop<'_> {
    fn apply<const D: usize>(&self, x: Tensor<B, D>, channels: usize) -> Tensor<B, D> {
        let axes = (1..D).filter(|&axis| axis != channels);
        axes.zip(self.0).fold(x, |x, (axis, &(before, after))| {
            let length = x.dims()[axis] - before - after;
            x.narrow(axis, before, length)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_finite_differences, check_layer, expect, outputs};
    use super::*;

    #[test]
    fn cropping_keeps_the_promises_of_every_layer() {
        check_layer("cropping = { size = 2 }", &[5, 3], expect(&[1, 3], 0));
        check_layer(
            "cropping = { size = [1, [0, 2]] }",
            &[2, 4, 5],
            expect(&[2, 2, 3], 0),
        );
        check_layer(
            "cropping = { size = [0, 1, [2, 1]] }",
            &[2, 3, 4, 5],
            expect(&[2, 3, 2, 2], 0),
        );
    }

    #[test]
    fn cropping_gradients_match_finite_differences() {
        check_finite_differences("cropping = { size = [[1, 2]] }", &[5, 3]);
        check_finite_differences("cropping = { size = 1 }", &[2, 4, 5]);
        check_finite_differences("cropping = { size = [0, 1, 0] }", &[2, 2, 3, 2]);
    }

    #[test]
    fn before_and_after_are_cut_off() {
        let row = [1.0, 2.0, 3.0, 4.0, 5.0];
        let y = outputs("cropping = { size = [0, [1, 2]] }", &[1, 1, 5], &row);
        assert_eq!(y, [2.0, 3.0]);
        let y = outputs("cropping = { size = [[1, 0]] }", &[2, 2], &row[..4]);
        assert_eq!(y, [3.0, 4.0]);
    }

    fn flaw(fields: &str, input: Shape) -> Flaw {
        let fields: Cropping = toml::from_str(fields).unwrap();
        fields.output(input, LayerContext::new(10)).unwrap_err()
    }

    #[test]
    fn a_list_has_an_entry_for_each_axis() {
        let received = flaw("size = [1, 2]", Shape::sequence(28, 3));
        assert_eq!(
            received.message,
            "has a `size` with 2 entries but its input, a sequence (28x3), has 1 axis: steps"
        );
        assert_eq!(
            received.hint.as_deref(),
            Some("for 1 before and 2 after write `size = [[1, 2]]`")
        );
        let received = flaw("size = [1]", Shape::volume(1, 2, 3, 4));
        assert_eq!(
            received.message,
            "has a `size` with 1 entry but its input, a volume (1x2x3x4), has 3 axes: \
             depth, height and width"
        );
    }

    #[test]
    fn something_must_be_left() {
        let received = flaw("size = [[3, 4], 1]", Shape::image(1, 7, 9));
        assert_eq!(
            received.message,
            "crops 3 before and 4 after along an axis of 7, which leaves nothing"
        );
    }
}
