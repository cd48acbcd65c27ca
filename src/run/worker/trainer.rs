//! Trains one run after another, and writes down how each ended.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::MakeReporter;
use super::pipe::{log, send};
use super::provenance::{Commit, now, provenance};
use crate::backend::{
    Device, Precision, Precisions, broken_off, check_threads, gone_on, panic_message,
};
use crate::data::Catalogue;
use crate::error::{Error, Problem, Result};
use crate::record::{Event, Lease, Reporter, RunFolder, RunRow, Status, write_atomically};
use crate::run::protocol::{Assignment, Message};
use crate::train::{self, Job, Outcome};

/// What trains one run after another.
pub(super) struct Trainer<'a> {
    pub device: &'a Device,
    /// How exact its products are.
    pub checked: Precisions,
    /// The same for runs that ask for another precision than the device has by itself.
    pub others: RefCell<Vec<(Precision, Result<Precisions>)>>,
    pub catalogue: &'a Catalogue,
    pub make: MakeReporter<'a>,
    pub stop: &'a AtomicBool,
}

/// What became of a run.
#[derive(Debug)]
pub(super) enum Attempt {
    /// It is over, and this is its row.
    Over(Box<RunRow>),
    /// It pauses after the epoch that was asked for.
    Paused,
    /// It was stopped, or another worker has taken it.
    Stopped,
}

impl Trainer<'_> {
    /// Trains a run in its folder, unless another worker holds that.
    pub fn attempt(&self, assignment: &Assignment) -> Attempt {
        let folder = RunFolder::new(&assignment.folder);
        let mut row = assignment.row.clone();
        row.device = Some(self.device.to_string());
        let begun = folder.row().filter(|_| folder.has_checkpoint());
        let before = begun
            .filter(|begun| begun.id == row.id)
            .and_then(|begun| begun.device);
        if let Some(before) = before {
            row.device = Some(gone_on(&before, &self.device.to_string()));
        }
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
            Err(broken_off("training", panic_message(&*panic)))
        });
        row.sum_up(&folder.epochs());
        let asked = assignment.settings.train.precision;
        // Known by now, unless the run broke off before.
        let met = trained
            .as_ref()
            .ok()
            .and_then(|_| self.precisions(asked).ok());
        let unmet = met.filter(|found| !found.meet(asked));
        row.unmet_precision = unmet.map(|_| asked);
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
        if precision == Precision::default() {
            return Ok(self.checked);
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
        // Of what goes on, the first attempt began.
        let begun = folder.provenance().filter(|_| folder.has_checkpoint());
        let mut provenance = provenance(assignment, self.device, precisions, commit);
        provenance.start = begun.map_or(provenance.start, |begun| begun.start);
        provenance.device = row.device.clone().unwrap_or(provenance.device);
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
            id: &assignment.row.id,
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
    row.reason = Some(error.message_and_file());
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

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

    /// A folder with an experiment of one run on ten images of 2x2, in two classes.
    struct Workplace(tempfile::TempDir);

    impl Workplace {
        fn new(epochs: usize) -> Self {
            let place = Workplace(tempfile::tempdir().unwrap());
            for index in 0..5 {
                place.add_image("a", index);
                place.add_image("b", index);
            }
            let text = format!(
                "data.dataset.folder = '{}'\n\
                 model.classifier.layers = ['flatten', {{ dense = {{ units = 'classes' }} }}]\n\
                 train.epochs = {epochs}",
                place.data().display()
            );
            fs::write(place.0.path().join("x.toml"), text).unwrap();
            place
        }

        fn data(&self) -> PathBuf {
            self.0.path().join("data")
        }

        fn add_image(&self, class: &str, index: u8) {
            let path = self.data().join(format!("{class}/{index}.png"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let value = index + if class == "a" { 0 } else { 200 };
            let image = GrayImage::from_pixel(2, 2, Luma([value]));
            image.save(path).unwrap();
        }

        fn plan(&self) -> Plan {
            let catalogue = Catalogue::new(Folders::only("none"));
            Plan::make(
                &self.0.path().join("x.toml"),
                &Overrides::default(),
                &catalogue,
            )
            .unwrap()
        }

        /// Trains the plan's run anew.
        fn attempt(&self, plan: &Plan, device: &Device) -> RunRow {
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
                folder: self.0.path().join("run"),
                tensorboard: self.0.path().join("tensorboard"),
                threads: 1,
                until: None,
            };
            let make = |_: &Assignment| -> Result<Box<dyn Reporter>> { Ok(Box::new(NoReporter)) };
            let trainer = Trainer {
                device,
                checked: Precisions::F32,
                others: RefCell::default(),
                catalogue: &Catalogue::new(Folders::only("none")),
                make: &make,
                stop: &AtomicBool::new(false),
            };
            match trainer.attempt(&assignment) {
                Attempt::Over(row) => *row,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_run_is_not_trained_on_other_data_than_it_was_planned_with() {
        let place = Workplace::new(1);
        let plan = place.plan();
        let row = place.attempt(&plan, &Device::cpu());
        assert_eq!((row.status, row.reason), (Status::Done, None));
        place.add_image("a", 77);
        let row = place.attempt(&plan, &Device::cpu());
        let reason = format!(
            "the images of `{}` have changed since the run was planned",
            place.data().display()
        );
        assert_eq!((row.status, row.reason), (Status::Failed, Some(reason)));
        assert_ne!(place.plan().runs[0].id, plan.runs[0].id);
    }

    #[cfg(feature = "cuda")]
    #[test]
    #[ignore = "for a driver whose GPU is lost after some launches"]
    fn a_gpu_that_is_lost_fails_the_run() {
        crate::backend::watch_threads();
        let place = Workplace::new(1000);
        let row = place.attempt(&place.plan(), &Device::parse("cuda").unwrap());
        let reason = row.reason.unwrap_or_default();
        assert_eq!(row.status, Status::Failed, "{reason}");
        assert!(reason.starts_with("the GPU failed"), "{reason}");
    }
}
