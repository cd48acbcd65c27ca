//! Hands runs to workers, listens to them, and survives their deaths.

use std::collections::VecDeque;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::halving::{Ladder, Standing};
use super::launcher::{Launcher, Report, Worker};
use super::machine::build;
use super::order::{Options, Part};
use super::parameters::of_several_types;
use super::protocol::{Assignment, Begin, Hello, Message};
use super::readiness::{Needs, Readiness};
use super::results_folder::absolute;
use super::state::{results, states};
use super::tables::Tables;
use super::{Output, Progress, Results, ResultsFolder, WorkerCounts};
use crate::config::{START, Settings};
use crate::error::{Error, Kind, Problem, Result, count, io_reason};
use crate::plan::{Earlier, Plan, Run};
use crate::record::{Event, Lease, RunFolder, RunRow, Status};
use crate::train::EarlierRun;

/// Workers that end one after another before any is ready, until no other is started.
const LAUNCHES: u32 = 3;

/// How often workers are looked after.
const ROUND: Duration = Duration::from_millis(100);

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
    let lease = folder.lease(output.progress)?;
    if !folder.wait_for_workers(stop, output.progress)? {
        let states = states(plan, &options.results, &part.only, false);
        let results = results(plan, &states, &folder);
        return Ok(Ended {
            results,
            stopped: true,
        });
    }
    folder.take_over(plan)?;
    folder.remove_parts();
    let states = states(plan, &options.results, &part.only, part.fresh);
    if part.fresh {
        let runs = plan.runs.iter().zip(&states);
        let to_do = runs.filter(|(_, state)| state.is_to_do());
        folder.forget(to_do.map(|(run, _)| run))?;
    }
    let begin = launcher.silence().map(|silence| begin(&lease, silence));
    let begin = begin.transpose()?;
    let Output {
        progress,
        tables,
        lag,
    } = output;
    progress.begin(plan, &states, &part.share);
    std::thread::scope(|scope| {
        let (send, receive) = channel();
        let supervisor = Supervisor {
            begin,
            tries: vec![Tries::default(); plan.runs.len()],
            failed_launches: 0,
            launch_due: Instant::now(),
            round_due: Instant::now(),
            beat_due: Instant::now(),
            plan,
            options,
            jobs: part.share.jobs,
            threads: part.share.threads,
            results: results(plan, &states, &folder),
            ladder: Ladder::of(plan, |index| states[index].is_wanted()),
            needs: Needs::of(plan, &states, &options.results),
            texts: of_several_types(plan),
            folder,
            queue: (0..plan.runs.len())
                .filter(|&i| states[i].is_to_do())
                .collect(),
            launcher,
            slots: Vec::new(),
            send,
            progress,
            tables: Tables::new(scope, tables, lag),
            has_news: false,
            stopping: None,
        };
        supervisor.carry_out(&lease, &receive, stop)
    })
}

/// What workers on other machines are told first.
fn begin(lease: &Lease, silence: Duration) -> Result<Begin> {
    let (path, text) = lease.token()?;
    let directory = std::env::current_dir();
    let directory = directory.map_err(|error| {
        let reason = io_reason(&error);
        Error::run(Problem::new(format!("cannot tell where this is: {reason}")))
    })?;
    let passed = |name: &str| name == "BURNLAB_DATA" || name == "BURNLAB_SIMD";
    Ok(Begin {
        directory,
        variables: std::env::vars().filter(|(name, _)| passed(name)).collect(),
        token: (absolute(&path), text),
        patience: silence.as_secs(),
    })
}

/// How often a run was tried again since it last got further.
#[derive(Debug, Clone, Copy, Default)]
struct Tries {
    number: usize,
    /// Its epochs then.
    epochs: usize,
}

/// A worker and what it is doing.
struct Slot {
    worker: Box<dyn Worker>,
    /// Whether it takes runs.
    is_open: bool,
    /// Whether it has said that it is there, if it must.
    is_ready: bool,
    /// Whether it is gone, or given up: what it still says counts for nothing.
    is_gone: bool,
    busy: Option<usize>,
    /// That it may use.
    threads: usize,
    /// When it last said something.
    heard: Instant,
    /// Its machine, and the job that it runs in.
    place: String,
}

impl Slot {
    fn is_idle(&self) -> bool {
        self.is_open && self.is_ready && self.busy.is_none()
    }

    fn is_queued(&self) -> bool {
        self.is_open && !self.is_ready
    }

    fn close(&mut self) {
        self.worker.close();
        self.is_open = false;
    }
}

struct Supervisor<'a, 'o> {
    /// What workers on other machines are told first, if they are there.
    begin: Option<Begin>,
    /// Of each run.
    tries: Vec<Tries>,
    /// Workers that ended one after another before any was ready.
    failed_launches: u32,
    /// When the next one may be started.
    launch_due: Instant,
    /// When workers are looked after again.
    round_due: Instant,
    /// When those on other machines are told again that the supervisor lives.
    beat_due: Instant,
    plan: &'a Plan,
    options: &'a Options,
    /// Workers at a time.
    jobs: usize,
    /// Threads of each.
    threads: usize,
    folder: ResultsFolder,
    results: Results,
    /// Which points go on, if the plan halves them.
    ladder: Option<Ladder<'a>>,
    /// The runs that runs need.
    needs: Needs<'a>,
    /// Settings that are texts in logs.
    texts: Vec<String>,
    queue: VecDeque<usize>,
    launcher: &'a mut dyn Launcher,
    slots: Vec<Slot>,
    send: Sender<(usize, Report)>,
    progress: &'o mut dyn Progress,
    tables: Tables,
    /// Whether a run ended or stopped since the tables were written.
    has_news: bool,
    /// Since when workers are asked to stop.
    stopping: Option<Instant>,
}

impl Supervisor<'_, '_> {
    /// All that is to be done, and the tables before and after it.
    fn carry_out(
        mut self,
        lease: &Lease,
        receive: &Receiver<(usize, Report)>,
        stop: &AtomicBool,
    ) -> Result<Ended> {
        self.tables.write(&self.results)?;
        let ended = self.run(receive, stop);
        self.end_workers();
        let written = match self.has_news {
            _ if !lease.is_held() => Ok(()),
            true => self.tables.write(&self.results),
            false => self.tables.finish(),
        };
        self.progress.end();
        ended.and(written)?;
        Ok(Ended {
            stopped: self.stopping.is_some(),
            results: self.results,
        })
    }

    fn run(&mut self, receive: &Receiver<(usize, Report)>, stop: &AtomicBool) -> Result<()> {
        self.give_up()?;
        self.end_blocked()?;
        self.hand_out()?;
        while self.is_at_work() {
            match receive.recv_timeout(ROUND) {
                Ok((worker, report)) => self.on_report(worker, report)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.begin.is_some() && Instant::now() >= self.round_due {
                self.round_due = Instant::now() + ROUND;
                // All that was said meanwhile, before anybody counts as silent.
                while let Ok((worker, report)) = receive.try_recv() {
                    self.on_report(worker, report)?;
                }
                self.look_after_workers()?;
            }
            if self.stopping.is_none() && stop.swap(false, Ordering::Relaxed) {
                self.progress.note(
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
            if self.has_news && self.tables.are_due()? {
                self.has_news = false;
                self.tables.keep_current(&self.results)?;
            }
        }
        Ok(())
    }

    /// Whether a run is being trained, or can be.
    fn is_at_work(&self) -> bool {
        let is_waiting = self.begin.is_some() && self.stopping.is_none() && !self.queue.is_empty();
        is_waiting || self.slots.iter().any(|slot| slot.busy.is_some())
    }

    fn on_report(&mut self, worker: usize, report: Report) -> Result<()> {
        let slot = &mut self.slots[worker];
        if slot.is_gone {
            return Ok(());
        }
        slot.heard = Instant::now();
        match report {
            Report::Message(Message::Beat) => {}
            Report::Message(Message::Hello(hello)) => {
                self.on_hello(worker, &hello)?;
                self.hand_out()?;
            }
            Report::Message(Message::Event { index, event }) => self.on_event(index, &event),
            Report::Message(Message::Stopped { index }) => {
                slot.busy = None;
                self.has_news = true;
                if self.stopping.is_none() {
                    slot.close();
                    let place = slot.place.clone();
                    let reason = format!("its worker{place} was asked to stop from outside");
                    self.on_lost(index, &reason)?;
                }
            }
            Report::Message(Message::Refused { reason }) => {
                if let Some(index) = slot.busy.take() {
                    let row = self.mark_failed(index, &reason)?;
                    self.end_run(index, row)?;
                    self.hand_out()?;
                }
            }
            Report::Message(Message::Paused { index }) => {
                slot.busy = None;
                self.has_news = true;
                self.queue.push_front(index);
                if self.give_up()? {
                    self.end_blocked()?;
                }
                self.hand_out()?;
            }
            Report::Message(Message::Ended { index, row }) => {
                slot.busy = None;
                self.end_run(index, *row)?;
                self.hand_out()?;
            }
            Report::Gone => {
                let was_wanted = slot.is_open;
                slot.is_gone = true;
                slot.close();
                let reason = slot.worker.wait();
                match slot.busy.take() {
                    Some(index) => self.on_lost(index, &reason)?,
                    None if was_wanted && !slot.is_ready => {
                        self.on_failed_launch(worker, &reason)?
                    }
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// A worker on another machine is ready.
    ///
    /// # Errors
    /// It is another program than this one, or does not see the results.
    fn on_hello(&mut self, worker: usize, hello: &Hello) -> Result<()> {
        let own = build();
        let (host, theirs) = (&hello.host, &hello.build);
        if *theirs != own {
            let message = format!("the worker on `{host}` is burnlab {theirs}, and this is {own}");
            let hint = "the same program must be there: `program` in `[launch]` names it";
            return Err(Error::usage(Problem::new(message).hint(hint)));
        }
        if !hello.sees_results {
            let message = format!("the worker on `{host}` does not see the results folder");
            let problem = Problem::new(message).at_file(absolute(self.folder.path()));
            let hint = "write into a folder that all machines share with `--results DIR`";
            return Err(Error::data(problem.hint(hint)));
        }
        self.failed_launches = 0;
        let slot = &mut self.slots[worker];
        slot.is_ready = true;
        slot.place = match &hello.job {
            Some(job) => format!(" on `{host}` (job {job})"),
            None => format!(" on `{host}`"),
        };
        slot.worker.is_ready(hello);
        Ok(())
    }

    /// A worker ended before it was ready: others are tried, until it is clear that none can be had.
    fn on_failed_launch(&mut self, worker: usize, ended: &str) -> Result<()> {
        self.failed_launches += 1;
        self.launch_due = Instant::now() + Duration::from_secs(1) * self.failed_launches;
        if self.failed_launches < LAUNCHES {
            return Ok(());
        }
        let error = self
            .launcher
            .refusal(ended, &self.slots[worker].worker.words());
        let ready = self
            .slots
            .iter()
            .filter(|slot| slot.is_open && slot.is_ready)
            .count();
        match ready {
            0 => Err(error),
            ready => {
                self.do_without(ready, &error);
                Ok(())
            }
        }
    }

    /// What becomes of a run whose worker is gone: what its folder says, as nobody writes there any more.
    fn on_lost(&mut self, index: usize, reason: &str) -> Result<()> {
        let run = &self.plan.runs[index];
        let folder = self.folder.run(run);
        folder.create()?;
        // A worker that is only believed lost is shut out.
        drop(Lease::take(folder.path(), &[])?);
        let row = self.folder.row(run);
        let is_over = matches!(row.status, Status::Done | Status::Diverged);
        if self.stopping.is_some() {
            return Ok(());
        }
        if is_over {
            self.end_run(index, row)?;
            return self.hand_out();
        }
        let (epochs, retries) = (folder.epochs().len(), self.launcher.retries());
        let tries = &mut self.tries[index];
        if epochs > tries.epochs {
            *tries = Tries { number: 0, epochs };
        }
        if tries.number < retries {
            tries.number += 1;
            let name = format!("{}, seed {}", run.variant, run.seed);
            let number = tries.number;
            let note = format!("again     {name} ({number} of {retries}): {reason}");
            self.progress.note(&note);
            self.queue.push_front(index);
        } else {
            let tried = match retries {
                0 => String::new(),
                _ => format!(
                    "; tried {} more without another epoch",
                    count(retries, "time")
                ),
            };
            let row = self.mark_failed(index, &format!("{reason}{tried}"))?;
            self.end_run(index, row)?;
        }
        self.hand_out()
    }

    /// Tells workers on other machines that the supervisor lives, gives up those that are silent, and starts others.
    fn look_after_workers(&mut self) -> Result<()> {
        let Some(silence) = self.launcher.silence() else {
            return Ok(());
        };
        if Instant::now() >= self.beat_due {
            self.beat_due = Instant::now() + silence / 6;
            let there = self
                .slots
                .iter_mut()
                .filter(|slot| slot.is_ready && slot.is_open);
            there.for_each(|slot| slot.worker.beat());
        }
        let is_silent =
            |slot: &Slot| slot.is_ready && !slot.is_gone && slot.heard.elapsed() > silence;
        while let Some(slot) = self.slots.iter_mut().find(|slot| is_silent(slot)) {
            slot.is_gone = true;
            slot.worker.kill();
            slot.close();
            let seconds = silence.as_secs();
            let reason = format!(
                "nothing was heard of its worker{} for {seconds} s",
                slot.place
            );
            if let Some(index) = slot.busy.take() {
                self.on_lost(index, &reason)?;
            }
        }
        if self.stopping.is_none() {
            self.ask_for_workers()?;
        }
        let count = |which: fn(&Slot) -> bool| self.slots.iter().filter(|slot| which(slot)).count();
        let ready = count(|slot| slot.is_open && slot.is_ready);
        let queued = count(Slot::is_queued);
        let reason = match queued {
            0 => None,
            _ => self.launcher.queued_for(),
        };
        self.progress.workers(&WorkerCounts {
            ready,
            queued,
            reason,
        });
        Ok(())
    }

    /// Has as many workers on other machines in the queue as there are runs for them.
    fn ask_for_workers(&mut self) -> Result<()> {
        let can_start = |&&index: &&usize| matches!(self.standing(index), Readiness::Ready);
        let wanted = self.queue.iter().filter(can_start).take(self.jobs).count();
        let queued = self.slots.iter().filter(|slot| slot.is_queued()).count();
        let open = self.slots.iter().filter(|slot| slot.is_open).count();
        if queued > wanted {
            let surplus = self.slots.iter_mut().rev().filter(|slot| slot.is_queued());
            for slot in surplus.take(queued - wanted) {
                slot.is_open = false;
                slot.worker.kill();
            }
        }
        if Instant::now() < self.launch_due {
            return Ok(());
        }
        let room = self.jobs.saturating_sub(open);
        for _ in 0..wanted.saturating_sub(queued).min(room) {
            if let Err(error) = self.start_worker() {
                match self.slots.iter().filter(|slot| slot.is_open).count() {
                    0 => return Err(error),
                    open => self.do_without(open, &error),
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
        self.progress.event(index, event);
    }

    /// Notes how a run ended, and ends those that can no longer start.
    fn end_run(&mut self, index: usize, row: RunRow) -> Result<()> {
        let is_done = row.status == Status::Done;
        self.note_end(index, row);
        match self.give_up()? || !is_done {
            true => self.end_blocked(),
            false => Ok(()),
        }
    }

    fn note_end(&mut self, index: usize, row: RunRow) {
        let epochs = row.last.as_ref().map_or(0, |last| last.epoch);
        if self.results.epochs[index].len() != epochs {
            // Of a worker that died, the folder alone knows.
            self.results.epochs[index] = self.folder.run(&self.plan.runs[index]).epochs();
        }
        self.has_news = true;
        self.progress.ended(index, &row);
        let status = row.status;
        self.results.rows[index] = row;
        let is_bad = matches!(status, Status::Failed | Status::Diverged);
        if is_bad && self.options.fail_fast && self.stopping.is_none() {
            let note = "stopping at the first failure, as `--fail-fast` asks";
            self.progress.note(note);
            self.stop_workers();
        }
    }

    /// Ends the runs whose search gives them up, by what is known now; whether there were any.
    fn give_up(&mut self) -> Result<bool> {
        let Some(ladder) = &mut self.ladder else {
            return Ok(false);
        };
        ladder.update(&self.results);
        let mut given_up = Vec::new();
        self.queue.retain(|&index| match ladder.standing(index, 0) {
            Standing::GivenUp(epoch) => {
                given_up.push((index, epoch));
                false
            }
            Standing::GoesOn(_) | Standing::Waits => true,
        });
        for &(index, epoch) in &given_up {
            let reason = format!("given up after epoch {epoch}: others are better");
            let mut row = self.folder.row(&self.plan.runs[index]);
            row.sum_up(&self.results.epochs[index]);
            let row = self.mark(index, row, Status::Halted, &reason)?;
            self.note_end(index, row);
        }
        Ok(!given_up.is_empty())
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
        let epochs = self.results.epochs[index].len();
        let ladder = self.ladder.as_ref();
        let waits = ladder.is_some_and(|ladder| ladder.standing(index, epochs) == Standing::Waits);
        match self.needs.readiness(index, &self.results) {
            Readiness::Ready if waits => Readiness::Waiting,
            readiness => readiness,
        }
    }

    /// The epoch after which a run is to pause.
    fn until(&self, index: usize) -> Option<usize> {
        match self.ladder.as_ref()?.standing(index, 0) {
            Standing::GoesOn(until) => until,
            Standing::Waits | Standing::GivenUp(_) => None,
        }
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
                None if self.begin.is_some() => break,
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
            if self.begin.is_none() {
                self.share_threads();
            }
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
        let mut worker = self.launcher.launch(number, &self.send)?;
        if let Some(begin) = &self.begin {
            worker.begin(begin);
        }
        self.slots.push(Slot {
            worker,
            is_open: true,
            is_ready: self.begin.is_none(),
            is_gone: false,
            busy: None,
            threads: self.threads,
            heard: Instant::now(),
            place: String::new(),
        });
        Ok(number)
    }

    /// Goes on with `open` workers, since no other can be started.
    fn do_without(&mut self, open: usize, error: &Error) {
        self.jobs = open;
        let (reason, workers) = (error.first_message(), count(open, "worker"));
        let note = format!("{reason}: {workers} must do");
        self.progress.note(&note);
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
            folder: absolute(self.folder.run(run).path()),
            tensorboard: absolute(&self.folder.tensorboard(run)),
            threads: self.threads,
            until: self.until(index),
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

    /// The row of a run that failed outside of a worker, also written to its folder.
    fn mark_failed(&self, index: usize, reason: &str) -> Result<RunRow> {
        let row = self.folder.row(&self.plan.runs[index]);
        self.mark(index, row, Status::Failed, reason)
    }

    /// The same of one that ended so; its row is this but for that.
    fn mark(&self, index: usize, mut row: RunRow, status: Status, reason: &str) -> Result<RunRow> {
        row.status = status;
        row.reason = Some(reason.to_string());
        let folder = self.folder.run(&self.plan.runs[index]);
        folder.create()?;
        let _lease = Lease::take(folder.path(), &[])?;
        folder.write_row(&row)?;
        Ok(row)
    }

    fn end_workers(&mut self) {
        for slot in &mut self.slots {
            slot.close();
            if !slot.is_gone && (slot.busy.is_some() || !slot.is_ready) {
                slot.worker.kill();
            }
        }
        for slot in &mut self.slots {
            slot.worker.wait();
        }
    }
}
