//! `mean_squared_error`: squared distance to 1 for the true class and 0 for the others.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Fields;

/// Squared distance to 1 for the true class and 0 for the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeanSquaredError {}

impl Fields for MeanSquaredError {
    /// `mean((outputs - one_hot(targets))^2)` over the batch and the classes.
    fn mean_loss<B: Backend>(
        &self,
        outputs: Tensor<B, 2>,
        targets: Tensor<B, 1, Int>,
        _: Option<&Tensor<B, 1>>,
    ) -> Tensor<B, 1> {
        let [_, classes] = outputs.dims();
        let numbers = Tensor::<B, 1, Int>::arange(0..classes as i64, &outputs.device());
        let truth = targets
            .unsqueeze_dim::<2>(1)
            .equal(numbers.unsqueeze_dim(0))
            .float();
        (outputs - truth).square().mean()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{OUTPUTS, TARGETS, check};

    #[test]
    fn mean_squared_error_has_the_value_and_gradient_of_its_formula() {
        let mut value = 0.0;
        let mut gradient = [[0.0; 3]; 2];
        for (row, (outputs, target)) in OUTPUTS.iter().zip(TARGETS).enumerate() {
            for class in 0..3 {
                let truth = f64::from(u8::from(class == target as usize));
                let distance = f64::from(outputs[class]) - truth;
                value += distance * distance / 6.0;
                gradient[row][class] = 2.0 * distance / 6.0;
            }
        }
        check("'mean_squared_error'", &[1, 1, 1], value, gradient);
    }
}
