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
    use super::super::testing::{OUTPUTS, TARGETS, check};

    #[test]
    fn mae_has_the_value_and_gradient_of_its_formula() {
        let mut value = 0.0;
        let mut gradient = [[0.0; 3]; 2];
        for (row, (outputs, target)) in OUTPUTS.iter().zip(TARGETS).enumerate() {
            for class in 0..3 {
                let truth = f64::from(u8::from(class == target as usize));
                let distance = f64::from(outputs[class]) - truth;
                value += distance.abs() / 6.0;
                // Where outputs are right there is no slope.
                gradient[row][class] = if distance == 0.0 {
                    0.0
                } else {
                    distance.signum() / 6.0
                };
            }
        }
        check("'mae'", &[1, 1, 1], value, gradient);
    }
}
