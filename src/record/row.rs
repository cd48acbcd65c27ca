//! The rows a run leaves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::metrics::{Score, Split};
use crate::backend::{Precision, Precisions};
use crate::error::{count, thousands};
use crate::shape::ImageShape;

/// Results of one epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRow {
    /// From 1; where training is counted in steps, the number of the row.
    pub epoch: usize,
    /// Steps so far.
    #[serde(default)]
    pub step: usize,
    /// Of a training in stages.
    #[serde(default)]
    pub stage: Option<String>,
    /// Over the epoch's batches as they were trained on.
    pub train: Score,
    /// On the validation set, if there is one.
    pub validation: Option<Score>,
    /// Where a curve of it is asked for.
    #[serde(default)]
    pub test: Option<Score>,
    /// Of the epoch's last step.
    #[serde(with = "super::any_number")]
    pub learning_rate: f64,
    /// Length of all gradients together before clipping, mean over the epoch's steps (of a GAN, over the turns of its parts);
    /// none where that is no finite number, or nothing is trained.
    pub gradient_norm: Option<f64>,
    /// Time of training and of measuring.
    pub seconds: f64,
    /// Training images a second, validation left out; none where the clock is too coarse to tell.
    pub images_per_second: Option<f64>,
}

impl EpochRow {
    /// An epoch of which only the score in training matters.
    #[cfg(test)]
    pub fn of_score(epoch: usize, train: Score) -> Self {
        EpochRow {
            epoch,
            step: epoch,
            stage: None,
            train,
            validation: None,
            test: None,
            learning_rate: 0.1,
            gradient_norm: None,
            seconds: 1.0,
            images_per_second: Some(1.0),
        }
    }

    /// The scores on a set of samples; `None` if it was not measured, or only after training.
    pub fn score(&self, split: Split) -> Option<&Score> {
        match split {
            Split::Train => Some(&self.train),
            Split::Validation => self.validation.as_ref(),
            Split::Test => self.test.as_ref(),
            Split::BestTest => None,
        }
    }
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not begun, or begun and not ended.
    Unfinished,
    /// Trained and measured.
    Done,
    /// The loss became NaN or infinite.
    Diverged,
    /// The run ended with an error, or its process died.
    Failed,
    /// Given up early: others of its search were better. Its checkpoint is kept.
    Halted,
}

impl Status {
    /// As tables write it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Unfinished => "unfinished",
            Status::Done => "done",
            Status::Diverged => "diverged",
            Status::Failed => "failed",
            Status::Halted => "halted",
        }
    }
}

/// How far `runs` runs are, of which some stand so: `3 of 6 runs done, 1 failed`.
pub fn runs_done(states: impl IntoIterator<Item = Status>, runs: usize) -> String {
    let states: Vec<Status> = states.into_iter().collect();
    let number = |status| states.iter().filter(|&&other| other == status).count();
    let done = thousands(number(Status::Done));
    let mut text = format!("{done} of {} done", count(runs, "run"));
    for status in [Status::Halted, Status::Diverged, Status::Failed] {
        match number(status) {
            0 => {}
            number => text += &format!(", {} {}", thousands(number), status.name()),
        }
    }
    text
}

/// What was measured when training was over.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// With the final weights: those of the last epoch, or those that early stopping brought back.
    pub test: Score,
    /// With the best epoch's weights; none where the metric that decides the best is not measured.
    pub best: Option<Score>,
    /// That epoch, from 1.
    pub best_epoch: Option<usize>,
    /// Whether training stopped before all epochs were done.
    #[serde(default)]
    pub stopped_early: bool,
    /// The epoch whose weights early stopping brought back, unless that is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<Box<EpochRow>>,
    /// `confusion[truth][answer]`: test samples, with the final weights.
    pub confusion: Vec<Vec<usize>>,
    /// Names of the classes, in the order of `confusion`.
    pub classes: Vec<String>,
    /// Weights and biases of the network, frozen ones included.
    pub parameters: usize,
    /// Numbers of measures, by their keys.
    #[serde(default)]
    pub extra: Extra,
}

/// What is measured of a trained model beyond its loss, each by its key where it makes sense or the file asks
/// for it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Extra(BTreeMap<String, Option<f64>>);

impl Extra {
    /// The number of a measure, if it was taken.
    pub fn get(&self, key: &str) -> Option<f64> {
        self.0.get(key).copied().flatten()
    }
}

impl<'a> FromIterator<(&'a str, Option<f64>)> for Extra {
    fn from_iter<I: IntoIterator<Item = (&'a str, Option<f64>)>>(measured: I) -> Self {
        let measured = measured.into_iter();
        Extra(
            measured
                .map(|(key, number)| (key.to_string(), number))
                .collect(),
        )
    }
}

/// Where a run's numbers come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Commit of the working folder, if it is in a Git repository.
    pub git_commit: Option<String>,
    /// Whether the working tree differed from that commit.
    pub git_dirty: Option<bool>,
    /// Version of burnlab.
    pub burnlab: String,
    /// Version of Burn.
    pub burn: String,
    /// File name and SHA-256 of every file of the dataset that was read.
    pub dataset: Vec<(String, String)>,
    /// The shape of its images, so that the run can be asked where its data is not.
    #[serde(default)]
    pub images: Option<ImageShape>,
    /// The device's name and number.
    pub device: String,
    /// As what numbers the device takes the factors of its products, as measured before the run.
    #[serde(default)]
    pub precisions: Option<Precisions>,
    /// The CPU's kernels: `avx512`, `avx2`, `neon` or `portable`, which give the same numbers.
    #[serde(default)]
    pub kernels: Option<String>,
    /// Cores of the machine.
    pub cores: usize,
    /// Threads that it had when its last attempt began; they get more as others end.
    pub threads: usize,
    /// When its first attempt began: RFC 3339, UTC.
    pub start: String,
    /// RFC 3339, UTC; none until the run is over.
    pub end: Option<String>,
}

/// One row of `summary.csv`: a run and its results. What is missing is `None`, never 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    /// The variant's name, with the grid point's values.
    pub variant: String,
    /// The run's seed.
    pub seed: u64,
    /// Hash of the run's settings, seed and data.
    pub id: String,
    /// Each swept key with this run's value.
    pub swept: Vec<(String, String)>,
    /// How the run stands.
    pub status: Status,
    /// Why it failed or diverged, in a line.
    pub reason: Option<String>,
    /// The last epoch, if there was one.
    pub last: Option<EpochRow>,
    /// Results after training; none until it is done.
    pub measured: Option<Measured>,
    /// All epochs together, over all attempts.
    pub seconds: Option<f64>,
    /// All images over the time in training, as far as its epochs tell.
    pub images_per_second: Option<f64>,
    /// The device that it was trained on.
    pub device: Option<String>,
    /// The `train.precision` that was asked for, if the device does not have it and took a higher one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmet_precision: Option<Precision>,
}

impl RunRow {
    /// The epoch whose weights are the final ones, or the last so far.
    pub fn kept(&self) -> Option<&EpochRow> {
        let measured = self.measured.as_ref();
        let restored = measured.and_then(|measured| measured.restored.as_deref());
        restored.or(self.last.as_ref())
    }

    /// The scores on a set of samples; of training, and on the validation set, those of the epoch whose weights are kept.
    pub fn score(&self, split: Split) -> Option<&Score> {
        match split {
            Split::Train | Split::Validation => self.kept()?.score(split),
            Split::Test => Some(&self.measured.as_ref()?.test),
            Split::BestTest => self.measured.as_ref()?.best.as_ref(),
        }
    }

    /// Its value of a swept key; empty if that is not swept.
    pub fn swept_value(&self, key: &str) -> &str {
        let found = self.swept.iter().find(|(name, _)| name == key);
        found.map_or("", |(_, value)| value)
    }

    /// Takes over what the epochs so far tell of the run.
    pub fn sum_up(&mut self, epochs: &[EpochRow]) {
        if epochs.is_empty() {
            return;
        }
        self.seconds = Some(epochs.iter().map(|epoch| epoch.seconds).sum());
        self.images_per_second = images_per_second(epochs);
        self.last = epochs.last().cloned();
    }

    /// The row of a run that has not begun.
    pub fn unfinished(variant: &str, seed: u64, id: &str, swept: Vec<(String, String)>) -> Self {
        RunRow {
            variant: variant.to_string(),
            seed,
            id: id.to_string(),
            swept,
            status: Status::Unfinished,
            reason: None,
            last: None,
            measured: None,
            seconds: None,
            images_per_second: None,
            device: None,
            unmet_precision: None,
        }
    }
}

/// Of all epochs together: a row has the steps since the one before, whose batches are equally large.
fn images_per_second(epochs: &[EpochRow]) -> Option<f64> {
    let before = std::iter::once(0).chain(epochs.iter().map(|epoch| epoch.step));
    let (mut batches, mut time) = (0.0, 0.0);
    for (epoch, before) in epochs.iter().zip(before) {
        let steps = epoch.step.saturating_sub(before).max(1) as f64;
        if let Some(rate) = epoch.images_per_second {
            batches += steps;
            time += steps / rate;
        }
    }
    (batches > 0.0).then(|| batches / time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_images_however_long_rows_are() {
        let row = |step, images_per_second| EpochRow {
            step,
            images_per_second,
            ..EpochRow::of_score(1, Score::default())
        };
        // 1 step at 10 images a second, 60 at 600: 61 batches in 0.2 times what a batch takes at 1.
        let rows = [row(1, Some(10.0)), row(61, Some(600.0))];
        assert_eq!(images_per_second(&rows), Some(61.0 / (0.1 + 0.1)));
        // What has no rate is left out.
        let rows = [row(5, Some(10.0)), row(6, None)];
        assert_eq!(images_per_second(&rows), Some(10.0));
        assert_eq!(images_per_second(&[row(1, None)]), None);
    }
}
