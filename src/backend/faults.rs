//! Panics in threads that a backend starts for itself, which nobody else would notice.
//!
//! A kernel that does not compile ends its thread's task there; the values that it should have written stay
//! whatever they were, and training goes on with them. And what drivers say, in a line.

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use crate::error::{Error, Problem, Result};

/// The first panic of another thread that has not been asked for yet.
static FIRST: Mutex<Option<String>> = Mutex::new(None);

thread_local! {
    /// Whether somebody waits for this thread's end, and so learns of its panic.
    static IS_AWAITED: Cell<bool> = const { Cell::new(false) };
}

/// Panics of the calling thread are not remembered: who waits for it tells of them.
pub fn mark_awaited() {
    IS_AWAITED.set(true);
}

/// From now on remembers panics of all threads but the calling one and those that [are awaited](mark_awaited).
///
/// They are printed as ever, but for those that say what the one before them said.
pub fn watch_threads() {
    static ONCE: Once = Once::new();
    mark_awaited();
    ONCE.call_once(move || {
        let usual = std::panic::take_hook();
        let last = Mutex::new(String::new());
        std::panic::set_hook(Box::new(move |panic| {
            if IS_AWAITED.get() {
                return usual(panic);
            }
            let text = panic.payload_as_str().unwrap_or("no message");
            locked(&FIRST).get_or_insert_with(|| text.to_string());
            let mut last = locked(&last);
            if *last != text {
                *last = text.to_string();
                usual(panic);
            }
        }));
    });
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether all threads are well since the last call; always, if nobody [watches](watch_threads).
///
/// # Errors
/// One of them panicked.
pub fn check_threads() -> Result<()> {
    match locked(&FIRST).take() {
        None => Ok(()),
        Some(text) => Err(Error::run(problem(&text))),
    }
}

/// The error of a piece of work that a panic with this text ended: the device's, if its driver is the reason.
pub fn broken_off(what: &str, text: &str) -> Error {
    // A thread that computed for it may have panicked first, and is told of with it.
    locked(&FIRST).take_if(|first| first == text);
    match is_of_driver(text) {
        true => Error::run(problem(text)),
        false => Error::bug(format!("{what} broke off: {text}")),
    }
}

/// What drivers and the libraries over them say of a GPU that does not answer any more, or of its memory.
const OF_DRIVERS: &[&str] = &[
    CUDA,
    UNTOLD,
    "The server is in an invalid state",
    NO_ROOM,
    "device is lost",
    "DeviceLost",
    "ERROR_DEVICE_LOST",
];

/// What CubeCL keeps of an error of CUDA's driver where memory is to be had, unless there is none left.
const UNTOLD: &str = "Unknown error happened during execution";

/// What CubeCL says of a tensor that is larger than any page of its pools may be, or has none left.
const NO_ROOM: &str = "can't allocate buffer";

/// How errors of CUDA's driver begin.
const CUDA: &str = "CUDA_ERROR_";

/// Whether a panic's text comes from a driver, or a library over it.
pub(super) fn is_of_driver(text: &str) -> bool {
    OF_DRIVERS.iter().any(|words| text.contains(words))
}

/// The error of CUDA's driver that a text names first.
fn code(text: &str) -> Option<&str> {
    let text = &text[text.find(CUDA)?..];
    let is_of_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let end = text.find(|c| !is_of_name(c)).unwrap_or(text.len());
    Some(&text[..end])
}

/// The line that names what a text's first error goes back to; the first line, if it goes back to nothing.
fn first_cause(text: &str) -> &str {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut lines = lines.take_while(|line| !line.starts_with("Backtrace"));
    let mut found = lines.next().unwrap_or("no message");
    while let Some(line) = lines.next() {
        if line == "Caused by:" {
            found = lines.next().unwrap_or(found);
        }
    }
    found
}

/// What a panic says, in a line, and what may help.
pub(super) fn problem(text: &str) -> Problem {
    let line = first_cause(text);
    let line = line
        .strip_prefix("called `Result::unwrap()` on an `Err` value: ")
        .unwrap_or(line);
    let is_of_memory = ["alloc", "memory"]
        .iter()
        .any(|word| line.to_lowercase().contains(word));
    let spent = |line: &str| {
        Problem::new(format!("the device's memory is spent: {line}"))
            .hint(
                "a smaller `train.micro_batch_size` or `train.batch_size` takes less, and so do fewer workers (`--jobs`)",
            )
    };
    let failed = |how: &str| {
        Problem::new(format!("the GPU failed{how}")).hint(
            "the system's log (`dmesg`) may tell why; `burnlab doctor` looks whether it can be used",
        )
    };
    let has_no_room = |line: &str| {
        Problem::new(format!("the device has no room for a tensor: {line}")).hint(
            "one tensor takes a quarter of a GPU's memory at most, and all training images are one; a smaller \
             `train.micro_batch_size` or `train.batch_size` makes others smaller, and fewer workers (`--jobs`) leave more free",
        )
    };
    match code(text) {
        Some(code) if code.ends_with("OUT_OF_MEMORY") => spent(code),
        Some(code) => failed(&format!(": its driver says `{code}`")),
        None if line == UNTOLD => failed(""),
        None if line.contains(NO_ROOM) => has_no_room(line),
        None if is_of_memory => spent(line),
        None => Problem::new(format!("the device's own thread broke off: {line}"))
            .hint("`burnlab doctor` looks whether the device computes what it should"),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn spent_memory_is_reported_with_what_needs_less() {
        let text = "called `Result::unwrap()` on an `Err` value: can't allocate buffer of size: 16";
        assert_eq!(
            Error::run(problem(text)).to_string(),
            "error: the device has no room for a tensor: can't allocate buffer of size: 16\n  \
             hint: one tensor takes a quarter of a GPU's memory at most, and all training images are one; a smaller \
             `train.micro_batch_size` or `train.batch_size` makes others smaller, and fewer workers (`--jobs`) leave more free"
        );
    }

    #[test]
    fn a_gpu_that_fails_is_reported_by_its_drivers_word() {
        let text = |driver: &str| {
            format!(
                "Error while reading data: use `try_into_data` instead: An error happened during execution\n\
                 Caused by:\n  The server is in an invalid state\n\
                 Caused by:\n  [Launch(An unknown error happened during launch\n\
                 Caused by:\n  {driver}\nBacktrace\n   1: alloc::boxed\n), Io(Unknown error)]"
            )
        };
        let lost = text("DriverError(CUDA_ERROR_DEVICE_UNAVAILABLE, \"busy\")");
        assert_eq!(
            broken_off("training", &lost).to_string(),
            "error: the GPU failed: its driver says `CUDA_ERROR_DEVICE_UNAVAILABLE`\n  \
             hint: the system's log (`dmesg`) may tell why; `burnlab doctor` looks whether it can be used"
        );
        let message = |text: &str| broken_off("training", text).first_message().to_string();
        assert_eq!(
            message(&text(
                "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")"
            )),
            "the device's memory is spent: CUDA_ERROR_OUT_OF_MEMORY"
        );
        assert_eq!(
            message(&text("no such shader")),
            "the device's own thread broke off: no such shader"
        );
        let untold = format!("called `Result::unwrap()` on an `Err` value: {UNTOLD}\nNo backtrace");
        assert_eq!(message(&untold), "the GPU failed");
        let own = broken_off("training", "index out of bounds");
        assert_eq!(own, Error::bug("training broke off: index out of bounds"));
    }

    #[test]
    fn a_panic_in_another_thread_is_an_error_once() {
        // In a process of its own, where no other test panics.
        let name = "backend::faults::tests::in_a_process_of_its_own";
        let done = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--ignored", "--nocapture"])
            .output()
            .unwrap();
        let (out, err) = (done.stdout, String::from_utf8(done.stderr).unwrap());
        assert!(
            String::from_utf8(out).unwrap().contains("1 passed"),
            "{err}"
        );
        assert_eq!(err.matches("no headers").count(), 1, "{err}");
    }

    #[test]
    #[ignore = "the test above runs it"]
    fn in_a_process_of_its_own() {
        watch_threads();
        assert_eq!(check_threads(), Ok(()));
        for _ in 0..3 {
            let panic = || panic!("\n  no headers\n  set CUDA_PATH");
            assert!(thread::spawn(panic).join().is_err());
        }
        assert_eq!(
            check_threads().unwrap_err().to_string(),
            "error: the device's own thread broke off: no headers\n  \
             hint: `burnlab doctor` looks whether the device computes what it should"
        );
        assert_eq!(check_threads(), Ok(()));

        let awaited = || {
            mark_awaited();
            panic!("a bug")
        };
        assert!(thread::spawn(awaited).join().is_err());
        assert_eq!(check_threads(), Ok(()));
        let computing = || panic!("index out of bounds");
        assert!(thread::spawn(computing).join().is_err());
        let told = broken_off("training", "index out of bounds");
        assert_eq!(told, Error::bug("training broke off: index out of bounds"));
        assert_eq!(check_threads(), Ok(()));
    }
}
