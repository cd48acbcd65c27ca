//! `adagrad`: steps divided by the root of the sum of squares so far.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::{AdaGradConfig, SimpleOptimizer};
use burn::tensor::backend::Backend;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OptimizerFields;
use crate::value::{NonNegative, PositiveReal};

/// Adagrad (Duchi et al. 2011), as `torch.optim.Adagrad`; the sum starts at 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Adagrad {
    /// Size of a step, before any schedule. Default 0.01.
    pub learning_rate: PositiveReal,
    /// Added to the root of the sum. Default 1e-10, as in PyTorch (Keras: 1e-7, before it takes the root,
    /// and a sum that starts at 0.1).
    pub epsilon: NonNegative,
    /// Times the weight, added to its gradient (an L2 penalty of half that). Default 0.
    pub weight_decay: NonNegative,
}

impl Default for Adagrad {
    fn default() -> Self {
        Adagrad {
            learning_rate: PositiveReal(0.01),
            epsilon: NonNegative(1e-10),
            weight_decay: NonNegative(0.0),
        }
    }
}

impl Adagrad {
    pub(super) fn rule<B: Backend>(&self) -> impl SimpleOptimizer<B> + use<B> {
        let decay = self.weight_decay.get();
        AdaGradConfig::new()
            .with_epsilon(self.epsilon.get() as f32)
            .with_weight_decay((decay > 0.0).then(|| WeightDecayConfig::new(decay as f32)))
            .build()
    }
}

impl OptimizerFields for Adagrad {
    fn learning_rate(&self) -> f64 {
        self.learning_rate.get()
    }

    fn numbers_a_weight(&self) -> usize {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check_three_steps;

    fn by_hand(start: f64, gradients: &[f64; 3], decay: f64) -> f64 {
        let (mut w, mut sum): (f64, f64) = (start, 0.0);
        for g in gradients {
            let g = g + decay * w;
            sum += g * g;
            w -= 0.05 * g / (sum.sqrt() + 1e-10);
        }
        w
    }

    #[test]
    fn adagrad_steps_by_its_formula() {
        check_three_steps("{'adagrad': {'learning_rate': 0.05}}", |w, g| {
            by_hand(w, g, 0.0)
        });
        check_three_steps(
            "{'adagrad': {'learning_rate': 0.05, 'weight_decay': 0.1}}",
            |w, g| by_hand(w, g, 0.1),
        );
    }
}
