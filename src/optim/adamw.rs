//! `adamw`: Adam with weight decay apart from the gradient.

use burn::optim::SimpleOptimizer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OptimizerFields;
use super::adam::AdamRule;
use crate::backend::Kernels;
use crate::value::{NonNegative, PositiveReal, Rate};

/// AdamW (Loshchilov and Hutter 2019, algorithm 2), as `torch.optim.AdamW`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Adamw {
    /// Size of a step, before any schedule. Default 0.001.
    pub learning_rate: PositiveReal,
    /// Decay of the running mean of gradients. Default 0.9.
    pub beta_1: Rate,
    /// Decay of the running mean of squared gradients. Default 0.999.
    pub beta_2: Rate,
    /// Added to the root of the mean square. Default 1e-8, as in PyTorch (Keras: 1e-7, outside the
    /// correction of the bias).
    pub epsilon: NonNegative,
    /// Each step first takes this share, times the learning rate, from the weight. Default 0.01.
    pub weight_decay: NonNegative,
}

impl Default for Adamw {
    fn default() -> Self {
        Adamw {
            learning_rate: PositiveReal(1e-3),
            beta_1: Rate(0.9),
            beta_2: Rate(0.999),
            epsilon: NonNegative(1e-8),
            weight_decay: NonNegative(0.01),
        }
    }
}

impl Adamw {
    pub(super) fn rule<B: Kernels>(&self) -> impl SimpleOptimizer<B> + use<B> {
        AdamRule {
            beta_1: self.beta_1.get(),
            beta_2: self.beta_2.get(),
            epsilon: self.epsilon.get(),
            coupled_decay: 0.0,
            decoupled_decay: self.weight_decay.get(),
        }
    }
}

impl OptimizerFields for Adamw {
    fn learning_rate(&self) -> f64 {
        self.learning_rate.get()
    }

    fn numbers_a_weight(&self) -> usize {
        2
    }
}
