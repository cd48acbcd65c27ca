//! Keeps the tables current. Those of many runs take long: they are written beside the supervisor, so that no worker waits.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;
use std::time::{Duration, Instant};

use super::{Results, WriteTables};
use crate::error::{Error, Result};

/// What a worker may wait for tables.
const QUICK: Duration = Duration::from_millis(10);

/// Where tables are written.
pub(super) struct Tables {
    send: Sender<Results>,
    written: Receiver<(Duration, Result<()>)>,
    is_writing: bool,
    /// How far they may lag behind the runs.
    lag: Duration,
    /// How long they took last.
    took: Duration,
    /// When they may be written again.
    due: Instant,
}

impl Tables {
    /// Nothing is written yet.
    pub(super) fn new<'scope>(
        scope: &'scope Scope<'scope, '_>,
        write: &'scope mut WriteTables<'_>,
        lag: Duration,
    ) -> Self {
        let (send, receive) = channel::<Results>();
        let (answer, written) = channel();
        scope.spawn(move || {
            for results in receive {
                let start = Instant::now();
                let result = write(&results);
                let _ = answer.send((start.elapsed(), result));
            }
        });
        Tables {
            send,
            written,
            is_writing: false,
            lag,
            took: Duration::ZERO,
            due: Instant::now(),
        }
    }

    /// Writes them, after what is being written.
    ///
    /// # Errors
    /// They cannot be written now, or could not before.
    pub(super) fn write(&mut self, results: &Results) -> Result<()> {
        self.finish()?;
        self.begin(results)?;
        self.finish()
    }

    /// Whether they may be written now.
    ///
    /// # Errors
    /// They could not be written before.
    pub(super) fn are_due(&mut self) -> Result<bool> {
        if let Ok(written) = self.written.try_recv() {
            self.note(written)?;
        }
        Ok(!self.is_writing && Instant::now() >= self.due)
    }

    /// Writes them when they are due: at once if they are quickly written.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub(super) fn keep_current(&mut self, results: &Results) -> Result<()> {
        match self.took < QUICK {
            true => self.write(results),
            false => self.begin(results),
        }
    }

    fn begin(&mut self, results: &Results) -> Result<()> {
        self.is_writing = true;
        let sent = self.send.send(results.clone());
        sent.map_err(|_| Error::bug("nobody writes the tables"))
    }

    /// Waits until nothing is being written.
    ///
    /// # Errors
    /// It could not be written.
    pub(super) fn finish(&mut self) -> Result<()> {
        if !self.is_writing {
            return Ok(());
        }
        let written = self.written.recv();
        self.note(written.map_err(|_| Error::bug("nobody writes the tables"))?)
    }

    fn note(&mut self, (took, written): (Duration, Result<()>)) -> Result<()> {
        self.is_writing = false;
        self.took = took;
        // Nine tenths of the time are for the runs.
        self.due = Instant::now() + self.lag.max(took * 9);
        written
    }
}
