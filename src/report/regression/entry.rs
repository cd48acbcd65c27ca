//! One run as the reference keeps it: which it is, where its numbers come from, and its metrics as tables print them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use crate::measure::RUN_COLUMNS;
use crate::record::metrics::{IMAGES_PER_SECOND, SECONDS};
use crate::record::{Cell, Metric, RunRow};

/// Which run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunKey {
    /// The name of its file, without `.toml`.
    pub experiment: String,
    /// The variant, with its point of the grid.
    pub variant: String,
    /// The seed of the run.
    pub seed: u64,
}

/// `` `regression/transfer`, `source`, seed 3 ``
impl fmt::Display for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RunKey {
            experiment,
            variant,
            seed,
        } = self;
        write!(f, "`{experiment}`, `{variant}`, seed {seed}")
    }
}

/// What numbers were made by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Version of burnlab.
    pub burnlab: String,
    /// Version of Burn.
    pub burn: String,
    /// As tables name it: `cpu`, `cuda:0 (NVIDIA H200)`.
    pub device: String,
    /// The day, `2026-11-26`.
    pub date: String,
}

/// A run and its metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which run it is.
    pub key: RunKey,
    /// Hash of its resolved settings.
    pub id: String,
    /// What made its numbers.
    pub origin: Origin,
    /// Each metric that was measured, by its column, with the digits of `summary.csv`.
    pub numbers: BTreeMap<String, String>,
}

impl Entry {
    /// A run that is done.
    pub fn of(experiment: &str, row: &RunRow, origin: &Origin) -> Self {
        let measured = RUN_COLUMNS.iter().filter_map(|column| {
            METRICS.iter().find(|metric| metric.name == column.name)?;
            match column.cell(row) {
                Cell::Missing => None,
                cell => Some((column.name.clone(), cell.text())),
            }
        });
        Entry {
            key: RunKey {
                experiment: experiment.to_string(),
                variant: row.variant.clone(),
                seed: row.seed,
            },
            id: row.id.clone(),
            origin: origin.clone(),
            numbers: measured.collect(),
        }
    }

    /// A metric by its column's name; `None` if it was not measured.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.numbers.get(name)?.parse().ok()
    }
}

/// A metric that is compared.
pub struct MetricColumn {
    pub name: String,
    pub metric: &'static Metric,
}

/// Every metric of `summary.csv` that depends on neither the machine nor what else it does.
pub static METRICS: LazyLock<Vec<MetricColumn>> = LazyLock::new(|| {
    let of_time = [SECONDS.name, IMAGES_PER_SECOND.name];
    let columns = RUN_COLUMNS.iter();
    columns
        .filter_map(|column| {
            let metric = column.metric.filter(|m| !of_time.contains(&m.name))?;
            Some(MetricColumn {
                name: column.name.clone(),
                metric,
            })
        })
        .collect()
});
