//! Every column of the tables, declared once: its name, what it says, where it comes from.

use super::row::{EpochRow, Extra, RunRow, Score};

/// What stands in one place of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Text(String),
    Whole(u64),
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
                let text = format!("{number:.decimals$}");
                text.trim_end_matches('0').trim_end_matches('.').to_string()
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

fn real(value: Option<f64>) -> Cell {
    value.map_or(Cell::Missing, Cell::Real)
}

fn whole(value: Option<usize>) -> Cell {
    value.map_or(Cell::Missing, |value| Cell::Whole(value as u64))
}

fn extra(run: &RunRow, value: fn(&Extra) -> Option<f64>) -> Cell {
    real(
        run.measured
            .as_ref()
            .and_then(|measured| value(&measured.extra)),
    )
}

fn text(value: Option<&str>) -> Cell {
    value.map_or(Cell::Missing, |value| Cell::Text(value.to_string()))
}

/// Which values of a measurement are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    Less,
    More,
}

/// One column of a table whose rows are `T`.
pub struct Column<T> {
    pub name: &'static str,
    /// What it says, with its unit.
    pub doc: &'static str,
    /// Whether claims may speak of it.
    pub is_metric: bool,
    /// Of a measure of how well the network does; `None` of all others.
    pub better: Option<Better>,
    pub cell: fn(&T) -> Cell,
}

/// A column that says which row it is.
const fn label<T>(name: &'static str, doc: &'static str, cell: fn(&T) -> Cell) -> Column<T> {
    Column {
        name,
        doc,
        is_metric: false,
        better: None,
        cell,
    }
}

/// A column that holds a measurement.
const fn measure<T>(name: &'static str, doc: &'static str, cell: fn(&T) -> Cell) -> Column<T> {
    Column {
        name,
        doc,
        is_metric: true,
        better: None,
        cell,
    }
}

/// A column that holds a measure of how well the network does.
const fn score<T>(
    name: &'static str,
    doc: &'static str,
    better: Better,
    cell: fn(&T) -> Cell,
) -> Column<T> {
    Column {
        better: Some(better),
        ..measure(name, doc, cell)
    }
}

fn test(run: &RunRow, of: fn(&Score) -> Option<f64>) -> Option<f64> {
    of(&run.measured.as_ref()?.test)
}

fn validation(row: &EpochRow, of: fn(&Score) -> Option<f64>) -> Option<f64> {
    of(row.validation.as_ref()?)
}

/// The columns of `summary.csv`; the swept keys follow `seed`.
pub const RUN_COLUMNS: &[Column<RunRow>] = &[
    label("variant", "name of the variant", |run| {
        text(Some(&run.variant))
    }),
    label("seed", "seed of the run", |run| Cell::Whole(run.seed)),
    label("status", "done, diverged, failed or unfinished", |run| {
        text(Some(run.status.name()))
    }),
    measure(
        "train_loss",
        "mean loss of the last epoch's training batches",
        |run| real(run.last.as_ref().map(|row| row.train.loss)),
    ),
    measure(
        "train_accuracy",
        "share of right answers in the last epoch's training batches",
        |run| real(run.last.as_ref().and_then(|row| row.train.accuracy)),
    ),
    measure(
        "validation_loss",
        "mean loss on the validation set after the last epoch",
        |run| {
            real(
                run.last
                    .as_ref()
                    .and_then(|row| row.validation)
                    .map(|score| score.loss),
            )
        },
    ),
    measure(
        "validation_accuracy",
        "share of right answers on the validation set after the last epoch",
        |run| {
            real(
                run.last
                    .as_ref()
                    .and_then(|row| row.validation)
                    .and_then(|score| score.accuracy),
            )
        },
    ),
    measure(
        "test_loss",
        "mean loss on the test set with the final weights",
        |run| real(run.measured.as_ref().map(|measured| measured.test.loss)),
    ),
    measure(
        "test_accuracy",
        "share of right answers on the test set with the final weights",
        |run| real(test(run, |score| score.accuracy)),
    ),
    measure(
        "test_reconstruction",
        "test_loss without what codes and activities add",
        |run| real(test(run, |score| score.reconstruction)),
    ),
    measure(
        "test_kl",
        "nats by which codes diverge from the prior, mean over the test set",
        |run| real(test(run, |score| score.kl)),
    ),
    measure(
        "test_elbo",
        "evidence lower bound in nats, mean over the test set",
        |run| real(test(run, |score| score.elbo)),
    ),
    measure(
        "test_discriminator_loss",
        "mean loss of the discriminator on the test set and as many samples",
        |run| real(test(run, |score| score.discriminator_loss)),
    ),
    measure(
        "best_test_loss",
        "test_loss with the best epoch's weights",
        |run| {
            real(
                run.measured
                    .as_ref()
                    .and_then(|measured| measured.best)
                    .map(|score| score.loss),
            )
        },
    ),
    measure(
        "best_test_accuracy",
        "test_accuracy with the best epoch's weights",
        |run| {
            real(
                run.measured
                    .as_ref()
                    .and_then(|measured| measured.best)
                    .and_then(|score| score.accuracy),
            )
        },
    ),
    measure(
        "test_log_likelihood",
        "importance-weighted estimate of the test images' log-likelihood, nats per image",
        |run| extra(run, |extra| extra.log_likelihood),
    ),
    measure(
        "precision_at_10",
        "share of a test image's 10 nearest ones in code space that are of its class",
        |run| extra(run, |extra| extra.precision_at_10),
    ),
    measure(
        "frechet_distance",
        "of samples to test images, in a classifier's features",
        |run| extra(run, |extra| extra.frechet_distance),
    ),
    measure(
        "active_units",
        "units of a gaussian code whose means vary over the test set",
        |run| extra(run, |extra| extra.active_units),
    ),
    measure(
        "anomaly_auc",
        "area under the ROC curve of the reconstruction error, which tells classes not trained on",
        |run| extra(run, |extra| extra.anomaly_auc),
    ),
    label(
        "best_epoch",
        "epoch that is best by `train.best`, from 1",
        |run| {
            whole(
                run.measured
                    .as_ref()
                    .and_then(|measured| measured.best_epoch),
            )
        },
    ),
    label(
        "epochs",
        "epochs trained, fewer than planned where training stopped early",
        |run| whole(run.last.as_ref().map(|row| row.epoch)),
    ),
    measure("seconds", "time of all epochs", |run| real(run.seconds)),
    measure("images_per_second", "training images a second", |run| {
        real(run.images_per_second)
    }),
    measure("parameters", "trained numbers of the network", |run| {
        whole(run.measured.as_ref().map(|measured| measured.parameters))
    }),
    label("device", "what the run was trained on", |run| {
        text(run.device.as_deref())
    }),
    label("id", "hash of the run's resolved settings", |run| {
        text(Some(&run.id))
    }),
    label("reason", "why the run failed or diverged", |run| {
        text(run.reason.as_deref())
    }),
];

/// The columns of `epochs.csv`; in the experiment's table `variant` and `seed` come first.
pub const EPOCH_COLUMNS: &[Column<EpochRow>] = &[
    label(
        "epoch",
        "from 1; where training is told in steps, the number of the row",
        |row| Cell::Whole(row.epoch as u64),
    ),
    label("step", "steps so far", |row| Cell::Whole(row.step as u64)),
    label("stage", "of a training in stages", |row| {
        text(row.stage.as_deref())
    }),
    score(
        "train_loss",
        "mean loss of the epoch's training batches",
        Better::Less,
        |row| Cell::Real(row.train.loss),
    ),
    score(
        "train_accuracy",
        "share of right answers in the epoch's training batches",
        Better::More,
        |row| real(row.train.accuracy),
    ),
    score(
        "validation_loss",
        "mean loss on the validation set",
        Better::Less,
        |row| real(row.validation.map(|score| score.loss)),
    ),
    score(
        "validation_accuracy",
        "share of right answers on the validation set",
        Better::More,
        |row| real(validation(row, |score| score.accuracy)),
    ),
    score(
        "train_reconstruction",
        "train_loss without what codes and activities add",
        Better::Less,
        |row| real(row.train.reconstruction),
    ),
    score(
        "validation_reconstruction",
        "validation_loss without what codes and activities add",
        Better::Less,
        |row| real(validation(row, |score| score.reconstruction)),
    ),
    measure(
        "train_kl",
        "nats by which codes diverge from the prior, mean over the epoch's training batches",
        |row| real(row.train.kl),
    ),
    measure(
        "validation_kl",
        "nats by which codes diverge from the prior, mean over the validation set",
        |row| real(validation(row, |score| score.kl)),
    ),
    measure(
        "train_elbo",
        "evidence lower bound in nats, mean over the epoch's training batches",
        |row| real(row.train.elbo),
    ),
    score(
        "validation_elbo",
        "evidence lower bound in nats, mean over the validation set",
        Better::More,
        |row| real(validation(row, |score| score.elbo)),
    ),
    measure(
        "train_discriminator_loss",
        "mean loss of the discriminator in the epoch's training batches",
        |row| real(row.train.discriminator_loss),
    ),
    measure("learning_rate", "of the epoch's last step", |row| {
        Cell::Real(row.learning_rate)
    }),
    measure(
        "gradient_norm",
        "length of all gradients together before clipping, mean over the epoch's steps",
        |row| real(row.gradient_norm),
    ),
    measure("seconds", "time of training and validation", |row| {
        Cell::Real(row.seconds)
    }),
    measure("images_per_second", "training images a second", |row| {
        Cell::Real(row.images_per_second)
    }),
];

/// The names that a claim's `metric` may take.
pub fn metric_names() -> Vec<&'static str> {
    let metrics = RUN_COLUMNS.iter().filter(|column| column.is_metric);
    metrics.map(|column| column.name).collect()
}

/// A run's value of a metric, if it was measured.
pub fn metric(run: &RunRow, name: &str) -> Option<f64> {
    let column = RUN_COLUMNS
        .iter()
        .find(|column| column.is_metric && column.name == name)?;
    (column.cell)(run).number()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_keep_their_digits() {
        let text = |number: f64| Cell::Real(number).text();
        assert_eq!(text(0.1234567), "0.123457");
        assert_eq!(text(12.0), "12");
        assert_eq!(text(0.0), "0");
        assert_eq!(text(0.001), "0.001");
        assert_eq!(text(2.5e-9), "0.0000000025");
        assert_eq!(text(-0.000123456789), "-0.000123457");
        assert_eq!(text(1e-320).parse::<f64>(), Ok(0.0));
    }
}
