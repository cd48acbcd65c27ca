//! Signals from outside: what asks a command to stop, and what the system sends when a file grows too large.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

/// A flag that Ctrl-C, a hang-up of the terminal and `kill` set. What the process was started to ignore
/// (`nohup` ignores hang-ups, a shell's background jobs ignore Ctrl-C) stays ignored.
///
/// # Errors
/// The system refuses.
pub fn stop_flag() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let ignored = system::ignored();
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))
        .map_err(|error| Error::bug(format!("cannot listen for Ctrl-C: {error}")))?;
    system::ignore(&ignored);
    Ok(stop)
}

/// A flag that TERM and USR1 set: a cluster sends them before it ends a job.
pub fn asked_to_stop() -> &'static AtomicBool {
    system::listen();
    &ASKED
}

static ASKED: AtomicBool = AtomicBool::new(false);

/// Makes a file that would outgrow the limit of the shell (`ulimit -f`) an error of whoever writes it; else the
/// system ends the process. Those that it starts inherit this.
pub fn refuse_large_files() {
    system::refuse_large_files();
}

#[cfg(unix)]
mod system {
    use std::mem::MaybeUninit;
    use std::sync::atomic::Ordering;

    /// The signals that are ignored of those that ask to stop.
    pub fn ignored() -> Vec<i32> {
        let signals = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];
        signals.into_iter().filter(|&s| is_ignored(s)).collect()
    }

    fn is_ignored(signal: i32) -> bool {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: without a new action the call only fills in the present one, and zeros are one, too.
        unsafe {
            let asked = libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr());
            asked == 0 && action.assume_init().sa_sigaction == libc::SIG_IGN
        }
    }

    pub fn ignore(signals: &[i32]) {
        for &signal in signals {
            // SAFETY: ignoring a signal runs no code of ours.
            unsafe { libc::signal(signal, libc::SIG_IGN) };
        }
    }

    pub fn refuse_large_files() {
        ignore(&[libc::SIGXFSZ]);
    }

    pub fn listen() {
        let handler: extern "C" fn(i32) = note;
        for signal in [libc::SIGTERM, libc::SIGUSR1] {
            // SAFETY: the handler only sets a flag.
            unsafe { libc::signal(signal, handler as libc::sighandler_t) };
        }
    }

    extern "C" fn note(_: i32) {
        super::ASKED.store(true, Ordering::Relaxed);
    }
}

#[cfg(not(unix))]
mod system {
    pub fn ignored() -> Vec<i32> {
        Vec::new()
    }

    pub fn ignore(_: &[i32]) {}

    pub fn refuse_large_files() {}

    pub fn listen() {}
}
