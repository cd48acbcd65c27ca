//! The vocabulary of learning-rate schedules: one file a schedule, one line a schedule in the registry
//! below.
//!
//! A schedule is a function of the step and of the rows of the epochs before it, so that a run that is resumed
//! needs nothing else. Every one of them gives the numbers of its namesake in PyTorch's
//! `torch.optim.lr_scheduler`. Knows nothing of optimizers, losses or the training loop.

mod warm_up;

pub use warm_up::WarmUp;

use crate::error::Flaw;
use crate::record::{EpochRow, Watched};
use crate::tagged::{one_key_enum, write_one_key};

/// How long training takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Steps of one epoch, at least 1.
    pub epoch: usize,
    /// Steps of all epochs.
    pub all: usize,
}

/// A schedule as the file writes it.
trait ScheduleFields {
    /// What the optimizer's rate is multiplied by in a step, from 0; `span.all` is the number of steps
    /// that the schedule has for itself.
    fn factor(&self, step: usize, span: Span) -> f64;

    /// What the rate is multiplied by besides, after these epochs of the schedule's.
    fn factor_after(&self, _rows: &[EpochRow]) -> f64 {
        1.0
    }

    /// The score that it goes by, with the key of the field that names it.
    fn watched(&self) -> Option<(&'static str, Watched)> {
        None
    }

    /// What is wrong with fields that are each in range.
    fn check(&self) -> Option<Flaw> {
        None
    }
}

/// Declares every schedule once: its file, which is its TOML key, and its fields.
macro_rules! schedules {
    ($($(#[doc = $doc:literal])* $file:ident: $Name:ident;)*) => {
        $(mod $file;)*
        $(pub use $file::$Name;)*

        one_key_enum! {
            /// The schedule: a table with its key, or only its name.
            #[derive(Debug, Clone, PartialEq)]
            ScheduleSpec, "a schedule", "Schedule", write_one_key {
                $($(#[doc = $doc])* $file: $Name($Name);)*
            }
        }

        impl ScheduleSpec {
            fn fields(&self) -> &dyn ScheduleFields {
                match self {
                    $(ScheduleSpec::$Name(fields) => fields,)*
                }
            }
        }
    };
}

schedules! {
    /// The optimizer's rate all the time.
    constant: Constant;
    /// Times a factor every `every` epochs.
    step: Step;
    /// Times a factor at the epochs that it names.
    milestones: Milestones;
    /// Times a factor where a score no longer gets better.
    plateau: Plateau;
    /// Times a factor again and again.
    exponential: Exponential;
    /// Down along half a cosine.
    cosine: Cosine;
    /// Down along a straight line.
    linear: Linear;
    /// Up and down again along two halves of a cosine.
    one_cycle: OneCycle;
}

impl ScheduleSpec {
    /// The score that it goes by, if it goes by one, and the key that names it: `plateau.metric`.
    pub fn watched(&self) -> Option<(String, Watched)> {
        let (field, watched) = self.fields().watched()?;
        Some((format!("{}.{field}", self.key()), watched))
    }

    /// What is wrong with it; keys are such as `milestones.epochs.1`.
    pub fn check(&self) -> Option<Flaw> {
        Some(self.fields().check()?.under(self.key()))
    }

    /// What the rate is multiplied by after these epochs, besides what follows from the step.
    pub fn factor_after(&self, rows: &[EpochRow]) -> f64 {
        self.fields().factor_after(rows)
    }
}

impl Default for ScheduleSpec {
    fn default() -> Self {
        ScheduleSpec::Constant(Constant {})
    }
}

/// The learning rate of every step until the next epoch is measured.
#[derive(Debug, Clone)]
pub struct Rates {
    /// The optimizer's own.
    pub learning_rate: f64,
    /// The rise before the schedule, if there is one.
    pub warm_up: Option<WarmUp>,
    /// How the rate changes after it.
    pub schedule: ScheduleSpec,
    /// How long training takes, in steps.
    pub span: Span,
    /// What the epochs so far multiply the schedule's rate by.
    pub factor_so_far: f64,
}

impl Rates {
    /// The rate of a step, counted from 0 over all epochs.
    ///
    /// The schedule begins when the warm-up is over and has the steps that are left, as with PyTorch's
    /// `SequentialLR`.
    pub fn at(&self, step: usize) -> f64 {
        let warm = self.warm_up.map_or(0, |warm_up| warm_up.steps(self.span));
        let factor = match self.warm_up {
            Some(warm_up) if step < warm => warm_up.factor(step, warm),
            _ => {
                let span = Span {
                    all: self.span.all.saturating_sub(warm),
                    ..self.span
                };
                self.schedule.fields().factor(step - warm, span) * self.factor_so_far
            }
        };
        self.learning_rate * factor
    }
}

/// Half a cosine from `start` (where `share` is 0) to `end` (1).
fn half_cosine(start: f64, end: f64, share: f64) -> f64 {
    end + (start - end) * (1.0 + libm::cos(std::f64::consts::PI * share)) / 2.0
}

/// Shared by the schedules' tests.
#[cfg(test)]
mod testing {
    use super::*;

    /// The factors of a schedule without warm-up at these steps, of 10 epochs of 4 steps.
    pub fn check(json: &str, expected: &[(usize, f64)]) {
        let schedule: ScheduleSpec = serde_json::from_str(&json.replace('\'', "\"")).unwrap();
        for &(step, expected) in expected {
            let span = Span { epoch: 4, all: 40 };
            let received = schedule.fields().factor(step, span);
            let off = (received - expected).abs();
            assert!(off < 1e-12, "{json}, step {step}: {received}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schedule_goes_round_and_gives_a_rate_for_every_step() {
        for name in ScheduleSpec::NAMES {
            let table = match *name {
                "step" => serde_json::json!({ "step": { "every": 3 } }),
                "milestones" => serde_json::json!({ "milestones": { "epochs": [2, 5] } }),
                "exponential" => serde_json::json!({ "exponential": { "factor": 0.9 } }),
                name => name.into(),
            };
            let schedule: ScheduleSpec = serde_json::from_value(table).unwrap();
            assert_eq!(schedule.key(), *name);
            let json = serde_json::to_string(&schedule).unwrap();
            assert_eq!(
                serde_json::from_str::<ScheduleSpec>(&json).unwrap(),
                schedule
            );
            for all in [1, 2, 3, 7, 40] {
                let span = Span { epoch: 1, all };
                for step in 0..all {
                    let factor = schedule.fields().factor(step, span);
                    assert!((0.0..=1.0).contains(&factor), "{name} {step} of {all}");
                }
            }
        }
    }

    #[test]
    fn a_schedule_without_fields_is_written_as_its_name() {
        let text = serde_json::to_string(&ScheduleSpec::default()).unwrap();
        assert_eq!(text, "\"constant\"");
    }

    #[test]
    fn the_schedule_begins_when_the_warm_up_is_over() {
        let rates = Rates {
            learning_rate: 0.1,
            warm_up: Some(serde_json::from_str(r#"{"epochs": 2}"#).unwrap()),
            schedule: serde_json::from_str(r#""linear""#).unwrap(),
            span: Span { epoch: 2, all: 12 },
            factor_so_far: 1.0,
        };
        let by_hand = [0.0, 0.025, 0.05, 0.075, 0.1, 0.0875, 0.075];
        for (step, expected) in by_hand.into_iter().enumerate() {
            assert!((rates.at(step) - expected).abs() < 1e-12, "step {step}");
        }
        assert!((rates.at(11) - 0.0125).abs() < 1e-12);
    }

    #[test]
    fn a_constant_rate_is_the_optimizers_own_to_the_last_bit() {
        let rates = Rates {
            learning_rate: 1e-3,
            warm_up: None,
            schedule: ScheduleSpec::default(),
            span: Span { epoch: 3, all: 9 },
            factor_so_far: 1.0,
        };
        assert!((0..9).all(|step| rates.at(step).to_bits() == 1e-3f64.to_bits()));
    }
}
