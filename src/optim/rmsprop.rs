//! `rmsprop`: steps divided by the root of a running mean of squares.

use burn::optim::{LearningRate, SimpleOptimizer};
use burn::record::Record;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OptimizerFields;
use crate::value::{NonNegative, PositiveReal, Rate};

/// RMSprop (Tieleman and Hinton 2012, lecture 6.5), as `torch.optim.RMSprop`; centered after
/// Graves 2013.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rmsprop {
    /// Size of a step, before any schedule. Default 0.01.
    pub learning_rate: PositiveReal,
    /// Decay of the running mean of squared gradients. Default 0.99, as in PyTorch (Keras: 0.9).
    pub rho: Rate,
    /// Added to the root of the mean square. Default 1e-8, as in PyTorch (Keras adds 1e-7 before it takes
    /// the root).
    pub epsilon: NonNegative,
    /// Share of the last step that is kept. Default 0.
    pub momentum: Rate,
    /// Divides by the root of the gradient's variance instead of its mean square. Default false.
    pub centered: bool,
    /// Times the weight, added to its gradient (an L2 penalty of half that). Default 0.
    pub weight_decay: NonNegative,
}

impl Default for Rmsprop {
    fn default() -> Self {
        Rmsprop {
            learning_rate: PositiveReal(0.01),
            rho: Rate(0.99),
            epsilon: NonNegative(1e-8),
            momentum: Rate(0.0),
            centered: false,
            weight_decay: NonNegative(0.0),
        }
    }
}

impl Rmsprop {
    pub(super) fn rule<B: Backend>(&self) -> impl SimpleOptimizer<B> + use<B> {
        RmspropRule(*self)
    }
}

impl OptimizerFields for Rmsprop {
    fn learning_rate(&self) -> f64 {
        self.learning_rate.get()
    }

    fn numbers_a_weight(&self) -> usize {
        1 + usize::from(self.centered) + usize::from(self.momentum.get() > 0.0)
    }
}

/// The step; Burn's own keeps `rho` as a 32-bit float, in which `1 - rho` loses digits.
#[derive(Debug, Clone)]
pub(super) struct RmspropRule(Rmsprop);

/// Running means of one tensor's gradient and of its square, and its last step.
#[derive(Record, Clone)]
pub struct RmspropState<B: Backend, const D: usize> {
    mean_square: Tensor<B, D>,
    /// Only where centered.
    mean: Option<Tensor<B, D>>,
    /// Only with momentum.
    last: Option<Tensor<B, D>>,
}

impl<B: Backend> SimpleOptimizer<B> for RmspropRule {
    type State<const D: usize> = RmspropState<B, D>;

    fn step<const D: usize>(
        &self,
        learning_rate: LearningRate,
        weight: Tensor<B, D>,
        mut gradient: Tensor<B, D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<B, D>, Option<Self::State<D>>) {
        let fields = &self.0;
        let (rho, momentum) = (fields.rho.get(), fields.momentum.get());
        if fields.weight_decay.get() > 0.0 {
            gradient = gradient + weight.clone() * fields.weight_decay.get();
        }
        let (old_square, old_mean, last) = match state {
            Some(state) => (Some(state.mean_square), state.mean, state.last),
            None => (None, None, None),
        };
        // Means start at 0.
        let decayed = |old: Option<Tensor<B, D>>, fresh: Tensor<B, D>| match old {
            Some(old) => old * rho + fresh * (1.0 - rho),
            None => fresh * (1.0 - rho),
        };
        let mean_square = decayed(old_square, gradient.clone().square());
        let mean = fields.centered.then(|| decayed(old_mean, gradient.clone()));
        let spread = match &mean {
            Some(mean) => mean_square.clone() - mean.clone().square(),
            None => mean_square.clone(),
        };
        let mut step = gradient / (spread.sqrt() + fields.epsilon.get());
        if let Some(last) = last {
            step = last * momentum + step;
        }
        let state = RmspropState {
            mean_square,
            mean,
            last: (momentum > 0.0).then(|| step.clone()),
        };
        (weight - step * learning_rate, Some(state))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &B::Device) -> Self::State<D> {
        RmspropState {
            mean_square: state.mean_square.to_device(device),
            mean: state.mean.map(|mean| mean.to_device(device)),
            last: state.last.map(|last| last.to_device(device)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check_three_steps;

    fn by_hand(start: f64, gradients: &[f64; 3], momentum: f64, centered: bool, decay: f64) -> f64 {
        let (mut w, mut square, mut mean, mut last) = (start, 0.0, 0.0, 0.0);
        for g in gradients {
            let g = g + decay * w;
            square = 0.9 * square + 0.1 * g * g;
            mean = 0.9 * mean + 0.1 * g;
            let spread: f64 = square - if centered { mean * mean } else { 0.0 };
            last = momentum * last + g / (spread.sqrt() + 1e-3);
            w -= 0.05 * last;
        }
        w
    }

    #[test]
    fn rmsprop_steps_by_its_formula() {
        let fields = |more: &str| {
            format!("{{'rmsprop': {{'learning_rate': 0.05, 'rho': 0.9, 'epsilon': 1e-3 {more}}}}}")
        };
        check_three_steps(&fields(""), |w, g| by_hand(w, g, 0.0, false, 0.0));
        check_three_steps(&fields(", 'momentum': 0.9, 'weight_decay': 0.1"), |w, g| {
            by_hand(w, g, 0.9, false, 0.1)
        });
        check_three_steps(&fields(", 'centered': true"), |w, g| {
            by_hand(w, g, 0.0, true, 0.0)
        });
    }
}
