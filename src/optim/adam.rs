//! `adam`: steps by running means of the gradient and of its square.

use burn::optim::{LearningRate, SimpleOptimizer};
use burn::record::Record;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OptimizerFields;
use crate::backend::{AdamStep, Kernels};
use crate::value::{NonNegative, PositiveReal, Rate};

/// Adam (Kingma and Ba 2015, algorithm 1), as `torch.optim.Adam`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Adam {
    /// Size of a step, before any schedule. Default 0.001.
    pub learning_rate: PositiveReal,
    /// Decay of the running mean of gradients. Default 0.9.
    pub beta_1: Rate,
    /// Decay of the running mean of squared gradients. Default 0.999.
    pub beta_2: Rate,
    /// Added to the root of the mean square. Default 1e-8, as in PyTorch (Keras: 1e-7, outside the
    /// correction of the bias).
    pub epsilon: NonNegative,
    /// Times the weight, added to its gradient (an L2 penalty of half that). Default 0.
    pub weight_decay: NonNegative,
}

impl Default for Adam {
    fn default() -> Self {
        Adam {
            learning_rate: PositiveReal(1e-3),
            beta_1: Rate(0.9),
            beta_2: Rate(0.999),
            epsilon: NonNegative(1e-8),
            weight_decay: NonNegative(0.0),
        }
    }
}

impl Adam {
    pub(super) fn rule<B: Kernels>(&self) -> impl SimpleOptimizer<B> + use<B> {
        AdamRule {
            beta_1: self.beta_1.get(),
            beta_2: self.beta_2.get(),
            epsilon: self.epsilon.get(),
            coupled_decay: self.weight_decay.get(),
            decoupled_decay: 0.0,
        }
    }
}

impl OptimizerFields for Adam {
    fn learning_rate(&self) -> f64 {
        self.learning_rate.get()
    }

    fn numbers_a_weight(&self) -> usize {
        2
    }
}

/// The step of Adam and of AdamW, which differ in where the weight decay goes.
///
/// Burn's own keep the betas as 32-bit floats, in which `1 - beta_2` is off by 5e-5 of itself.
#[derive(Debug, Clone)]
pub(super) struct AdamRule {
    pub beta_1: f64,
    pub beta_2: f64,
    pub epsilon: f64,
    /// Added to the gradient.
    pub coupled_decay: f64,
    /// Taken from the weight itself.
    pub decoupled_decay: f64,
}

/// Running means of one tensor's gradient and of its square.
#[derive(Record, Clone)]
pub struct AdamState<B: Backend, const D: usize> {
    steps: usize,
    mean: Tensor<B, D>,
    mean_square: Tensor<B, D>,
}

impl<B: Kernels> SimpleOptimizer<B> for AdamRule {
    type State<const D: usize> = AdamState<B, D>;

    fn step<const D: usize>(
        &self,
        learning_rate: LearningRate,
        weight: Tensor<B, D>,
        gradient: Tensor<B, D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<B, D>, Option<Self::State<D>>) {
        let (steps, means) = match state {
            None => (1, None),
            Some(state) => (state.steps + 1, Some([state.mean, state.mean_square])),
        };
        let step = AdamStep {
            beta_1: self.beta_1,
            beta_2: self.beta_2,
            epsilon: self.epsilon,
            coupled_decay: self.coupled_decay,
            decoupled_decay: self.decoupled_decay,
            learning_rate,
            number: steps,
        };
        let [weight, mean, mean_square] = B::adam_step(weight, gradient, means, step);
        let state = AdamState {
            steps,
            mean,
            mean_square,
        };
        (weight, Some(state))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &B::Device) -> Self::State<D> {
        AdamState {
            steps: state.steps,
            mean: state.mean.to_device(device),
            mean_square: state.mean_square.to_device(device),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check_three_steps;

    /// A scalar's three steps by the paper's formulas, in 64-bit floats.
    pub(in super::super) fn by_hand(start: f64, gradients: &[f64; 3], decay: [f64; 2]) -> f64 {
        let (mut w, mut m, mut v) = (start, 0.0, 0.0);
        for (t, g) in (1..).zip(gradients) {
            let g = g + decay[0] * w;
            w -= 0.05 * decay[1] * w;
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            let (m_hat, v_hat) = (m / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.999f64.powi(t)));
            w -= 0.05 * m_hat / (v_hat.sqrt() + 1e-8);
        }
        w
    }

    #[test]
    fn adam_steps_by_its_formula() {
        check_three_steps("{'adam': {'learning_rate': 0.05}}", |w, g| {
            by_hand(w, g, [0.0, 0.0])
        });
        check_three_steps(
            "{'adam': {'learning_rate': 0.05, 'weight_decay': 0.1}}",
            |w, g| by_hand(w, g, [0.1, 0.0]),
        );
    }

    #[test]
    fn adamw_takes_the_decay_from_the_weight() {
        check_three_steps("{'adamw': {'learning_rate': 0.05}}", |w, g| {
            by_hand(w, g, [0.0, 0.01])
        });
    }
}
