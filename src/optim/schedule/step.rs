//! `step`: times a factor every `every` epochs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ScheduleFields, Span};
use crate::value::{Positive, PositiveReal};

/// Times `factor` every `every` epochs, as `StepLR` of PyTorch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Epochs from one change to the next.
    pub every: Positive,
    /// What the rate is multiplied by each time. Default 0.1.
    #[serde(default = "tenth")]
    pub factor: PositiveReal,
}

fn tenth() -> PositiveReal {
    PositiveReal(0.1)
}

impl ScheduleFields for Step {
    fn factor(&self, step: usize, span: Span) -> f64 {
        let changes = step / span.epoch / self.every.get();
        libm::pow(self.factor.get(), changes as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn the_rate_falls_by_steps() {
        let by_hand = [
            (0, 1.0),
            (11, 1.0),
            (12, 0.1),
            (23, 0.1),
            (24, 0.01),
            (39, 1e-3),
        ];
        check("{'step': {'every': 3}}", &by_hand);
        check(
            "{'step': {'every': 5, 'factor': 0.5}}",
            &[(19, 1.0), (20, 0.5), (39, 0.5)],
        );
    }
}
