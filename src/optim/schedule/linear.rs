//! `linear`: down along a straight line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ScheduleFields, Span};
use crate::value::Fraction;

/// Down along a straight line, from step to step, as `LinearLR` of PyTorch with `total_iters` all steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Linear {
    /// Share of the optimizer's rate that the step after the last would have. Default 0.
    #[serde(rename = "final")]
    pub last: Fraction,
}

impl Default for Linear {
    fn default() -> Self {
        Linear {
            last: Fraction(0.0),
        }
    }
}

impl ScheduleFields for Linear {
    fn factor(&self, step: usize, span: Span) -> f64 {
        1.0 + (self.last.get() - 1.0) * step as f64 / span.all as f64
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn the_rate_falls_along_a_line() {
        check("'linear'", &[(0, 1.0), (10, 0.75), (39, 0.025)]);
        check("{'linear': {'final': 0.5}}", &[(0, 1.0), (20, 0.75)]);
    }
}
