//! `exponential`: times a factor again and again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ScheduleFields, Span};
use crate::value::{Positive, PositiveReal};

/// Times `factor` every `every` epochs, at once as `ExponentialLR` of PyTorch or little by little, from
/// step to step, as `ExponentialDecay` of Keras.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exponential {
    /// What the rate is multiplied by in the course of `every` epochs.
    pub factor: PositiveReal,
    /// Epochs. Default 1.
    #[serde(default = "one")]
    pub every: Positive,
    /// Whether the rate stays between one change and the next. Default true, as in PyTorch (Keras:
    /// false).
    #[serde(default = "yes")]
    pub staircase: bool,
}

fn one() -> Positive {
    Positive(1)
}

fn yes() -> bool {
    true
}

impl ScheduleFields for Exponential {
    fn factor(&self, step: usize, span: Span) -> f64 {
        let changes = step as f64 / (span.epoch as f64 * self.every.get() as f64);
        let changes = match self.staircase {
            true => changes.floor(),
            false => changes,
        };
        libm::pow(self.factor.get(), changes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn the_rate_falls_every_epoch_or_every_step() {
        let stairs = [(0, 1.0), (3, 1.0), (4, 0.9), (8, 0.81), (39, 0.387_420_489)];
        check("{'exponential': {'factor': 0.9}}", &stairs);
        let slope = [(0, 1.0), (4, 0.5), (8, 0.25), (2, 0.5f64.sqrt())];
        check(
            "{'exponential': {'factor': 0.5, 'staircase': false}}",
            &slope,
        );
        check(
            "{'exponential': {'factor': 0.5, 'every': 2}}",
            &[(7, 1.0), (8, 0.5)],
        );
    }
}
