//! `mae`: the mean absolute error.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backend::Kernels;

use super::LossFields;

/// Distance between outputs and pixels, mean over the pixels, which cares less for single pixels that are far off than squares do
/// (PyTorch's `L1Loss`); of a classifier to 1 for the true class and 0 for the others, mean over the classes. Where they
/// are equal its slope is 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mae {}

impl LossFields for Mae {
    /// `|outputs - values|`.
    fn of_values<B: Kernels>(&self, outputs: Tensor<B, 2>, values: Tensor<B, 2>) -> Tensor<B, 2> {
        (outputs - values).abs()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check_by_distance;

    #[test]
    fn mae_has_the_value_and_gradient_of_its_formula() {
        // Where outputs are right there is no slope.
        let slope = |distance: f64| {
            if distance == 0.0 {
                0.0
            } else {
                distance.signum()
            }
        };
        check_by_distance("'mae'", |distance| [distance.abs(), slope(distance)]);
    }
}
