//! A run's directory, written so that being killed at any moment costs no more than an epoch.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use serde::de::DeserializeOwned;
use walkdir::{DirEntry, WalkDir};

use super::columns::EPOCH_COLUMNS;
use super::csv::csv;
use super::lease::{Lease, is_of_leases, over, taken};
use super::replace::{PART, WriteContent, replace, write_all};
use super::row::{EpochRow, Measured, Provenance, RunRow, Status};
use crate::error::{Error, Kind, Problem, Result};

/// Writes a whole file under another name and renames it, so that readers see all of it or none.
///
/// Only ordinary files are replaced: a link's target is, and devices and pipes take the bytes as they are. Where this
/// process holds a [lease](super::Lease), nothing is written once another has taken it.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    stream_atomically(path, &|to| to.write_all(bytes))
}

/// [`write_atomically`] for what is never in memory as a whole; `content` may be asked for twice.
pub fn stream_atomically(path: &Path, content: WriteContent) -> Result<()> {
    let refused = |error: std::io::Error| Error::io(Kind::Data, "write the file", path, &error);
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_symlink() => {
            return match fs::canonicalize(path) {
                Ok(target) => stream_atomically(&target, content),
                // What the link names is not there yet.
                Err(_) => fs::File::create(path)
                    .and_then(|mut file| write_all(&mut file, content))
                    .map_err(refused),
            };
        }
        Ok(there) if !there.is_file() && !there.is_dir() => {
            let opened = fs::File::options().write(true).open(path);
            return opened
                .and_then(|mut file| write_all(&mut file, content))
                .map_err(refused);
        }
        _ => {}
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let Some(lease) = over(path) else {
        return replace(path, content, folder).map_err(refused);
    };
    let written = replace(path, content, &lease);
    if written.is_err() && !lease.is_dir() {
        return Err(taken(folder));
    }
    match written {
        // A folder of results that a link leads to another disk.
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {
            replace(path, content, folder).map_err(refused)
        }
        written => written.map_err(refused),
    }
}

/// What a run goes on from, in its folder.
pub const CHECKPOINT: &str = "checkpoint.bin";

/// What to do about a run's files that are gone or damaged.
pub const TRAINED_ANEW: &str = "`burnlab run` trains runs anew whose folder was removed";

/// Removes a folder and all that is in it, if it is there.
pub fn remove_folder(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes what processes that were killed left of files half written, as far as it can be removed; with
/// `below`, in all folders inside it too. What stands in leases goes with them.
pub fn remove_parts(folder: &Path, below: bool) {
    let depth = if below { usize::MAX } else { 1 };
    for part in parts(folder, depth) {
        let _ = fs::remove_file(part.path());
    }
}

/// The same in a folder that other processes may be writing to: those parts that nobody has written to since.
pub fn remove_parts_before(folder: &Path, time: SystemTime) {
    for part in parts(folder, 1) {
        let written = part.metadata().ok().and_then(|data| data.modified().ok());
        if written.is_some_and(|written| written < time) {
            let _ = fs::remove_file(part.path());
        }
    }
}

/// Files that are being written, or were when their process was killed.
fn parts(folder: &Path, depth: usize) -> impl Iterator<Item = DirEntry> {
    let entries = WalkDir::new(folder).max_depth(depth).into_iter();
    let entries = entries.filter_entry(|entry| !is_of_leases(entry.file_name()));
    let is_part = |entry: &DirEntry| {
        let name = entry.file_name().as_encoded_bytes();
        name.starts_with(PART.as_bytes()) && entry.file_type().is_file()
    };
    entries.filter_map(std::result::Result::ok).filter(is_part)
}

/// `results/EXPERIMENT/runs/VARIANT-seed-N-ID/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// A run's folder at this path, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        RunFolder(path.into())
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes the folder, and those above it.
    pub fn create(&self) -> Result<()> {
        fs::create_dir_all(&self.0)
            .map_err(|error| Error::io(Kind::Data, "make the folder", &self.0, &error))
    }

    /// Forgets everything an earlier attempt left.
    pub fn clear(&self) -> Result<()> {
        remove_folder(&self.0)
            .map_err(|error| Error::io(Kind::Data, "remove the folder", &self.0, &error))
    }

    /// Forgets everything an earlier attempt left, and whoever still makes one; what is left is the log of leases.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub fn forget(&self) -> Result<()> {
        if !self.0.exists() {
            return Ok(());
        }
        let _lease = Lease::take(&self.0, &[])?;
        let refused = |error| Error::io(Kind::Data, "empty the folder", &self.0, &error);
        for entry in fs::read_dir(&self.0).map_err(refused)? {
            let entry = entry.map_err(refused)?;
            if is_of_leases(&entry.file_name()) {
                continue;
            }
            match entry.file_type().map_err(refused)?.is_dir() {
                true => fs::remove_dir_all(entry.path()),
                false => fs::remove_file(entry.path()),
            }
            .map_err(refused)?;
        }
        Ok(())
    }

    /// The run's row as it last stood; `None` if there is none, it cannot be read, or it says done and lacks
    /// what was measured.
    pub fn row(&self) -> Option<RunRow> {
        let row: RunRow = self.read("run.json")?;
        let is_whole = row.status != Status::Done || row.measured.is_some();
        is_whole.then_some(row)
    }

    /// The row as [`row`](Self::row) has it; `None` only where there is no file of it.
    ///
    /// # Errors
    /// There is one that cannot be read, or it says done and lacks what was measured.
    pub fn checked_row(&self) -> Result<Option<RunRow>> {
        let row: Option<RunRow> = self.checked("run.json")?;
        match row {
            Some(row) if row.status == Status::Done && row.measured.is_none() => {
                let problem = Problem::new("the run's file says done and lacks what was measured");
                Err(Error::data(problem.at_file(self.file("run.json"))))
            }
            row => Ok(row),
        }
    }

    /// The epochs as [`epochs`](Self::epochs) has them.
    ///
    /// # Errors
    /// There is a file of them that cannot be read.
    pub fn checked_epochs(&self) -> Result<Vec<EpochRow>> {
        Ok(self.checked("epochs.json")?.unwrap_or_default())
    }

    /// Where the run's numbers come from; `None` where there is no file of it.
    ///
    /// # Errors
    /// There is one that cannot be read.
    pub fn checked_provenance(&self) -> Result<Option<Provenance>> {
        self.checked("provenance.json")
    }

    /// Writes the run's row, over an earlier one.
    pub fn write_row(&self, row: &RunRow) -> Result<()> {
        self.write("run.json", row)
    }

    /// Epochs that were trained; the last checkpoint may know fewer of them, or be gone.
    pub fn epochs(&self) -> Vec<EpochRow> {
        self.read("epochs.json").unwrap_or_default()
    }

    /// Whether there is something to go on from.
    pub fn has_checkpoint(&self) -> bool {
        self.file(CHECKPOINT).is_file()
    }

    /// Whether the weights of a run that ended with this row are there for whoever needs them.
    pub fn has_weights(&self, row: &RunRow) -> bool {
        let is_there = |name: &str| self.file(name).is_file();
        let measured = row.measured.as_ref();
        let has_best = measured.is_some_and(|measured| measured.best_epoch.is_some());
        is_there("weights.safetensors") && (!has_best || is_there("best.safetensors"))
    }

    /// Writes `epochs.csv` and what resuming reads.
    pub fn write_epochs(&self, rows: &[EpochRow]) -> Result<()> {
        let header = EPOCH_COLUMNS.iter().map(|column| column.name.to_string());
        let cells = |row| {
            EPOCH_COLUMNS
                .iter()
                .map(move |column| column.cell(row).text())
        };
        let records = rows.iter().map(|row| cells(row).collect::<Vec<_>>());
        let bytes = csv(
            "`epochs.csv`",
            std::iter::once(header.collect()).chain(records),
        )?;
        write_atomically(&self.file("epochs.csv"), &bytes)?;
        self.write("epochs.json", &rows)
    }

    /// Writes `confusion.csv`: a row a true class, its test samples by answer, and its accuracy.
    pub fn write_confusion(&self, measured: &Measured) -> Result<()> {
        let header = std::iter::once("truth")
            .chain(measured.classes.iter().map(String::as_str))
            .chain(["accuracy"]);
        let mut records = vec![header.map(String::from).collect::<Vec<_>>()];
        for (truth, (class, answers)) in
            measured.classes.iter().zip(&measured.confusion).enumerate()
        {
            let all: usize = answers.iter().sum();
            let accuracy = if all == 0 {
                String::new()
            } else {
                format!("{:.4}", answers[truth] as f64 / all as f64)
            };
            let counts = answers.iter().map(usize::to_string);
            let record = std::iter::once(class.clone())
                .chain(counts)
                .chain([accuracy]);
            records.push(record.collect());
        }
        let bytes = csv("`confusion.csv`", records)?;
        write_atomically(&self.file("confusion.csv"), &bytes)
    }

    /// Where the run's numbers come from; `None` if that cannot be read.
    pub fn provenance(&self) -> Option<Provenance> {
        self.read("provenance.json")
    }

    /// Writes where the run's numbers come from.
    pub fn write_provenance(&self, provenance: &Provenance) -> Result<()> {
        self.write("provenance.json", provenance)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let bytes = fs::read(self.file(name)).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    fn checked<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let path = self.file(name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(Kind::Data, "read the file", &path, &error)),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let problem = Problem::new(format!("the run's file cannot be read: {error}"));
            Error::data(problem.at_file(path))
        })
    }

    fn write<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(value).map_err(|error| {
            Error::new(
                Kind::Bug,
                vec![Problem::new(format!(
                    "cannot write `{name}` as JSON: {error}"
                ))],
            )
        })?;
        write_atomically(&self.file(name), &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, RunFolder) {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::new(dir.path());
        (dir, folder)
    }

    #[cfg(unix)]
    #[test]
    fn links_pipes_and_devices_are_written_through() {
        use std::os::unix::fs::{FileTypeExt, symlink};
        let (dir, _) = folder();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("target"), "old").unwrap();
        for (link, target) in [("link", "target"), ("dangling", "not there yet")] {
            symlink(at(target), at(link)).unwrap();
            write_atomically(&at(link), b"new").unwrap();
            assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink());
            assert_eq!(fs::read(at(target)).unwrap(), b"new");
        }

        let made = std::process::Command::new("mkfifo")
            .arg(at("pipe"))
            .status();
        assert!(made.unwrap().success());
        let reader = std::thread::spawn({
            let pipe = at("pipe");
            move || fs::read(pipe).unwrap()
        });
        write_atomically(&at("pipe"), b"bytes").unwrap();
        assert_eq!(reader.join().unwrap(), b"bytes");
        assert!(fs::metadata(at("pipe")).unwrap().file_type().is_fifo());

        let null = Path::new("/dev/null");
        write_atomically(null, b"gone").unwrap();
        assert!(fs::metadata(null).unwrap().file_type().is_char_device());
        assert!(write_atomically(Path::new("/dev/full"), b"no room").is_err());
    }

    #[test]
    fn what_was_left_half_written_is_removed_and_nothing_else() {
        let (dir, _) = folder();
        let inner = dir.path().join("inner");
        fs::create_dir_all(inner.join(".part-folder")).unwrap();
        for file in [".part-a", "run.json", "inner/.part-b", "inner/x.part-c"] {
            fs::write(dir.path().join(file), "").unwrap();
        }
        let is_there = |names: [&str; 5]| names.map(|name| dir.path().join(name).exists());
        let names = [
            ".part-a",
            "run.json",
            "inner/.part-b",
            "inner/x.part-c",
            "inner/.part-folder",
        ];
        remove_parts(dir.path(), false);
        assert_eq!(is_there(names), [false, true, true, true, true]);
        remove_parts(dir.path(), true);
        assert_eq!(is_there(names), [false, true, false, true, true]);
        remove_parts(&dir.path().join("nowhere"), true);
    }

    #[test]
    fn a_row_that_is_done_without_its_metrics_is_no_row() {
        let (_dir, folder) = folder();
        let mut row = RunRow::unfinished("plain", 0, "id", Vec::new());
        for (status, is_whole) in [
            (Status::Unfinished, true),
            (Status::Failed, true),
            (Status::Diverged, true),
            (Status::Done, false),
        ] {
            row.status = status;
            folder.write_row(&row).unwrap();
            assert_eq!(folder.row().is_some(), is_whole, "{status:?}");
        }
    }

    #[test]
    fn an_epoch_without_a_rate_is_read_again() {
        let (_dir, folder) = folder();
        let row = EpochRow {
            epoch: 1,
            step: 1,
            stage: None,
            train: Default::default(),
            validation: None,
            test: None,
            learning_rate: 0.1,
            gradient_norm: None,
            seconds: 0.0,
            images_per_second: None,
        };
        folder.write_epochs(std::slice::from_ref(&row)).unwrap();
        assert_eq!(folder.epochs(), [row]);
    }
}
