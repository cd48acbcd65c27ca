//! `milestones`: times a factor at the epochs that it names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ScheduleFields, Span};
use crate::error::Flaw;
use crate::value::{Positive, PositiveReal};

/// Times `factor` after each of the epochs, as `MultiStepLR` of PyTorch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Milestones {
    /// How many epochs are done at each change, from the warm-up's end, in rising order. One after the training's end
    /// changes nothing.
    pub epochs: Vec<Positive>,
    /// What the rate is multiplied by each time. Default 0.1.
    #[serde(default = "tenth")]
    pub factor: PositiveReal,
}

fn tenth() -> PositiveReal {
    PositiveReal(0.1)
}

impl ScheduleFields for Milestones {
    fn factor(&self, step: usize, span: Span) -> f64 {
        let done = step / span.epoch;
        let changes = self.epochs.iter().filter(|epoch| epoch.get() <= done);
        libm::pow(self.factor.get(), changes.count() as f64)
    }

    fn check(&self) -> Option<Flaw> {
        if self.epochs.is_empty() {
            let flaw = Flaw::new("epochs", "`epochs` is empty: the rate would never change");
            return Some(flaw.hint("epochs = [30, 60], or schedule = \"constant\""));
        }
        let falls = self.epochs.windows(2).position(|two| two[0] >= two[1])?;
        let (one, next) = (self.epochs[falls].get(), self.epochs[falls + 1].get());
        let message = format!("`epochs` do not rise: {next} stands after {one}");
        Some(Flaw::new(format!("epochs.{}", falls + 1), message))
    }
}

#[cfg(test)]
mod tests {
    use super::super::ScheduleSpec;
    use super::super::testing::check;

    #[test]
    fn the_rate_falls_at_the_named_epochs() {
        let by_hand = [(0, 1.0), (7, 1.0), (8, 0.1), (19, 0.1), (20, 0.01)];
        check("{'milestones': {'epochs': [2, 5]}}", &by_hand);
        check(
            "{'milestones': {'epochs': [1, 2, 90], 'factor': 0.5}}",
            &[(3, 1.0), (4, 0.5), (8, 0.25), (39, 0.25)],
        );
    }

    #[test]
    fn milestones_rise() {
        let flaw = |epochs: &str| {
            let json = format!(r#"{{"milestones": {{"epochs": {epochs}}}}}"#);
            let flaw = serde_json::from_str::<ScheduleSpec>(&json).unwrap().check();
            flaw.map(|flaw| (flaw.key, flaw.message))
        };
        assert_eq!(flaw("[3, 6]"), None);
        let (key, message) = flaw("[3, 6, 6]").unwrap();
        assert_eq!(key, "milestones.epochs.2");
        assert_eq!(message, "`epochs` do not rise: 6 stands after 6");
        let (_, message) = flaw("[]").unwrap();
        assert_eq!(message, "`epochs` is empty: the rate would never change");
    }
}
