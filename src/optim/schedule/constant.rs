//! `constant`: the optimizer's rate all the time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ScheduleFields, Span};

/// The optimizer's rate all the time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Constant {}

impl ScheduleFields for Constant {
    fn factor(&self, _: usize, _: Span) -> f64 {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::check;

    #[test]
    fn the_rate_stays() {
        check("'constant'", &[(0, 1.0), (39, 1.0)]);
    }
}
