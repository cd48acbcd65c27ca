//! Means and spreads over the seeds of a variant.

use std::collections::{BTreeMap, BTreeSet};

use crate::backend::kinds_of;
use crate::error::thousands;
use crate::measure::{column_metric, metric};
use crate::record::{Metric, RunRow, Status};
use crate::table::fixed;

/// Mean and sample standard deviation of some runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Their mean.
    pub mean: f64,
    /// With `n - 1` in the denominator; `None` for a single run.
    pub deviation: Option<f64>,
    /// How many there are.
    pub runs: usize,
}

/// The spread of some values; `None` if there are none.
pub fn spread(values: &[f64]) -> Option<Spread> {
    let runs = values.len();
    if runs == 0 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / runs as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = (runs > 1).then(|| (squares / (runs - 1) as f64).sqrt());
    Some(Spread {
        mean,
        deviation,
        runs,
    })
}

impl Spread {
    /// `0.9175 ± 0.0021`, or the mean alone for a single run.
    pub fn text(&self, decimals: usize) -> String {
        match self.deviation {
            Some(deviation) => format!(
                "{} ± {}",
                fixed(self.mean, decimals),
                fixed(deviation, decimals)
            ),
            None => fixed(self.mean, decimals),
        }
    }

    /// The same as every table shows this metric: a count as `1,234`.
    pub fn told(&self, metric: &Metric) -> String {
        match metric.decimals {
            0 => thousands(self.mean as usize),
            _ => self.text(metric.decimals_of(self.mean)),
        }
    }

    /// The same by the name of the metric's column.
    pub fn told_by_name(&self, name: &str) -> String {
        match column_metric(name) {
            Some(metric) => self.told(metric),
            None => self.text(Metric::new("", "").decimals_of(self.mean)),
        }
    }
}

/// All runs of one variant.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    /// The variant's name.
    pub variant: &'a str,
    /// Its runs, seed by seed.
    pub rows: Vec<&'a RunRow>,
}

impl Group<'_> {
    /// The kinds of devices that its runs that are done were trained on, each once, by name.
    pub fn devices(&self) -> BTreeSet<String> {
        let done = self.rows.iter().filter(|row| row.status == Status::Done);
        done.filter_map(|row| row.device.as_deref())
            .flat_map(kinds_of)
            .collect()
    }

    /// How many of its runs are done.
    pub fn done(&self) -> usize {
        self.rows
            .iter()
            .filter(|row| row.status == Status::Done)
            .count()
    }

    /// The spread of a metric over the runs that are done and measured it.
    pub fn spread(&self, name: &str) -> Option<Spread> {
        let done = self.rows.iter().filter(|row| row.status == Status::Done);
        let values: Vec<f64> = done.filter_map(|row| metric(row, name)).collect();
        spread(&values)
    }

    /// The same runs' numbers by seed.
    pub fn values(&self, name: &str) -> BTreeMap<u64, f64> {
        let done = self.rows.iter().filter(|row| row.status == Status::Done);
        done.filter_map(|row| Some((row.seed, metric(row, name)?)))
            .collect()
    }
}

/// Rows by variant, in the order they come: those of a variant stand side by side.
pub fn groups(rows: &[RunRow]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group> = Vec::new();
    for row in rows {
        match groups.last_mut() {
            Some(group) if group.variant == row.variant => group.rows.push(row),
            _ => groups.push(Group {
                variant: &row.variant,
                rows: vec![row],
            }),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_is_the_samples() {
        let spread = spread(&[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert_eq!(spread.mean, 2.5);
        assert!((spread.deviation.unwrap() - 1.290_994_4).abs() < 1e-6);
        assert_eq!(spread.text(2), "2.50 ± 1.29");
    }

    #[test]
    fn four_digits_tell_numbers_and_four_decimals_shares() {
        let told = |name: &str, values: &[f64]| spread(values).unwrap().told_by_name(name);
        assert_eq!(told("test_loss", &[2.345_678]), "2.346");
        assert_eq!(told("test_loss", &[0.002_153_4]), "0.002153");
        assert_eq!(told("test_loss", &[0.020, 0.022]), "0.02100 ± 0.00141");
        assert_eq!(told("test_loss", &[-102.71]), "-102.7");
        assert_eq!(told("test_loss", &[61_706.2]), "61706");
        assert_eq!(told("test_loss", &[1e-30]), "0.000000000");
        assert_eq!(told("test_loss", &[-0.0]), "0.0000");
        assert_eq!(told("test_accuracy", &[0.091_75]), "0.0917");
        assert_eq!(told("test_accuracy", &[1.0, 1.0]), "1.0000 ± 0.0000");
        assert_eq!(told("parameters", &[61_706.0]), "61,706");
        assert_eq!(told("seconds", &[0.012]), "0.0");
    }

    #[test]
    fn numbers_that_are_shown_together_have_as_many_decimals_as_the_smallest_needs() {
        let loss = column_metric("test_loss").unwrap();
        assert_eq!(loss.decimals_of_all([0.05, 0.2]), 5);
        assert_eq!(loss.decimals_of_all([0.05, 219.9]), 3);
        assert_eq!(loss.decimals_of_all([]), 4);
        let accuracy = column_metric("test_accuracy").unwrap();
        assert_eq!(accuracy.decimals_of_all([0.05, 1.0]), 4);
    }

    #[test]
    fn one_run_has_no_deviation_and_none_no_mean() {
        assert_eq!(spread(&[0.5]).unwrap().deviation, None);
        assert_eq!(spread(&[]), None);
    }
}
