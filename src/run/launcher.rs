//! What starts workers: this machine, a cluster, any command that reaches another machine, and in tests a script.
//!
//! A worker is given one run after another and reports their results. Where and how it trains,
//! the supervisor need not know.

use std::sync::mpsc::Sender;
use std::time::Duration;

use super::protocol::{Assignment, Begin, Hello, Message};
use crate::error::{Error, Problem, Result};

/// Without news for so long, a run is told to stall.
const STALL: Duration = Duration::from_secs(600);

/// Starts workers.
pub trait Launcher {
    /// Starts a worker that reports under this number, in a seat, from 0, that no other worker has at the time.
    ///
    /// # Errors
    /// It cannot be started.
    fn launch(
        &mut self,
        number: usize,
        seat: usize,
        reports: &Sender<(usize, Report)>,
    ) -> Result<Box<dyn Worker>>;

    /// The words of the command that starts one.
    fn command(&self, number: usize) -> Vec<String>;

    /// Seats that all of its devices have together; those beyond are on the same ones again.
    fn seats(&self) -> usize {
        1
    }

    /// The device of a seat, by its name, where workers say of theirs that it cannot be used.
    fn device(&self, _seat: usize) -> &str {
        ""
    }

    /// Sees that what starts workers is there.
    ///
    /// # Errors
    /// It is not.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// How long workers may take to stop before they are killed.
    fn patience(&self) -> Duration;

    /// Of workers on other machines, the silence after which they count as lost: they may wait in a queue, and say when
    /// they are ready. `None` for those that are ready at once and whose end cannot be missed.
    fn silence(&self) -> Option<Duration> {
        None
    }

    /// How long a run may bring nothing new before people are told.
    fn stall(&self) -> Duration {
        STALL
    }

    /// What queued workers wait for, as far as is known by now.
    fn queued_for(&mut self) -> Option<String> {
        None
    }

    /// How often a run is tried again whose worker was lost before it finished another epoch.
    fn retries(&self) -> usize {
        0
    }

    /// Why no worker can be had, by how the last one ended that never was ready, and its last words.
    fn refusal(&self, ended: &str, _words: &[String]) -> Error {
        let message = format!("a worker ended before it was ready: {ended}");
        Error::run(Problem::new(message))
    }
}

/// Trains runs, one after another.
pub trait Worker {
    /// Gives it a run. A worker that is gone reports its end instead.
    fn assign(&mut self, assignment: &Assignment);

    /// Tells one on another machine where it is.
    fn begin(&mut self, _: &Begin) {}

    /// Takes note of what it said when it was ready.
    fn is_ready(&mut self, _: &Hello) {}

    /// Says that the supervisor lives.
    fn beat(&mut self) {}

    /// The number of its process, if that runs on this machine.
    fn process(&self) -> Option<u32> {
        None
    }

    /// The last lines of what it, or what was to start it, said on standard error, where that is kept apart.
    fn words(&self) -> Vec<String> {
        Vec::new()
    }

    /// Lets it use so many threads from its next epoch on.
    fn use_threads(&mut self, number: usize);

    /// Says that no more runs follow, and that the current one is to stop after its last whole epoch.
    fn close(&mut self);

    /// Waits for its end and says how it went, in a sentence.
    fn wait(&mut self) -> String;

    /// Ends it at once.
    fn kill(&mut self);
}

/// What a worker reports.
#[derive(Debug)]
pub enum Report {
    /// The worker wrote a message.
    Message(Message),
    /// Nothing more follows: it is gone.
    Gone,
}
