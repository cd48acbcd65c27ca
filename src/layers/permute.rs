//! `permute`: the axes in another order.

use burn::tensor::Tensor;

use super::fields::layer;
use super::{ForwardContext, GIVER, LayerContext, LayerFields, Role, Signal, Weightless};
use crate::backend::Kernels;
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::shape::Shape;

layer! {
    /// The axes of each sample in another order: `axes = [2, 1]` makes `[batch, features, steps]` of
    /// `[batch, steps, features]`. What was an image stays one: its new first axis is that of the channels.
    pub struct Permute {
        /// For each axis of the output, the input's axis it is; counted from 1, without the batch, as Keras.
        pub axes: Vec<usize>,
    }
}

impl LayerFields for Permute {
    fn role(&self) -> Role {
        Role::Permutes
    }

    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        let dims = input.dims();
        let mut sorted = self.axes.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(1..=dims.len()) {
            let message = format!(
                "permutes the axes {:?}, but {GIVER} gives {} ({input})",
                self.axes,
                input.kind()
            );
            let hint = format!("name each of 1 to {} once", dims.len());
            return Err(Flaw::new("axes", message).hint(hint));
        }
        let sizes: Vec<usize> = self.axes.iter().map(|axis| dims[axis - 1]).collect();
        Ok(Shape::of(&sizes).expect("one size for each axis of the input"))
    }
}

impl Permute {
    fn permute<B: Kernels, const D: usize>(&self, x: Tensor<B, D>) -> Tensor<B, D> {
        let mut order = [0; D];
        order[1..].copy_from_slice(&self.axes);
        x.permute(order)
    }
}

impl Weightless for Permute {
    fn forward<B: Kernels>(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        match input {
            Signal::Features(x) => Signal::Features(x),
            Signal::Sequence(x) => Signal::Sequence(self.permute(x)),
            Signal::Image(x) => Signal::Image(self.permute(x)),
            Signal::Volume(x) => Signal::Volume(self.permute(x)),
        }
    }

    fn onnx(&self, input: &Value, graph: &mut Graph) -> Name {
        let order: Vec<usize> = std::iter::once(0)
            .chain(self.axes.iter().copied())
            .collect();
        graph.transposed(&input.name, &order)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_finite_differences, check_layer, expect, flaw, outputs};

    #[test]
    fn permute_keeps_the_promises_of_every_layer() {
        check_layer("permute = { axes = [1] }", &[7], expect(&[7], 0));
        check_layer("permute = { axes = [2, 1] }", &[4, 3], expect(&[3, 4], 0));
        check_layer(
            "permute = { axes = [3, 1, 2] }",
            &[2, 3, 4],
            expect(&[4, 2, 3], 0),
        );
        check_layer(
            "permute = { axes = [4, 3, 1, 2] }",
            &[2, 3, 4, 5],
            expect(&[5, 4, 2, 3], 0),
        );
        check_finite_differences("permute = { axes = [3, 1, 2] }", &[2, 3, 4]);
    }

    #[test]
    fn the_output_has_the_axes_that_were_named() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let turned = [1.0, 4.0, 2.0, 5.0, 3.0, 6.0];
        assert_eq!(
            outputs("permute = { axes = [2, 1] }", &[2, 3], &values),
            turned
        );
        assert_eq!(
            outputs("permute = { axes = [3, 1, 2] }", &[1, 2, 3], &values),
            turned
        );
    }

    #[test]
    fn every_axis_is_named_once() {
        for axes in ["[1, 2]", "[0, 1, 2]", "[1, 2, 2]", "[2, 3, 4]"] {
            let flaw = flaw(&format!("permute = {{ axes = {axes} }}"), &[1, 28, 28]);
            assert_eq!(
                flaw.message,
                format!("permutes the axes {axes}, but the layer before gives an image (1x28x28)")
            );
            assert_eq!(flaw.hint.as_deref(), Some("name each of 1 to 3 once"));
        }
    }
}
