//! Lines from the supervisor and to it.

use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::Deserialize;

use crate::backend::use_threads;
use crate::error::{Error, Problem, Result, io_reason};
use crate::run::protocol::{Assignment, Message, Request};

/// Bytes of stack for reading runs, taken only as they are needed.
const DEEP: usize = 1 << 28;

/// A run, or why it cannot be read.
pub(super) type Read = std::result::Result<Assignment, String>;

/// Lines from the supervisor. When they end, so shall the current run.
pub(super) fn assignments(
    stop: Arc<AtomicBool>,
    heard: Arc<Mutex<Instant>>,
) -> Result<Receiver<Read>> {
    let (send, receive) = channel();
    let listen = move || {
        let lines = std::io::stdin().lock().lines();
        for line in lines.map_while(std::io::Result::ok) {
            *heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            let assignment = match request(&line) {
                Ok(Request::Begin(_) | Request::Beat) => continue,
                Ok(Request::UseThreads(number)) => {
                    use_threads(number);
                    continue;
                }
                Ok(Request::Train(assignment)) => Ok(*assignment),
                Err(reason) => Err(reason),
            };
            if send.send(assignment).is_err() {
                return;
            }
        }
        stop.store(true, Ordering::Relaxed);
    };
    let listener = std::thread::Builder::new().stack_size(DEEP);
    listener.spawn(listen).map_err(|error| {
        let reason = io_reason(&error);
        Error::run(Problem::new(format!("cannot listen for runs: {reason}")))
    })?;
    Ok(receive)
}

/// Blocks may be nested as deep as the stack of [`DEEP`] holds, which is deeper than files are.
pub(super) fn request(line: &str) -> std::result::Result<Request, String> {
    let mut reader = serde_json::Deserializer::from_str(line);
    reader.disable_recursion_limit();
    Request::deserialize(&mut reader)
        .map_err(|error| format!("the worker cannot read its assignment: {error}"))
}

/// A line for whoever looks into it; a log that cannot be written is no reason to stop.
pub(super) fn log(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Says something to the supervisor.
pub(super) fn send(message: &Message) -> Result<()> {
    let mut line = serde_json::to_string(message).expect("a message is plain values");
    line.push('\n');
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|_| Error::run(Problem::new("the supervisor is gone")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_reported_with_its_reason() {
        let reason = request("{\"train\": {\"index\": -1}}").unwrap_err();
        assert!(
            reason
                .starts_with("the worker cannot read its assignment: invalid value: integer `-1`"),
            "{reason}"
        );
    }
}
