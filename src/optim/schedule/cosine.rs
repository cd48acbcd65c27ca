//! `cosine`: down along half a cosine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ScheduleFields, Span, half_cosine};
use crate::value::Fraction;

/// Down along half a cosine (Loshchilov and Hutter 2017, equation 5, without restarts), from step to
/// step, as `CosineAnnealingLR` of PyTorch with `T_max` all steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cosine {
    /// Share of the optimizer's rate that the step after the last would have. Default 0.
    #[serde(rename = "final")]
    pub last: Fraction,
}

impl Default for Cosine {
    fn default() -> Self {
        Cosine {
            last: Fraction(0.0),
        }
    }
}

impl ScheduleFields for Cosine {
    fn factor(&self, step: usize, span: Span) -> f64 {
        half_cosine(1.0, self.last.get(), step as f64 / span.all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn the_rate_falls_along_a_cosine() {
        // The cosine of a quarter, a half and three quarters of pi.
        let root = std::f64::consts::FRAC_1_SQRT_2;
        let by_hand = [
            (0, 1.0),
            (10, (1.0 + root) / 2.0),
            (20, 0.5),
            (30, (1.0 - root) / 2.0),
        ];
        check("'cosine'", &by_hand);
        check("{'cosine': {'final': 0.2}}", &[(0, 1.0), (20, 0.6)]);
    }
}
