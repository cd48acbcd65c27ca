//! Hands runs to workers, listens to them, and survives their deaths.

mod assignment;
mod elsewhere;
mod ending;
mod slot;

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use assignment::begin;
use ending::Tries;
use slot::Slot;

use super::halving::{Ladder, Standing};
use super::launcher::{Launcher, Report};
use super::order::{Options, Part};
use super::parameters::of_several_types;
use super::protocol::{Begin, Message};
use super::readiness::{Needs, Readiness};
use super::state::{results, states};
use super::tables::Tables;
use super::{Output, Progress, Results, ResultsFolder};
use crate::error::{Error, Kind, Result, count};
use crate::plan::Plan;
use crate::record::{Event, Lease};

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
/// The results cannot be written, another burnlab runs this experiment and others do not wait for it, workers cannot be started.
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
    let stopped = || {
        let states = states(plan, &options.results, &part.only, false);
        Ok(Ended {
            results: results(plan, &states, &folder),
            stopped: true,
        })
    };
    // One that others need may be just what another command trains.
    let waits = !part.is_asked_for();
    let Some(lease) = folder.lease(waits, stop, output.progress)? else {
        return stopped();
    };
    if !folder.wait_for_workers(stop, output.progress)? {
        return stopped();
    }
    folder.take_over(plan)?;
    folder.remove_parts();
    let states = states(plan, &options.results, &part.only, part.fresh);
    if part.fresh {
        // What others need goes on.
        let asked_for = plan.runs.iter().enumerate();
        let asked_for = asked_for.filter(|(index, run)| part.only.wants(*index, run));
        folder.forget(asked_for.map(|(_, run)| run))?;
    }
    folder.bring_logs(plan)?;
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
            has_had_workers: false,
            launch_due: Instant::now(),
            round_due: Instant::now(),
            beat_due: Instant::now(),
            plan,
            options,
            jobs: part.share.jobs,
            threads: part.share.threads,
            all_threads: part.share.threads * part.share.jobs,
            seats: part.share.jobs.max(launcher.seats()),
            unfit: BTreeSet::new(),
            results: results(plan, &states, &folder),
            ladder: Ladder::of(plan, |index| part.only.halves(plan, &states, index)),
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

struct Supervisor<'a, 'o> {
    /// What workers on other machines are told first, if they are there.
    begin: Option<Begin>,
    /// Of each run.
    tries: Vec<Tries>,
    /// Workers that ended one after another before any was ready.
    failed_launches: u32,
    /// Whether a worker on another machine has been ready.
    has_had_workers: bool,
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
    /// Threads of all of them together.
    all_threads: usize,
    /// Seats that workers have without need.
    seats: usize,
    /// Devices that cannot be used; not all that there are.
    unfit: BTreeSet<String>,
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
            self.tell_of_stalls();
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
        if !matches!(report, Report::Message(Message::Beat)) {
            slot.moves();
        }
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
            Report::Message(Message::Unfit { reason }) => {
                if let Some(index) = slot.busy.take() {
                    self.on_unfit(worker, index, &reason)?;
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
                        self.do_without(open, error.first_message());
                        break;
                    }
                    Err(error) => return Err(error),
                },
                None => break,
            };
            if let Some(index) = self.queue.remove(at) {
                let assignment = self.assignment(index);
                self.slots[worker].busy = Some(index);
                self.slots[worker].moves();
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
        let each = self.all_threads / busy.max(1);
        let busy = self.slots.iter_mut().filter(|slot| slot.busy.is_some());
        for slot in busy.filter(|slot| slot.threads < each) {
            slot.threads = each;
            slot.worker.use_threads(each);
        }
    }

    fn start_worker(&mut self) -> Result<usize> {
        let number = self.slots.len();
        let is_taken = |seat: usize| {
            let mut slots = self.slots.iter();
            slots.any(|slot| slot.is_open && slot.seat == seat)
        };
        let mut seats = (0..).filter(|&seat| self.is_fit(seat));
        let seat = seats.find(|&seat| !is_taken(seat));
        let seat = seat.expect("few are taken, and a device is left");
        let mut worker = self.launcher.launch(number, seat, &self.send)?;
        if let Some(begin) = &self.begin {
            worker.begin(begin);
        }
        self.slots.push(Slot {
            worker,
            seat,
            is_open: true,
            is_ready: self.begin.is_none(),
            is_gone: false,
            busy: None,
            threads: self.threads,
            heard: Instant::now(),
            moved: Instant::now(),
            is_stalled: false,
            place: String::new(),
        });
        Ok(number)
    }

    /// Whether the device of a seat can be used, for all that is known.
    fn is_fit(&self, seat: usize) -> bool {
        !self.unfit.contains(self.launcher.device(seat))
    }

    /// Goes on with so many workers, since no other can be had.
    fn do_without(&mut self, jobs: usize, reason: &str) {
        self.jobs = jobs;
        let workers = count(jobs, "worker");
        let note = format!("{reason}: {workers} must do");
        self.progress.note(&note);
    }

    fn stop_workers(&mut self) {
        self.stopping = Some(Instant::now());
        self.queue.clear();
        self.slots.iter_mut().for_each(Slot::close);
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
