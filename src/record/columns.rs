//! The columns of the tables: which row it is, and every metric that may be measured of it.

use std::sync::LazyLock;

use super::metrics::{
    BATCH_METRICS, GRADIENT_NORM, IMAGES_PER_SECOND, LEARNING_RATE, Measure, Metric, PARAMETERS,
    SECONDS, Score, Split,
};
use super::row::{EpochRow, RunRow};
use crate::table::fixed;

/// What stands in one place of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// A text, written as it is.
    Text(String),
    /// A whole number.
    Whole(u64),
    /// A number, written with the digits that it needs.
    Real(f64),
    /// Not measured, not applicable: an empty place.
    Missing,
}

impl Cell {
    /// As CSV writes it: reals with six decimals at most, small ones (a late learning rate) with six
    /// digits.
    pub fn text(&self) -> String {
        match self {
            Cell::Text(text) => text.clone(),
            Cell::Whole(number) => number.to_string(),
            Cell::Real(number) if !number.is_finite() => number.to_string(),
            Cell::Real(number) => {
                let decimals = match number.abs() {
                    size if size > 0.0 && size < 1e-3 => {
                        5 + (-size.log10()).ceil().min(300.0) as usize
                    }
                    _ => 6,
                };
                let text = fixed(*number, decimals);
                let (digits, exponent) = text.split_at(text.find('e').unwrap_or(text.len()));
                let digits = digits.trim_end_matches('0').trim_end_matches('.');
                format!("{digits}{exponent}")
            }
            Cell::Missing => String::new(),
        }
    }

    /// The number in it, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Cell::Whole(number) => Some(*number as f64),
            Cell::Real(number) => Some(*number),
            Cell::Text(_) | Cell::Missing => None,
        }
    }
}

/// One column of a table whose rows are `T`.
pub struct Column<T> {
    /// Its name in the header.
    pub name: String,
    /// What it says, with its unit.
    pub doc: String,
    /// The metric in it; of other columns none.
    pub metric: Option<&'static Metric>,
    /// What a batch metric is measured on.
    pub split: Option<Split>,
    /// Whether tables that people read show it where it is measured.
    pub shown: bool,
    cell: Box<dyn Fn(&T) -> Cell + Send + Sync>,
}

impl<T: 'static> Column<T> {
    /// What stands in a row.
    pub fn cell(&self, row: &T) -> Cell {
        (self.cell)(row)
    }

    /// One that says which row it is.
    fn label(name: &str, doc: &str, cell: fn(&T) -> Cell) -> Self {
        Column {
            name: name.to_string(),
            doc: doc.to_string(),
            metric: None,
            split: None,
            shown: false,
            cell: Box::new(cell),
        }
    }

    fn of(
        metric: &'static Metric,
        value: impl Fn(&T) -> Option<f64> + Send + Sync + 'static,
    ) -> Self {
        let unit = metric.unit.map(|unit| format!(" ({unit})"));
        Column {
            name: metric.name.to_string(),
            doc: format!("{}{}", metric.doc, unit.unwrap_or_default()),
            metric: Some(metric),
            split: None,
            shown: metric.shown,
            cell: Box::new(move |row| value(row).map_or(Cell::Missing, Cell::Real)),
        }
    }

    /// The columns of all batch metrics on a set of samples; `place` says which in a row of `T`.
    fn on(
        split: Split,
        place: &'static str,
        score: fn(&T, Split) -> Option<&Score>,
    ) -> impl Iterator<Item = Self> {
        BATCH_METRICS.iter().map(move |batch| {
            let metric = &batch.metric;
            let value = batch.of;
            let column = Column::of(metric, move |row| value(score(row, split)?));
            Column {
                name: format!("{}_{}", split.name(), metric.name),
                doc: format!("{}, {place}", column.doc),
                split: Some(split),
                shown: metric.shown && split == Split::Test || batch.also_shown.contains(&split),
                ..column
            }
        })
    }
}

fn text(value: Option<&str>) -> Cell {
    value.map_or(Cell::Missing, |value| Cell::Text(value.to_string()))
}

fn whole(value: Option<usize>) -> Cell {
    value.map_or(Cell::Missing, |value| Cell::Whole(value as u64))
}

/// The columns of `summary.csv`, with those of these measures; the swept keys follow `seed`.
pub fn run_columns(measures: &'static [Measure]) -> Vec<Column<RunRow>> {
    let label = Column::<RunRow>::label;
    let mut columns = vec![
        label("variant", "name of the variant", |run| {
            text(Some(&run.variant))
        }),
        label("seed", "seed of the run", |run| Cell::Whole(run.seed)),
        label(
            "status",
            "done, diverged, failed, unfinished, or halted by a search",
            |run| text(Some(run.status.name())),
        ),
    ];
    for (split, place) in [
        (
            Split::Train,
            "in the training batches of the epoch whose weights are kept",
        ),
        (
            Split::Validation,
            "on the validation set with the final weights",
        ),
        (Split::Test, "on the test set with the final weights"),
        (
            Split::BestTest,
            "on the test set with the best epoch's weights",
        ),
    ] {
        columns.extend(Column::on(split, place, RunRow::score));
    }
    let measured = |measure: &'static Measure| {
        Column::of(measure.metric, |run: &RunRow| {
            run.measured.as_ref()?.extra.get(measure.key)
        })
    };
    columns.extend(measures.iter().map(measured));
    columns.extend([
        label(
            "best_epoch",
            "epoch that is best by `train.best`, from 1",
            |run| {
                let measured = run.measured.as_ref();
                whole(measured.and_then(|measured| measured.best_epoch))
            },
        ),
        label(
            "restored_epoch",
            "epoch whose weights early stopping brought back, from 1, where that is not the last",
            |run| {
                let measured = run.measured.as_ref();
                let restored = measured.and_then(|measured| measured.restored.as_ref());
                whole(restored.map(|row| row.epoch))
            },
        ),
        label(
            "epochs",
            "epochs trained, fewer than planned where training stopped early; where training counts steps, rows of \
             `epochs.csv`",
            |run| whole(run.last.as_ref().map(|row| row.epoch)),
        ),
        Column::of(&SECONDS, |run: &RunRow| run.seconds),
        Column::of(&IMAGES_PER_SECOND, |run: &RunRow| run.images_per_second),
        Column::of(&PARAMETERS, |run: &RunRow| {
            Some(run.measured.as_ref()?.parameters as f64)
        }),
        label("device", "what the run was trained on", |run| {
            text(run.device.as_deref())
        }),
        label("id", "hash of the run's resolved settings", |run| {
            text(Some(&run.id))
        }),
        label("reason", "why the run failed, diverged or was given up", |run| {
            text(run.reason.as_deref())
        }),
    ]);
    columns
}

/// The columns of `epochs.csv`; in the experiment's table `variant` and `seed` come first.
pub static EPOCH_COLUMNS: LazyLock<Vec<Column<EpochRow>>> = LazyLock::new(|| {
    let label = Column::<EpochRow>::label;
    let mut columns = vec![
        label(
            "epoch",
            "from 1; where training is counted in steps, the number of the row",
            |row| Cell::Whole(row.epoch as u64),
        ),
        label("step", "steps so far", |row| Cell::Whole(row.step as u64)),
        label("stage", "of a training in stages", |row| {
            text(row.stage.as_deref())
        }),
    ];
    for (split, place) in [
        (Split::Train, "in the epoch's training batches"),
        (Split::Validation, "on the validation set"),
        (
            Split::Test,
            "on the test set, where `record.test` asks for it",
        ),
    ] {
        columns.extend(Column::on(split, place, EpochRow::score));
    }
    columns.extend([
        Column::of(&LEARNING_RATE, |row: &EpochRow| Some(row.learning_rate)),
        Column::of(&GRADIENT_NORM, |row: &EpochRow| row.gradient_norm),
        Column::of(&SECONDS, |row: &EpochRow| Some(row.seconds)),
        Column::of(&IMAGES_PER_SECOND, |row: &EpochRow| row.images_per_second),
    ]);
    columns
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_keep_their_digits() {
        let text = |number: f64| Cell::Real(number).text();
        assert_eq!(text(0.1234567), "0.123457");
        assert_eq!(text(12.0), "12");
        assert_eq!(text(0.0), "0");
        assert_eq!(text(-0.0), "0");
        assert_eq!(text(0.001), "0.001");
        assert_eq!(text(2.5e-9), "0.0000000025");
        assert_eq!(text(-0.000123456789), "-0.000123457");
        assert_eq!(text(1_000_000.0), "1000000");
        assert_eq!(text(1.225_808e10), "1.225808e10");
        assert_eq!(text(-3e20), "-3e20");
        assert_eq!(text(1e-320).parse::<f64>(), Ok(0.0));
    }
}
