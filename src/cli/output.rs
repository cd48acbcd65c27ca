//! What the commands print: answers on standard output, notes on standard error.
//!
//! An answer that cannot be written is an error in the end, unless its reader has gone away (`| head`). Notes and
//! errors that cannot be written are lost, and stop nothing.

use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::sync::OnceLock;

use crate::error::{Error, Kind, Problem, Result, io_reason, visible};

/// Why an answer could not be written.
static REFUSED: OnceLock<String> = OnceLock::new();

/// Prints a line for people.
pub fn say(text: &str) {
    print(format!("{}\n", visible(text)).as_bytes());
}

/// Prints what programs read, as it is.
pub fn print(bytes: &[u8]) {
    keep(std::io::stdout().lock().write_all(bytes));
}

/// Remembers that an answer was not written.
pub fn keep(written: std::io::Result<()>) {
    let written = written.and_then(|()| std::io::stdout().flush());
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = REFUSED.set(io_reason(&error));
    }
}

/// Prints a line on standard error.
pub fn note(text: impl Display) {
    let text = text.to_string();
    let _ = writeln!(std::io::stderr(), "{}", visible(&text));
}

/// Sees that all answers were written.
///
/// # Errors
/// One was not.
pub fn finish() -> Result<()> {
    match REFUSED.get() {
        None => Ok(()),
        Some(reason) => {
            let problem = Problem::new(format!("cannot write to standard output: {reason}"));
            Err(Error::new(Kind::Data, vec![problem]))
        }
    }
}
