//! Who may write into a folder: one holder at a time, on any file system and by any clock.
//!
//! A lease is a folder in the folder, `.lease-N`: there its holder writes what it then renames into place. Who takes the
//! folder over makes that of the next number and takes away those before it, so that nothing that an earlier holder still
//! writes finds its way into place, however late it is. Making, renaming and removing folders is atomic everywhere, NFS
//! included; no lock of the system and no clock is asked.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::replace::replace;
use crate::error::{Error, Kind, Problem, Result};

/// How the names of leases begin.
const LEASE: &str = ".lease-";

/// How the names of leases begin that are being taken away.
const LOST: &str = ".lost-";

/// The log of leases, in the folder that they are of.
const LOG: &str = "leases.json";

/// What the holder says of itself, in its lease.
const HOLDER: &str = "holder.json";

/// What changes while the holder lives, in its lease.
const BEAT: &str = "beat";

/// How often it changes.
const BEATS: Duration = Duration::from_secs(2);

/// How long a holder on another machine may be silent before its folder is taken over: by the clock of who waits.
const SILENCE: Duration = Duration::from_secs(15);

/// The leases that this process holds.
static HELD: Mutex<Vec<Held>> = Mutex::new(Vec::new());

struct Held {
    /// Below these, files are written by way of the lease.
    folders: Vec<PathBuf>,
    lease: PathBuf,
}

/// Who holds, or held, a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// One more than that of the lease before.
    pub number: u64,
    /// The machine's name, or that of the cluster's node.
    pub host: String,
    /// The number of the cluster's job that it runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The process's number there.
    pub process: u32,
    /// When that process began and where its number counts, in the system's words; `None` where the system does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth: Option<String>,
    /// The rows of `epochs.csv` that it found.
    #[serde(default)]
    pub epochs: usize,
}

impl Holder {
    /// This process.
    fn own(number: u64, epochs: usize) -> Self {
        let process = std::process::id();
        Holder {
            number,
            host: host(),
            job: job(),
            process,
            birth: birth(process),
            epochs,
        }
    }

    /// ``process 7 on `host` (job 3)``
    pub fn text(&self) -> String {
        let job = self.job.as_ref().map(|job| format!(" (job {job})"));
        let job = job.unwrap_or_default();
        format!("process {} on `{}`{job}", self.process, self.host)
    }

    /// Whether it lives, where this machine can tell.
    fn is_alive_here(&self) -> Option<bool> {
        let (boot, _) = self.birth.as_deref()?.split_once(' ')?;
        (boot_of()? == boot).then(|| birth(self.process) == self.birth)
    }
}

/// Who holds a folder, where this machine can tell that they live.
pub fn holder_of(folder: &Path) -> Option<Holder> {
    introduced(&newest(folder)?).filter(|holder| holder.is_alive_here() == Some(true))
}

/// The name of this machine, or of the cluster's node that this process runs on.
pub fn host() -> String {
    let own = || {
        let name = fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let name = name.map(|name| name.trim().to_string());
        name.or_else(|| std::env::var("HOSTNAME").ok())
    };
    let node = std::env::var("SLURMD_NODENAME").ok();
    node.or_else(own).unwrap_or_else(|| "unknown".to_string())
}

/// The number of the cluster's job that this process runs in, if it does.
pub fn job() -> Option<String> {
    std::env::var("SLURM_JOB_ID").ok()
}

/// This start of the system and this space of process numbers; `None` where the system does not say.
fn boot_of() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{}/{}", boot.trim(), space.display()))
}

/// What tells a living process from all others that have its number.
fn birth(process: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before may hold anything.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    if fields.next()? == "Z" {
        return None;
    }
    // The 22nd field of all.
    Some(format!("{} {}", boot_of()?, fields.nth(18)?))
}

/// The right to write into a folder, until it is dropped or another takes it.
#[derive(Debug)]
pub struct Lease {
    path: PathBuf,
}

impl Lease {
    /// Takes a folder, which is there, from whoever holds it. Files below the folder and below `also` are written by way
    /// of the lease from now on, if they are written atomically.
    ///
    /// # Errors
    /// The folder cannot be written, or another took it in the same moment.
    pub fn take(folder: &Path, also: &[&Path]) -> Result<Self> {
        Lease::take_after(folder, highest(folder), also)
    }

    /// The same where the last lease that is known of has this number.
    fn take_after(folder: &Path, last: u64, also: &[&Path]) -> Result<Self> {
        let number = last + 1;
        let path = folder.join(format!("{LEASE}{number}"));
        let refused = |error: std::io::Error| match error.kind() {
            ErrorKind::AlreadyExists => taken(folder),
            _ => Error::io(Kind::Data, "take the folder", folder, &error),
        };
        fs::create_dir(&path).map_err(refused)?;
        for (other, earlier) in leases(folder) {
            match other.cmp(&number) {
                std::cmp::Ordering::Less => take_away(&earlier),
                std::cmp::Ordering::Equal => {}
                std::cmp::Ordering::Greater => {
                    take_away(&path);
                    return Err(taken(folder));
                }
            }
        }
        for lost in named(folder, LOST) {
            let _ = empty_and_remove(&lost);
        }
        let folders = std::iter::once(folder).chain(also.iter().copied());
        held(|held| {
            held.push(Held {
                folders: folders.map(Path::to_path_buf).collect(),
                lease: path.clone(),
            });
        });
        let lease = Lease { path };
        lease.introduce(folder, number)?;
        Ok(lease)
    }

    /// Takes a folder that nobody alive holds: a holder on this machine is looked up; one elsewhere is alive if it says
    /// so within some seconds, of which `wait` is told.
    ///
    /// # Errors
    /// As [`take`](Self::take); the holder, if it is alive.
    pub fn take_if_free(folder: &Path, wait: &mut dyn FnMut(&Holder)) -> Result<Self, TakeError> {
        loop {
            let last = highest(folder);
            if let Some(newest) = newest(folder)
                && let Some(holder) = introduced(&newest)
                && is_alive(&newest, &holder, wait)
            {
                return Err(TakeError::Held(holder));
            }
            match Lease::take_after(folder, last, &[]) {
                Ok(lease) => {
                    lease.beat();
                    return Ok(lease);
                }
                // Another was quicker, and may be named.
                Err(_) if highest(folder) > last => {}
                Err(error) => return Err(TakeError::Refused(error)),
            }
        }
    }

    /// Whether no other has taken it.
    pub fn is_held(&self) -> bool {
        self.path.is_dir()
    }

    /// A file that only the holder's machine and those that see the same folder can read, and what it holds.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn token(&self) -> Result<(PathBuf, String)> {
        let path = self.path.join(HOLDER);
        let text = fs::read_to_string(&path);
        let text = text.map_err(|error| Error::io(Kind::Data, "read the lease", &path, &error))?;
        Ok((path, text))
    }

    fn introduce(&self, folder: &Path, number: u64) -> Result<()> {
        let epochs = super::RunFolder::new(folder).epochs().len();
        let holder = Holder::own(number, epochs);
        let text = |value| serde_json::to_string_pretty(value).expect("a holder is plain values");
        let refused = |error: std::io::Error| match self.is_held() {
            true => Error::io(Kind::Data, "take the folder", folder, &error),
            false => taken(folder),
        };
        let write = |path: PathBuf, text: String| {
            replace(&path, &|to| to.write_all(text.as_bytes()), &self.path)
        };
        write(self.path.join(HOLDER), text(&holder)).map_err(refused)?;
        let mut log = log_of(folder);
        log.push(holder);
        let text = serde_json::to_string_pretty(&log).expect("holders are plain values");
        write(folder.join(LOG), text).map_err(refused)
    }

    /// Shows for as long as the lease is there that its holder lives.
    fn beat(&self) {
        let (lease, path) = (self.path.clone(), self.path.join(BEAT));
        let beat = move || {
            let mut number: u64 = 0;
            // A disk that is full for a moment is no reason to fall silent.
            while fs::write(&path, number.to_string()).is_ok() || lease.is_dir() {
                number += 1;
                std::thread::sleep(BEATS);
            }
        };
        // Without the thread others believe it dead, and take the folder: nothing is written twice.
        let _ = std::thread::Builder::new().spawn(beat);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        held(|held| held.retain(|one| one.lease != self.path));
        take_away(&self.path);
    }
}

/// Why a folder was not taken.
#[derive(Debug)]
pub enum TakeError {
    /// Its holder lives.
    Held(Holder),
    /// As [`Lease::take`].
    Refused(Error),
}

/// Who held the leases of a folder, one after another.
pub fn log_of(folder: &Path) -> Vec<Holder> {
    let bytes = fs::read(folder.join(LOG)).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Whether a name is that of a lease, or of the log of leases.
pub(super) fn is_of_leases(name: &std::ffi::OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name == LOG.as_bytes()
        || [LEASE, LOST]
            .iter()
            .any(|start| name.starts_with(start.as_bytes()))
}

/// The lease that this process holds over a path, if it holds one.
pub(super) fn over(path: &Path) -> Option<PathBuf> {
    held(|held| {
        let folders = held
            .iter()
            .flat_map(|one| one.folders.iter().map(move |folder| (folder, one)));
        let around = folders.filter(|(folder, _)| path.starts_with(folder));
        let nearest = around.max_by_key(|(folder, _)| folder.components().count());
        nearest.map(|(_, one)| one.lease.clone())
    })
}

/// What a holder is told that writes after another took the folder.
pub(super) fn taken(folder: &Path) -> Error {
    let problem = Problem::new(match folder.is_dir() {
        true => "another process has taken over what this one was writing",
        false => "the folder was removed while this process was writing to it",
    });
    Error::run(problem.at_file(folder))
}

fn held<T>(act: impl FnOnce(&mut Vec<Held>) -> T) -> T {
    act(&mut HELD.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The leases of a folder by their numbers.
fn leases(folder: &Path) -> Vec<(u64, PathBuf)> {
    let numbered = |path: PathBuf| {
        let name = path.file_name()?.to_str()?;
        Some((name.strip_prefix(LEASE)?.parse().ok()?, path))
    };
    named(folder, LEASE)
        .into_iter()
        .filter_map(numbered)
        .collect()
}

/// The lease of the highest number.
fn newest(folder: &Path) -> Option<PathBuf> {
    let newest = leases(folder).into_iter().max_by_key(|(number, _)| *number);
    newest.map(|(_, lease)| lease)
}

/// What is in a folder under names that begin so.
fn named(folder: &Path, start: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_so = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(start);
    entries.filter(is_so).map(|entry| entry.path()).collect()
}

/// The highest number of a lease that a folder has or had.
fn highest(folder: &Path) -> u64 {
    let there = leases(folder).into_iter().map(|(number, _)| number);
    let before = log_of(folder).into_iter().map(|holder| holder.number);
    there.chain(before).max().unwrap_or(0)
}

/// The holder of a lease, which says who it is just after it took it; `None` if the lease goes, or it died before it did.
fn introduced(lease: &Path) -> Option<Holder> {
    let start = Instant::now();
    while lease.is_dir() && start.elapsed() < SILENCE {
        let holder = fs::read(lease.join(HOLDER)).ok();
        let holder = holder.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if holder.is_some() {
            return holder;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

fn is_alive(lease: &Path, holder: &Holder, wait: &mut dyn FnMut(&Holder)) -> bool {
    if let Some(is_alive) = holder.is_alive_here() {
        return is_alive;
    }
    wait(holder);
    let beat = || fs::read(lease.join(BEAT)).ok();
    let first = beat();
    let pause = Duration::from_millis(250);
    for _ in 0..SILENCE.as_millis() / pause.as_millis() {
        std::thread::sleep(pause);
        match beat() {
            None => return false,
            now if now != first => return true,
            _ => {}
        }
    }
    false
}

/// Takes a lease away from its holder, if it is there.
///
/// The new name shuts out whoever shares this machine's view of the folder; removing what is in it, and it, shuts out
/// other machines, which may still know the folder under its old name. Files that a process of this machine has open
/// stay on NFS until it closes them; what is left then goes with the next lease.
fn take_away(lease: &Path) {
    let name = lease.file_name().unwrap_or_default().to_string_lossy();
    let lost = lease.with_file_name(name.replacen(LEASE, LOST, 1));
    let _ = fs::rename(lease, &lost);
    // Its holder may write one more file between the last of them and the folder itself.
    for _ in 0..100 {
        match empty_and_remove(&lost) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {}
            _ => return,
        }
    }
}

fn empty_and_remove(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        let _ = fs::remove_file(entry.path());
    }
    fs::remove_dir(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{RunFolder, write_atomically};

    fn numbers(folder: &Path) -> Vec<u64> {
        log_of(folder).iter().map(|holder| holder.number).collect()
    }

    #[test]
    fn who_lost_the_folder_writes_nothing_into_it() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path();
        let file = folder.join("run.json");
        let first = Lease::take(folder, &[]).unwrap();
        write_atomically(&file, b"first").unwrap();
        // As on another machine, which writes by the lease that it knows.
        let second = Lease::take(folder, &[]).unwrap();
        assert!(!first.is_held() && second.is_held());
        held(|held| held.retain(|one| one.lease != second.path));
        let refused = write_atomically(&file, b"late").unwrap_err();
        let expected = format!(
            "error: another process has taken over what this one was writing\n  {}",
            folder.display()
        );
        assert_eq!(refused.to_string(), expected);
        assert_eq!(fs::read(&file).unwrap(), b"first");
        assert_eq!(numbers(folder), [1, 2]);

        drop(first);
        assert!(second.is_held(), "only its own lease goes with it");
        drop(second);
        assert_eq!(named(folder, "."), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_part_that_was_written_before_the_folder_was_lost_is_not_renamed_into_place() {
        let dir = tempfile::tempdir().unwrap();
        let lease = Lease::take(dir.path(), &[]).unwrap();
        let part = tempfile::NamedTempFile::new_in(&lease.path).unwrap();
        let _other = Lease::take(dir.path(), &[]).unwrap();
        assert!(part.persist(dir.path().join("run.json")).is_err());
        assert!(!dir.path().join("run.json").exists());
    }

    #[test]
    fn of_many_that_take_a_folder_at_once_one_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let held: Vec<Lease> = std::thread::scope(|scope| {
            let take = || scope.spawn(|| Lease::take(dir.path(), &[]));
            let threads: Vec<_> = (0..16).map(|_| take()).collect();
            let taken = threads.into_iter().map(|thread| thread.join().unwrap());
            taken.filter_map(Result::ok).collect()
        });
        let holding = held.iter().filter(|lease| lease.is_held()).count();
        assert_eq!(holding, 1);
        assert_eq!(leases(dir.path()).len(), 1);
    }

    #[test]
    fn a_holder_that_lives_is_named_and_one_that_is_dead_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let mut wait = |_: &Holder| {};
        let first = Lease::take_if_free(dir.path(), &mut wait).unwrap();
        match Lease::take_if_free(dir.path(), &mut wait) {
            Err(TakeError::Held(holder)) => {
                assert_eq!(holder, log_of(dir.path())[0]);
                assert_eq!(holder_of(dir.path()), Some(holder));
            }
            other => panic!("{other:?}"),
        }
        // What a process leaves that was killed: nobody has this process's number and that birth.
        let mut dead = Holder::own(1, 0);
        dead.birth = dead.birth.map(|birth| format!("{birth}0"));
        let text = serde_json::to_string(&dead).unwrap();
        fs::write(first.path.join(HOLDER), text).unwrap();
        if dead.birth.is_some() {
            let second = Lease::take_if_free(dir.path(), &mut wait).unwrap();
            assert!(second.is_held() && !first.is_held());
        }
    }

    #[test]
    fn of_many_that_ask_for_a_free_folder_at_once_one_gets_it() {
        let dir = tempfile::tempdir().unwrap();
        let asked: Vec<Result<Lease, TakeError>> = std::thread::scope(|scope| {
            let ask = || scope.spawn(|| Lease::take_if_free(dir.path(), &mut |_| {}));
            let threads: Vec<_> = (0..8).map(|_| ask()).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        let others = asked
            .iter()
            .filter(|one| matches!(one, Err(TakeError::Held(_))));
        assert_eq!(others.count(), 7, "{asked:?}");
        assert!(asked.iter().flatten().all(Lease::is_held));
    }

    #[test]
    fn a_holder_elsewhere_is_alive_while_its_lease_changes() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lease::take_if_free(dir.path(), &mut |_| {}).unwrap();
        let mut elsewhere = Holder::own(1, 0);
        elsewhere.birth = None;
        let text = serde_json::to_string(&elsewhere).unwrap();
        fs::write(first.path.join(HOLDER), text).unwrap();
        let mut waited = Vec::new();
        let mut wait = |holder: &Holder| waited.push(holder.number);
        let refused = Lease::take_if_free(dir.path(), &mut wait);
        assert!(matches!(refused, Err(TakeError::Held(_))), "{refused:?}");
        assert_eq!(waited, [1]);
    }

    #[test]
    fn what_is_forgotten_leaves_the_numbers_of_leases() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::new(dir.path());
        let lease = Lease::take(dir.path(), &[]).unwrap();
        fs::create_dir(folder.file("pictures")).unwrap();
        write_atomically(&folder.file("pictures/0001.png"), b"x").unwrap();
        folder.forget().unwrap();
        assert!(!lease.is_held());
        assert_eq!(named(dir.path(), ""), [folder.file(LOG)]);
        assert_eq!(numbers(dir.path()), [1, 2]);
        RunFolder::new(dir.path().join("nowhere")).forget().unwrap();
    }
}
