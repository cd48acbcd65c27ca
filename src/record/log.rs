//! Whose curves stand in a folder that TensorBoard reads.
//!
//! A variant and a seed have one such folder, whatever their settings are now; runs of other settings keep theirs beside
//! their rows until they are asked for again.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::folder::{RunFolder, remove_folder};
use crate::error::{Error, Kind, Result};

/// Holds the name of the folder of the run that the curves are of.
const OWNER: &str = ".run";

/// Where a run keeps its curves while another's stand where TensorBoard reads them.
const ASIDE: &str = "tensorboard";

/// Notes that the curves in `log` are those of the run with this folder.
///
/// # Errors
/// The file cannot be written.
pub fn own_log(log: &Path, run: &Path) -> Result<()> {
    let path = log.join(OWNER);
    let name = run.file_name().unwrap_or_default();
    fs::write(&path, name.as_encoded_bytes())
        .map_err(|error| Error::io(Kind::Data, "write", &path, &error))
}

/// Makes `log` the place of this run's curves: those of another run go to that one's folder, and its own come from where
/// they were put aside. Curves of which nobody knows whose they are stay.
///
/// # Errors
/// A folder cannot be moved.
pub fn bring_log(log: &Path, run: &RunFolder) -> Result<()> {
    let refused = |error| Error::io(Kind::Data, "move the logs", log, &error);
    if let Some(other) = owner(log, run.path().parent()).filter(|owner| owner != run.path()) {
        put_aside(log, &other)?;
    }
    let aside = run.path().join(ASIDE);
    if !log.exists() && aside.is_dir() {
        if let Some(variant) = log.parent() {
            fs::create_dir_all(variant).map_err(refused)?;
        }
        fs::rename(aside, log).map_err(refused)?;
    }
    Ok(())
}

/// Where the curves of a run are, or go: in `log` unless those of another run stand there.
pub fn log_of_run(log: &Path, run: &RunFolder) -> PathBuf {
    match owner(log, run.path().parent()) {
        Some(other) if other != run.path() => run.path().join(ASIDE),
        _ => log.to_path_buf(),
    }
}

/// Puts curves aside that are of no run of the experiment as it stands, below `logs`: `shown` are the places of those that are. `runs`
/// holds the runs' folders.
///
/// # Errors
/// A folder cannot be moved.
pub fn put_others_aside(logs: &Path, runs: &Path, shown: &HashSet<PathBuf>) -> Result<()> {
    let entries = WalkDir::new(logs).min_depth(2).max_depth(2).into_iter();
    for log in entries.filter_map(|entry| Some(entry.ok()?.into_path())) {
        if !shown.contains(&log)
            && let Some(other) = owner(&log, Some(runs))
        {
            put_aside(&log, &other)?;
            if let Some(variant) = log.parent() {
                // One that still holds something stays.
                let _ = fs::remove_dir(variant);
            }
        }
    }
    Ok(())
}

/// The folder of the run whose curves these are, be it there or not; `None` where nobody knows.
fn owner(log: &Path, runs: Option<&Path>) -> Option<PathBuf> {
    let owner = fs::read_to_string(log.join(OWNER)).ok()?;
    Some(runs?.join(Path::new(&owner).file_name()?))
}

/// Moves curves into their run's folder.
fn put_aside(log: &Path, run: &Path) -> Result<()> {
    let moved = match run.is_dir() {
        true => {
            let aside = run.join(ASIDE);
            remove_folder(&aside).and_then(|()| fs::rename(log, &aside))
        }
        // A run that was removed asks for nothing any more.
        false => remove_folder(log),
    };
    moved.map_err(|error| Error::io(Kind::Data, "move the logs", log, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_put_aside_for_another_run_and_come_back() {
        let temporary = tempfile::tempdir().unwrap();
        let log = temporary.path().join("tensorboard/a/seed-0");
        let runs = ["one", "two", "three"].map(|name| {
            let path = temporary.path().join("runs").join(name);
            fs::create_dir_all(&path).unwrap();
            RunFolder::new(path)
        });
        let [one, two, three] = &runs;
        let write = |run: &RunFolder, curves: &str| {
            fs::create_dir_all(&log).unwrap();
            own_log(&log, run.path()).unwrap();
            fs::write(log.join("curves"), curves).unwrap();
        };
        let curves = || fs::read_to_string(log.join("curves")).ok();
        bring_log(&log, one).unwrap();
        assert!(!log.exists());
        write(one, "of one");
        bring_log(&log, one).unwrap();
        assert_eq!(curves().as_deref(), Some("of one"));
        bring_log(&log, two).unwrap();
        assert!(!log.exists());
        write(two, "of two");
        assert_eq!(log_of_run(&log, two), log);
        assert_eq!(log_of_run(&log, one), one.path().join("tensorboard"));
        bring_log(&log, one).unwrap();
        assert_eq!(curves().as_deref(), Some("of one"));
        bring_log(&log, two).unwrap();
        assert_eq!(curves().as_deref(), Some("of two"));
        // Those of an experiment that has other runs by now.
        let logs = temporary.path().join("tensorboard");
        let folders = temporary.path().join("runs");
        let shown = HashSet::from([log.clone()]);
        put_others_aside(&logs, &folders, &shown).unwrap();
        assert_eq!(curves().as_deref(), Some("of two"));
        put_others_aside(&logs, &folders, &HashSet::new()).unwrap();
        assert!(!log.parent().unwrap().exists());
        bring_log(&log, two).unwrap();
        assert_eq!(curves().as_deref(), Some("of two"));
        // A run that was removed gets nothing back.
        fs::remove_dir_all(two.path()).unwrap();
        bring_log(&log, three).unwrap();
        assert!(!log.exists());
        assert_eq!(fs::read_dir(log.parent().unwrap()).unwrap().count(), 0);
        // Whose these are is not known.
        fs::create_dir_all(&log).unwrap();
        fs::write(log.join("curves"), "of somebody").unwrap();
        bring_log(&log, three).unwrap();
        assert_eq!(curves().as_deref(), Some("of somebody"));
    }
}
