//! Panics in threads that a backend starts for itself, which nobody else would notice.
//!
//! A kernel that does not compile ends its thread's task there; the values that it should have written stay
//! whatever they were, and training goes on with them.

use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;

use crate::error::{Error, Problem, Result};

/// The first panic of another thread that has not been asked for yet.
static FIRST: Mutex<Option<String>> = Mutex::new(None);

/// From now on remembers panics of all threads but the calling one.
///
/// They are printed as ever, but for those that say what the one before them said.
pub fn watch_threads() {
    static ONCE: Once = Once::new();
    let own = thread::current().id();
    ONCE.call_once(move || {
        let usual = std::panic::take_hook();
        let last = Mutex::new(String::new());
        std::panic::set_hook(Box::new(move |panic| {
            if thread::current().id() == own {
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

/// What a panic says, in a line, and what may help.
fn problem(text: &str) -> Problem {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    let line = line.unwrap_or("no message");
    let line = line
        .strip_prefix("called `Result::unwrap()` on an `Err` value: ")
        .unwrap_or(line);
    let is_of_memory = ["alloc", "memory"]
        .iter()
        .any(|word| line.to_lowercase().contains(word));
    match is_of_memory {
        true => Problem::new(format!("the device's memory is spent: {line}"))
            .hint("a smaller `train.batch_size` takes less, and so do fewer workers (`--jobs`)"),
        false => Problem::new(format!("the device's own thread broke off: {line}"))
            .hint("`burnlab doctor` looks whether the device computes what it should"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spent_memory_is_reported_with_what_needs_less() {
        let text = "called `Result::unwrap()` on an `Err` value: can't allocate buffer of size: 16";
        assert_eq!(
            Error::run(problem(text)).to_string(),
            "error: the device's memory is spent: can't allocate buffer of size: 16\n  \
             hint: a smaller `train.batch_size` takes less, and so do fewer workers (`--jobs`)"
        );
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
    }
}
