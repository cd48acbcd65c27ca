//! `results/EXPERIMENT/`: what is where in it, and how a supervisor takes it for itself.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Progress;
use crate::error::{Error, Kind, Problem, Result};
use crate::plan::{Plan, Run, file_name};
use crate::record::{
    Holder, Lease, RunFolder, RunRow, TakeError, bring_log, holder_of, put_others_aside,
    remove_parts, write_atomically,
};

/// How long workers of another supervisor are waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is looked whether another is done.
const LOOK: Duration = Duration::from_millis(100);

/// `results/EXPERIMENT/` and what is where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultsFolder(PathBuf);

impl ResultsFolder {
    /// The folder of an experiment below `results`.
    pub fn of(results: &Path, experiment: &str) -> Self {
        ResultsFolder(results.join(experiment))
    }

    /// The experiment's folder whose run this is; `None` of a run that lies elsewhere.
    pub fn around(run: &RunFolder) -> Option<Self> {
        let runs = run.path().parent().filter(|runs| runs.ends_with("runs"))?;
        Some(ResultsFolder(runs.parent()?.to_path_buf()))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Removes what killed processes left half written; nobody else may write here meanwhile.
    pub(super) fn remove_parts(&self) {
        remove_parts(&self.0, false);
        for folder in ["runs", "tensorboard"] {
            remove_parts(&self.0.join(folder), true);
        }
    }

    /// What workers hold for as long as they live.
    pub fn workers_lock(&self) -> PathBuf {
        self.0.join(".workers.lock")
    }

    /// The folders of runs that are there, of whatever settings.
    pub fn runs(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.0.join("runs")).into_iter().flatten();
        entries.flatten().map(|entry| entry.path()).collect()
    }

    /// The folder of a run.
    pub fn run(&self, run: &Run) -> RunFolder {
        RunFolder::new(self.0.join("runs").join(run.folder()))
    }

    /// The run's row as it stands on disk, if it is of this very run; else that of one not done.
    pub fn row(&self, run: &Run) -> RunRow {
        let before = self.run(run).row().filter(|row| row.id == run.id);
        before.unwrap_or_else(|| run.unfinished())
    }

    /// `tensorboard/VARIANT/seed-N`.
    pub fn tensorboard(&self, run: &Run) -> PathBuf {
        let variant = self.0.join("tensorboard").join(file_name(&run.variant));
        variant.join(format!("seed-{}", run.seed))
    }

    /// Sees to it that `tensorboard/` shows the curves of these very runs, where there are any.
    ///
    /// # Errors
    /// A folder cannot be moved.
    pub(super) fn bring_logs(&self, plan: &Plan) -> Result<()> {
        let logs = self.0.join("tensorboard");
        let shown = plan.runs.iter().map(|run| self.tensorboard(run)).collect();
        put_others_aside(&logs, &self.0.join("runs"), &shown)?;
        let mut runs = plan.runs.iter();
        runs.try_for_each(|run| bring_log(&self.tensorboard(run), &self.run(run)))
    }

    /// Takes the experiment's folder for this process. Another that lives and has it is waited for if `waits`; none where Ctrl-C
    /// came meanwhile.
    ///
    /// # Errors
    /// The folder cannot be written, or another has it that is not waited for.
    pub(super) fn lease(
        &self,
        waits: bool,
        stop: &AtomicBool,
        progress: &mut dyn Progress,
    ) -> Result<Option<Lease>> {
        let mut has_said = false;
        loop {
            let mut wait = |holder: &Holder| {
                if !has_said {
                    let host = &holder.host;
                    progress.note(&format!(
                        "waiting whether the burnlab on `{host}` still runs"
                    ));
                }
            };
            match Lease::take_if_free(self.path(), &mut wait) {
                Ok(lease) => return Ok(Some(lease)),
                Err(TakeError::Refused(error)) => return Err(error),
                Err(TakeError::Held(holder)) if !waits => return Err(self.held_by(&holder)),
                Err(TakeError::Held(holder)) => {
                    if !std::mem::replace(&mut has_said, true) {
                        let (who, name) = (holder.text(), self.path().file_name());
                        let name = name.unwrap_or_default().display();
                        progress.note(&format!("waiting for {who}, which trains `{name}`"));
                    }
                }
            }
            if stop.swap(false, Ordering::Relaxed) {
                return Ok(None);
            }
            std::thread::sleep(LOOK);
        }
    }

    fn held_by(&self, holder: &Holder) -> Error {
        let problem = Problem::new("another burnlab is running this experiment");
        Error::usage(problem.at_file(self.path()).hint(format!(
            "it is {}: wait for it, or write elsewhere with `--results DIR`",
            holder.text()
        )))
    }

    /// The process that runs the experiment, where this machine can tell that it lives.
    pub fn holder(&self) -> Option<Holder> {
        holder_of(self.path())
    }

    /// Waits until no worker of a supervisor that was killed computes on this machine: they end within seconds. Says whether
    /// none does; otherwise Ctrl-C came. Where files cannot be locked, leases alone keep them from writing.
    ///
    /// # Errors
    /// One does after [`PATIENCE`].
    pub(super) fn wait_for_workers(
        &self,
        stop: &AtomicBool,
        progress: &mut dyn Progress,
    ) -> Result<bool> {
        let path = self.workers_lock();
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
                Err(fs::TryLockError::Error(_)) => return Ok(true),
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
                return Err(Error::run(problem.at_file(self.path()).hint(hint)));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// The file that the results are of, from the root, as it was noted when they were made; it need not be there any more.
    pub fn file(&self) -> Option<PathBuf> {
        let text = fs::read_to_string(self.marker()).ok()?;
        Some(PathBuf::from(text.trim_end_matches('\n')))
    }

    fn marker(&self) -> PathBuf {
        self.path().join(".experiment")
    }

    /// Notes which file the folder's results are of.
    ///
    /// # Errors
    /// They are of another file that is there: each would overwrite the tables of the other.
    pub(super) fn take_over(&self, plan: &Plan) -> Result<()> {
        let whole = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| absolute(path));
        let own = whole(&plan.path);
        let known = self.file();
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
            let problem = Problem::new(message).at_file(self.path());
            return Err(Error::usage(problem.hint(
                "give one of the files another name, or write elsewhere with `--results DIR`",
            )));
        }
        write_atomically(&self.marker(), format!("{}\n", own.display()).as_bytes())
    }

    /// Forgets what was done of these runs.
    ///
    /// # Errors
    /// Files cannot be removed.
    pub(super) fn forget<'a>(&self, runs: impl Iterator<Item = &'a Run>) -> Result<()> {
        for run in runs {
            self.run(run).forget()?;
        }
        Ok(())
    }
}

/// From the root, as far as it can be told.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}
