//! `one_cycle`: up and down again along two halves of a cosine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ScheduleFields, Span, half_cosine};
use crate::value::Fraction;

/// Up to the optimizer's rate and down to almost nothing (Smith and Topin 2018, arXiv:1708.07120), from
/// step to step, as `OneCycleLR` of PyTorch with the optimizer's rate as `max_lr`.
///
/// The momentum stays as the optimizer has it: PyTorch moves it too unless `cycle_momentum` is false.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OneCycle {
    /// Share of the steps in which the rate rises. Default 0.3.
    pub rise: Fraction,
    /// Share of the optimizer's rate that the first step has. Default 0.04 (PyTorch's `div_factor` of 25).
    pub start: Fraction,
    /// Share of the optimizer's rate that the last step has. Default 4e-6 (PyTorch's `final_div_factor`
    /// of 1e4 below the start).
    #[serde(rename = "final")]
    pub last: Fraction,
}

impl Default for OneCycle {
    fn default() -> Self {
        OneCycle {
            rise: Fraction(0.3),
            start: Fraction(1.0 / 25.0),
            last: Fraction(1.0 / 25.0 / 1e4),
        }
    }
}

impl ScheduleFields for OneCycle {
    fn factor(&self, step: usize, span: Span) -> f64 {
        let (step, last) = (step as f64, span.all as f64 - 1.0);
        // PyTorch's own place of the peak, which need not be a whole step.
        let peak = self.rise.get() * span.all as f64 - 1.0;
        if step <= peak {
            return half_cosine(self.start.get(), 1.0, share(step, 0.0, peak));
        }
        let share = share(step, peak, last);
        half_cosine(1.0, self.last.get(), share)
    }
}

/// How much of the way from `start` to `end` is done; all of it where there is no way.
fn share(step: f64, start: f64, end: f64) -> f64 {
    match end > start {
        true => ((step - start) / (end - start)).min(1.0),
        false => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn the_rate_rises_and_falls() {
        // The peak is step 0.3 * 40 - 1 = 11, half of the fall step 11 + 14 = 25.
        let low = 1.0 / 250_000.0;
        let by_hand = [(0, 0.04), (11, 1.0), (25, (1.0 + low) / 2.0), (39, low)];
        check("'one_cycle'", &by_hand);
        // The peak is step 19, between steps 9 and 10 half of the rise.
        let all = "{'one_cycle': {'rise': 0.5, 'start': 0.1, 'final': 0.0}}";
        let turn = (std::f64::consts::PI * 9.0 / 19.0).cos();
        check(
            all,
            &[
                (0, 0.1),
                (9, 0.55 - 0.45 * turn),
                (19, 1.0),
                (29, 0.5),
                (39, 0.0),
            ],
        );
    }
}
