//! Workers on other machines: they say that they are there, wait in queues, fall silent.

use std::time::{Duration, Instant};

use super::Supervisor;
use super::slot::Slot;
use crate::error::{Error, Problem, Result};
use crate::run::WorkerCounts;
use crate::run::machine::build;
use crate::run::protocol::Hello;
use crate::run::readiness::Readiness;
use crate::run::results_folder::absolute;

/// Workers that end one after another before any is ready, until no other is started.
const LAUNCHES: u32 = 3;

/// The same where some were ready before: what ends them now may pass.
const LAUNCHES_AGAIN: u32 = 10;

impl Supervisor<'_, '_> {
    /// A worker on another machine is ready.
    ///
    /// # Errors
    /// It is another program than this one, or does not see the results.
    pub(super) fn on_hello(&mut self, worker: usize, hello: &Hello) -> Result<()> {
        let own = build();
        let (host, theirs) = (&hello.host, &hello.build);
        if *theirs != own {
            let message = format!("the worker on `{host}` is burnlab {theirs}, and this is {own}");
            let hint = "the same program must be there: `program` in `[launch]` names it";
            return Err(Error::usage(Problem::new(message).hint(hint)));
        }
        if !hello.sees_results {
            let message = format!("the worker on `{host}` does not see the results folder");
            let problem = Problem::new(message).at_file(absolute(self.folder.path()));
            let hint = "write into a folder that all machines share with `--results DIR`";
            return Err(Error::data(problem.hint(hint)));
        }
        self.failed_launches = 0;
        self.has_had_workers = true;
        let slot = &mut self.slots[worker];
        slot.is_ready = true;
        slot.place = match &hello.job {
            Some(job) => format!(" on `{host}` (job {job})"),
            None => format!(" on `{host}`"),
        };
        slot.worker.is_ready(hello);
        Ok(())
    }

    /// A worker ended before it was ready: others are tried, until it is clear that none can be had.
    pub(super) fn on_failed_launch(&mut self, worker: usize, ended: &str) -> Result<()> {
        self.failed_launches += 1;
        self.launch_due = Instant::now() + Duration::from_secs(1) * self.failed_launches;
        if self.failed_launches < LAUNCHES {
            return Ok(());
        }
        let error = self
            .launcher
            .refusal(ended, &self.slots[worker].worker.words());
        let ready = self
            .slots
            .iter()
            .filter(|slot| slot.is_open && slot.is_ready)
            .count();
        match ready {
            0 if self.has_had_workers && self.failed_launches < LAUNCHES_AGAIN => Ok(()),
            0 => Err(error),
            ready => {
                self.do_without(ready, error.first_message());
                Ok(())
            }
        }
    }

    /// Tells workers on other machines that the supervisor lives, gives up those that are silent, and starts others.
    pub(super) fn look_after_workers(&mut self) -> Result<()> {
        let Some(silence) = self.launcher.silence() else {
            return Ok(());
        };
        if Instant::now() >= self.beat_due {
            self.beat_due = Instant::now() + silence / 6;
            let there = self
                .slots
                .iter_mut()
                .filter(|slot| slot.is_ready && slot.is_open);
            there.for_each(|slot| slot.worker.beat());
        }
        let is_silent =
            |slot: &Slot| slot.is_ready && !slot.is_gone && slot.heard.elapsed() > silence;
        while let Some(slot) = self.slots.iter_mut().find(|slot| is_silent(slot)) {
            slot.is_gone = true;
            slot.worker.kill();
            slot.close();
            let seconds = silence.as_secs();
            let reason = format!(
                "nothing was heard of its worker{} for {seconds} s",
                slot.place
            );
            if let Some(index) = slot.busy.take() {
                self.on_lost(index, &reason)?;
            }
        }
        if self.stopping.is_none() {
            self.ask_for_workers()?;
        }
        let count = |which: fn(&Slot) -> bool| self.slots.iter().filter(|slot| which(slot)).count();
        let ready = count(|slot| slot.is_open && slot.is_ready);
        let queued = count(Slot::is_queued);
        let reason = match queued {
            0 => None,
            _ => self.launcher.queued_for(),
        };
        self.progress.workers(&WorkerCounts {
            ready,
            queued,
            reason,
        });
        Ok(())
    }

    /// Has as many workers on other machines in the queue as there are runs for them.
    fn ask_for_workers(&mut self) -> Result<()> {
        let can_start = |&&index: &&usize| matches!(self.standing(index), Readiness::Ready);
        let wanted = self.queue.iter().filter(can_start).take(self.jobs).count();
        let queued = self.slots.iter().filter(|slot| slot.is_queued()).count();
        let open = self.slots.iter().filter(|slot| slot.is_open).count();
        if queued > wanted {
            let surplus = self.slots.iter_mut().rev().filter(|slot| slot.is_queued());
            for slot in surplus.take(queued - wanted) {
                slot.is_open = false;
                slot.worker.kill();
            }
        }
        if Instant::now() < self.launch_due {
            return Ok(());
        }
        let room = self.jobs.saturating_sub(open);
        for _ in 0..wanted.saturating_sub(queued).min(room) {
            if let Err(error) = self.start_worker() {
                match self.slots.iter().filter(|slot| slot.is_open).count() {
                    0 => return Err(error),
                    open => self.do_without(open, error.first_message()),
                }
            }
        }
        Ok(())
    }
}
