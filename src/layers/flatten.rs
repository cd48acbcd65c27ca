//! `flatten`: a sequence, an image or a volume as one row of features.

use burn::module::Module;
use burn::tensor::backend::Backend;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Around, Fields, Forward, Pass, Signal, Weights};
use crate::backend::rows;
use crate::error::Flaw;
use crate::shape::Shape;

/// `[batch, channels, height, width]` to `[batch, channels * height * width]`, and the like for sequences
/// and volumes; features pass as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flatten {
    /// What the layer is called in summaries, logs and grid keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Flatten {
    /// Flattening has no weights.
    pub fn build<B: Backend>(
        &self,
        _input: Shape,
        _around: Around,
        _weights: &mut Weights<B>,
    ) -> FlattenLayer {
        FlattenLayer {}
    }
}

impl Fields for Flatten {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn output(&self, input: Shape, _around: Around) -> Result<Shape, Flaw> {
        Ok(Shape::Features(input.len()))
    }
}

/// Flattening, ready to apply.
#[derive(Module, Clone, Debug)]
pub struct FlattenLayer {}

impl<B: Backend> Forward<B> for FlattenLayer {
    fn forward(&self, input: Signal<B>, _pass: &mut Pass<B>) -> Signal<B> {
        match input {
            Signal::Features(x) => Signal::Features(x),
            Signal::Sequence(x) => Signal::Features(rows(x)),
            Signal::Image(x) => Signal::Features(rows(x)),
            Signal::Volume(x) => Signal::Features(rows(x)),
        }
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
