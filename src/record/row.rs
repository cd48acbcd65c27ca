//! The rows a run leaves.

use serde::{Deserialize, Serialize};

/// Mean loss per sample and share of right answers on one set of samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    pub loss: f64,
    /// From 0 to 1.
    pub accuracy: f64,
}

/// What one epoch came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRow {
    /// From 1.
    pub epoch: usize,
    /// Over the epoch's batches as they were trained on.
    pub train: Score,
    pub validation: Option<Score>,
    /// Of the epoch's last step.
    pub learning_rate: f64,
    /// Length of all gradients together before clipping, mean over the epoch's steps; none where that is
    /// no finite number, or nothing is trained.
    pub gradient_norm: Option<f64>,
    /// Time of training and validation.
    pub seconds: f64,
    /// Training images a second, validation left out.
    pub images_per_second: f64,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not begun, or begun and not ended.
    Unfinished,
    Done,
    /// The loss became NaN or infinite.
    Diverged,
    /// The run ended with an error, or its process died.
    Failed,
}

impl Status {
    /// As tables write it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Unfinished => "unfinished",
            Status::Done => "done",
            Status::Diverged => "diverged",
            Status::Failed => "failed",
        }
    }
}

/// What was measured when training was over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// With the final weights: those of the last epoch, or those that early stopping brought back.
    pub test: Score,
    /// With the best epoch's weights; none where what tells the best is not measured.
    pub best: Option<Score>,
    /// That epoch, from 1.
    pub best_epoch: Option<usize>,
    /// Whether training stopped before all epochs were done.
    #[serde(default)]
    pub stopped_early: bool,
    /// `confusion[truth][answer]`: test samples, with the final weights.
    pub confusion: Vec<Vec<usize>>,
    /// Names of the classes, in the order of `confusion`.
    pub classes: Vec<String>,
    /// Trained numbers of the network.
    pub parameters: usize,
    #[serde(default)]
    pub extra: Extra,
}

/// What is measured of a trained model beyond its loss, each where it makes sense or the file asks for it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Extra {
    /// In nats per test image.
    pub log_likelihood: Option<f64>,
    /// From 0 to 1.
    pub precision_at_10: Option<f64>,
    /// From 0.
    pub frechet_distance: Option<f64>,
    /// A count.
    pub active_units: Option<f64>,
    /// From 0 to 1.
    pub anomaly_auc: Option<f64>,
}

/// Where a run's numbers come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    pub git_commit: Option<String>,
    /// Whether the working tree differed from that commit.
    pub git_dirty: Option<bool>,
    pub burnlab: String,
    pub burn: String,
    /// File name and SHA-256 of every file of the dataset that was read.
    pub dataset: Vec<(String, String)>,
    pub device: String,
    /// Cores of the machine, and threads this run used.
    pub cores: usize,
    pub threads: usize,
    /// RFC 3339, UTC.
    pub start: String,
    pub end: Option<String>,
}

/// One row of `summary.csv`: a run and what it came to. What is missing is `None`, never 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    pub variant: String,
    pub seed: u64,
    pub id: String,
    /// Each swept key with this run's value.
    pub swept: Vec<(String, String)>,
    pub status: Status,
    /// Why it failed or diverged, in a line.
    pub reason: Option<String>,
    /// The last epoch, if there was one.
    pub last: Option<EpochRow>,
    pub measured: Option<Measured>,
    /// All epochs together, over all attempts.
    pub seconds: Option<f64>,
    /// Mean over the epochs.
    pub images_per_second: Option<f64>,
    pub device: Option<String>,
}

impl RunRow {
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
        }
    }
}
