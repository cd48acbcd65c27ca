//! How the runs of a plan stand on disk before anything starts, and which of them are wanted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::halving::{Ladder, Standing};
use super::{Results, ResultsFolder};
use crate::plan::{Plan, Run};
use crate::record::{RunFolder, RunRow, Status};

/// Which runs of a plan are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Only {
    /// Every run.
    All,
    /// Those of these variants.
    Variants(Vec<String>),
    /// Those with these numbers in the plan.
    Runs(BTreeSet<usize>),
}

impl Only {
    pub(super) fn wants(&self, index: usize, run: &Run) -> bool {
        match self {
            Only::All => true,
            Only::Variants(names) => names.iter().any(|name| run.is_of(name)),
            Only::Runs(runs) => runs.contains(&index),
        }
    }

    /// Whether a run that stands so may be given up for others: one that is asked for by its own name is not.
    pub(super) fn halves(&self, plan: &Plan, states: &[RunState], index: usize) -> bool {
        let is_named = match self {
            Only::All => false,
            Only::Variants(names) => names.contains(&plan.runs[index].variant),
            Only::Runs(runs) => runs.contains(&index),
        };
        states[index].is_wanted() && !is_named
    }
}

/// How a planned run stands before anything starts.
#[derive(Debug, Clone, PartialEq)]
pub enum RunState {
    /// Done, diverged or given up before: its numbers are there.
    Finished(Box<RunRow>),
    /// To be trained, with the epochs that a checkpoint spares.
    ToDo {
        /// Epochs that were trained, as far as a checkpoint is there to go on from.
        epochs_done: usize,
    },
    /// `--only` leaves it out; there may be numbers of it.
    LeftOut,
}

impl RunState {
    /// Whether it is asked for, or needed by one that is to be trained.
    pub fn is_wanted(&self) -> bool {
        *self != RunState::LeftOut
    }

    /// Whether it is to be trained.
    pub fn is_to_do(&self) -> bool {
        matches!(self, RunState::ToDo { .. })
    }
}

/// How every run of a plan stands on disk.
///
/// `fresh` forgets what was done before of those that are wanted.
pub fn states(plan: &Plan, results: &Path, only: &Only, fresh: bool) -> Vec<RunState> {
    let folder = ResultsFolder::of(results, &plan.name);
    let mut states: Vec<RunState> = plan
        .runs
        .iter()
        .enumerate()
        .map(|(index, run)| match only {
            Only::Runs(needed) if needed.contains(&index) => needed_state(run, &folder),
            _ => state(run, &folder, only.wants(index, run), fresh),
        })
        .collect();
    for index in 0..states.len() {
        add_earlier(plan, index, &folder, &mut states);
    }
    settle(plan, only, &folder, &mut states);
    for (run, state) in plan.runs.iter().zip(&mut states) {
        // Nothing is there to go on from.
        if state.is_to_do() && !folder.run(run).has_checkpoint() {
            *state = RunState::ToDo { epochs_done: 0 };
        }
    }
    states
}

/// What is known of the runs before any of them starts.
pub(super) fn results(plan: &Plan, states: &[RunState], folder: &ResultsFolder) -> Results {
    let row = |(run, state): (&Run, &RunState)| match state {
        RunState::Finished(row) => row.as_ref().clone(),
        RunState::ToDo { .. } => run.unfinished(),
        RunState::LeftOut => folder.row(run),
    };
    let epochs = |(run, state): (&Run, &RunState)| match state {
        RunState::ToDo { epochs_done: 0 } => Vec::new(),
        _ => folder.run(run).epochs(),
    };
    Results {
        rows: plan.runs.iter().zip(states).map(row).collect(),
        epochs: plan.runs.iter().zip(states).map(epochs).collect(),
    }
}

/// Takes those for finished that their search gave up.
fn settle(plan: &Plan, only: &Only, folder: &ResultsFolder, states: &mut [RunState]) {
    let Some(mut ladder) = Ladder::of(plan, |index| only.halves(plan, states, index)) else {
        return;
    };
    let results = results(plan, states, folder);
    ladder.update(&results);
    for (index, run) in plan.runs.iter().enumerate() {
        let is_given_up = matches!(ladder.standing(index, 0), Standing::GivenUp(_));
        if is_given_up && states[index].is_to_do() {
            let row = folder.row(run);
            if row.status == Status::Halted {
                states[index] = RunState::Finished(Box::new(row));
            }
        }
    }
}

fn state(run: &Run, folder: &ResultsFolder, is_wanted: bool, fresh: bool) -> RunState {
    let before = folder.run(run);
    if !is_wanted {
        return RunState::LeftOut;
    }
    // A worker writes the row first.
    let Some(row) = before.row().filter(|row| row.id == run.id && !fresh) else {
        return RunState::ToDo { epochs_done: 0 };
    };
    let epochs_done = before.epochs().len();
    let is_over = matches!(row.status, Status::Done | Status::Diverged);
    // Of a run that is over, its epochs may have been lost since.
    let is_whole = row
        .last
        .as_ref()
        .is_none_or(|last| epochs_done >= last.epoch);
    match is_over && is_whole {
        true => RunState::Finished(Box::new(row)),
        false => RunState::ToDo { epochs_done },
    }
}

/// How a run stands that another needs: of one whose weights were lost the numbers alone are no use.
fn needed_state(run: &Run, folder: &ResultsFolder) -> RunState {
    match state(run, folder, true, false) {
        RunState::Finished(row)
            if row.status == Status::Done && !folder.run(run).has_weights(&row) =>
        {
            RunState::ToDo { epochs_done: 0 }
        }
        state => state,
    }
}

/// How many runs that are to be done were trained, or begun, on other data: the same settings and seed, when
/// the folder of the dataset held something else.
pub fn on_other_data(plan: &Plan, results: &Path, states: &[RunState]) -> usize {
    let folder = ResultsFolder::of(results, &plan.name);
    let there = folder.runs();
    let to_do = plan.runs.iter().zip(states);
    let to_do = to_do.filter(|(_, state)| state.is_to_do());
    to_do
        .filter(|(run, _)| twin_on_other_data(run, &there).is_some())
        .count()
}

/// One of `there`, folders of an experiment's runs, that is of this run on other data.
pub fn twin_on_other_data<'a>(run: &Run, there: &'a [PathBuf]) -> Option<&'a Path> {
    run.digest.as_ref()?;
    let own = run.folder();
    let start = own.strip_suffix(&run.id).unwrap_or(&own);
    let is_twin = |path: &&PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_like = name != own && name.strip_prefix(start).is_some_and(is_id);
        is_like && run.settings.are_those_of(&RunFolder::new(path.as_path()))
    };
    there.iter().find(is_twin).map(PathBuf::as_path)
}

fn is_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Adds what a run that is to be done needs, as far as it is of the same plan and missing.
fn add_earlier(plan: &Plan, index: usize, folder: &ResultsFolder, states: &mut [RunState]) {
    if !states[index].is_to_do() {
        return;
    }
    let earlier = plan.runs[index].earlier.iter();
    for run in earlier.filter(|e| e.plan.is_none()).map(|e| e.run) {
        if !states[run].is_to_do() {
            states[run] = needed_state(&plan.runs[run], folder);
            add_earlier(plan, run, folder, states);
        }
    }
}
