//! `zero_padding`: zeros around an image.

use burn::tensor::Tensor;
use burn::tensor::ops::PadMode;

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
    /// Zeros around the input: `[batch, channels, height, width]` to
    /// `[batch, channels, height + before + after, width + before + after]`, and the like for volumes and the
    /// steps of sequences.
    pub struct ZeroPadding {
        /// How many zeros: one number for both sides of every axis, or a list with an entry
        /// for each, a number for both sides or `[before, after]`.
        pub size: Margins,
    }
}

impl LayerFields for ZeroPadding {
    fn keeps_range(&self) -> bool {
        true
    }

    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        let margins = margins(&self.size, input)?;
        let places = input.places().into_iter().zip(margins);
        let places: Vec<usize> = places
            .map(|(length, margin)| margin.before + length + margin.after)
            .collect();
        Ok(input.with(input.channels(), &places))
    }
}

impl Weightless for ZeroPadding {
    fn forward<B: Kernels>(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        let margins =
            margins(&self.size, input.shape()).expect("the shape rule saw a margin for each axis");
        let margins: Vec<_> = margins.iter().map(|m| (m.before, m.after)).collect();
        input.map(Pad(&margins))
    }

    fn onnx(&self, input: &Value, graph: &mut Graph) -> Name {
        let margins = margins(&self.size, input.shape);
        let margins = margins.expect("the shape rule saw a margin for each axis");
        let axes = input.shape.dims().len() + 1;
        let mut pads = vec![0; 2 * axes];
        for (axis, margin) in input.place_axes().into_iter().zip(margins) {
            pads[axis as usize] = margin.before as i64;
            pads[axes + axis as usize] = margin.after as i64;
        }
        let pads = graph.ints("pads", &pads);
        graph.node("Pad", &[&input.name, &pads], [])
    }
}

struct Pad<'a>(&'a [(usize, usize)]);

impl<B: Kernels> EachRank<B> for Pad<'_> {
    fn apply<const D: usize>(&self, x: Tensor<B, D>, channels: usize) -> Tensor<B, D> {
        let axes = (1..D).filter(|&axis| axis != channels);
        let mut pads = [(0, 0); D];
        for (axis, margin) in axes.zip(self.0) {
            pads[axis] = *margin;
        }
        x.pad(pads, PadMode::Constant(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_finite_differences, check_layer, expect, outputs};
    use super::*;

    #[test]
    fn zero_padding_keeps_the_promises_of_every_layer() {
        check_layer("zero_padding = { size = 2 }", &[5, 3], expect(&[9, 3], 0));
        check_layer(
            "zero_padding = { size = [1, [0, 2]] }",
            &[2, 4, 5],
            expect(&[2, 6, 7], 0),
        );
        check_layer(
            "zero_padding = { size = [0, 1, [2, 3]] }",
            &[2, 3, 4, 5],
            expect(&[2, 3, 6, 10], 0),
        );
    }

    #[test]
    fn zero_padding_gradients_match_finite_differences() {
        check_finite_differences("zero_padding = { size = [[1, 2]] }", &[5, 3]);
        check_finite_differences("zero_padding = { size = 1 }", &[2, 4, 5]);
        check_finite_differences("zero_padding = { size = [0, 1, 2] }", &[2, 2, 3, 2]);
    }

    #[test]
    fn zeros_stand_before_and_after() {
        let y = outputs(
            "zero_padding = { size = [0, [1, 2]] }",
            &[1, 1, 2],
            &[1.0, 2.0],
        );
        assert_eq!(y, [0.0, 1.0, 2.0, 0.0, 0.0]);
        let y = outputs("zero_padding = { size = [[1, 0]] }", &[1, 2], &[1.0, 2.0]);
        assert_eq!(y, [0.0, 0.0, 1.0, 2.0]);
    }

    fn flaw(fields: &str, input: Shape) -> Flaw {
        let fields: ZeroPadding = toml::from_str(fields).unwrap();
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
}
