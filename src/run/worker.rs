//! A worker process: trains the runs it is given, one after another.
//!
//! One on another machine than its supervisor is told first where it is, says that it is ready, and ends when it
//! has heard nothing for a while.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
#[cfg(unix)]
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::machine;
use super::protocol::{Assignment, Begin, Hello, LOCK, Message, Request, SUPERVISOR};
use crate::backend::{
    Device, Precision, Precisions, check_threads, panic_message, use_threads, watch_threads,
};
use crate::data::Catalogue;
use crate::error::{Error, Kind, Problem, Result};
use crate::record::{
    Event, Lease, Provenance, Reporter, RunFolder, RunRow, Status, host, job, write_atomically,
};
use crate::train::{self, Job, Outcome};

/// Makes the reporters of a run in the worker's own process.
pub type MakeReporter<'a> = &'a dyn Fn(&Assignment) -> Result<Box<dyn Reporter>>;

/// Bytes of stack for reading runs, taken only as they are needed.
const DEEP: usize = 1 << 28;

/// What a run may take to stop by itself when the supervisor has died.
#[cfg(unix)]
const GRACE: Duration = Duration::from_secs(3);

/// Where a worker that is started anew finds what is still to be said.
const LAST_WORD: &str = "BURNLAB_WORKER_LAST_WORD";

/// How long a worker on another machine looks for the results folder: a cluster's folders may show up late.
const SIGHT: Duration = Duration::from_secs(20);

/// How long nothing may come from the supervisor before its signals are looked for.
const LOOK: Duration = Duration::from_millis(200);

/// Where a worker on another machine that is started anew finds what it was told first.
const ERRAND: &str = "BURNLAB_WORKER_ERRAND";

/// What a worker on another machine was told first, and answers.
#[derive(Debug, Serialize, Deserialize)]
pub struct Errand {
    hello: Hello,
    /// Threads that it has there.
    threads: usize,
    patience: Duration,
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

/// Trains what is read from standard input until it ends, or until it is `asked` to stop from outside; messages go to
/// standard output.
///
/// # Errors
/// The supervisor cannot be reached. A run that fails is reported to it and is no error here.
pub fn work(
    device: &Device,
    catalogue: &Catalogue,
    make: MakeReporter,
    errand: Option<Errand>,
    asked: &'static AtomicBool,
) -> Result<()> {
    send_last_message()?;
    if !device.is_cpu() {
        watch_threads();
    }
    end_with_supervisor()?;
    let _lock = hold_results()?;
    let stop = Arc::new(AtomicBool::new(false));
    let heard = Arc::new(Mutex::new(Instant::now()));
    let assignments = assignments(Arc::clone(&stop), Arc::clone(&heard))?;
    stop_when_asked(asked, Arc::clone(&stop))?;
    let threads = errand.as_ref().map(|errand| errand.threads);
    if let Some(errand) = errand {
        stay_in_touch(errand.patience, heard)?;
        send(&Message::Hello(errand.hello))?;
    }
    let trainer = Trainer {
        device,
        checked: device.precisions(),
        others: RefCell::default(),
        catalogue,
        make,
        stop: &stop,
    };
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
        assignment.threads = threads.unwrap_or(assignment.threads);
        let index = assignment.index;
        let message = match trainer.attempt(&assignment) {
            Attempt::Over(row) => Message::Ended { index, row },
            Attempt::Paused => Message::Paused { index },
            Attempt::Stopped => Message::Stopped { index },
        };
        // A GPU that refused one run would refuse all that follow in this process.
        if !device.is_cpu() && trainer.checked.is_ok() && message.has_failed() {
            start_anew(&message)?;
        }
        send(&message)?;
    }
    Ok(())
}

/// Stops the run at hand when the process is asked to end: by the cluster, before it does so itself, or by a person.
fn stop_when_asked(asked: &'static AtomicBool, stop: Arc<AtomicBool>) -> Result<()> {
    watch("signals", move || {
        while !asked.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK);
        }
        stop.store(true, Ordering::Relaxed);
    })
}

/// Says again and again that the worker lives, and ends it when the supervisor has been silent for too long: the pipe to
/// another machine may stay open when nobody is there.
fn stay_in_touch(patience: Duration, heard: Arc<Mutex<Instant>>) -> Result<()> {
    watch("the supervisor", move || {
        loop {
            let silence = heard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .elapsed();
            if silence > patience {
                log(&format!(
                    "nothing was heard of the supervisor for {} s",
                    patience.as_secs()
                ));
                exit_at_once();
            }
            std::thread::sleep(LOOK);
        }
    })?;
    // Apart, since a pipe that nobody empties blocks who writes into it.
    watch("the supervisor", move || {
        while send(&Message::Beat).is_ok() {
            std::thread::sleep(patience / 6);
        }
    })
}

/// Starts a thread that watches something.
fn watch(what: &str, look: impl FnOnce() + Send + 'static) -> Result<()> {
    let started = std::thread::Builder::new().spawn(look);
    started.map(drop).map_err(|error| {
        let reason = crate::error::io_reason(&error);
        Error::run(Problem::new(format!("cannot watch {what}: {reason}")))
    })
}

/// Ends the process without waiting for its other threads, which `std::process::exit` may do: what is on disk is whole
/// at any moment.
fn exit_at_once() -> ! {
    #[cfg(unix)]
    // SAFETY: it ends the process.
    unsafe {
        libc::_exit(1)
    }
    #[cfg(not(unix))]
    std::process::exit(1)
}

/// Ends the process soon after its supervisor, whatever it is doing then: what is on disk is whole at any moment.
///
/// A run that is being trained stops by itself after its step; measuring, drawing and loading go on for minutes.
#[cfg(unix)]
fn end_with_supervisor() -> Result<()> {
    use std::os::unix::process::parent_id;
    let Some(supervisor) = supervisor() else {
        return Ok(());
    };
    watch("the supervisor", move || {
        while parent_id() == supervisor {
            std::thread::sleep(Duration::from_millis(500));
        }
        std::thread::sleep(GRACE);
        log("the supervisor is gone");
        exit_at_once();
    })
}

#[cfg(not(unix))]
fn end_with_supervisor() -> Result<()> {
    Ok(())
}

/// The process that this one works for, if it was told.
#[cfg(unix)]
fn supervisor() -> Option<u32> {
    std::env::var(SUPERVISOR).ok()?.parse().ok()
}

/// Locks the results together with the other workers of this machine, so that a next supervisor sees whether this process
/// still computes; the system lets go of them however it ends. Where files cannot be locked, leases alone keep order.
///
/// # Errors
/// The supervisor died before they were locked.
fn hold_results() -> Result<Option<File>> {
    let Some(path) = std::env::var_os(LOCK) else {
        return Ok(None);
    };
    let cannot = |error| Error::io(Kind::Data, "lock the results", Path::new(&path), &error);
    let file = File::open(&path).map_err(cannot)?;
    let _ = file.lock_shared();
    #[cfg(unix)]
    if supervisor().is_some_and(|supervisor| supervisor != std::os::unix::process::parent_id()) {
        return Err(Error::run(Problem::new("the supervisor is gone")));
    }
    Ok(Some(file))
}

/// Puts a fresh process in the place of this one, which says the message before it goes on.
///
/// Until then the supervisor sends nothing that could be lost. Does nothing where processes cannot do so.
#[cfg(unix)]
fn start_anew(message: &Message) -> Result<()> {
    use std::os::unix::process::CommandExt;
    let line = serde_json::to_string(message).expect("a message is plain values");
    let program = machine::program().map_err(|error| {
        Error::bug(format!(
            "cannot start the worker anew: {}",
            crate::error::io_reason(&error)
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
fn start_anew(_: &Message) -> Result<()> {
    Ok(())
}

/// Says what the process before this one had left to say.
fn send_last_message() -> Result<()> {
    let word = std::env::var(LAST_WORD).ok();
    match word.and_then(|word| serde_json::from_str(&word).ok()) {
        Some(message) => send(&message),
        None => Ok(()),
    }
}

/// A run, or why it cannot be read.
type Read = std::result::Result<Assignment, String>;

/// Lines from the supervisor. When they end, so shall the current run.
fn assignments(stop: Arc<AtomicBool>, heard: Arc<Mutex<Instant>>) -> Result<Receiver<Read>> {
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
        let reason = crate::error::io_reason(&error);
        Error::run(Problem::new(format!("cannot listen for runs: {reason}")))
    })?;
    Ok(receive)
}

/// Blocks may be nested as deep as the stack of [`DEEP`] holds, which is deeper than files are.
fn request(line: &str) -> std::result::Result<Request, String> {
    let mut reader = serde_json::Deserializer::from_str(line);
    reader.disable_recursion_limit();
    Request::deserialize(&mut reader)
        .map_err(|error| format!("the worker cannot read its assignment: {error}"))
}

/// For whoever looks into it; a log that cannot be written is no reason to stop.
fn log(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn send(message: &Message) -> Result<()> {
    let mut line = serde_json::to_string(message).expect("a message is plain values");
    line.push('\n');
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|_| Error::run(Problem::new("the supervisor is gone")))
}

/// What trains one run after another.
struct Trainer<'a> {
    device: &'a Device,
    /// How exact its products are, unless it computes something wrongly: then every run fails with that.
    checked: Result<Precisions>,
    /// The same for runs that ask for another precision than the device has by itself.
    others: RefCell<Vec<(Precision, Result<Precisions>)>>,
    catalogue: &'a Catalogue,
    make: MakeReporter<'a>,
    stop: &'a AtomicBool,
}

/// What became of a run.
#[derive(Debug)]
enum Attempt {
    /// It is over, and this is its row.
    Over(Box<RunRow>),
    /// It pauses after the epoch that was asked for.
    Paused,
    /// It was stopped, or another worker has taken it.
    Stopped,
}

impl Trainer<'_> {
    fn attempt(&self, assignment: &Assignment) -> Attempt {
        let folder = RunFolder::new(&assignment.folder);
        let mut row = assignment.row.clone();
        row.device = Some(self.device.to_string());
        let lease = folder
            .create()
            .and_then(|()| Lease::take(folder.path(), &[assignment.tensorboard.as_path()]));
        let lease = match lease {
            Ok(lease) => lease,
            Err(error) => {
                fail(&mut row, &error);
                return Attempt::Over(Box::new(row));
            }
        };
        let attempt = self.attempt_with(assignment, &folder, row);
        if !lease.is_held() {
            log(&format!(
                "{}: another worker has taken the run",
                folder.path().display()
            ));
            return Attempt::Stopped;
        }
        attempt
    }

    fn attempt_with(
        &self,
        assignment: &Assignment,
        folder: &RunFolder,
        mut row: RunRow,
    ) -> Attempt {
        let train = || self.train(assignment, folder, &row);
        let trained = catch_unwind(AssertUnwindSafe(train)).unwrap_or_else(|panic| {
            // What broke off in the device's own thread is the reason of what broke off here.
            check_threads()?;
            let text = panic_message(&*panic);
            Err(Error::bug(format!("training broke off: {text}")))
        });
        row.sum_up(&folder.epochs());
        match trained {
            Ok(Outcome::Interrupted) => return Attempt::Stopped,
            Ok(Outcome::Paused) => return Attempt::Paused,
            Ok(Outcome::Done(measured)) => {
                row.status = Status::Done;
                row.measured = Some(*measured);
            }
            Ok(Outcome::Diverged { reason, .. }) => {
                row.status = Status::Diverged;
                row.reason = Some(reason);
            }
            Err(error) => {
                fail(&mut row, &error);
                // The whole text, for whoever looks into it.
                log(&format!("{}, seed {}: {error}", row.variant, row.seed));
                let _ = write_atomically(&folder.file("error.txt"), error.to_string().as_bytes());
            }
        }
        match folder.write_row(&row) {
            Ok(()) if row.status != Status::Failed => train::remove_checkpoint(folder),
            Ok(()) => {}
            Err(error) => fail(&mut row, &error),
        }
        Attempt::Over(Box::new(row))
    }

    /// How exact products are where a run asks for a precision.
    fn precisions(&self, precision: Precision) -> Result<Precisions> {
        let found = self.checked.clone()?;
        if precision == Precision::default() {
            return Ok(found);
        }
        let mut others = self.others.borrow_mut();
        if let Some((_, found)) = others.iter().find(|(of, _)| *of == precision) {
            return found.clone();
        }
        let found = self.device.with_precision(precision).precisions();
        others.push((precision, found.clone()));
        found
    }

    fn train(&self, assignment: &Assignment, folder: &RunFolder, row: &RunRow) -> Result<Outcome> {
        // Git looks through a repository while the run's files are written.
        let commit = std::thread::spawn(Commit::of_here);
        folder.write_row(row)?;
        assignment.settings.write(folder)?;
        let _ = std::fs::remove_file(folder.file("error.txt"));
        let precisions = self.precisions(assignment.settings.train.precision)?;
        let commit = commit.join().unwrap_or_default();
        let mut provenance = provenance(assignment, self.device, precisions, commit);
        folder.write_provenance(&provenance)?;
        let dataset = &assignment.settings.data.dataset;
        if self.catalogue.digest(dataset)? != assignment.digest {
            let message =
                format!("the images of `{dataset}` have changed since the run was planned");
            return Err(Error::data(
                Problem::new(message).hint("`burnlab run` again trains on them as they are"),
            ));
        }

        let mut reporter = Recorder {
            own: (self.make)(assignment)?,
            stop: self.stop,
            index: assignment.index,
            last_progress: None,
        };
        let job = Job {
            settings: &assignment.settings,
            earlier: &assignment.earlier,
            seed: assignment.row.seed,
            weights: assignment.weights.as_deref(),
            until: assignment.until,
            folder,
            device: self.device,
            catalogue: self.catalogue,
            stop: self.stop,
        };
        let outcome = train::train(&job, &mut reporter)?;
        let data = &assignment.settings.data;
        provenance.dataset = self.catalogue.checksums(data)?;
        provenance.images = Some(self.catalogue.check(data)?.0.shape);
        if !matches!(outcome, Outcome::Interrupted | Outcome::Paused) {
            provenance.end = Some(now());
        }
        folder.write_provenance(&provenance)?;
        Ok(outcome)
    }
}

fn fail(row: &mut RunRow, error: &Error) {
    row.status = Status::Failed;
    let first = error.problems.first();
    row.reason = first.map(|problem| problem.message.clone());
}

/// Writes a run's events, and passes the light ones on to the supervisor.
struct Recorder<'a> {
    own: Box<dyn Reporter>,
    /// Set when the supervisor is gone: the run is interrupted then, not failed.
    stop: &'a AtomicBool,
    index: usize,
    last_progress: Option<Instant>,
}

impl Reporter for Recorder<'_> {
    fn on_event(&mut self, event: &Event) -> Result<()> {
        self.own.on_event(event)?;
        let light = match event {
            Event::Graph(_)
            | Event::Inputs(_)
            | Event::Pictures { .. }
            | Event::Embedding(_)
            | Event::Histogram { .. }
            | Event::Finished(_) => false,
            Event::Started { .. } | Event::Epoch(_) => true,
            Event::Progress { .. } => {
                let due = self
                    .last_progress
                    .is_none_or(|last| last.elapsed() > Duration::from_millis(200));
                if due {
                    self.last_progress = Some(Instant::now());
                }
                due
            }
        };
        if light {
            let message = Message::Event {
                index: self.index,
                event: event.clone(),
            };
            if send(&message).is_err() {
                self.stop.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

/// What Git knows of the folder that the program was started in; nothing where there is no Git or no repository.
#[derive(Default)]
struct Commit {
    hash: Option<String>,
    is_dirty: Option<bool>,
}

impl Commit {
    fn of_here() -> Self {
        let git = |arguments: &[&str]| -> Option<String> {
            let output = std::process::Command::new("git")
                .args(arguments)
                .stderr(std::process::Stdio::null())
                .output()
                .ok()?;
            let text = String::from_utf8(output.stdout).ok()?;
            output.status.success().then(|| text.trim().to_string())
        };
        Commit {
            hash: git(&["rev-parse", "HEAD"]),
            is_dirty: git(&["status", "--porcelain"]).map(|changes| !changes.is_empty()),
        }
    }
}

fn provenance(
    assignment: &Assignment,
    device: &Device,
    precisions: Precisions,
    commit: Commit,
) -> Provenance {
    Provenance {
        git_commit: commit.hash,
        git_dirty: commit.is_dirty,
        burnlab: env!("CARGO_PKG_VERSION").to_string(),
        burn: crate::backend::BURN_VERSION.to_string(),
        dataset: Vec::new(),
        images: None,
        device: device.to_string(),
        precisions: Some(precisions),
        kernels: device.kernels().map(String::from),
        cores: machine::cores(),
        threads: assignment.threads,
        start: now(),
        end: None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::{GrayImage, Luma};

    use super::*;
    use crate::config::Overrides;
    use crate::data::Folders;
    use crate::plan::Plan;

    struct NoReporter;

    impl Reporter for NoReporter {
        fn on_event(&mut self, _: &Event) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_cannot_be_read_is_reported_with_its_reason() {
        let reason = request("{\"train\": {\"index\": -1}}").unwrap_err();
        assert!(
            reason
                .starts_with("the worker cannot read its assignment: invalid value: integer `-1`"),
            "{reason}"
        );
    }

    #[test]
    fn a_run_is_not_trained_on_other_data_than_it_was_planned_with() {
        let dir = tempfile::tempdir().unwrap();
        let image = |class: &str, index: u8| {
            let path = dir.path().join(format!("data/{class}/{index}.png"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let value = index + if class == "a" { 0 } else { 200 };
            GrayImage::from_pixel(2, 2, Luma([value]))
                .save(path)
                .unwrap();
        };
        for index in 0..5 {
            image("a", index);
            image("b", index);
        }
        let file = dir.path().join("x.toml");
        let text = format!(
            "data.dataset.folder = '{}'\nmodel.classifier.layers = ['flatten', {{ dense = {{ units = 'classes' }} }}]\n\
             train.epochs = 1",
            dir.path().join("data").display()
        );
        fs::write(&file, text).unwrap();
        let catalogue = || Catalogue::new(Folders::only("none"));
        let plan = Plan::make(&file, &Overrides::default(), &catalogue()).unwrap();
        let run = &plan.runs[0];
        let assignment = Assignment {
            index: 0,
            row: run.unfinished(),
            settings: run.settings.as_ref().clone(),
            digest: run.digest.clone(),
            weights: run.weights.clone(),
            earlier: Vec::new(),
            images: run.images,
            experiment: plan.name.clone(),
            texts: Vec::new(),
            folder: dir.path().join("run"),
            tensorboard: dir.path().join("tensorboard"),
            threads: 1,
            until: None,
        };
        let attempt = || {
            let make = |_: &Assignment| -> Result<Box<dyn Reporter>> { Ok(Box::new(NoReporter)) };
            let (device, stop) = (Device::cpu(), AtomicBool::new(false));
            let trainer = Trainer {
                device: &device,
                checked: Ok(Precisions::F32),
                others: RefCell::default(),
                catalogue: &catalogue(),
                make: &make,
                stop: &stop,
            };
            match trainer.attempt(&assignment) {
                Attempt::Over(row) => row,
                other => panic!("{other:?}"),
            }
        };
        let row = attempt();
        assert_eq!((row.status, row.reason), (Status::Done, None));
        image("a", 77);
        let row = attempt();
        let reason = format!(
            "the images of `{}` have changed since the run was planned",
            dir.path().join("data").display()
        );
        assert_eq!((row.status, row.reason), (Status::Failed, Some(reason)));
        let again = Plan::make(&file, &Overrides::default(), &catalogue()).unwrap();
        assert_ne!(again.runs[0].id, run.id);
    }
}
