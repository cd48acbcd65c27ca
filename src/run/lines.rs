//! Progress as plain lines, for files and pipes.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::{Progress, RunState, Share, WorkerCounts};
use crate::error::{count, visible};
use crate::plan::{Plan, Run};
use crate::record::{Event, LOSS, RunRow, Status};

/// How often workers are told of at most.
const PAUSE: Duration = Duration::from_secs(5);

/// Shows nothing.
pub struct Quiet;

impl Progress for Quiet {
    fn begin(&mut self, _: &Plan, _: &[RunState], _: &Share) {}
    fn event(&mut self, _: usize, _: &Event) {}
    fn ended(&mut self, _: usize, _: &RunRow) {}
    fn note(&mut self, _: &str) {}
    fn end(&mut self) {}
}

/// A line when something ends.
pub struct Lines<W = io::Stderr> {
    out: W,
    runs: Vec<Run>,
    to_do: usize,
    ended: usize,
    /// Workers as they were last told of: ready and queued, and when.
    workers: Option<(WorkerCounts, Instant)>,
}

impl Default for Lines {
    fn default() -> Self {
        Lines::to(io::stderr())
    }
}

impl<W: Write> Lines<W> {
    /// Nothing is written yet.
    pub fn to(out: W) -> Self {
        Lines {
            out,
            runs: Vec::new(),
            to_do: 0,
            ended: 0,
            workers: None,
        }
    }

    /// A reader that has gone away is no error.
    fn say(&mut self, text: &str) {
        let _ = writeln!(self.out, "{}", visible(text));
    }
}

/// What stands before the first run starts: `12 runs to train, 3 done before; 2 workers with 1 thread each`.
pub(super) fn opening(states: &[RunState], share: &Share) -> String {
    let number = |which: fn(&RunState) -> bool| states.iter().filter(|state| which(state)).count();
    let to_do = number(RunState::is_to_do);
    let resumed =
        number(|state| matches!(state, RunState::ToDo { epochs_done } if *epochs_done > 0));
    let finished = number(|state| matches!(state, RunState::Finished(_)));
    let ended = |status: Status| {
        let is_so =
            |state: &&RunState| matches!(state, RunState::Finished(row) if row.status == status);
        states.iter().filter(is_so).count()
    };
    let mut text = format!("{} to train", count(to_do, "run"));
    if resumed > 0 {
        text += &format!(" ({resumed} of them resumed)");
    }
    if finished > 0 {
        text += &format!(", {finished} done before");
    }
    let others = [Status::Diverged, Status::Halted].map(|status| (status, ended(status)));
    let others = others.into_iter().filter(|(_, number)| *number > 0);
    let others: Vec<String> = others
        .map(|(status, number)| format!("{number} of them {}", status.name()))
        .collect();
    if !others.is_empty() {
        text += &format!(" ({})", others.join(", "));
    }
    if to_do > 0 {
        let threads = count(share.threads, "thread");
        text += &format!("; {} with {threads} each", count(share.jobs, "worker"));
    }
    text
}

/// How a run ended, in a line.
pub(super) fn closing(run: &Run, row: &RunRow) -> String {
    let name = name(run);
    let seconds = row
        .seconds
        .map(|s| format!(", {s:.0} s"))
        .unwrap_or_default();
    match row.status {
        Status::Done => {
            let test = row.measured.as_ref().map(|measured| measured.test);
            let score = test.map(|test| match test.accuracy {
                Some(accuracy) => format!("test accuracy {accuracy:.4}"),
                None => format!("test loss {}", LOSS.metric.text(test.loss)),
            });
            let score = score.unwrap_or_default();
            let stopped = match (&row.measured, &row.last) {
                (Some(measured), Some(last)) if measured.stopped_early => {
                    format!(", stopped after {}", run.point(last.epoch))
                }
                _ => String::new(),
            };
            let restored = row.measured.as_ref();
            let restored = restored.and_then(|measured| measured.restored.as_ref());
            let restored = restored
                .map(|kept| format!(", weights of {}", run.point(kept.epoch)))
                .unwrap_or_default();
            format!("done      {name}: {score}{stopped}{restored}{seconds}")
        }
        status => {
            let reason = row.reason.as_deref().unwrap_or("no reason is known");
            format!("{:9} {name}: {reason}", status.name())
        }
    }
}

/// `plain, seed 0`.
pub(super) fn name(run: &Run) -> String {
    format!("{}, seed {}", run.variant, run.seed)
}

impl<W: Write> Progress for Lines<W> {
    fn begin(&mut self, plan: &Plan, states: &[RunState], share: &Share) {
        self.runs = plan.runs.clone();
        self.to_do = states.iter().filter(|state| state.is_to_do()).count();
        self.say(&format!("{}: {}", plan.name, opening(states, share)));
    }

    fn event(&mut self, run: usize, event: &Event) {
        if let Event::Started { epochs_done, .. } = event
            && *epochs_done > 0
        {
            let run = &self.runs[run];
            let (name, point) = (name(run), run.point(*epochs_done));
            self.say(&format!("resumed   {name} after {point}"));
        }
    }

    fn workers(&mut self, counts: &WorkerCounts) {
        let is_told =
            |(told, since): &(WorkerCounts, Instant)| told == counts || since.elapsed() < PAUSE;
        if !self.workers.as_ref().is_some_and(is_told) {
            self.workers = Some((counts.clone(), Instant::now()));
            self.say(&counts.to_string());
        }
    }

    fn ended(&mut self, run: usize, row: &RunRow) {
        self.ended += 1;
        let closing = closing(&self.runs[run], row);
        self.say(&format!("[{}/{}] {closing}", self.ended, self.to_do));
    }

    fn note(&mut self, text: &str) {
        self.say(text);
    }

    fn end(&mut self) {}
}
