//! What is to be done of an experiment and of those that its runs need, in order.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::machine::{Share, share};
use super::state::{Only, RunState, states};
use crate::plan::Plan;

/// What the command line says about running.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where `EXPERIMENT/` is made.
    pub results: PathBuf,
    /// Workers at a time, unless one a core.
    pub jobs: Option<usize>,
    /// Threads of each, unless they share this machine's cores.
    pub threads: Option<usize>,
    /// Forget what was done before of the runs that are asked for.
    pub fresh: bool,
    /// Stop at the first run that fails.
    pub fail_fast: bool,
}

/// What is to be done of one experiment.
#[derive(Debug)]
pub struct Part<'a> {
    /// The experiment.
    pub plan: &'a Plan,
    /// Which of its runs are wanted; those that they need are trained too where they are missing.
    pub only: Only,
    /// Forget what was done before of those.
    pub fresh: bool,
    /// How its runs stood when the parts were put in order.
    pub states: Vec<RunState>,
    /// Its workers and their threads.
    pub share: Share,
}

impl Part<'_> {
    /// Whether the command is about this experiment, and not about one that needs it.
    pub fn is_asked_for(&self) -> bool {
        is_asked_for(&self.only)
    }
}

fn is_asked_for(only: &Only) -> bool {
    !matches!(only, Only::Runs(_))
}

/// What is to be done, each experiment after those that its runs need, the one asked for last. Of others
/// only what is missing is trained.
pub fn parts<'a>(plan: &'a Plan, only: Only, options: &Options) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    add_parts(plan, only, options, &mut parts);
    parts
}

fn add_parts<'a>(plan: &'a Plan, only: Only, options: &Options, parts: &mut Vec<Part<'a>>) {
    let is_asked_for = is_asked_for(&only);
    let fresh = options.fresh && is_asked_for;
    let states = states(plan, &options.results, &only, fresh);
    let number = states.iter().filter(|state| state.is_to_do()).count();
    for (before, other) in plan.before.iter().enumerate() {
        let missing = Only::Runs(needed(plan, &states, before));
        add_parts(other, missing, options, parts);
    }
    if is_asked_for || number > 0 {
        parts.push(Part {
            plan,
            only,
            fresh,
            states,
            share: share(options.jobs, options.threads, number),
        });
    }
}

/// The runs of another experiment, by its number among those before, that runs to be done need.
fn needed(plan: &Plan, states: &[RunState], before: usize) -> BTreeSet<usize> {
    let runs = plan.runs.iter().zip(states);
    let to_do = runs.filter(|(_, state)| state.is_to_do());
    to_do
        .flat_map(|(run, _)| &run.earlier)
        .filter(|earlier| earlier.plan == Some(before))
        .map(|earlier| earlier.run)
        .collect()
}
