//! What starts workers: processes, and in tests a script.
//!
//! A worker is given one run after another and reports their results. Where and how it trains,
//! the supervisor need not know.

use std::sync::mpsc::Sender;
use std::time::Duration;

use super::protocol::{Assignment, Message};
use crate::error::Result;

/// Starts workers.
pub trait Launcher {
    /// Starts a worker that reports under this number.
    ///
    /// # Errors
    /// It cannot be started.
    fn launch(
        &mut self,
        number: usize,
        reports: &Sender<(usize, Report)>,
    ) -> Result<Box<dyn Worker>>;

    /// How long workers may take to stop before they are killed.
    fn patience(&self) -> Duration;
}

/// Trains runs, one after another.
pub trait Worker {
    /// Gives it a run. A worker that is gone reports its end instead.
    fn assign(&mut self, assignment: &Assignment);

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
