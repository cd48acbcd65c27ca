//! `plateau`: times a factor where a score no longer gets better.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ScheduleFields, Span};
use crate::record::{EpochRow, Watched};
use crate::value::{NonNegative, PositiveReal};

/// Times `factor` whenever a score has not got better for more than `patience` epochs, as `ReduceLROnPlateau` of PyTorch
/// with `threshold_mode="abs"`; Keras's reduces an epoch earlier.
///
/// An epoch is a row of `epochs.csv`. Those that end within the warm-up do not count, nor those of other stages.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Plateau {
    /// A score in `epochs.csv`: less of a loss, more of an accuracy is better. Default `validation_loss`.
    pub metric: Watched,
    /// What the rate is multiplied by each time. Default 0.1.
    pub factor: PositiveReal,
    /// Epochs in a row without a better one that change nothing yet: the next one does. Default 10.
    pub patience: usize,
    /// An epoch is better if it is so by more than this. Default 1e-4.
    pub min_delta: NonNegative,
}

impl Default for Plateau {
    fn default() -> Self {
        Plateau {
            metric: Watched::find("validation_loss").expect("there is such a column"),
            factor: PositiveReal(0.1),
            patience: 10,
            min_delta: NonNegative(1e-4),
        }
    }
}

impl ScheduleFields for Plateau {
    fn factor(&self, _step: usize, _span: Span) -> f64 {
        1.0
    }

    fn factor_after(&self, rows: &[EpochRow]) -> f64 {
        let min_delta = self.min_delta.get();
        let (mut best, mut worse, mut changes) = (None, 0, 0_u32);
        for value in rows.iter().filter_map(|row| self.metric.value(row)) {
            if best.is_none_or(|best| self.metric.is_better(value, best, min_delta)) {
                (best, worse) = (Some(value), 0);
                continue;
            }
            worse += 1;
            if worse > self.patience {
                (worse, changes) = (0, changes + 1);
            }
        }
        libm::pow(self.factor.get(), f64::from(changes))
    }

    fn watched(&self) -> Option<(&'static str, Watched)> {
        Some(("metric", self.metric))
    }
}

#[cfg(test)]
mod tests {
    use super::super::ScheduleSpec;
    use crate::record::{EpochRow, Score};

    /// The factor after each epoch, given the training losses.
    fn factors(json: &str, losses: &[f64]) -> Vec<f64> {
        let schedule: ScheduleSpec = serde_json::from_str(&json.replace('\'', "\"")).unwrap();
        let row = |(index, &loss): (usize, &f64)| {
            let train = Score {
                loss,
                accuracy: Some(1.0 - loss),
                ..Score::default()
            };
            EpochRow::of_score(index + 1, train)
        };
        let rows: Vec<EpochRow> = losses.iter().enumerate().map(row).collect();
        let done = 1..=rows.len();
        done.map(|done| schedule.factor_after(&rows[..done]))
            .collect()
    }

    const LOSSES: [f64; 8] = [0.5, 0.4, 0.41, 0.4, 0.43, 0.39, 0.39, 0.39];

    #[test]
    fn the_rate_falls_after_more_epochs_without_a_better_one_than_patience() {
        let patient = "{'plateau': {'metric': 'train_loss', 'factor': 0.5, 'patience': 2}}";
        let by_hand = [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5];
        assert_eq!(factors(patient, &LOSSES), by_hand);
        let impatient = "{'plateau': {'metric': 'train_loss', 'factor': 0.5, 'patience': 1}}";
        let by_hand = [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25];
        assert_eq!(factors(impatient, &LOSSES), by_hand);
        let accuracy = impatient.replace("loss", "accuracy");
        assert_eq!(factors(&accuracy, &LOSSES), by_hand);
        // 0.39 is not better than 0.4 by more than 0.02.
        let delta = impatient.replace("'patience'", "'min_delta': 0.02, 'patience'");
        let by_hand = [1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.125];
        assert_eq!(factors(&delta, &LOSSES), by_hand);
    }

    #[test]
    fn what_is_not_measured_changes_nothing() {
        assert_eq!(factors("'plateau'", &[0.5; 30]), [1.0; 30]);
    }
}
