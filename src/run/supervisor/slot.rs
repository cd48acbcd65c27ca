//! A worker as its supervisor sees it.

use std::time::Instant;

use crate::run::launcher::Worker;

/// A worker and what it is doing.
pub(super) struct Slot {
    pub worker: Box<dyn Worker>,
    /// See [`launch`](crate::run::launcher::Launcher::launch).
    pub seat: usize,
    /// Whether it takes runs.
    pub is_open: bool,
    /// Whether it has said that it is there, if it must.
    pub is_ready: bool,
    /// Whether it is gone, or given up: what it still says counts for nothing.
    pub is_gone: bool,
    pub busy: Option<usize>,
    /// That it may use.
    pub threads: usize,
    /// When it last said something.
    pub heard: Instant,
    /// When it last took a run, or said something new of one.
    pub moved: Instant,
    /// Whether people were told that it has not since.
    pub is_stalled: bool,
    /// Its machine, and the job that it runs in.
    pub place: String,
}

impl Slot {
    pub fn is_idle(&self) -> bool {
        self.is_open && self.is_ready && self.busy.is_none()
    }

    pub fn is_queued(&self) -> bool {
        self.is_open && !self.is_ready
    }

    /// Notes that its run got further.
    pub fn moves(&mut self) {
        self.moved = Instant::now();
        self.is_stalled = false;
    }

    pub fn close(&mut self) {
        self.worker.close();
        self.is_open = false;
    }
}
