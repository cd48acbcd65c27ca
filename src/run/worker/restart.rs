//! A fresh process in the place of a worker whose device fails.

#[cfg(unix)]
use std::process::Command;

#[cfg(unix)]
use super::pipe::log;
use super::pipe::send;
use crate::error::Result;
#[cfg(unix)]
use crate::error::{Error, io_reason};
#[cfg(unix)]
use crate::run::machine;
use crate::run::protocol::Message;

/// Where a worker that is started anew finds what is still to be said.
const LAST_WORD: &str = "BURNLAB_WORKER_LAST_WORD";

/// Puts a fresh process in the place of this one, which says the message before it goes on.
///
/// Until then the supervisor sends nothing that could be lost. Does nothing where processes cannot do so.
#[cfg(unix)]
pub(super) fn start_anew(message: &Message) -> Result<()> {
    use std::os::unix::process::CommandExt;
    let line = serde_json::to_string(message).expect("a message is plain values");
    let program = machine::program().map_err(|error| {
        Error::bug(format!(
            "cannot start the worker anew: {}",
            io_reason(&error)
        ))
    })?;
    let arguments = std::env::args_os().skip(1);
    let error = Command::new(program)
        .args(arguments)
        .env(LAST_WORD, line)
        .exec();
    log(&format!("cannot start the worker anew: {error}"));
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn start_anew(_: &Message) -> Result<()> {
    Ok(())
}

/// Says what the process before this one had left to say.
pub(super) fn send_last_message() -> Result<()> {
    let word = std::env::var(LAST_WORD).ok();
    match word.and_then(|word| serde_json::from_str(&word).ok()) {
        Some(message) => send(&message),
        None => Ok(()),
    }
}
