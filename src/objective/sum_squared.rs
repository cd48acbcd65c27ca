//! `sum_squared`: the sum of squared errors.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backend::Kernels;

use super::{LossFields, Reduction};

/// Squared distance between outputs and pixels, summed over the pixels; tables give it for one image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SumSquared {
    /// Whether steps go by the sum over the images of a batch or by their mean. Default "sum".
    #[serde(skip_serializing_if = "Reduction::is_sum")]
    pub over_batch: Reduction,
}

impl Default for SumSquared {
    fn default() -> Self {
        SumSquared {
            over_batch: Reduction::Sum,
        }
    }
}

impl LossFields for SumSquared {
    fn over_batch(&self) -> Reduction {
        self.over_batch
    }

    fn over_pixels(&self) -> Reduction {
        Reduction::Sum
    }

    /// `(outputs - values)^2`.
    fn of_values<B: Kernels>(&self, outputs: Tensor<B, 2>, values: Tensor<B, 2>) -> Tensor<B, 2> {
        (outputs - values).square()
    }
}
