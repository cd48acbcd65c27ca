//! How the machine is shared among workers.

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use crate::error::io_reason;
use crate::hex::hex;

/// Workers at a time, and threads for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Workers at a time.
    pub jobs: usize,
    /// Threads of each worker.
    pub threads: usize,
}

/// Cores of this machine that the process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// As many workers as were asked for, else one a core, never more than runs; with the threads that were asked for, else
/// those of this machine shared among them.
pub fn share(jobs: Option<usize>, threads: Option<usize>, runs: usize) -> Share {
    let jobs = jobs.unwrap_or(cores()).clamp(1, runs.max(1));
    Share {
        jobs,
        threads: threads.unwrap_or((cores() / jobs).max(1)),
    }
}

/// Threads of a worker that has its share of another machine: the cores that its job was given there.
pub fn job_threads() -> usize {
    let job = std::env::var("SLURM_CPUS_PER_TASK").ok();
    let job = job
        .and_then(|cpus| cpus.parse().ok())
        .filter(|&cpus: &usize| cpus > 0);
    job.map_or(cores(), |cpus| cpus.min(cores()))
}

/// This very program: its version, and the beginning of its file's SHA-256; or why the file cannot be read.
pub fn build() -> &'static str {
    static BUILD: OnceLock<String> = OnceLock::new();
    BUILD.get_or_init(|| {
        let file = program().and_then(fs::read);
        let sum = file.map_or_else(|error| io_reason(&error), |file| hex(&Sha256::digest(file)));
        format!(
            "{} ({})",
            env!("CARGO_PKG_VERSION"),
            sum.get(..8).unwrap_or(&sum)
        )
    })
}

/// The program that runs, for another process of it: even where its file was replaced or deleted since, as
/// workers must be of the same making.
///
/// # Errors
/// The system does not know it.
pub fn program() -> std::io::Result<PathBuf> {
    let own = Path::new("/proc/self/exe");
    match cfg!(target_os = "linux") && own.exists() {
        true => Ok(own.to_path_buf()),
        false => std::env::current_exe(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_runs_than_cores_get_one_thread_each() {
        let share = share(None, None, 1000);
        assert_eq!((share.jobs, share.threads), (cores(), 1));
    }

    #[test]
    fn one_run_gets_the_whole_machine() {
        assert_eq!(
            share(None, None, 1),
            Share {
                jobs: 1,
                threads: cores()
            }
        );
        assert_eq!(share(Some(3), None, 2).jobs, 2);
        assert_eq!(share(Some(3), Some(7), 9).threads, 7);
    }
}
