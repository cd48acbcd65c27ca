//! `cross_entropy`: minus the log of the true class's softmax.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, activation};

/// `mean(-log(softmax(outputs)[target]))`.
pub(super) fn mean_loss<B: Backend>(
    outputs: Tensor<B, 2>,
    targets: Tensor<B, 1, Int>,
) -> Tensor<B, 1> {
    activation::log_softmax(outputs, 1)
        .gather(1, targets.unsqueeze_dim(1))
        .mean()
        .neg()
}

#[cfg(test)]
mod tests {
    use super::super::LossSpec;
    use super::super::testing::{OUTPUTS, TARGETS, check};

    #[test]
    fn cross_entropy_has_the_value_and_gradient_of_its_formula() {
        let mut value = 0.0;
        let mut gradient = [[0.0; 3]; 2];
        for (row, (outputs, target)) in OUTPUTS.iter().zip(TARGETS).enumerate() {
            let powers = outputs.map(|output| f64::from(output).exp());
            let sum: f64 = powers.iter().sum();
            value -= (powers[target as usize] / sum).ln() / 2.0;
            for class in 0..3 {
                let truth = f64::from(u8::from(class == target as usize));
                gradient[row][class] = (powers[class] / sum - truth) / 2.0;
            }
        }
        check(LossSpec::CrossEntropy, value, gradient);
    }
}
