//! The `[record]` table: what a run writes down while it trains. No number depends on it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::value::Positive;

/// When something is measured or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// After every epoch; where training is counted in steps, after every row of `epochs.csv`.
    EveryEpoch,
    /// After the last one.
    AtTheEnd,
    /// Not at all.
    Never,
}

impl When {
    /// Whether it is done after an epoch.
    pub fn is_due(self, is_last: bool) -> bool {
        self == When::EveryEpoch || self == When::AtTheEnd && is_last
    }
}

/// When the test set is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenTested {
    /// For a curve: after every epoch too. Nothing is chosen by it.
    EveryEpoch,
    /// With the final weights.
    AtTheEnd,
}

/// What a run writes down while it trains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Recording {
    /// When the test set is measured. Default at_the_end.
    pub test: WhenTested,
    /// When TensorBoard gets histograms of weights and gradients. Default every_epoch.
    pub histograms: When,
    /// Epochs from one checkpoint to the next, from which a run that was stopped goes on. Default 1.
    pub checkpoint_every: Positive,
}

impl Default for Recording {
    fn default() -> Self {
        Recording {
            test: WhenTested::AtTheEnd,
            histograms: When::EveryEpoch,
            checkpoint_every: Positive(1),
        }
    }
}

impl Recording {
    /// Whether all is as the defaults have it, so that it need not be written.
    pub fn is_default(&self) -> bool {
        *self == Recording::default()
    }
}
