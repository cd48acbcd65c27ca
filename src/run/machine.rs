//! How the machine is shared among workers.

use std::num::NonZero;

/// Workers at a time, and threads for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    pub jobs: usize,
    pub threads: usize,
}

/// Cores of this machine that the process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// As many workers as were asked for, else one a core (one in all on a GPU), never more than runs.
pub fn share(jobs: Option<usize>, runs: usize, on_gpu: bool) -> Share {
    let wanted = jobs.unwrap_or(if on_gpu { 1 } else { cores() });
    let jobs = wanted.clamp(1, runs.max(1));
    Share {
        jobs,
        threads: (cores() / jobs).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_runs_than_cores_get_one_thread_each() {
        let share = share(None, 1000, false);
        assert_eq!((share.jobs, share.threads), (cores(), 1));
    }

    #[test]
    fn one_run_gets_the_whole_machine() {
        assert_eq!(
            share(None, 1, false),
            Share {
                jobs: 1,
                threads: cores()
            }
        );
        assert_eq!(share(None, 10, true).jobs, 1);
        assert_eq!(share(Some(3), 2, false).jobs, 2);
    }
}
