//! Workers on this machine.

use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::launcher::{Launcher, Report, Worker};
use super::machine::program;
use super::process::{At, start};
use super::protocol::{LOCK, SUPERVISOR};
use crate::error::{Error, Problem, Result, io_reason};

/// Starts worker processes.
pub struct Local {
    /// A file that each of them locks, together with the others, for as long as it lives.
    pub lock: PathBuf,
    /// Takes what they say on standard error.
    pub log: PathBuf,
    /// The device of each seat, as `--device` names it; further ones take turns on them.
    pub seats: Vec<String>,
    /// For each of them.
    pub threads: usize,
    /// See [`Launcher::retries`].
    pub retries: usize,
}

impl Launcher for Local {
    fn launch(
        &mut self,
        number: usize,
        seat: usize,
        reports: &Sender<(usize, Report)>,
    ) -> Result<Box<dyn Worker>> {
        let program = program().map_err(|error| {
            let reason = io_reason(&error);
            Error::run(Problem::new(format!("cannot start a worker: {reason}")))
        })?;
        let mut command = Command::new(program);
        command
            .args(&self.command(seat)[1..])
            .env("RAYON_NUM_THREADS", self.threads.to_string())
            .env(SUPERVISOR, std::process::id().to_string())
            .env(LOCK, &self.lock);
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            command.arg0("burnlab");
        }
        start(command, At::Here, number, &self.log, reports)
    }

    fn command(&self, seat: usize) -> Vec<String> {
        let words = ["burnlab", "worker", "--device", self.device(seat)];
        words.map(String::from).into()
    }

    fn seats(&self) -> usize {
        self.seats.len()
    }

    fn device(&self, seat: usize) -> &str {
        &self.seats[seat % self.seats.len()]
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn retries(&self) -> usize {
        self.retries
    }
}
