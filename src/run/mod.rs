//! Running a plan: a supervisor, worker processes, and what they leave under `results/`.
//!
//! A worker trains runs one after another and writes their folders itself; the supervisor hands
//! runs out, notices what died, and informs its listeners. What starts a worker is a trait. Knows nothing of tables or charts.

mod bars;
mod command;
mod halving;
mod launcher;
mod lines;
mod local;
mod machine;
mod order;
mod parameters;
mod process;
mod protocol;
#[cfg(test)]
pub mod script;
mod slurm;
mod state;
mod supervisor;
mod tables;
#[cfg(test)]
mod tests;
mod worker;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use bars::Bars;
pub use command::Commands;
pub use launcher::{Launcher, Report, Worker};
pub use lines::{Lines, Quiet};
pub use local::Local;
pub use machine::{Share, build, cores, share};
pub use order::{Options, Part, parts};
pub use parameters::parameters;
pub use protocol::{Assignment, Begin, Hello, Message};
pub use slurm::{Queue, SlurmJobs, cancel, is_in_queue, submit};
pub use state::{Only, RunState, is_variant, on_other_data, states};
pub use supervisor::{Ended, supervise};
pub use worker::{Errand, MakeReporter, begin, work};

use serde::Serialize;

use crate::error::{Result, count};
use crate::plan::{Plan, Run, file_name};
use crate::record::{EpochRow, Event, RunFolder, RunRow, remove_parts};

/// `results/EXPERIMENT/` and what is where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultsFolder(PathBuf);

impl ResultsFolder {
    /// The folder of an experiment below `results`.
    pub fn of(results: &Path, experiment: &str) -> Self {
        ResultsFolder(results.join(experiment))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Removes what killed processes left half written; nobody else may write here meanwhile.
    fn remove_parts(&self) {
        remove_parts(&self.0, false);
        for folder in ["runs", "tensorboard"] {
            remove_parts(&self.0.join(folder), true);
        }
    }

    /// What workers hold for as long as they live.
    pub fn workers_lock(&self) -> PathBuf {
        self.0.join(".workers.lock")
    }

    /// The folder of a run.
    pub fn run(&self, run: &Run) -> RunFolder {
        RunFolder::new(self.0.join("runs").join(run.folder()))
    }

    /// The run's row as it stands on disk, if it is of this very run; else that of one not done.
    pub fn row(&self, run: &Run) -> RunRow {
        let before = self.run(run).row().filter(|row| row.id == run.id);
        before.unwrap_or_else(|| run.unfinished())
    }

    /// `tensorboard/VARIANT/seed-N`.
    pub fn tensorboard(&self, run: &Run) -> PathBuf {
        let variant = self.0.join("tensorboard").join(file_name(&run.variant));
        variant.join(format!("seed-{}", run.seed))
    }
}

/// What is known of the runs of a plan, in the plan's order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Results {
    /// A row a run, in the order of the plan.
    pub rows: Vec<RunRow>,
    /// The epochs of each.
    pub epochs: Vec<Vec<EpochRow>>,
}

/// Writes tables, of another thread.
pub type WriteTables<'a> = dyn FnMut(&Results) -> Result<()> + Send + 'a;

/// Where what is known of a plan goes while it is carried out.
pub struct Output<'a> {
    /// What shows progress.
    pub progress: &'a mut dyn Progress,
    /// Writes the tables: before the first run, as runs end, and after the last.
    pub tables: &'a mut WriteTables<'a>,
    /// How far tables may lag behind the runs.
    pub lag: Duration,
}

/// Workers on other machines, as `3 workers ready, 5 queued (Resources)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerCounts {
    /// Those that train, or could.
    pub ready: usize,
    /// Those that wait in a queue.
    pub queued: usize,
    /// What for, in the cluster's word, as far as it has said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl fmt::Display for WorkerCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ready", count(self.ready, "worker"))?;
        match (self.queued, &self.reason) {
            (0, _) => Ok(()),
            (queued, None) => write!(f, ", {queued} queued"),
            (queued, Some(reason)) => write!(f, ", {queued} queued ({reason})"),
        }
    }
}

/// Shows how a plan is getting on.
pub trait Progress {
    /// Before the first run: which runs are to be done and which were done before.
    fn begin(&mut self, plan: &Plan, states: &[RunState], share: &Share);
    /// A run says something.
    fn event(&mut self, run: usize, event: &Event);
    /// Workers on other machines; said again and again.
    fn workers(&mut self, _: &WorkerCounts) {}
    /// A run ended, well or not.
    fn ended(&mut self, run: usize, row: &RunRow);
    /// Something worth a line that belongs to no run.
    fn note(&mut self, text: &str);
    /// After the last run.
    fn end(&mut self);
}
