//! `mse`: the mean squared error.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backend::Kernels;

use super::LossFields;

/// Squared distance between outputs and pixels, mean over the pixels; of a classifier to 1 for the true
/// class and 0 for the others, mean over the classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mse {}

impl LossFields for Mse {
    /// `(outputs - values)^2`.
    fn of_values<B: Kernels>(&self, outputs: Tensor<B, 2>, values: Tensor<B, 2>) -> Tensor<B, 2> {
        (outputs - values).square()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check_by_distance;

    #[test]
    fn mse_has_the_value_and_gradient_of_its_formula() {
        check_by_distance("'mse'", |distance| [distance * distance, 2.0 * distance]);
    }
}
