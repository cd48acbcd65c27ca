//! `burnlab run --detach`: the supervisor as a job of the cluster, and who looks at how it is getting on.

use std::fs;
use std::io::{BufRead, IsTerminal, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{note, print};
use crate::config::{Launch, Slurm};
use crate::error::{Error, Kind, Result};
use crate::record::{Holder, Lease, TakeError, write_atomically};
use crate::run::{ResultsFolder, cancel, is_in_queue, submit};

/// How often the job is asked for.
const LOOK: Duration = Duration::from_millis(500);

/// What is known of an experiment's job.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Known {
    job: String,
    /// Whether somebody was told how it ended.
    is_told: bool,
}

/// What became of a command that was to be detached.
pub(super) enum Detached {
    /// It was submitted.
    Submitted,
    /// It was submitted before, and is over now.
    Over,
    /// It was submitted before, and is left alone.
    Left,
    /// Nothing is left to do.
    NothingToDo,
}

/// The job of an experiment: `detached/` in its results.
pub(super) struct Supervision<'a> {
    folder: PathBuf,
    experiment: &'a str,
    launch: &'a Launch,
    slurm: &'a Slurm,
}

impl<'a> Supervision<'a> {
    pub(super) fn new(
        results: &ResultsFolder,
        experiment: &'a str,
        launch: &'a Launch,
        slurm: &'a Slurm,
    ) -> Self {
        Supervision {
            folder: results.path().join("detached"),
            experiment,
            launch,
            slurm,
        }
    }

    /// Submits this very command as a job, or follows the job that it was submitted as.
    ///
    /// # Errors
    /// The results cannot be written, or Slurm refuses.
    pub(super) fn carry_out(&self, has_to_do: bool, stop: &AtomicBool) -> Result<Detached> {
        fs::create_dir_all(&self.folder)
            .map_err(|error| Error::io(Kind::Data, "make the folder", &self.folder, &error))?;
        let submitting = self.alone()?;
        let known = self.known();
        if let Some(known) = known.filter(|known| !known.is_told || is_in_queue(&known.job)) {
            drop(submitting);
            return self.follow(&known.job, stop);
        }
        if !has_to_do {
            return Ok(Detached::NothingToDo);
        }
        let _ = fs::remove_file(self.said());
        let job = submit(
            self.launch,
            self.slurm,
            self.experiment,
            &words()?,
            &self.said(),
        )?;
        self.remember(&job, false)?;
        note(format!(
            "submitted as job {job}: the same command shows how it is getting on"
        ));
        Ok(Detached::Submitted)
    }

    /// The right to submit: two commands at once submit one job.
    fn alone(&self) -> Result<Lease> {
        loop {
            match Lease::take_if_free(&self.folder, &mut |_: &Holder| {}) {
                Ok(lease) => return Ok(lease),
                Err(TakeError::Held(_)) => std::thread::sleep(LOOK),
                Err(TakeError::Refused(error)) => return Err(error),
            }
        }
    }

    fn said(&self) -> PathBuf {
        self.folder.join("said.log")
    }

    fn known(&self) -> Option<Known> {
        let bytes = fs::read(self.folder.join("job.json")).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    fn remember(&self, job: &str, is_told: bool) -> Result<()> {
        let known = Known {
            job: job.to_string(),
            is_told,
        };
        let text = serde_json::to_string(&known).expect("it is plain values");
        write_atomically(&self.folder.join("job.json"), text.as_bytes())
    }

    /// Shows what the job says until it is over, or somebody has seen enough.
    fn follow(&self, job: &str, stop: &AtomicBool) -> Result<Detached> {
        note(format!("following job {job}: Ctrl-C leaves it alone"));
        let mut shown = 0;
        let mut is_cancelled = false;
        loop {
            let is_there = is_in_queue(job);
            shown = show(&self.said(), shown);
            if !is_there {
                self.remember(job, true)?;
                return Ok(match is_cancelled {
                    true => Detached::Left,
                    false => Detached::Over,
                });
            }
            if stop.swap(false, Ordering::Relaxed) && !is_cancelled {
                if !wants_to_cancel(job) {
                    note(format!("job {job} goes on"));
                    return Ok(Detached::Left);
                }
                cancel(job);
                is_cancelled = true;
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// This command without `--detach`.
fn words() -> Result<Vec<String>> {
    let program = super::launch::own_program()?;
    let arguments = std::env::args().skip(1).filter(|word| word != "--detach");
    Ok(std::iter::once(program).chain(arguments).collect())
}

/// Prints what a file holds from a byte on; the byte after it.
fn show(path: &Path, from: u64) -> u64 {
    let mut text = Vec::new();
    let read = fs::File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::Start(from))?;
        file.read_to_end(&mut text)
    });
    if read.is_ok() {
        print(&text);
    }
    from + text.len() as u64
}

/// Asks whoever pressed Ctrl-C at a terminal.
fn wants_to_cancel(job: &str) -> bool {
    if !std::io::stdin().is_terminal() {
        return false;
    }
    note(format!("cancel job {job} too, with its workers? [y/N]"));
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.is_ok() && answer.trim().eq_ignore_ascii_case("y")
}
