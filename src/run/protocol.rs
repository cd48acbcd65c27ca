//! What supervisor and worker say to each other: JSON, a line each.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::Settings;
use crate::record::{Event, RunRow, Status};
use crate::train::EarlierRun;

/// The variable that gives a worker the process that it works for.
pub const SUPERVISOR: &str = "BURNLAB_SUPERVISOR";

/// The variable that gives a worker the file that it locks for as long as it lives.
pub const LOCK: &str = "BURNLAB_WORKERS_LOCK";

/// Supervisor to worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// What a worker elsewhere is told first.
    Begin(Box<Begin>),
    /// The supervisor lives.
    Beat,
    /// Train this run when those before it are over.
    Train(Box<Assignment>),
    /// From the next epoch on, use so many threads.
    UseThreads(usize),
}

/// What a worker on another machine must know before it does anything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    /// Where the supervisor stands: relative paths of data begin there.
    pub directory: PathBuf,
    /// Variables of burnlab that the supervisor was started with.
    pub variables: Vec<(String, String)>,
    /// A file of the results folder, and what it holds.
    pub token: (PathBuf, String),
    /// Seconds of silence after which the supervisor counts as gone.
    pub patience: u64,
}

/// What a worker on another machine says of itself when it is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The program that it is, as [`build`](super::machine::build) names it.
    pub build: String,
    /// Its machine.
    pub host: String,
    /// The cluster's job that it runs in.
    pub job: Option<String>,
    /// Whether it sees the results folder.
    pub sees_results: bool,
}

/// A run that is handed over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// The run's place in the plan.
    pub index: usize,
    /// The run as it stands: variant, seed, id and swept keys are its own already.
    pub row: RunRow,
    /// The run's settings, all resolved.
    pub settings: Settings,
    /// The SHA-256 of the data that the run was planned with, where people fill the dataset.
    #[serde(default)]
    pub digest: Option<String>,
    /// The SHA-256 of the file of weights that the run was planned to start from, if it does.
    #[serde(default)]
    pub weights: Option<String>,
    /// The runs that it needs, which are done.
    pub earlier: Vec<EarlierRun>,
    /// Training images of one epoch, augmented copies included.
    pub images: usize,
    /// The experiment's name.
    pub experiment: String,
    /// Settings that are numbers in some runs of the experiment and texts in others: they are texts in logs.
    #[serde(default)]
    pub texts: Vec<String>,
    /// The run's folder.
    pub folder: PathBuf,
    /// The folder of its TensorBoard logs.
    pub tensorboard: PathBuf,
    /// Threads that it may use.
    pub threads: usize,
    /// After this epoch it pauses.
    #[serde(default)]
    pub until: Option<usize>,
}

/// Worker to supervisor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// The worker is ready; said by those on other machines.
    Hello(Hello),
    /// The worker lives.
    Beat,
    /// The run says something; only what is light travels.
    Event {
        /// The run's place in the plan.
        index: usize,
        /// What happened.
        event: Event,
    },
    /// The run is over. The worker is free.
    Ended {
        /// The run's place in the plan.
        index: usize,
        /// Its row as it is now.
        row: Box<RunRow>,
    },
    /// What was handed over cannot be read. The worker is free.
    Refused {
        /// Why, in a line.
        reason: String,
    },
    /// The worker's device cannot be used, so nothing was done about the run.
    Unfit {
        /// Why, in a line.
        reason: String,
    },
    /// The run pauses after the epoch that was asked for, and can be resumed. The worker is free.
    Paused {
        /// The run's place in the plan.
        index: usize,
    },
    /// The run was stopped from outside and can be resumed. Unless the supervisor asked for it, the worker ends.
    Stopped {
        /// The run's place in the plan.
        index: usize,
    },
}

impl Message {
    /// Whether a run ended with an error.
    pub fn has_failed(&self) -> bool {
        matches!(self, Message::Ended { row, .. } if row.status == Status::Failed)
    }
}
