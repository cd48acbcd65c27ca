//! What a worker on another machine is told before anything else, and what it answers.

use std::io::BufRead;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::LOOK;
use super::pipe::request;
use crate::error::{Error, Problem, Result};
use crate::record::{host, job};
use crate::run::machine;
use crate::run::protocol::{Begin, Hello, Request};

/// How long a worker on another machine looks for the results folder: a cluster's folders may show up late.
const SIGHT: Duration = Duration::from_secs(20);

/// Where a worker on another machine that is started anew finds what it was told first.
const ERRAND: &str = "BURNLAB_WORKER_ERRAND";

/// What a worker on another machine was told first, and answers.
#[derive(Debug, Serialize, Deserialize)]
pub struct Errand {
    pub(super) hello: Hello,
    /// Threads that it has there.
    pub(super) threads: usize,
    pub(super) patience: Duration,
}

/// Takes what the supervisor says first to a worker on another machine; nothing else was done in the process yet.
///
/// # Errors
/// The supervisor is gone, or says something else.
pub fn begin() -> Result<Errand> {
    let known = std::env::var(ERRAND).ok();
    if let Some(errand) = known.and_then(|text| serde_json::from_str(&text).ok()) {
        return Ok(errand);
    }
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    let gone = || Error::run(Problem::new("the supervisor is gone"));
    read.map_err(|_| gone())?;
    let begin: Begin = match request(&line) {
        Ok(Request::Begin(begin)) => *begin,
        _ => return Err(gone()),
    };
    // Where that is not there, whole paths still lead somewhere.
    let _ = std::env::set_current_dir(&begin.directory);
    let (path, text) = &begin.token;
    let start = Instant::now();
    let sees_results = loop {
        if std::fs::read_to_string(path).is_ok_and(|found| found == *text) {
            break true;
        }
        if start.elapsed() > SIGHT {
            break false;
        }
        std::thread::sleep(LOOK);
    };
    let threads = machine::job_threads();
    let errand = Errand {
        hello: Hello {
            build: machine::build().to_string(),
            host: host(),
            job: job(),
            sees_results,
        },
        threads,
        patience: Duration::from_secs(begin.patience),
    };
    let text = serde_json::to_string(&errand).expect("it is plain values");
    let own = [("RAYON_NUM_THREADS", threads.to_string()), (ERRAND, text)];
    let own = own.map(|(name, value)| (name.to_string(), value));
    for (name, value) in begin.variables.iter().chain(&own) {
        // SAFETY: the process has no other thread yet.
        unsafe { std::env::set_var(name, value) };
    }
    Ok(errand)
}
