//! Panics in threads that a backend starts for itself, which nobody else would notice.
//!
//! A kernel that does not compile ends its thread's task there; the values that it should have written stay
//! whatever they were, and training goes on with them.

use std::sync::{Mutex, Once, PoisonError};
use std::thread;

use crate::error::{Error, Problem, Result};

/// The first panic of another thread that has not been asked for yet.
static FIRST: Mutex<Option<String>> = Mutex::new(None);

/// From now on remembers panics of all threads but the calling one.
///
/// The first is printed as ever, and those that follow from it are not.
pub fn watch_threads() {
    static ONCE: Once = Once::new();
    let own = thread::current().id();
    ONCE.call_once(move || {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if thread::current().id() == own {
                return usual(panic);
            }
            let mut first = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
            if first.is_none() {
                let text = panic.payload_as_str().unwrap_or("no message").trim();
                *first = Some(text.to_string());
                drop(first);
                usual(panic);
            }
        }));
    });
}

/// Whether all threads are well since the last call; always, if nobody [watches](watch_threads).
///
/// # Errors
/// One of them panicked.
pub fn check_threads() -> Result<()> {
    let mut first = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
    match first.take() {
        None => Ok(()),
        Some(text) => {
            let line = text.lines().find(|line| !line.trim().is_empty());
            let line = line.unwrap_or("no message").trim();
            Err(Error::run(
                Problem::new(format!("the device's own thread broke off: {line}"))
                    .hint("`burnlab doctor` looks whether the device computes what it should"),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_another_thread_is_an_error_once() {
        watch_threads();
        // Whether this test or another one was the first to watch.
        let panic = || panic!("\n  no headers\n  set CUDA_PATH");
        let (one, two) = (thread::spawn(panic), thread::spawn(panic));
        assert!(one.join().is_err() && two.join().is_err());
        assert_eq!(
            check_threads().unwrap_err().to_string(),
            "error: the device's own thread broke off: no headers\n  \
             hint: `burnlab doctor` looks whether the device computes what it should"
        );
        assert_eq!(check_threads(), Ok(()));
    }
}
