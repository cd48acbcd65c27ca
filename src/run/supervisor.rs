//! Hands runs to worker processes, hears them, and survives their deaths.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::protocol::{Assignment, Message};
use super::{ResultsFolder, Share, Show};
use crate::error::{Error, Kind, Problem, Result};
use crate::plan::{Earlier, Plan, Run};
use crate::record::{RunFolder, RunRow, Status};
use crate::spec::{START, Settings};
use crate::train::EarlierRun;

/// What the command line says about running.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where `EXPERIMENT/` is made.
    pub results: PathBuf,
    /// As `--device` names it.
    pub device: String,
    pub share: Share,
    /// Which runs are wanted; those that they need are trained too where they are missing.
    pub only: Only,
    /// Forget what was done before of the runs that are wanted.
    pub fresh: bool,
    /// Stop at the first run that fails.
    pub fail_fast: bool,
}

/// Which runs of a plan are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Only {
    All,
    /// Those of these variants.
    Variants(Vec<String>),
    /// Those with these numbers in the plan.
    Runs(BTreeSet<usize>),
}

impl Only {
    fn wants(&self, index: usize, run: &Run) -> bool {
        match self {
            Only::All => true,
            Only::Variants(names) => names.iter().any(|name| is_variant(run, name)),
            Only::Runs(runs) => runs.contains(&index),
        }
    }
}

/// How a planned run stands before anything starts.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Done or diverged before: its numbers are there.
    Finished(Box<RunRow>),
    /// To be trained, with the epochs that a checkpoint spares.
    ToDo { epochs_done: usize },
    /// `--only` leaves it out, and there are no numbers of it.
    LeftOut,
}

impl State {
    pub fn is_to_do(&self) -> bool {
        matches!(self, State::ToDo { .. })
    }
}

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    /// In the plan's order; runs left out as they stand on disk.
    pub rows: Vec<RunRow>,
    /// Ctrl-C came, or `--fail-fast` struck.
    pub stopped: bool,
}

/// How every run of a plan stands on disk.
pub fn states(plan: &Plan, options: &Options) -> Vec<State> {
    let folder = ResultsFolder::of(&options.results, &plan.name);
    let mut states: Vec<State> = plan
        .runs
        .iter()
        .enumerate()
        .map(|(index, run)| state(run, &folder, options.only.wants(index, run), options.fresh))
        .collect();
    for index in 0..states.len() {
        add_earlier(plan, index, &folder, &mut states);
    }
    states
}

fn state(run: &Run, folder: &ResultsFolder, is_wanted: bool, fresh: bool) -> State {
    let before = folder.run(run);
    let row = before.row().filter(|row| row.id == run.id);
    let fresh = fresh && is_wanted;
    match row {
        Some(row) if !fresh && matches!(row.status, Status::Done | Status::Diverged) => {
            State::Finished(Box::new(row))
        }
        _ if !is_wanted => State::LeftOut,
        _ if fresh => State::ToDo { epochs_done: 0 },
        _ => State::ToDo {
            epochs_done: before.epochs().len(),
        },
    }
}

/// Adds what a run that is to be done needs, as far as it is of the same plan and missing.
fn add_earlier(plan: &Plan, index: usize, folder: &ResultsFolder, states: &mut [State]) {
    if !states[index].is_to_do() {
        return;
    }
    let earlier = plan.runs[index].earlier.iter();
    for run in earlier.filter(|e| e.plan.is_none()).map(|e| e.run) {
        if states[run] == State::LeftOut {
            states[run] = state(&plan.runs[run], folder, true, false);
            add_earlier(plan, run, folder, states);
        }
    }
}

/// Whether a run belongs to a variant, by the variant's name with or without its grid point.
pub fn is_variant(run: &Run, name: &str) -> bool {
    run.variant == name || run.variant.split(',').next() == Some(name)
}

struct Worker {
    process: Child,
    stdin: Option<ChildStdin>,
    busy: Option<usize>,
}

enum Heard {
    Message(Message),
    /// The worker's output ended: it is gone.
    Gone,
}

/// Runs what is to be done. `changed` is told all rows whenever a run ends.
///
/// # Errors
/// The results cannot be written, another burnlab runs this experiment, workers cannot be started.
/// A run that fails is no error here: its row says so.
pub fn supervise(
    plan: &Plan,
    options: &Options,
    stop: &AtomicBool,
    show: &mut dyn Show,
    changed: &mut dyn FnMut(&[RunRow]) -> Result<()>,
) -> Result<Ended> {
    let folder = ResultsFolder::of(&options.results, &plan.name);
    fs::create_dir_all(folder.path())
        .map_err(|error| Error::io(Kind::Data, "make the results folder", folder.path(), &error))?;
    let _lock = lock(&folder)?;
    let states = states(plan, options);
    if options.fresh {
        forget(plan, &folder, &states)?;
    }
    show.begin(plan, &states, &options.share);
    let (send, receive) = channel();
    let mut supervisor = Supervisor {
        plan,
        options,
        rows: rows(plan, &states, &folder),
        folder,
        queue: (0..plan.runs.len())
            .filter(|&i| states[i].is_to_do())
            .collect(),
        workers: Vec::new(),
        send,
        stopping: None,
        failed: false,
    };
    changed(&supervisor.rows)?;
    let ended = supervisor.run(&receive, stop, show, changed);
    supervisor.kill();
    show.end();
    ended?;
    Ok(Ended {
        stopped: supervisor.stopping.is_some(),
        rows: supervisor.rows,
    })
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// Holds the experiment's folder for this process; the system lets go of it however the process ends.
fn lock(folder: &ResultsFolder) -> Result<File> {
    let path = folder.path().join(".lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| Error::io(Kind::Data, "open the lock", &path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Error::usage(
            Problem::new("another burnlab is running this experiment")
                .at_file(folder.path())
                .hint("wait for it, or write elsewhere with `--results DIR`"),
        )),
        Err(fs::TryLockError::Error(error)) => Err(Error::io(Kind::Data, "lock", &path, &error)),
    }
}

fn forget(plan: &Plan, folder: &ResultsFolder, states: &[State]) -> Result<()> {
    for (run, state) in plan.runs.iter().zip(states) {
        if state.is_to_do() {
            folder.run(run).clear()?;
        }
    }
    Ok(())
}

fn rows(plan: &Plan, states: &[State], folder: &ResultsFolder) -> Vec<RunRow> {
    plan.runs
        .iter()
        .zip(states)
        .map(|(run, state)| match state {
            State::Finished(row) => row.as_ref().clone(),
            State::ToDo { .. } => run.unfinished(),
            State::LeftOut => folder.row(run),
        })
        .collect()
}

/// How a run stands that is not handed out yet.
enum Standing {
    Ready,
    /// A run that it needs is not done yet.
    Waiting,
    /// A run that it needs will not be done, for this reason.
    Hopeless(String),
}

/// How long workers may take to stop before they are killed.
const PATIENCE: Duration = Duration::from_secs(10);

struct Supervisor<'a> {
    plan: &'a Plan,
    options: &'a Options,
    folder: ResultsFolder,
    rows: Vec<RunRow>,
    queue: VecDeque<usize>,
    workers: Vec<Worker>,
    send: Sender<(usize, Heard)>,
    /// Since when workers are asked to stop.
    stopping: Option<Instant>,
    failed: bool,
}

impl Supervisor<'_> {
    fn run(
        &mut self,
        receive: &Receiver<(usize, Heard)>,
        stop: &AtomicBool,
        show: &mut dyn Show,
        changed: &mut dyn FnMut(&[RunRow]) -> Result<()>,
    ) -> Result<()> {
        self.drop_hopeless(show, changed)?;
        self.hand_out()?;
        while self.workers.iter().any(|worker| worker.busy.is_some()) {
            let heard = match receive.recv_timeout(Duration::from_millis(100)) {
                Ok(heard) => Some(heard),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if let Some((worker, heard)) = heard {
                self.hear(worker, heard, show, changed)?;
            }
            if self.stopping.is_none() && stop.load(Ordering::Relaxed) {
                show.note("stopping: every run keeps its last whole epoch; press Ctrl-C again to stop at once");
                self.stop_workers();
                stop.store(false, Ordering::Relaxed);
            }
            let impatient = stop.load(Ordering::Relaxed);
            if self
                .stopping
                .is_some_and(|since| impatient || since.elapsed() > PATIENCE)
            {
                break;
            }
        }
        Ok(())
    }

    fn hear(
        &mut self,
        worker: usize,
        heard: Heard,
        show: &mut dyn Show,
        changed: &mut dyn FnMut(&[RunRow]) -> Result<()>,
    ) -> Result<()> {
        match heard {
            Heard::Message(Message::Event { index, event }) => show.event(index, &event),
            Heard::Message(Message::Stopped { .. }) => self.workers[worker].busy = None,
            Heard::Message(Message::Ended { index, row }) => {
                self.workers[worker].busy = None;
                self.end_run(index, *row, show, changed)?;
                self.go_on(index, show, changed)?;
            }
            Heard::Gone => {
                let reason = self.bury(worker);
                if let Some(index) = self.workers[worker].busy.take() {
                    let row = self.mark_dead(index, &reason)?;
                    if self.stopping.is_none() {
                        self.end_run(index, row, show, changed)?;
                        self.go_on(index, show, changed)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn end_run(
        &mut self,
        index: usize,
        row: RunRow,
        show: &mut dyn Show,
        changed: &mut dyn FnMut(&[RunRow]) -> Result<()>,
    ) -> Result<()> {
        show.ended(index, &row);
        let bad = row.status != Status::Done;
        self.rows[index] = row;
        changed(&self.rows)?;
        if bad && self.options.fail_fast && !self.failed {
            self.failed = true;
            show.note("stopping at the first failure, as `--fail-fast` asks");
            self.stop_workers();
        }
        Ok(())
    }

    /// Goes on after a run ended.
    fn go_on(
        &mut self,
        index: usize,
        show: &mut dyn Show,
        changed: &mut dyn FnMut(&[RunRow]) -> Result<()>,
    ) -> Result<()> {
        if self.rows[index].status != Status::Done {
            self.drop_hopeless(show, changed)?;
        }
        self.hand_out()
    }

    /// Ends runs that need one without a result, and those that need them.
    fn drop_hopeless(
        &mut self,
        show: &mut dyn Show,
        changed: &mut dyn FnMut(&[RunRow]) -> Result<()>,
    ) -> Result<()> {
        let hopeless = |supervisor: &Self, index: usize| match supervisor.standing(index) {
            Standing::Hopeless(reason) => Some((index, reason)),
            Standing::Ready | Standing::Waiting => None,
        };
        loop {
            let mut queued = self.queue.iter();
            let Some((index, reason)) = queued.find_map(|&index| hopeless(self, index)) else {
                return Ok(());
            };
            self.queue.retain(|&queued| queued != index);
            let row = self.mark_failed(index, &reason)?;
            self.end_run(index, row, show, changed)?;
        }
    }

    /// Whether a run can start.
    fn standing(&self, index: usize) -> Standing {
        let mut waits = false;
        for earlier in &self.plan.runs[index].earlier {
            match self.standing_of(earlier) {
                Standing::Ready => {}
                Standing::Waiting => waits = true,
                hopeless => return hopeless,
            }
        }
        match waits {
            true => Standing::Waiting,
            false => Standing::Ready,
        }
    }

    /// Whether a run can start as far as this one that it needs goes.
    fn standing_of(&self, earlier: &Earlier) -> Standing {
        let (plan, run) = self.plan.earlier(earlier);
        let is_here = earlier.plan.is_none();
        let row = match is_here {
            true => Some(self.rows[earlier.run].clone()),
            false => {
                let folder = ResultsFolder::of(&self.options.results, &plan.name);
                folder.run(run).row().filter(|row| row.id == run.id)
            }
        };
        let how = match row.map(|row| row.status) {
            Some(Status::Done) => return Standing::Ready,
            Some(Status::Unfinished) if is_here => return Standing::Waiting,
            Some(Status::Failed) => "failed",
            Some(Status::Diverged) => "diverged",
            Some(Status::Unfinished) | None => "is not done",
        };
        let whose = match is_here {
            true => String::new(),
            false => format!(" of `{}`", plan.name),
        };
        let name = format!("`{}`, seed {}{whose}", run.variant, run.seed);
        Standing::Hopeless(format!("a run it needs ({name}) {how}"))
    }

    /// Gives runs that can start to workers without one, starts workers where there is room, and lets those
    /// go that nothing is left for.
    fn hand_out(&mut self) -> Result<()> {
        let is_idle = |worker: &Worker| worker.stdin.is_some() && worker.busy.is_none();
        while self.stopping.is_none() {
            let can_start = |&index: &usize| matches!(self.standing(index), Standing::Ready);
            let Some(at) = self.queue.iter().position(can_start) else {
                break;
            };
            let there = self
                .workers
                .iter()
                .filter(|worker| worker.stdin.is_some())
                .count();
            let worker = match self.workers.iter().position(is_idle) {
                Some(worker) => worker,
                None if there < self.options.share.jobs => self.start_worker()?,
                None => break,
            };
            if let Some(index) = self.queue.remove(at) {
                self.assign(worker, index);
            }
        }
        if self.queue.is_empty() {
            // A worker ends with its input.
            let idle = self.workers.iter_mut().filter(|worker| is_idle(worker));
            idle.for_each(|worker| worker.stdin = None);
        }
        Ok(())
    }

    fn start_worker(&mut self) -> Result<usize> {
        let number = self.workers.len();
        let worker = spawn(&self.folder, self.options, number, &self.send)?;
        self.workers.push(worker);
        Ok(number)
    }

    /// Gives a worker a run.
    fn assign(&mut self, worker: usize, index: usize) {
        let run = &self.plan.runs[index];
        let assignment = Assignment {
            index,
            row: run.unfinished(),
            settings: self.settings(run),
            earlier: self.earlier(run),
            images: run.images,
            experiment: self.plan.name.clone(),
            folder: self.folder.run(run).path().to_path_buf(),
            tensorboard: self.folder.tensorboard(run),
            threads: self.options.share.threads,
        };
        let mut line = serde_json::to_string(&assignment).expect("an assignment is plain values");
        line.push('\n');
        let worker = &mut self.workers[worker];
        worker.busy = Some(index);
        // If it is gone already, its end is heard next and the run is marked then.
        if let Some(stdin) = &mut worker.stdin {
            let _ = stdin
                .write_all(line.as_bytes())
                .and_then(|()| stdin.flush());
        }
    }

    /// A run's settings, with the file of the run it starts from and the whole names of others.
    fn settings(&self, run: &Run) -> Settings {
        let mut settings = run.settings.as_ref().clone();
        for earlier in &run.earlier {
            let (plan, found) = self.plan.earlier(earlier);
            let file = absolute(&plan.path);
            settings.locate(earlier.key, &file, &found.variant, found.seed);
        }
        if let Some(start) = &mut settings.start {
            let mut earlier = run.earlier.iter();
            let first = earlier.find(|earlier| earlier.key == START);
            let file = first.map(|earlier| self.folder_of(earlier).file(start.file_name()));
            if let Some(path) = file.or(start.weights.clone()) {
                *start = start.from_file(&absolute(&path));
            }
        }
        settings
    }

    /// The runs that a run needs, as a worker finds them.
    fn earlier(&self, run: &Run) -> Vec<EarlierRun> {
        let found = |earlier: &Earlier| EarlierRun {
            key: earlier.key.to_string(),
            folder: absolute(self.folder_of(earlier).path()),
            settings: self.plan.earlier(earlier).1.settings.as_ref().clone(),
        };
        run.earlier.iter().map(found).collect()
    }

    fn folder_of(&self, earlier: &Earlier) -> RunFolder {
        let (plan, run) = self.plan.earlier(earlier);
        ResultsFolder::of(&self.options.results, &plan.name).run(run)
    }

    fn stop_workers(&mut self) {
        self.stopping = Some(Instant::now());
        self.queue.clear();
        for worker in &mut self.workers {
            worker.stdin = None;
        }
    }

    /// Waits for a worker that is gone and says how it went.
    fn bury(&mut self, worker: usize) -> String {
        let worker = &mut self.workers[worker];
        worker.stdin = None;
        match worker.process.wait() {
            Err(error) => format!("its process was lost: {}", crate::error::io_reason(&error)),
            Ok(status) => how_it_ended(status),
        }
    }

    /// The row of a run whose process died, also written to its folder.
    fn mark_dead(&mut self, index: usize, reason: &str) -> Result<RunRow> {
        let run = &self.plan.runs[index];
        let folder = self.folder.run(run);
        let row = folder.row().unwrap_or_else(|| run.unfinished());
        // It may have died after its last word was written and before it was told.
        let is_over = matches!(row.status, Status::Done | Status::Diverged);
        match self.stopping.is_none() && !is_over {
            true => self.mark_failed(index, reason),
            false => Ok(row),
        }
    }

    /// The row of a run that failed outside of a worker, also written to its folder.
    fn mark_failed(&self, index: usize, reason: &str) -> Result<RunRow> {
        let run = &self.plan.runs[index];
        let folder = self.folder.run(run);
        let mut row = folder.row().unwrap_or_else(|| run.unfinished());
        row.status = Status::Failed;
        row.reason = Some(reason.to_string());
        folder.create()?;
        folder.write_row(&row)?;
        Ok(row)
    }

    fn kill(&mut self) {
        for worker in &mut self.workers {
            worker.stdin = None;
            if worker.busy.is_some() {
                let _ = worker.process.kill();
            }
            let _ = worker.process.wait();
        }
    }
}

#[cfg(unix)]
fn how_it_ended(status: std::process::ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.signal(), status.code()) {
        (Some(9), _) => {
            "its process was killed (signal 9); the system does so when memory runs out".to_string()
        }
        (Some(signal), _) => format!("its process was ended by signal {signal}"),
        (None, code) => format!(
            "its process ended early with code {}; `workers.log` holds its last words",
            code.unwrap_or(-1)
        ),
    }
}

#[cfg(not(unix))]
fn how_it_ended(status: std::process::ExitStatus) -> String {
    format!("its process ended early: {status}")
}

fn spawn(
    folder: &ResultsFolder,
    options: &Options,
    number: usize,
    send: &Sender<(usize, Heard)>,
) -> Result<Worker> {
    let log_path = folder.path().join("workers.log");
    let log = File::options()
        .create(true)
        .append(true)
        .open(&log_path)
        .map_err(|error| Error::io(Kind::Data, "open the workers' log", &log_path, &error))?;
    let refused = |error: std::io::Error| {
        Error::bug(format!(
            "cannot start a worker: {}",
            crate::error::io_reason(&error)
        ))
    };
    let mut command = Command::new(std::env::current_exe().map_err(refused)?);
    command
        .args(["worker", "--device", &options.device])
        .env("RAYON_NUM_THREADS", options.share.threads.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log);
    // Out of the terminal's reach: Ctrl-C is the supervisor's to handle.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut process = command.spawn().map_err(refused)?;
    let stdout = process.stdout.take().expect("its output is piped");
    let send = send.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout)
            .lines()
            .map_while(std::io::Result::ok)
        {
            // Anything else on its output is not for us.
            if let Ok(message) = serde_json::from_str(&line)
                && send.send((number, Heard::Message(message))).is_err()
            {
                return;
            }
        }
        let _ = send.send((number, Heard::Gone));
    });
    Ok(Worker {
        stdin: process.stdin.take(),
        process,
        busy: None,
    })
}
