//! Workers that train nothing: for every run a written-down curve and an end.
//!
//! They speak as processes do, in lines of JSON, and leave the same rows in a run's folder, so that all
//! that listens to runs and reads their folders can be tested in milliseconds.

use std::cell::RefCell;
use std::fs;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Sender;
use std::time::Duration;

use serde::Serialize;

use super::launcher::{Launcher, Report, Worker};
use super::protocol::{Assignment, Message};
use super::{Ended, Only, Options, Output, Quiet, parts, supervise};
use crate::config::Overrides;
use crate::data::{Catalogue, Folders};
use crate::error::{Error, Problem, Result};
use crate::plan::Plan;
use crate::record::{
    CHECKPOINT, EpochRow, Event, Lease, Measured, RunFolder, RunRow, Score, Status,
};

/// What a run is to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// The loss of each epoch; the accuracy is what is missing to 1.
    pub losses: Vec<f64>,
    /// What follows the last epoch.
    pub ending: Ending,
}

/// What follows the last epoch of a script.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ending {
    /// The run is measured and done.
    Done,
    /// The same, with the weights of this epoch.
    Restores(usize),
    /// The next loss is not finite.
    Diverges,
    /// The run ends with this error.
    Fails(&'static str),
    /// The worker says that it cannot read what it was given.
    Refuses(&'static str),
    /// The worker dies.
    Dies,
    /// The next epoch takes so long that only a request to stop ends it.
    Lasts,
    /// Nothing ends it but being killed.
    Hangs,
}

impl Script {
    /// A run that is done after these losses.
    pub fn done(losses: &[f64]) -> Self {
        Script::ending(losses, Ending::Done)
    }

    /// A run that ends otherwise after these losses.
    pub fn ending(losses: &[f64], ending: Ending) -> Self {
        Script {
            losses: losses.to_vec(),
            ending,
        }
    }
}

/// Starts workers that follow scripts.
pub struct Scripts {
    script: Rc<dyn Fn(&Assignment) -> Script>,
    /// How long a worker may take to stop before it is killed.
    pub patience: Duration,
    /// How long a run may bring nothing new before people are told.
    pub stall: Duration,
    /// Whether workers leave rows in the runs' folders, from which runs can be resumed.
    pub leaves_rows: bool,
    /// Whether workers take the runs' leases, as real ones do.
    pub takes_leases: bool,
    /// How often a run is tried again whose worker died.
    pub retries: usize,
    /// Workers that can be started; the system refuses any other.
    pub most: usize,
    /// The devices of seats.
    pub devices: Vec<&'static str>,
    /// Those that cannot be used.
    pub unfit: Vec<&'static str>,
    /// The seats of workers, in the order in which they were started.
    pub seats: Rc<RefCell<Vec<usize>>>,
    /// Workers that were told how many threads they may use, and how many.
    pub threads: Rc<RefCell<Vec<(usize, usize)>>>,
}

impl Scripts {
    /// Each run follows the script that it is given here; workers may take any time to stop.
    pub fn new(script: impl Fn(&Assignment) -> Script + 'static) -> Self {
        Scripts {
            script: Rc::new(script),
            patience: Duration::MAX,
            stall: Duration::MAX,
            leaves_rows: true,
            takes_leases: false,
            retries: 0,
            most: usize::MAX,
            devices: vec!["script"],
            unfit: Vec::new(),
            seats: Rc::default(),
            threads: Rc::default(),
        }
    }
}

impl Launcher for Scripts {
    fn launch(
        &mut self,
        number: usize,
        seat: usize,
        reports: &Sender<(usize, Report)>,
    ) -> Result<Box<dyn Worker>> {
        if number >= self.most {
            return Err(Error::run(Problem::new("cannot start a worker: no room")));
        }
        self.seats.borrow_mut().push(seat);
        Ok(Box::new(Actor {
            number,
            reports: reports.clone(),
            script: Rc::clone(&self.script),
            leaves_rows: self.leaves_rows,
            takes_leases: self.takes_leases,
            threads: Rc::clone(&self.threads),
            is_unfit: self.unfit.contains(&self.device(seat)),
            at: None,
            is_dead: false,
        }))
    }

    fn command(&self, number: usize) -> Vec<String> {
        vec![format!("actor {number}")]
    }

    fn seats(&self) -> usize {
        self.devices.len()
    }

    fn device(&self, seat: usize) -> &str {
        self.devices[seat % self.devices.len()]
    }

    fn patience(&self) -> Duration {
        self.patience
    }

    fn stall(&self) -> Duration {
        self.stall
    }

    fn retries(&self) -> usize {
        self.retries
    }
}

struct Actor {
    number: usize,
    reports: Sender<(usize, Report)>,
    script: Rc<dyn Fn(&Assignment) -> Script>,
    leaves_rows: bool,
    takes_leases: bool,
    threads: Rc<RefCell<Vec<(usize, usize)>>>,
    is_unfit: bool,
    /// The current run and how it ends once it is asked to stop.
    at: Option<(usize, Ending)>,
    is_dead: bool,
}

impl Worker for Actor {
    fn assign(&mut self, assignment: &Assignment) {
        if self.is_dead {
            return;
        }
        if self.is_unfit {
            let reason = "no room on the device".to_string();
            return self.send(&Message::Unfit { reason });
        }
        let script = (self.script)(assignment);
        let folder = RunFolder::new(&assignment.folder);
        let lease = self.takes_leases.then(|| {
            folder.create().expect("the folder can be made");
            Lease::take(folder.path(), &[]).expect("nobody else takes the run")
        });
        let epochs = self.train(assignment, &script, &folder);
        if assignment.until == Some(epochs.len()) {
            self.leave(&folder, "run.json", &assignment.row);
            let index = assignment.index;
            return self.send(&Message::Paused { index });
        }
        let mut row = assignment.row.clone();
        row.device = Some("script".to_string());
        let is_over = end(&mut row, &script, &epochs);
        self.leave(&folder, "run.json", &row);
        if row.status == Status::Done {
            // There to be found, not to be read.
            self.leave(&folder, "weights.safetensors", &"");
        }
        // Nobody takes back what a worker leaves that dies.
        match script.ending {
            Ending::Dies => std::mem::forget(lease),
            _ => drop(lease),
        }
        match script.ending {
            _ if is_over => self.send(&Message::Ended {
                index: assignment.index,
                row: Box::new(row),
            }),
            Ending::Refuses(reason) => self.send(&Message::Refused {
                reason: reason.to_string(),
            }),
            Ending::Dies => self.end(),
            ending => self.at = Some((assignment.index, ending)),
        }
    }

    fn use_threads(&mut self, number: usize) {
        self.threads.borrow_mut().push((self.number, number));
    }

    fn process(&self) -> Option<u32> {
        Some(7)
    }

    fn close(&mut self) {
        match self.at {
            Some((_, Ending::Hangs)) => {}
            at => {
                if let Some((index, _)) = at {
                    self.send(&Message::Stopped { index });
                }
                self.end();
            }
        }
    }

    fn wait(&mut self) -> String {
        assert!(self.is_dead, "waits for a worker that never ends");
        "its process was killed (signal 9)".to_string()
    }

    fn kill(&mut self) {
        self.end();
    }
}

impl Actor {
    /// The epochs of the script after those that the folder has.
    fn train(&self, assignment: &Assignment, script: &Script, folder: &RunFolder) -> Vec<EpochRow> {
        let (index, mut epochs) = (assignment.index, folder.epochs());
        let until = assignment.until.unwrap_or(usize::MAX);
        let event = |event| self.send(&Message::Event { index, event });
        event(Event::Started {
            epochs: script.losses.len(),
            epochs_done: epochs.len(),
        });
        for epoch in epochs.len()..script.losses.len().min(until) {
            let row = row(epoch + 1, script.losses[epoch]);
            epochs.push(row.clone());
            event(Event::Epoch(Box::new(row)));
        }
        self.leave(folder, "epochs.json", &epochs);
        self.leave(folder, CHECKPOINT, &epochs.len());
        epochs
    }

    /// Writes a file of a run's folder, without waiting for the disk as real workers do.
    fn leave(&self, folder: &RunFolder, name: &str, value: &impl Serialize) {
        if !self.leaves_rows {
            return;
        }
        folder.create().expect("the folder can be made");
        let bytes = serde_json::to_vec(value).expect("a row is plain values");
        fs::write(folder.file(name), bytes).expect("the file can be written");
    }

    fn send(&self, message: &Message) {
        let line = serde_json::to_string(message).expect("a message is plain values");
        let message = serde_json::from_str(&line).expect("a message can be read again");
        let _ = self.reports.send((self.number, Report::Message(message)));
    }

    fn end(&mut self) {
        if !self.is_dead {
            self.is_dead = true;
            let _ = self.reports.send((self.number, Report::Gone));
        }
    }
}

/// Fills in the row of a run; whether it is over.
fn end(row: &mut RunRow, script: &Script, epochs: &[EpochRow]) -> bool {
    let reason = match script.ending {
        Ending::Refuses(_) | Ending::Dies | Ending::Lasts | Ending::Hangs => return false,
        Ending::Done | Ending::Restores(_) => None,
        Ending::Diverges => {
            let epoch = epochs.len() + 1;
            Some(format!("the training loss became NaN in epoch {epoch}"))
        }
        Ending::Fails(reason) => Some(reason.to_string()),
    };
    row.status = match script.ending {
        Ending::Diverges => Status::Diverged,
        Ending::Fails(_) => Status::Failed,
        _ => Status::Done,
    };
    row.reason = reason;
    row.last = epochs.last().cloned();
    row.seconds = (!epochs.is_empty()).then(|| epochs.iter().map(|row| row.seconds).sum());
    row.images_per_second = row.last.as_ref().and_then(|last| last.images_per_second);
    let is_done = row.status == Status::Done;
    row.measured = row
        .last
        .as_ref()
        .filter(|_| is_done)
        .map(|last| measured(last.train));
    if let (Ending::Restores(epoch), Some(measured)) = (script.ending, &mut row.measured) {
        let kept = &epochs[epoch - 1];
        measured.test = kept.train;
        measured.stopped_early = true;
        measured.restored = Some(Box::new(kept.clone()));
    }
    true
}

fn score(loss: f64) -> Score {
    Score {
        loss,
        accuracy: Some(1.0 - loss),
        ..Score::default()
    }
}

fn row(epoch: usize, loss: f64) -> EpochRow {
    EpochRow {
        epoch,
        step: epoch,
        stage: None,
        train: score(loss),
        validation: Some(score(loss)),
        test: None,
        learning_rate: 0.1,
        gradient_norm: None,
        seconds: 0.5,
        images_per_second: Some(100.0),
    }
}

fn measured(test: Score) -> Measured {
    Measured {
        test,
        parameters: 10,
        ..Measured::default()
    }
}

/// Experiments in a folder of their own, carried out by scripts.
pub struct ScriptedExperiments {
    folder: tempfile::TempDir,
    /// How the supervisor runs them.
    pub options: Options,
    /// Set, it stops what is carried out.
    pub stop: AtomicBool,
}

impl Default for ScriptedExperiments {
    fn default() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        ScriptedExperiments {
            options: Options {
                results: folder.path().join("results"),
                jobs: Some(2),
                threads: None,
                fresh: false,
                fail_fast: false,
            },
            folder,
            stop: AtomicBool::new(false),
        }
    }
}

/// What every rehearsed experiment has.
const HEAD: &str = r#"
title = "a rehearsal"

[data]
dataset    = { fake = { shape = [1, 2, 2], classes = 2 } }
validation = 10

[model.classifier]
layers = ["flatten", { dense = { units = "classes" } }]

[train]
epochs = 3
"#;

impl ScriptedExperiments {
    /// The plan of an experiment of this name; `text` follows keys of `[train]`.
    pub fn plan(&self, name: &str, text: &str) -> Plan {
        let path = self.folder.path().join(format!("{name}.toml"));
        fs::write(&path, format!("{HEAD}{text}")).expect("the experiment is written");
        let catalogue = Catalogue::new(Folders::only(self.folder.path()));
        let plan = Plan::make(&path, &Overrides::default(), &catalogue);
        plan.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Carries out the runs of a plan that are wanted and are not done yet.
    pub fn carry_out(
        &self,
        plan: &Plan,
        only: Only,
        scripts: &mut Scripts,
        output: Output,
    ) -> Result<Ended> {
        let parts = parts(plan, only, &self.options);
        let part = parts.last().expect("what is asked for is a part");
        supervise(part, &self.options, scripts, &self.stop, output)
    }

    /// The same for all of them, when nobody listens.
    pub fn run(&self, plan: &Plan, script: impl Fn(&Assignment) -> Script + 'static) -> Ended {
        let output = Output {
            progress: &mut Quiet,
            tables: &mut |_| Ok(()),
            lag: Duration::ZERO,
        };
        let ended = self.carry_out(plan, Only::All, &mut Scripts::new(script), output);
        ended.unwrap_or_else(|error| panic!("{error}"))
    }
}
