//! `half_mse`: half the mean squared error.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backend::Kernels;

use super::LossFields;

/// Half of `mse`, whose gradient is the distance itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HalfMse {}

impl LossFields for HalfMse {
    /// `(outputs - values)^2 / 2`.
    fn of_values<B: Kernels>(&self, outputs: Tensor<B, 2>, values: Tensor<B, 2>) -> Tensor<B, 2> {
        (outputs - values).square() * 0.5
    }
}
