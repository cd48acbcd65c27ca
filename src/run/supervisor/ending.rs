//! How runs end: done, failed, given up, blocked by another, or tried again when their worker is gone.

use super::Supervisor;
use crate::error::{Result, count};
use crate::record::{Lease, RunRow, Status};
use crate::run::halving::Standing;
use crate::run::readiness::Readiness;

/// How often a run was tried again since it last got further.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tries {
    pub number: usize,
    /// Its epochs then.
    pub epochs: usize,
}

impl Supervisor<'_, '_> {
    /// What becomes of a run whose worker is gone: what its folder says, as nobody writes there any more.
    pub(super) fn on_lost(&mut self, index: usize, reason: &str) -> Result<()> {
        let run = &self.plan.runs[index];
        let folder = self.folder.run(run);
        folder.create()?;
        // A worker that is only believed lost is shut out.
        drop(Lease::take(folder.path(), &[])?);
        let row = self.folder.row(run);
        let is_over = matches!(row.status, Status::Done | Status::Diverged);
        if self.stopping.is_some() {
            return Ok(());
        }
        if is_over {
            self.end_run(index, row)?;
            return self.hand_out();
        }
        let (epochs, retries) = (folder.epochs().len(), self.launcher.retries());
        let tries = &mut self.tries[index];
        if epochs > tries.epochs {
            *tries = Tries { number: 0, epochs };
        }
        if tries.number < retries {
            tries.number += 1;
            let name = format!("{}, seed {}", run.variant, run.seed);
            let number = tries.number;
            let note = format!("again     {name} ({number} of {retries}): {reason}");
            self.progress.note(&note);
            self.queue.push_front(index);
        } else {
            let tried = match retries {
                0 => String::new(),
                _ => format!(
                    "; tried {} more without another epoch",
                    count(retries, "time")
                ),
            };
            let row = self.mark_failed(index, &format!("{reason}{tried}"))?;
            self.end_run(index, row)?;
        }
        self.hand_out()
    }

    /// What becomes of a run whose worker's device cannot be used: it is for the others; where no device is left it failed.
    pub(super) fn on_unfit(&mut self, worker: usize, index: usize, reason: &str) -> Result<()> {
        if self.stopping.is_some() {
            return Ok(());
        }
        let device = self.launcher.device(self.slots[worker].seat).to_string();
        let is_left = |seat: &usize| self.is_fit(*seat) && self.launcher.device(*seat) != device;
        let left = (0..self.seats).filter(is_left).count();
        if left == 0 {
            let row = self.mark_failed(index, reason)?;
            self.end_run(index, row)?;
            return self.hand_out();
        }
        self.slots[worker].close();
        self.queue.push_front(index);
        if self.unfit.insert(device) {
            match left < self.jobs {
                true => self.do_without(left, reason),
                false => self
                    .progress
                    .note(&format!("{reason}: another takes its place")),
            }
        }
        self.hand_out()
    }

    /// Tells, once, of runs that bring nothing new: a driver may never answer, and only people can tell that from a run that
    /// takes its time.
    pub(super) fn tell_of_stalls(&mut self) {
        let patience = self.launcher.stall();
        for slot in &mut self.slots {
            let Some(index) = slot.busy else {
                continue;
            };
            if slot.is_stalled || slot.moved.elapsed() < patience {
                continue;
            }
            slot.is_stalled = true;
            let run = &self.plan.runs[index];
            let (variant, seed, place) = (&run.variant, run.seed, &slot.place);
            let minutes = count(patience.as_secs() as usize / 60, "minute");
            let end = slot.worker.process().map_or_else(String::new, |process| {
                format!("; killing process {process} ends it alone")
            });
            self.progress.note(&format!(
                "stalled   {variant}, seed {seed}{place}: nothing new for {minutes}{end}"
            ));
        }
    }

    /// Notes how a run ended, and ends those that can no longer start.
    pub(super) fn end_run(&mut self, index: usize, row: RunRow) -> Result<()> {
        let is_done = row.status == Status::Done;
        self.note_end(index, row);
        match self.give_up()? || !is_done {
            true => self.end_blocked(),
            false => Ok(()),
        }
    }

    fn note_end(&mut self, index: usize, row: RunRow) {
        let epochs = row.last.as_ref().map_or(0, |last| last.epoch);
        if self.results.epochs[index].len() != epochs {
            // Of a worker that died, the folder alone knows.
            self.results.epochs[index] = self.folder.run(&self.plan.runs[index]).epochs();
        }
        self.has_news = true;
        self.progress.ended(index, &row);
        let status = row.status;
        self.results.rows[index] = row;
        let is_bad = matches!(status, Status::Failed | Status::Diverged);
        if is_bad && self.options.fail_fast && self.stopping.is_none() {
            let note = "stopping at the first failure, as `--fail-fast` asks";
            self.progress.note(note);
            self.stop_workers();
        }
    }

    /// Ends the runs whose search gives them up, by what is known now; whether there were any.
    pub(super) fn give_up(&mut self) -> Result<bool> {
        let Some(ladder) = &mut self.ladder else {
            return Ok(false);
        };
        ladder.update(&self.results);
        let mut given_up = Vec::new();
        self.queue.retain(|&index| match ladder.standing(index, 0) {
            Standing::GivenUp(epoch) => {
                given_up.push((index, epoch));
                false
            }
            Standing::GoesOn(_) | Standing::Waits => true,
        });
        for &(index, epoch) in &given_up {
            let reason = format!("given up after epoch {epoch}: others are better");
            let row = self.folder.row(&self.plan.runs[index]);
            let row = self.mark(index, row, Status::Halted, &reason)?;
            self.note_end(index, row);
        }
        Ok(!given_up.is_empty())
    }

    /// Ends runs that need one without a result, and those that need them.
    pub(super) fn end_blocked(&mut self) -> Result<()> {
        let blocked = |supervisor: &Self, index: usize| match supervisor.standing(index) {
            Readiness::Blocked(reason) => Some((index, reason)),
            Readiness::Ready | Readiness::Waiting => None,
        };
        loop {
            let mut queued = self.queue.iter();
            let Some((index, reason)) = queued.find_map(|&index| blocked(self, index)) else {
                return Ok(());
            };
            self.queue.retain(|&queued| queued != index);
            let row = self.mark_failed(index, &reason)?;
            self.note_end(index, row);
        }
    }

    /// The row of a run that failed outside of a worker, also written to its folder.
    pub(super) fn mark_failed(&self, index: usize, reason: &str) -> Result<RunRow> {
        let row = self.folder.row(&self.plan.runs[index]);
        self.mark(index, row, Status::Failed, reason)
    }

    /// The same of one that ended so; its row is this but for that.
    fn mark(&self, index: usize, mut row: RunRow, status: Status, reason: &str) -> Result<RunRow> {
        row.status = status;
        row.reason = Some(reason.to_string());
        let folder = self.folder.run(&self.plan.runs[index]);
        folder.create()?;
        row.sum_up(&folder.epochs());
        let _lease = Lease::take(folder.path(), &[])?;
        folder.write_row(&row)?;
        Ok(row)
    }
}
