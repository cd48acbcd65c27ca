//! What a worker watches beside its runs: its supervisor, and whether it is asked to stop.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::LOOK;
use super::pipe::{log, send};
use crate::error::{Error, Kind, Problem, Result, io_reason};
use crate::run::protocol::{LOCK, Message, SUPERVISOR};

/// What a run may take to stop by itself when the supervisor has died.
#[cfg(unix)]
const GRACE: Duration = Duration::from_secs(3);

/// Stops the run at hand when the process is asked to end: by the cluster, before it does so itself, or by a person.
pub(super) fn stop_when_asked(asked: &'static AtomicBool, stop: Arc<AtomicBool>) -> Result<()> {
    watch("signals", move || {
        while !asked.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK);
        }
        stop.store(true, Ordering::Relaxed);
    })
}

/// Says again and again that the worker lives, and ends it when the supervisor has been silent for too long: the pipe to
/// another machine may stay open when nobody is there.
pub(super) fn stay_in_touch(patience: Duration, heard: Arc<Mutex<Instant>>) -> Result<()> {
    watch("the supervisor", move || {
        loop {
            let silence = heard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .elapsed();
            if silence > patience {
                log(&format!(
                    "nothing was heard of the supervisor for {} s",
                    patience.as_secs()
                ));
                exit_at_once();
            }
            std::thread::sleep(LOOK);
        }
    })?;
    // Apart, since a pipe that nobody empties blocks who writes into it.
    watch("the supervisor", move || {
        while send(&Message::Beat).is_ok() {
            std::thread::sleep(patience / 6);
        }
    })
}

/// Starts a thread that watches something.
fn watch(what: &str, look: impl FnOnce() + Send + 'static) -> Result<()> {
    let started = std::thread::Builder::new().spawn(look);
    started.map(drop).map_err(|error| {
        let reason = io_reason(&error);
        Error::run(Problem::new(format!("cannot watch {what}: {reason}")))
    })
}

/// Ends the process without waiting for its other threads, which `std::process::exit` may do: what is on disk is whole
/// at any moment.
fn exit_at_once() -> ! {
    #[cfg(unix)]
    // SAFETY: it ends the process.
    unsafe {
        libc::_exit(1)
    }
    #[cfg(not(unix))]
    std::process::exit(1)
}

/// Ends the process soon after its supervisor, whatever it is doing then: what is on disk is whole at any moment.
///
/// A run that is being trained stops by itself after its step; measuring, drawing and loading go on for minutes.
#[cfg(unix)]
pub(super) fn end_with_supervisor() -> Result<()> {
    use std::os::unix::process::parent_id;
    let Some(supervisor) = supervisor() else {
        return Ok(());
    };
    watch("the supervisor", move || {
        while parent_id() == supervisor {
            std::thread::sleep(Duration::from_millis(500));
        }
        std::thread::sleep(GRACE);
        log("the supervisor is gone");
        exit_at_once();
    })
}

#[cfg(not(unix))]
pub(super) fn end_with_supervisor() -> Result<()> {
    Ok(())
}

/// The process that this one works for, if it was told.
#[cfg(unix)]
fn supervisor() -> Option<u32> {
    std::env::var(SUPERVISOR).ok()?.parse().ok()
}

/// Locks the results together with the other workers of this machine, so that a next supervisor sees whether this process
/// still computes; the system lets go of them however it ends. Where files cannot be locked, leases alone keep order.
///
/// # Errors
/// The supervisor died before they were locked.
pub(super) fn hold_results() -> Result<Option<File>> {
    let Some(path) = std::env::var_os(LOCK) else {
        return Ok(None);
    };
    let cannot = |error| Error::io(Kind::Data, "lock the results", Path::new(&path), &error);
    let file = File::open(&path).map_err(cannot)?;
    let _ = file.lock_shared();
    #[cfg(unix)]
    if supervisor().is_some_and(|supervisor| supervisor != std::os::unix::process::parent_id()) {
        return Err(Error::run(Problem::new("the supervisor is gone")));
    }
    Ok(Some(file))
}
