//! `huber`: squared near 0, straight further out.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LossFields;
use crate::backend::Kernels;
use crate::layers::bounds::at_most;
use crate::value::PositiveReal;

/// Half the squared distance where that is small, else a straight line of the same slope (Huber 1964), mean
/// over the pixels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Huber {
    /// The distance from which on it is straight. Default 1.
    #[serde(skip_serializing_if = "is_one")]
    pub delta: PositiveReal,
}

fn is_one(delta: &PositiveReal) -> bool {
    delta.get() == 1.0
}

impl Default for Huber {
    fn default() -> Self {
        Huber {
            delta: PositiveReal(1.0),
        }
    }
}

impl LossFields for Huber {
    /// `d^2 / 2` where `d = |outputs - values|` is at most `delta`, else `delta * (d - delta / 2)`.
    fn of_values<B: Kernels>(&self, outputs: Tensor<B, 2>, values: Tensor<B, 2>) -> Tensor<B, 2> {
        let delta = self.delta.get();
        let distance = (outputs - values).abs();
        let near = at_most(distance.clone(), delta);
        let far = distance - near.clone();
        near.square() * 0.5 + far * delta
    }
}
