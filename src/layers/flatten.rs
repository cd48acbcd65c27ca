//! `flatten`: a sequence, an image or a volume as one row of features.

use super::fields::layer;
use super::{ForwardContext, LayerContext, LayerFields, Role, Signal, Weightless};
use crate::backend::{Kernels, rows};
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::shape::Shape;

layer! {
    /// `[batch, channels, height, width]` to `[batch, channels * height * width]`, and the like for sequences
    /// and volumes; features pass as they are.
    pub struct Flatten {
    }
}

impl LayerFields for Flatten {
    fn role(&self) -> Role {
        Role::Reshapes
    }

    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        Ok(Shape::Features(input.len()))
    }
}

impl Weightless for Flatten {
    fn forward<B: Kernels>(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        match input {
            Signal::Features(x) => Signal::Features(x),
            Signal::Sequence(x) => Signal::Features(rows(x)),
            Signal::Image(x) => Signal::Features(rows(x)),
            Signal::Volume(x) => Signal::Features(rows(x)),
        }
    }

    fn onnx(&self, input: &Value, graph: &mut Graph) -> Name {
        graph.node("Flatten", &[&input.name], [])
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_layer, expect};

    #[test]
    fn flatten_keeps_the_promises_of_every_layer() {
        check_layer("flatten = {}", &[2, 3, 4], expect(&[24], 0));
        check_layer("flatten = {}", &[24], expect(&[24], 0));
        check_layer("flatten = {}", &[6, 4], expect(&[24], 0));
        check_layer("flatten = {}", &[1, 2, 3, 4], expect(&[24], 0));
    }
}
