//! What workers are told: those on other machines first of all, and each of them of a run.

use std::time::Duration;

use super::Supervisor;
use crate::config::{START, Settings};
use crate::error::{Error, Problem, Result, io_reason};
use crate::plan::{Earlier, Run};
use crate::record::{Lease, RunFolder};
use crate::run::ResultsFolder;
use crate::run::protocol::{Assignment, Begin};
use crate::run::results_folder::absolute;
use crate::train::EarlierRun;

/// What workers on other machines are told first.
pub(super) fn begin(lease: &Lease, silence: Duration) -> Result<Begin> {
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

impl Supervisor<'_, '_> {
    /// What the worker that trains a run is told.
    pub(super) fn assignment(&self, index: usize) -> Assignment {
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
        if let Some(start) = &mut settings.start.0 {
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
}
