//! Hands runs to workers, listens to them, and survives their deaths.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::launcher::{Launcher, Report, Worker};
use super::order::{Options, Part};
use super::parameters::of_several_types;
use super::protocol::{Assignment, Message};
use super::state::{RunState, states};
use super::{Output, Progress, Results, ResultsFolder};
use crate::config::{START, Settings};
use crate::error::{Error, Kind, Problem, Result, count};
use crate::plan::{Earlier, Plan, Run};
use crate::record::{Event, RunFolder, RunRow, Status, write_atomically};
use crate::train::EarlierRun;

/// How long workers of another supervisor are waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    /// Runs left out as they stand on disk.
    pub results: Results,
    /// Ctrl-C came, or `--fail-fast` struck.
    pub stopped: bool,
}

/// Runs what is to be done of an experiment.
///
/// # Errors
/// The results cannot be written, another burnlab runs this experiment, workers cannot be started.
/// A run that fails is no error here: its row says so.
pub fn supervise(
    part: &Part,
    options: &Options,
    launcher: &mut dyn Launcher,
    stop: &AtomicBool,
    output: Output,
) -> Result<Ended> {
    let plan = part.plan;
    let folder = ResultsFolder::of(&options.results, &plan.name);
    fs::create_dir_all(folder.path())
        .map_err(|error| Error::io(Kind::Data, "make the results folder", folder.path(), &error))?;
    let _lock = lock(&folder)?;
    if !wait_for_workers(&folder, stop, output.progress)? {
        let states = states(plan, &options.results, &part.only, false);
        let results = results(plan, &states, &folder);
        return Ok(Ended {
            results,
            stopped: true,
        });
    }
    take_over(plan, &folder)?;
    folder.remove_parts();
    let states = states(plan, &options.results, &part.only, part.fresh);
    if part.fresh {
        forget(plan, &folder, &states)?;
    }
    output.progress.begin(plan, &states, &part.share);
    let (send, receive) = channel();
    let mut supervisor = Supervisor {
        plan,
        options,
        jobs: part.share.jobs,
        threads: part.share.threads,
        results: results(plan, &states, &folder),
        elsewhere: elsewhere(plan, &states, options),
        texts: of_several_types(plan),
        folder,
        queue: (0..plan.runs.len())
            .filter(|&i| states[i].is_to_do())
            .collect(),
        launcher,
        slots: Vec::new(),
        send,
        output,
        has_news: true,
        tables_due: Instant::now(),
        stopping: None,
    };
    supervisor.write_tables()?;
    let ended = supervisor.run(&receive, stop);
    supervisor.end_workers();
    let written = supervisor.write_tables();
    supervisor.output.progress.end();
    ended.and(written)?;
    Ok(Ended {
        stopped: supervisor.stopping.is_some(),
        results: supervisor.results,
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

/// Waits until no worker of a supervisor that was killed writes into the folder: they end within seconds. Says
/// whether none does; otherwise Ctrl-C came.
///
/// # Errors
/// One does after [`PATIENCE`].
fn wait_for_workers(
    folder: &ResultsFolder,
    stop: &AtomicBool,
    progress: &mut dyn Progress,
) -> Result<bool> {
    let path = folder.workers_lock();
    let cannot = |error| Error::io(Kind::Data, "lock the results", &path, &error);
    let mut open = File::options();
    let open = open.create(true).truncate(false).write(true);
    let file = open.open(&path).map_err(cannot)?;
    let started = Instant::now();
    let mut has_said = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(fs::TryLockError::WouldBlock) => {}
            Err(fs::TryLockError::Error(error)) => return Err(cannot(error)),
        }
        if !std::mem::replace(&mut has_said, true) {
            progress.note("waiting for the workers of a burnlab that was killed");
        }
        if stop.swap(false, Ordering::Relaxed) {
            return Ok(false);
        }
        if started.elapsed() > PATIENCE {
            let problem = Problem::new("workers of a burnlab that was killed do not end");
            let hint = "end them, or write elsewhere with `--results DIR`";
            return Err(Error::run(problem.at_file(folder.path()).hint(hint)));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Notes which file the folder's results are of.
///
/// # Errors
/// They are of another file that is there: each would overwrite the tables of the other.
fn take_over(plan: &Plan, folder: &ResultsFolder) -> Result<()> {
    let whole = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| absolute(path));
    let own = whole(&plan.path);
    let marker = folder.path().join(".experiment");
    let known = fs::read_to_string(&marker).ok();
    let known = known.map(|text| PathBuf::from(text.trim_end_matches('\n')));
    if known.as_ref() == Some(&own) {
        return Ok(());
    }
    // A file that was moved takes its results along.
    if let Some(other) = known.filter(|other| other.is_file() && whole(other) != own) {
        let message = format!(
            "the results of `{}` are those of another file, `{}`",
            plan.name,
            other.display()
        );
        let problem = Problem::new(message).at_file(folder.path());
        return Err(Error::usage(problem.hint(
            "give one of the files another name, or write elsewhere with `--results DIR`",
        )));
    }
    write_atomically(&marker, format!("{}\n", own.display()).as_bytes())
}

fn forget(plan: &Plan, folder: &ResultsFolder, states: &[RunState]) -> Result<()> {
    for (run, state) in plan.runs.iter().zip(states) {
        if state.is_to_do() {
            folder.run(run).clear()?;
        }
    }
    Ok(())
}

/// What is known of the runs before any of them starts.
fn results(plan: &Plan, states: &[RunState], folder: &ResultsFolder) -> Results {
    let row = |(run, state): (&Run, &RunState)| match state {
        RunState::Finished(row) => row.as_ref().clone(),
        RunState::ToDo { .. } => run.unfinished(),
        RunState::LeftOut => folder.row(run),
    };
    let epochs = |(run, state): (&Run, &RunState)| match state {
        RunState::ToDo { epochs_done: 0 } => Vec::new(),
        _ => folder.run(run).epochs(),
    };
    Results {
        rows: plan.runs.iter().zip(states).map(row).collect(),
        epochs: plan.runs.iter().zip(states).map(epochs).collect(),
    }
}

/// A run of another experiment: the number of its plan, and its number there.
type Elsewhere = (usize, usize);

/// How the runs of other experiments ended that these ones need. They were done before, if at all.
fn elsewhere(
    plan: &Plan,
    states: &[RunState],
    options: &Options,
) -> HashMap<Elsewhere, Option<Status>> {
    let mut found = HashMap::new();
    let runs = plan.runs.iter().zip(states);
    let needed = runs.filter(|(_, state)| state.is_to_do());
    for earlier in needed.flat_map(|(run, _)| &run.earlier) {
        if let Some(number) = earlier.plan {
            found.entry((number, earlier.run)).or_insert_with(|| {
                let (plan, run) = plan.earlier(earlier);
                let folder = ResultsFolder::of(&options.results, &plan.name);
                let row = folder.run(run).row().filter(|row| row.id == run.id);
                row.map(|row| row.status)
            });
        }
    }
    found
}

/// Whether a run can be handed out.
enum Readiness {
    Ready,
    /// A run that it needs is not done yet.
    Waiting,
    /// A run that it needs will not be done, for this reason.
    Blocked(String),
}

/// A worker and what it is doing.
struct Slot {
    worker: Box<dyn Worker>,
    /// Whether it takes runs.
    is_open: bool,
    busy: Option<usize>,
    /// That it may use.
    threads: usize,
}

impl Slot {
    fn is_idle(&self) -> bool {
        self.is_open && self.busy.is_none()
    }

    fn close(&mut self) {
        self.worker.close();
        self.is_open = false;
    }
}

struct Supervisor<'a, 'o> {
    plan: &'a Plan,
    options: &'a Options,
    /// Workers at a time.
    jobs: usize,
    /// Threads of each.
    threads: usize,
    folder: ResultsFolder,
    results: Results,
    elsewhere: HashMap<Elsewhere, Option<Status>>,
    /// Settings that are texts in logs.
    texts: Vec<String>,
    queue: VecDeque<usize>,
    launcher: &'a mut dyn Launcher,
    slots: Vec<Slot>,
    send: Sender<(usize, Report)>,
    output: Output<'o>,
    /// Whether a run ended or stopped since the tables were written.
    has_news: bool,
    /// When they may be written again.
    tables_due: Instant,
    /// Since when workers are asked to stop.
    stopping: Option<Instant>,
}

impl Supervisor<'_, '_> {
    fn run(&mut self, receive: &Receiver<(usize, Report)>, stop: &AtomicBool) -> Result<()> {
        self.end_blocked()?;
        self.hand_out()?;
        while self.slots.iter().any(|slot| slot.busy.is_some()) {
            match receive.recv_timeout(Duration::from_millis(100)) {
                Ok((worker, report)) => self.on_report(worker, report)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.stopping.is_none() && stop.swap(false, Ordering::Relaxed) {
                self.output.progress.note(
                    "stopping: every run keeps its last whole epoch; press Ctrl-C again to stop at once",
                );
                self.stop_workers();
            }
            let is_urgent = stop.load(Ordering::Relaxed);
            let patience = self.launcher.patience();
            let is_late = |since: Instant| is_urgent || since.elapsed() > patience;
            if self.stopping.is_some_and(is_late) {
                break;
            }
            if Instant::now() >= self.tables_due {
                self.write_tables()?;
            }
        }
        Ok(())
    }

    fn on_report(&mut self, worker: usize, report: Report) -> Result<()> {
        match report {
            Report::Message(Message::Event { index, event }) => self.on_event(index, &event),
            Report::Message(Message::Stopped { .. }) => {
                self.slots[worker].busy = None;
                self.has_news = true;
            }
            Report::Message(Message::Refused { reason }) => {
                if let Some(index) = self.slots[worker].busy.take() {
                    let row = self.mark_failed(index, &reason)?;
                    self.end_run(index, row)?;
                    self.hand_out()?;
                }
            }
            Report::Message(Message::Ended { index, row }) => {
                self.slots[worker].busy = None;
                self.end_run(index, *row)?;
                self.hand_out()?;
            }
            Report::Gone => {
                let slot = &mut self.slots[worker];
                slot.close();
                let reason = slot.worker.wait();
                if let Some(index) = slot.busy.take() {
                    let row = self.mark_dead(index, &reason)?;
                    if self.stopping.is_none() {
                        self.end_run(index, row)?;
                        self.hand_out()?;
                    }
                }
            }
        }
        Ok(())
    }

    fn on_event(&mut self, index: usize, event: &Event) {
        let epochs = &mut self.results.epochs[index];
        match event {
            // A checkpoint may be an epoch behind the table, or lost.
            Event::Started { epochs_done, .. } => epochs.truncate(*epochs_done),
            Event::Epoch(row) => epochs.push(row.as_ref().clone()),
            _ => {}
        }
        self.output.progress.event(index, event);
    }

    /// Notes how a run ended, and ends those that can no longer start.
    fn end_run(&mut self, index: usize, row: RunRow) -> Result<()> {
        let is_done = row.status == Status::Done;
        self.note_end(index, row);
        match is_done {
            true => Ok(()),
            false => self.end_blocked(),
        }
    }

    fn note_end(&mut self, index: usize, row: RunRow) {
        let epochs = row.last.as_ref().map_or(0, |last| last.epoch);
        if self.results.epochs[index].len() != epochs {
            // Of a worker that died, the folder alone knows.
            self.results.epochs[index] = self.folder.run(&self.plan.runs[index]).epochs();
        }
        self.has_news = true;
        self.output.progress.ended(index, &row);
        let is_done = row.status == Status::Done;
        self.results.rows[index] = row;
        if !is_done && self.options.fail_fast && self.stopping.is_none() {
            let note = "stopping at the first failure, as `--fail-fast` asks";
            self.output.progress.note(note);
            self.stop_workers();
        }
    }

    /// Ends runs that need one without a result, and those that need them.
    fn end_blocked(&mut self) -> Result<()> {
        let blocked = |supervisor: &Self, index: usize| match supervisor.standing(index) {
            Readiness::Blocked(reason) => Some((index, reason)),
            Readiness::Ready | Readiness::Waiting => None,
        };
        loop {
            let mut queued = self.queue.iter();
            let Some((index, reason)) = queued.find_map(|&index| blocked(self, index)) else {
                return Ok(());
            };
            self.queue.retain(|&queued| queued != index);
            let row = self.mark_failed(index, &reason)?;
            self.note_end(index, row);
        }
    }

    /// Whether a run can start.
    fn standing(&self, index: usize) -> Readiness {
        let mut waits = false;
        for earlier in &self.plan.runs[index].earlier {
            match self.standing_of(earlier) {
                Readiness::Ready => {}
                Readiness::Waiting => waits = true,
                blocked => return blocked,
            }
        }
        match waits {
            true => Readiness::Waiting,
            false => Readiness::Ready,
        }
    }

    /// Whether a run can start as far as this one that it needs goes.
    fn standing_of(&self, earlier: &Earlier) -> Readiness {
        let status = match earlier.plan {
            None => Some(self.results.rows[earlier.run].status),
            Some(plan) => self.elsewhere.get(&(plan, earlier.run)).copied().flatten(),
        };
        let is_here = earlier.plan.is_none();
        let how = match status {
            Some(Status::Done) => return Readiness::Ready,
            Some(Status::Unfinished) if is_here => return Readiness::Waiting,
            Some(Status::Failed) => "failed",
            Some(Status::Diverged) => "diverged",
            Some(Status::Unfinished) | None => "is not done",
        };
        let (plan, run) = self.plan.earlier(earlier);
        let whose = match is_here {
            true => String::new(),
            false => format!(" of `{}`", plan.name),
        };
        let name = format!("`{}`, seed {}{whose}", run.variant, run.seed);
        Readiness::Blocked(format!("a run it needs ({name}) {how}"))
    }

    /// Gives runs that can start to workers without one, starts workers where there is room, and lets those
    /// go that nothing is left for.
    fn hand_out(&mut self) -> Result<()> {
        while self.stopping.is_none() {
            let can_start = |&index: &usize| matches!(self.standing(index), Readiness::Ready);
            let Some(at) = self.queue.iter().position(can_start) else {
                break;
            };
            let open = self.slots.iter().filter(|slot| slot.is_open).count();
            let worker = match self.slots.iter().position(Slot::is_idle) {
                Some(worker) => worker,
                None if open < self.jobs => match self.start_worker() {
                    Ok(worker) => worker,
                    // Those that are there do what is left.
                    Err(error) if open > 0 => {
                        self.do_without(open, &error);
                        break;
                    }
                    Err(error) => return Err(error),
                },
                None => break,
            };
            if let Some(index) = self.queue.remove(at) {
                let assignment = self.assignment(index);
                self.slots[worker].busy = Some(index);
                self.slots[worker].worker.assign(&assignment);
            }
        }
        if self.queue.is_empty() {
            let idle = self.slots.iter_mut().filter(|slot| slot.is_idle());
            idle.for_each(Slot::close);
            self.share_threads();
        }
        Ok(())
    }

    /// Gives the threads of workers that are gone to those that train the last runs.
    fn share_threads(&mut self) {
        let busy = self.slots.iter().filter(|slot| slot.busy.is_some()).count();
        let each = self.threads * self.jobs / busy.max(1);
        let busy = self.slots.iter_mut().filter(|slot| slot.busy.is_some());
        for slot in busy.filter(|slot| slot.threads < each) {
            slot.threads = each;
            slot.worker.use_threads(each);
        }
    }

    fn start_worker(&mut self) -> Result<usize> {
        let number = self.slots.len();
        let worker = self.launcher.launch(number, &self.send)?;
        self.slots.push(Slot {
            worker,
            is_open: true,
            busy: None,
            threads: self.threads,
        });
        Ok(number)
    }

    /// Goes on with `open` workers, since no other can be started.
    fn do_without(&mut self, open: usize, error: &Error) {
        self.jobs = open;
        let (reason, workers) = (error.first_message(), count(open, "worker"));
        let note = format!("{reason}: {workers} must do");
        self.output.progress.note(&note);
    }

    fn assignment(&self, index: usize) -> Assignment {
        let run = &self.plan.runs[index];
        Assignment {
            index,
            row: run.unfinished(),
            settings: self.settings(run),
            digest: run.digest.clone(),
            weights: run.weights.clone(),
            earlier: self.earlier(run),
            images: run.images,
            experiment: self.plan.name.clone(),
            texts: self.texts.clone(),
            folder: self.folder.run(run).path().to_path_buf(),
            tensorboard: self.folder.tensorboard(run),
            threads: self.threads,
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
        self.slots.iter_mut().for_each(Slot::close);
    }

    /// The row of a run whose worker died, also written to its folder.
    fn mark_dead(&mut self, index: usize, reason: &str) -> Result<RunRow> {
        let row = self.folder.row(&self.plan.runs[index]);
        // It may have died after its last message was written and before it was read.
        let is_over = matches!(row.status, Status::Done | Status::Diverged);
        match self.stopping.is_none() && !is_over {
            true => self.mark_failed(index, reason),
            false => Ok(row),
        }
    }

    /// The row of a run that failed outside of a worker, also written to its folder.
    fn mark_failed(&self, index: usize, reason: &str) -> Result<RunRow> {
        let run = &self.plan.runs[index];
        let mut row = self.folder.row(run);
        row.status = Status::Failed;
        row.reason = Some(reason.to_string());
        let folder = self.folder.run(run);
        folder.create()?;
        folder.write_row(&row)?;
        Ok(row)
    }

    /// Writes the tables if there is news for them, and says when that may be done again.
    fn write_tables(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.has_news) {
            return Ok(());
        }
        let start = Instant::now();
        (self.output.tables)(&self.results)?;
        // Of many runs they take long: nine tenths of the time are for the runs.
        self.tables_due = Instant::now() + self.output.lag.max(start.elapsed() * 9);
        Ok(())
    }

    fn end_workers(&mut self) {
        for slot in &mut self.slots {
            slot.close();
            if slot.busy.is_some() {
                slot.worker.kill();
            }
            slot.worker.wait();
        }
    }
}
