//! How many threads the CPU's kernels use: as many as the process was started with, until it is told otherwise.
//!
//! Their number changes no value: sums are made in fixed parts.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// 0: as many as the process has by default.
static WANTED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// A thread's own: one that waits for its part of some work takes up other work of its pool, which must not be a
    /// training of somebody else's.
    static POOL: RefCell<Option<Rc<ThreadPool>>> = const { RefCell::new(None) };
}

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

/// The threads that are wanted; none where it works on such already, or the system has no others.
fn pool() -> Option<Rc<ThreadPool>> {
    let wanted = match WANTED.load(Ordering::Relaxed) {
        0 => rayon::current_num_threads(),
        wanted => wanted,
    };
    if rayon::current_thread_index().is_some() && rayon::current_num_threads() == wanted {
        return None;
    }
    POOL.with_borrow_mut(|kept| {
        if kept.as_ref().map(|pool| pool.current_num_threads()) != Some(wanted) {
            let made = ThreadPoolBuilder::new()
                .num_threads(wanted)
                .stack_size(STACK);
            *kept = made.build().ok().map(Rc::new);
        }
        kept.clone()
    })
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
