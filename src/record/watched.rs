//! A metric of each epoch that decides which epoch is the best.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::sync::LazyLock;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::json;

use super::columns::{Column, EPOCH_COLUMNS};
use super::metrics::{Better, Metric, Split};
use super::row::EpochRow;

/// A column of `epochs.csv` that says how well the network does, by its name.
#[derive(Clone, Copy)]
pub struct Watched {
    column: &'static Column<EpochRow>,
    metric: &'static Metric,
    better: Better,
    split: Split,
}

/// All of them, in the order of columns.
static ALL: LazyLock<Vec<Watched>> = LazyLock::new(|| {
    let watched = |column: &'static Column<EpochRow>| {
        let metric = column.metric?;
        Some(Watched {
            column,
            metric,
            better: metric.better?,
            // What is chosen by the test set is no longer tested by it.
            split: column.split.filter(|&split| split != Split::Test)?,
        })
    };
    EPOCH_COLUMNS.iter().filter_map(watched).collect()
});

static NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| ALL.iter().map(Watched::name).collect());

impl Watched {
    /// The column of that name; `None` if there is none, or it says nothing about how well the network
    /// does.
    pub fn find(name: &str) -> Option<Self> {
        ALL.iter().find(|watched| watched.name() == name).copied()
    }

    /// The column's name, such as `validation_loss`.
    pub fn name(&self) -> &'static str {
        &self.column.name
    }

    /// The metric in the column.
    pub fn metric(&self) -> &'static Metric {
        self.metric
    }

    /// Whether it can be measured only with a validation set.
    pub fn needs_validation(&self) -> bool {
        self.split == Split::Validation
    }

    /// Its value after an epoch, if it was measured.
    pub fn value(&self, row: &EpochRow) -> Option<f64> {
        self.column.cell(row).number()
    }

    /// The better of two values first, and what was not measured last.
    pub fn order(&self, one: Option<f64>, other: Option<f64>) -> Ordering {
        match (one, other, self.better) {
            (Some(one), Some(other), Better::Less) => one.total_cmp(&other),
            (Some(one), Some(other), Better::More) => other.total_cmp(&one),
            (one, other, _) => other.is_some().cmp(&one.is_some()),
        }
    }

    /// Whether a value is better than another one by more than `min_delta`.
    pub fn is_better(&self, value: f64, best: f64, min_delta: f64) -> bool {
        match self.better {
            Better::Less => value < best - min_delta,
            Better::More => value > best + min_delta,
        }
    }

    /// The best epoch, from 1, the earlier of two equal ones: one that is better than every other before
    /// it by more than `min_delta`. None if it is measured in none.
    pub fn best_epoch(&self, rows: &[EpochRow], min_delta: f64) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        for row in rows {
            let Some(value) = self.value(row) else {
                continue;
            };
            if best.is_none_or(|(_, best)| self.is_better(value, best, min_delta)) {
                best = Some((row.epoch, value));
            }
        }
        best.map(|(epoch, _)| epoch)
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl PartialEq for Watched {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl<'de> Deserialize<'de> for Watched {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Watched;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("the name of a metric")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Watched, E> {
                Watched::find(name).ok_or_else(|| E::unknown_variant(name, &NAMES))
            }
        }
        deserializer.deserialize_any(Name)
    }
}

impl Serialize for Watched {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl JsonSchema for Watched {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Watched".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let named = ALL.iter().map(|watched| {
            let Column { name, doc, .. } = watched.column;
            json!({ "const": name, "description": doc })
        });
        json_schema!({ "type": "string", "oneOf": named.collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Score;

    fn rows(values: &[f64]) -> Vec<EpochRow> {
        let row = |(index, &value): (usize, &f64)| {
            let score = Score {
                loss: value,
                accuracy: Some(value),
                ..Score::default()
            };
            EpochRow::of_score(index + 1, score)
        };
        values.iter().enumerate().map(row).collect()
    }

    #[test]
    fn less_loss_and_more_accuracy_are_better() {
        let best = |name: &str, values: &[f64], min_delta: f64| {
            let watched = Watched::find(name).unwrap();
            watched.best_epoch(&rows(values), min_delta)
        };
        let values = [0.5, 0.3, 0.7, 0.3, 0.7];
        assert_eq!(best("train_loss", &values, 0.0), Some(2));
        assert_eq!(best("train_accuracy", &values, 0.0), Some(3));
        // From 0.5 to 0.3 is not more than 0.25, to 0.2 is.
        assert_eq!(best("train_loss", &[0.5, 0.3, 0.2, 0.1], 0.25), Some(3));
        assert_eq!(best("validation_loss", &values, 0.0), None);
        assert_eq!(best("train_loss", &[], 0.0), None);
    }

    #[test]
    fn only_scores_of_an_epoch_can_be_watched() {
        let wrong = |name: &str| serde_json::from_value::<Watched>(name.into()).is_err();
        assert!(wrong("seconds") && wrong("test_loss") && wrong("validation_los"));
        assert!(wrong("train_kl") && wrong("gradient_norm"));
        let read: Watched = serde_json::from_value("validation_accuracy".into()).unwrap();
        assert!(read.needs_validation());
        assert_eq!(
            serde_json::to_string(&read).unwrap(),
            "\"validation_accuracy\""
        );
    }
}
