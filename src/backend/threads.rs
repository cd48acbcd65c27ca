//! How many threads the CPU's kernels use: as many as the process was started with, until it is told otherwise.
//!
//! Their number changes no value: sums are made in fixed parts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// 0 until somebody says.
static WANTED: AtomicUsize = AtomicUsize::new(0);

static POOL: Mutex<Option<Arc<ThreadPool>>> = Mutex::new(None);

/// Bytes of stack of a thread, as a process's first has it.
const STACK: usize = 8 << 20;

/// What begins from now on [uses so many threads](with_threads).
pub fn use_threads(number: usize) {
    WANTED.store(number, Ordering::Relaxed);
}

/// Does a piece of work with as many threads as are wanted now.
///
/// It runs on one of them: from outside, every part of it would first have to wake one and wait.
pub fn with_threads<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    match pool() {
        Some(pool) => pool.install(work),
        None => work(),
    }
}

/// The threads that are wanted; none where the system has no others.
fn pool() -> Option<Arc<ThreadPool>> {
    let wanted = match WANTED.load(Ordering::Relaxed) {
        0 => rayon::current_num_threads(),
        wanted => wanted,
    };
    let mut kept = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.as_ref().map(|pool| pool.current_num_threads()) != Some(wanted) {
        let made = ThreadPoolBuilder::new()
            .num_threads(wanted)
            .stack_size(STACK);
        *kept = made.build().ok().map(Arc::new);
    }
    kept.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_has_the_threads_that_are_wanted_when_it_begins() {
        let own = with_threads(rayon::current_num_threads);
        use_threads(own + 3);
        let inside = with_threads(|| (rayon::current_num_threads(), with_threads(|| 7)));
        assert_eq!(inside, (own + 3, 7));
        use_threads(0);
        assert!(with_threads(rayon::current_thread_index).is_some());
        assert_eq!(with_threads(rayon::current_num_threads), own);
    }
}
