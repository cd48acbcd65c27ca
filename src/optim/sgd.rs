//! `sgd`: plain gradient descent, with or without momentum.

use burn::optim::{LearningRate, SimpleOptimizer};
use burn::record::Record;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OptimizerFields;
use crate::backend::{Kernels, MomentumStep};
use crate::error::Flaw;
use crate::value::{NonNegative, PositiveReal, Rate};

/// Gradient descent: `v = momentum * v + gradient`, `weight -= learning_rate * v`, as `torch.optim.SGD`
/// without dampening; Nesterov's form after Sutskever et al. 2013.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sgd {
    /// Size of a step, before any schedule. Default 0.01.
    pub learning_rate: PositiveReal,
    /// Share of the last step's direction that is kept. Default 0.
    pub momentum: Rate,
    /// Steps by `gradient + momentum * v` instead of `v`. Default false.
    pub nesterov: bool,
    /// Times the weight, added to its gradient (an L2 penalty of half that). Default 0.
    pub weight_decay: NonNegative,
}

impl Default for Sgd {
    fn default() -> Self {
        Sgd {
            learning_rate: PositiveReal(0.01),
            momentum: Rate(0.0),
            nesterov: false,
            weight_decay: NonNegative(0.0),
        }
    }
}

impl Sgd {
    pub(super) fn rule<B: Kernels>(&self) -> impl SimpleOptimizer<B> + use<B> {
        SgdRule {
            momentum: self.momentum.get(),
            nesterov: self.nesterov,
            weight_decay: self.weight_decay.get(),
        }
    }
}

#[derive(Debug, Clone)]
struct SgdRule {
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
}

/// What is remembered of one tensor; nothing where there is no momentum.
#[derive(Record, Clone)]
pub struct SgdState<B: Backend, const D: usize> {
    velocity: Tensor<B, D>,
}

impl<B: Kernels> SimpleOptimizer<B> for SgdRule {
    type State<const D: usize> = SgdState<B, D>;

    fn step<const D: usize>(
        &self,
        learning_rate: LearningRate,
        weight: Tensor<B, D>,
        gradient: Tensor<B, D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<B, D>, Option<Self::State<D>>) {
        let step = MomentumStep {
            momentum: self.momentum,
            nesterov: self.nesterov,
            weight_decay: self.weight_decay,
            learning_rate,
        };
        let velocity = state.map(|state| state.velocity);
        let [weight, velocity] = B::momentum_step(weight, gradient, velocity, step);
        let state = (self.momentum > 0.0).then_some(SgdState { velocity });
        (weight, state)
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &B::Device) -> Self::State<D> {
        SgdState {
            velocity: state.velocity.to_device(device),
        }
    }
}

impl OptimizerFields for Sgd {
    fn learning_rate(&self) -> f64 {
        self.learning_rate.get()
    }

    fn numbers_a_weight(&self) -> usize {
        usize::from(self.momentum.get() > 0.0)
    }

    fn check(&self) -> Vec<Flaw> {
        if self.nesterov && self.momentum.get() == 0.0 {
            let flaw = Flaw::new("nesterov", "`nesterov` needs a `momentum` above 0");
            return vec![flaw.hint("momentum = 0.9")];
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::OptimizerSpec;
    use super::super::testing::check_three_steps;

    fn by_hand(start: f64, gradients: &[f64; 3], momentum: f64, nesterov: bool, decay: f64) -> f64 {
        let (mut w, mut v) = (start, 0.0);
        for g in gradients {
            let g = g + decay * w;
            v = momentum * v + g;
            w -= 0.05 * if nesterov { g + momentum * v } else { v };
        }
        w
    }

    #[test]
    fn sgd_steps_by_its_formula() {
        check_three_steps("{'sgd': {'learning_rate': 0.05}}", |w, g| {
            by_hand(w, g, 0.0, false, 0.0)
        });
        check_three_steps(
            "{'sgd': {'learning_rate': 0.05, 'momentum': 0.9, 'weight_decay': 0.1}}",
            |w, g| by_hand(w, g, 0.9, false, 0.1),
        );
        check_three_steps(
            "{'sgd': {'learning_rate': 0.05, 'momentum': 0.9, 'nesterov': true}}",
            |w, g| by_hand(w, g, 0.9, true, 0.0),
        );
    }

    #[test]
    fn nesterov_without_momentum_is_reported() {
        let spec: OptimizerSpec = serde_json::from_str(r#"{"sgd": {"nesterov": true}}"#).unwrap();
        let flaws = spec.check();
        assert_eq!(flaws[0].key, "sgd.nesterov");
        assert_eq!(flaws[0].message, "`nesterov` needs a `momentum` above 0");
    }
}
