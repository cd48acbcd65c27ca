//! `reshape`: the same values in another shape.

use std::borrow::Cow;

use burn::tensor::Tensor;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::fields::layer;
use super::{ForwardContext, GIVER, LayerContext, LayerFields, Role, Signal, Weightless};
use crate::backend::{Kernels, reshape};
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::shape::{ImageShape, SequenceShape, Shape, VolumeShape};

layer! {
    /// The same values in the same order as another kind of thing: `[batch, features]`,
    /// `[batch, steps, features]`, `[batch, channels, height, width]` or
    /// `[batch, channels, depth, height, width]`.
    pub struct Reshape {
        /// `[features]`, `[steps, features]`, `[channels, height, width]` or `[channels, depth, height, width]`;
        /// one of them may be -1: whatever is left.
        pub shape: Sizes,
    }
}

/// One to four sizes of at least 1, of which one may be -1, written as 0 here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<i64>", into = "Vec<i64>")]
pub struct Sizes(Vec<usize>);

impl TryFrom<Vec<i64>> for Sizes {
    type Error = String;

    fn try_from(written: Vec<i64>) -> Result<Self, String> {
        let sizes: Option<Vec<usize>> = written
            .iter()
            .map(|&size| match size {
                -1 => Some(0),
                _ => usize::try_from(size)
                    .ok()
                    .filter(|size| (1..=1 << 31).contains(size)),
            })
            .collect();
        match sizes {
            Some(sizes)
                if (1..=4).contains(&sizes.len())
                    && sizes.iter().filter(|&&size| size == 0).count() <= 1 =>
            {
                Ok(Sizes(sizes))
            }
            _ => Err(format!(
                "expected one to four sizes of at least 1, one of which may be -1, received {written:?}"
            )),
        }
    }
}

impl From<Sizes> for Vec<i64> {
    fn from(sizes: Sizes) -> Self {
        let written = |size| if size == 0 { -1 } else { size as i64 };
        sizes.0.into_iter().map(written).collect()
    }
}

impl JsonSchema for Sizes {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Sizes".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": { "anyOf": [{ "type": "integer", "minimum": 1 }, { "const": -1 }] },
            "minItems": 1,
            "maxItems": 4
        })
    }
}

impl Sizes {
    /// The shape that holds `values` values; `None` if there is none.
    fn shape(&self, values: usize) -> Option<Shape> {
        let mut known = self.0.iter().filter(|&&size| size > 0);
        let known = known.try_fold(1usize, |product, &size| product.checked_mul(size))?;
        let rest = values
            .checked_div(known)
            .filter(|rest| rest * known == values && *rest > 0)?;
        let sizes: Vec<usize> = self
            .0
            .iter()
            .map(|&s| if s == 0 { rest } else { s })
            .collect();
        Shape::of(&sizes).filter(|shape| shape.len() == values)
    }

    /// `4x-1`
    fn written(&self) -> String {
        let sizes: Vec<String> = Vec::from(self.clone()).iter().map(i64::to_string).collect();
        sizes.join("x")
    }
}

impl LayerFields for Reshape {
    fn role(&self) -> Role {
        Role::Reshapes
    }

    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        self.shape.shape(input.len()).ok_or_else(|| {
            let message = format!(
                "cannot make {} of the {} values that {GIVER} gives ({input})",
                self.shape.written(),
                input.len()
            );
            Flaw::new("shape", message).hint("one size may be -1: whatever is left")
        })
    }
}

impl Reshape {
    fn reshape<B: Kernels, const D: usize>(&self, x: Tensor<B, D>) -> Signal<B> {
        let batch = x.dims()[0];
        let output = self.shape.shape(x.dims()[1..].iter().product());
        match output.expect("the shape rule saw that it fits") {
            Shape::Features(features) => Signal::Features(reshape(x, [batch, features])),
            Shape::Sequence(SequenceShape { steps, features }) => {
                Signal::Sequence(reshape(x, [batch, steps, features]))
            }
            Shape::Image(ImageShape {
                channels,
                height,
                width,
            }) => Signal::Image(reshape(x, [batch, channels, height, width])),
            Shape::Volume(VolumeShape {
                channels,
                depth,
                height,
                width,
            }) => Signal::Volume(reshape(x, [batch, channels, depth, height, width])),
        }
    }
}

impl Weightless for Reshape {
    fn forward<B: Kernels>(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        match input {
            Signal::Features(x) => self.reshape(x),
            Signal::Sequence(x) => self.reshape(x),
            Signal::Image(x) => self.reshape(x),
            Signal::Volume(x) => self.reshape(x),
        }
    }

    fn onnx(&self, input: &Value, graph: &mut Graph) -> Name {
        let output = self.shape.shape(input.shape.len());
        let output = output.expect("the shape rule saw that it fits");
        graph.reshaped(&input.name, &output.dims())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_layer, expect, flaw, outputs};
    use super::*;

    #[test]
    fn reshape_keeps_the_promises_of_every_layer() {
        for (shape, output) in [
            ("[24]", &[24][..]),
            ("[-1]", &[24]),
            ("[6, 4]", &[6, 4]),
            ("[-1, 3]", &[8, 3]),
            ("[2, -1, 3]", &[2, 4, 3]),
            ("[1, 2, 3, 4]", &[1, 2, 3, 4]),
        ] {
            let layer = format!("reshape = {{ shape = {shape} }}");
            for input in [&[24][..], &[4, 6], &[2, 3, 4], &[2, 3, 2, 2]] {
                check_layer(&layer, input, expect(output, 0));
            }
        }
    }

    #[test]
    fn values_keep_their_order() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(
            outputs("reshape = { shape = [3, 2] }", &[1, 2, 3], &values),
            values
        );
    }

    #[test]
    fn a_shape_that_does_not_fit_is_reported() {
        let message = |shape: &str, input: &[usize]| {
            let flaw = flaw(&format!("reshape = {{ shape = {shape} }}"), input);
            assert_eq!(flaw.key, "shape");
            flaw.message
        };
        assert_eq!(
            message("[28, 27]", &[1, 28, 28]),
            "cannot make 28x27 of the 784 values that the layer before gives (1x28x28)"
        );
        assert_eq!(
            message("[-1, 5]", &[784]),
            "cannot make -1x5 of the 784 values that the layer before gives (784)"
        );
        message("[2147483648, 2147483648, 2147483648, 1]", &[784]);
        message("[-1, 1000]", &[784]);
    }

    #[test]
    fn sizes_out_of_range_are_reported_where_they_stand() {
        for shape in ["[]", "[0]", "[-2]", "[-1, -1]", "[1, 1, 1, 1, 1]"] {
            let error = serde_json::from_str::<Sizes>(shape)
                .unwrap_err()
                .to_string();
            assert_eq!(
                error,
                format!(
                    "expected one to four sizes of at least 1, one of which may be -1, received {shape}"
                )
            );
        }
    }
}
