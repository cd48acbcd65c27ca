//! The warm-up before a schedule: a rise from little to the optimizer's rate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Span;
use crate::error::Flaw;
use crate::tagged::Choice;
use crate::value::{Fraction, Positive, PositiveReal};

/// A straight rise of the rate before the schedule begins, as `LinearLR` of PyTorch. It says one of
/// `epochs` and `steps`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WarmUp {
    /// How long it takes, in epochs; a share of one is rounded to whole steps, at least one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<PositiveReal>,
    /// How long it takes, in steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Positive>,
    /// Share of the optimizer's rate that the first step has. Default 0, so that the first step
    /// changes nothing (PyTorch's default is 1/3, and it refuses 0).
    #[serde(default = "nothing")]
    pub start: Fraction,
}

impl Choice for WarmUp {
    const WHAT: &'static str = "a warm-up";
}

fn nothing() -> Fraction {
    Fraction(0.0)
}

impl WarmUp {
    /// Steps that it takes.
    pub fn steps(&self, span: Span) -> usize {
        match (self.steps, self.epochs) {
            (Some(steps), _) => steps.get(),
            (None, Some(epochs)) => ((epochs.get() * span.epoch as f64).round() as usize).max(1),
            (None, None) => 0,
        }
    }

    /// What is wrong with it in a training of this length; keys are the fields' names.
    pub fn check(&self, span: Span) -> Option<Flaw> {
        let key = match (self.epochs, self.steps) {
            (Some(_), None) => "epochs",
            (None, Some(_)) => "steps",
            (Some(_), Some(_)) => {
                let message =
                    "the warm-up states both `epochs` and `steps`: its length is one of them";
                return Some(Flaw::new("steps", message));
            }
            (None, None) => {
                let flaw = Flaw::new("", "the warm-up states neither `epochs` nor `steps`");
                return Some(flaw.hint("warm_up = { epochs = 1 }"));
            }
        };
        let steps = self.steps(span);
        if steps < span.all {
            return None;
        }
        let message = format!(
            "the warm-up takes {} but the whole training has {}",
            crate::error::count(steps, "step"),
            span.all
        );
        Some(Flaw::new(key, message))
    }

    /// What the optimizer's rate is multiplied by in a step, from 0, of `steps` in all.
    pub(super) fn factor(&self, step: usize, steps: usize) -> f64 {
        let start = self.start.get();
        start + (1.0 - start) * step as f64 / steps as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span { epoch: 8, all: 80 };

    fn warm_up(json: &str) -> WarmUp {
        serde_json::from_str(&json.replace('\'', "\"")).unwrap()
    }

    #[test]
    fn it_takes_epochs_or_steps() {
        assert_eq!(warm_up("{'epochs': 2}").steps(SPAN), 16);
        assert_eq!(warm_up("{'epochs': 0.2}").steps(SPAN), 2);
        assert_eq!(warm_up("{'epochs': 0.001}").steps(SPAN), 1);
        assert_eq!(warm_up("{'steps': 5}").steps(SPAN), 5);
    }

    #[test]
    fn it_rises_in_a_straight_line() {
        let warm_up = warm_up("{'steps': 4, 'start': 0.2}");
        let by_hand = [0.2, 0.4, 0.6, 0.8];
        for (step, expected) in by_hand.into_iter().enumerate() {
            assert!((warm_up.factor(step, 4) - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn its_length_is_stated_once_and_leaves_steps_to_train() {
        let message = |json: &str| warm_up(json).check(SPAN).map(|flaw| flaw.message);
        assert_eq!(message("{'epochs': 1}"), None);
        assert!(message("{}").unwrap().contains("neither"));
        assert!(
            message("{'epochs': 1, 'steps': 3}")
                .unwrap()
                .contains("both")
        );
        assert_eq!(
            message("{'epochs': 10}").unwrap(),
            "the warm-up takes 80 steps but the whole training has 80"
        );
    }
}
