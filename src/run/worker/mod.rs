//! A worker process: trains the runs it is given, one after another.
//!
//! One on another machine than its supervisor is told first where it is, says that it is ready, and ends when it
//! has heard nothing for a while.

mod errand;
mod pipe;
mod provenance;
mod restart;
mod trainer;
mod watch;

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub use errand::{Errand, begin};
use pipe::{assignments, log, send};
use restart::{send_last_message, start_anew};
use trainer::{Attempt, Trainer};
use watch::{end_with_supervisor, hold_results, stay_in_touch, stop_when_asked};

use super::protocol::{Assignment, Message};
use crate::backend::{Device, watch_threads};
use crate::data::Catalogue;
use crate::error::Result;
use crate::record::Reporter;

/// Makes the reporters of a run in the worker's own process.
pub type MakeReporter<'a> = &'a dyn Fn(&Assignment) -> Result<Box<dyn Reporter>>;

/// How long nothing may come from the supervisor before its signals are looked for.
const LOOK: Duration = Duration::from_millis(200);

/// Trains on a device what is read from standard input until it ends, or until it is `asked` to stop from outside; messages
/// go to standard output. Of a device that is not there, or does not work, it says so for every run that it is given.
///
/// # Errors
/// The supervisor cannot be reached. A run that fails is reported to it and is no error here.
pub fn work(
    device: Result<Device>,
    catalogue: &Catalogue,
    make: MakeReporter,
    errand: Option<Errand>,
    asked: &'static AtomicBool,
) -> Result<()> {
    send_last_message()?;
    let is_cpu = device.as_ref().is_ok_and(Device::is_cpu);
    if !is_cpu {
        watch_threads();
    }
    end_with_supervisor()?;
    let _lock = hold_results()?;
    let stop = Arc::new(AtomicBool::new(false));
    let heard = Arc::new(Mutex::new(Instant::now()));
    let assignments = assignments(Arc::clone(&stop), Arc::clone(&heard))?;
    stop_when_asked(asked, Arc::clone(&stop))?;
    let threads = errand.as_ref().map(|errand| errand.threads);
    if let Some(errand) = &errand {
        stay_in_touch(errand.patience, heard)?;
    }
    let device = device.and_then(|device| Ok((device.precisions()?, device)));
    if let Some(errand) = errand {
        // Where the device does not work, there is no worker: another is sought.
        device.as_ref().map_err(Clone::clone)?;
        send(&Message::Hello(errand.hello))?;
    }
    let trainer = device.as_ref().map(|(checked, device)| Trainer {
        device,
        checked: *checked,
        others: RefCell::default(),
        catalogue,
        make,
        stop: &stop,
    });
    while !asked.load(Ordering::Relaxed) {
        let assignment = match assignments.recv_timeout(LOOK) {
            Ok(assignment) => assignment,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let mut assignment = match assignment {
            Ok(assignment) => assignment,
            Err(reason) => {
                send(&Message::Refused { reason })?;
                continue;
            }
        };
        let trainer = match &trainer {
            Ok(trainer) => trainer,
            Err(error) => {
                log(&error.to_string());
                let reason = error.first_message().to_string();
                send(&Message::Unfit { reason })?;
                continue;
            }
        };
        assignment.threads = threads.unwrap_or(assignment.threads);
        let index = assignment.index;
        let message = match trainer.attempt(&assignment) {
            Attempt::Over(row) => Message::Ended { index, row },
            Attempt::Paused => Message::Paused { index },
            Attempt::Stopped => Message::Stopped { index },
        };
        // A GPU that refused one run would refuse all that follow in this process.
        if !is_cpu && message.has_failed() {
            start_anew(&message)?;
        }
        send(&message)?;
    }
    Ok(())
}
