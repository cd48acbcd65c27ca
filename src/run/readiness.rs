//! Whether the runs that a run needs are done.

use std::collections::HashMap;
use std::path::Path;

use super::{Results, ResultsFolder, RunState};
use crate::plan::{Earlier, Plan};
use crate::record::Status;

/// Whether a run can be handed out.
pub(super) enum Readiness {
    Ready,
    /// A run that it needs is not done yet.
    Waiting,
    /// A run that it needs will not be done, for this reason.
    Blocked(String),
}

/// A run of another experiment: the number of its plan, and its number there.
type Elsewhere = (usize, usize);

/// What the runs of a plan need.
pub(super) struct Needs<'a> {
    plan: &'a Plan,
    /// How the runs of other experiments ended that these ones need. They were done before, if at all.
    elsewhere: HashMap<Elsewhere, Option<Status>>,
}

impl<'a> Needs<'a> {
    /// Of those that are to be done; `results` is where experiments leave their results.
    pub fn of(plan: &'a Plan, states: &[RunState], results: &Path) -> Self {
        let mut elsewhere = HashMap::new();
        let runs = plan.runs.iter().zip(states);
        let needed = runs.filter(|(_, state)| state.is_to_do());
        for earlier in needed.flat_map(|(run, _)| &run.earlier) {
            if let Some(number) = earlier.plan {
                elsewhere.entry((number, earlier.run)).or_insert_with(|| {
                    let (plan, run) = plan.earlier(earlier);
                    let folder = ResultsFolder::of(results, &plan.name);
                    let row = folder.run(run).row().filter(|row| row.id == run.id);
                    row.map(|row| row.status)
                });
            }
        }
        Needs { plan, elsewhere }
    }

    /// Whether a run can start, as what has become of the others stands.
    pub fn readiness(&self, index: usize, results: &Results) -> Readiness {
        let mut waits = false;
        for earlier in &self.plan.runs[index].earlier {
            match self.readiness_by(earlier, results) {
                Readiness::Ready => {}
                Readiness::Waiting => waits = true,
                blocked => return blocked,
            }
        }
        match waits {
            true => Readiness::Waiting,
            false => Readiness::Ready,
        }
    }

    /// The same as far as one that it needs goes.
    fn readiness_by(&self, earlier: &Earlier, results: &Results) -> Readiness {
        let status = match earlier.plan {
            None => Some(results.rows[earlier.run].status),
            Some(plan) => self.elsewhere.get(&(plan, earlier.run)).copied().flatten(),
        };
        let is_here = earlier.plan.is_none();
        let how = match status {
            Some(Status::Done) => return Readiness::Ready,
            Some(Status::Unfinished) if is_here => return Readiness::Waiting,
            Some(Status::Failed) => "failed",
            Some(Status::Diverged) => "diverged",
            Some(Status::Halted) => "was given up",
            Some(Status::Unfinished) | None => "is not done",
        };
        let (plan, run) = self.plan.earlier(earlier);
        let whose = match is_here {
            true => String::new(),
            false => format!(" of `{}`", plan.name),
        };
        let name = format!("`{}`, seed {}{whose}", run.variant, run.seed);
        Readiness::Blocked(format!("a run it needs ({name}) {how}"))
    }
}
