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
mod readiness;
mod results_folder;
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
pub use results_folder::ResultsFolder;
pub use slurm::{Queue, SlurmJobs, cancel, is_in_queue, submit};
pub use state::{Only, RunState, on_other_data, states, twin_on_other_data};
pub use supervisor::{Ended, supervise};
pub use worker::{Errand, MakeReporter, begin, work};

use serde::Serialize;

use crate::error::{Result, count};
use crate::plan::Plan;
use crate::record::{EpochRow, Event, RunRow};

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
