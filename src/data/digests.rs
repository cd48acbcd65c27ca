//! What files hold, as one digest: part of the identity of runs on folders that people fill.
//!
//! A file whose size and times are those that were kept is not read again, so that a large folder costs a
//! look at each of its files. A kept digest is only ever a shortcut: where it cannot be kept, files are read.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::content::sha256_raw;
use crate::error::{Error, Kind, Result};
use crate::hex::hex;
use crate::record::{remove_parts_before, write_atomically};

/// A file that was changed less than this ago may change again without its times telling.
const SETTLED: Duration = Duration::from_secs(2);

/// Size, and the nanoseconds since 1970 at which content and file were last changed.
pub(super) type Stamp = (u64, u64, u64);

#[derive(Default, Serialize, Deserialize)]
struct DigestCache(BTreeMap<String, (Stamp, String)>);

/// The SHA-256 of the names and contents of files below a folder, in their order; `store` is where digests
/// of single files are kept.
///
/// # Errors
/// A file cannot be read.
pub(super) fn digest(root: &Path, files: &[&Path], store: Option<&Path>) -> Result<String> {
    let path = store.map(|store| place(store, root));
    let cached = path.as_deref().and_then(read).unwrap_or_default();
    let started = SystemTime::now();
    if let Some(store) = store {
        remove_parts_before(store, started - SETTLED * 30);
    }
    let found: Vec<(String, Stamp, String, bool)> = files
        .par_iter()
        .map(|path| {
            let cannot = |error| Error::io(Kind::Data, "read", path, &error);
            let stamp = stamp(path)?;
            let name = path.strip_prefix(root).unwrap_or(path);
            let name = name.to_string_lossy().into_owned();
            if let Some((_, sum)) = cached.0.get(&name).filter(|(known, _)| *known == stamp) {
                return Ok((name, stamp, sum.clone(), true));
            }
            let sum = sha256_raw(fs::File::open(path).map_err(cannot)?).map_err(cannot)?;
            Ok((name, stamp, sum, false))
        })
        .collect::<Result<_>>()?;
    let mut hash = Sha256::new();
    for (name, _, sum, _) in &found {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update(sum);
    }
    let has_news = found.iter().any(|(.., is_cached)| !is_cached) || found.len() != cached.0.len();
    if let (Some(path), true) = (path, has_news) {
        let files = found.into_iter();
        let settled = files.filter(|(_, stamp, ..)| is_settled(stamp, started));
        let cached = settled.map(|(name, stamp, sum, _)| (name, (stamp, sum)));
        write(&path, &DigestCache(cached.collect()));
    }
    Ok(hex(&hash.finalize()))
}

/// Where the digests of a folder's files are kept.
fn place(store: &Path, root: &Path) -> PathBuf {
    let root = fs::canonicalize(root).unwrap_or_else(|_| root.to_path_buf());
    let name = Sha256::digest(root.as_os_str().as_encoded_bytes());
    store.join(format!("{}.json", hex(&name[..16])))
}

fn read(path: &Path) -> Option<DigestCache> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn write(path: &Path, cached: &DigestCache) {
    if let Ok(bytes) = serde_json::to_vec(cached) {
        keep(path, &bytes);
    }
}

/// Writes a file as far as it can be done: a disk that is full or not ours costs time, nothing else.
pub(super) fn keep(path: &Path, bytes: &[u8]) {
    let Some(folder) = path.parent() else {
        return;
    };
    if fs::create_dir_all(folder).is_ok() {
        let _ = write_atomically(path, bytes);
    }
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}

/// How a file is now.
///
/// # Errors
/// It cannot be looked at.
pub(super) fn stamp(path: &Path) -> Result<Stamp> {
    let data = fs::metadata(path).map_err(|error| Error::io(Kind::Data, "read", path, &error))?;
    let changed = data.modified().map_or(u64::MAX, nanoseconds);
    Ok((data.len(), changed, file_changed(&data)))
}

/// Whether a file's stamp will tell of every change after this time.
pub(super) fn is_settled((_, content, file): &Stamp, time: SystemTime) -> bool {
    *content.max(file) < nanoseconds(time - SETTLED)
}

/// Also moves where a copy brings the time of its original with it.
#[cfg(unix)]
fn file_changed(data: &Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let nanoseconds = i128::from(data.ctime()) * 1_000_000_000 + i128::from(data.ctime_nsec());
    u64::try_from(nanoseconds).unwrap_or(0)
}

#[cfg(not(unix))]
fn file_changed(_: &Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_times(path: &Path, seconds: u64) {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
            .unwrap();
    }

    #[test]
    fn content_and_names_count_and_times_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        fs::write(&one, "1").unwrap();
        fs::write(&other, "2").unwrap();
        let digest = |files: &[&Path]| super::digest(dir.path(), files, None).unwrap();
        let before = digest(&[&one, &other]);
        set_times(&one, 1000);
        assert_eq!(digest(&[&one, &other]), before);
        assert_ne!(digest(&[&one]), before);
        fs::write(&one, "3").unwrap();
        set_times(&one, 1000);
        let changed = digest(&[&one, &other]);
        assert_ne!(changed, before);
        fs::write(&one, "1").unwrap();
        assert_eq!(digest(&[&one, &other]), before);
        let renamed = dir.path().join("eno");
        fs::rename(&one, &renamed).unwrap();
        assert_ne!(digest(&[&renamed, &other]), before);
    }

    #[test]
    fn what_killed_processes_left_half_written_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store");
        fs::create_dir(&store).unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "1").unwrap();
        for name in [".part-old", ".part-new", "other.json"] {
            fs::write(store.join(name), "").unwrap();
        }
        set_times(&store.join(".part-old"), 1000);
        set_times(&store.join("other.json"), 1000);
        digest(dir.path(), &[&file], Some(&store)).unwrap();
        let is_there = |name: &str| store.join(name).exists();
        assert!(!is_there(".part-old") && is_there(".part-new") && is_there("other.json"));
    }

    #[test]
    fn what_is_kept_is_used_only_where_size_and_times_agree() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("store");
        let file = dir.path().join("file");
        fs::write(&file, "1").unwrap();
        let digest = || super::digest(dir.path(), &[&file], Some(&store)).unwrap();
        let before = digest();
        // Too fresh to be kept.
        let path = place(&store, dir.path());
        assert!(read(&path).unwrap().0.is_empty());

        let keep = |sum: &str| {
            let stamp = stamp(&file).unwrap();
            let entry = ("file".to_string(), (stamp, sum.to_string()));
            write(&path, &DigestCache(BTreeMap::from([entry])));
        };
        keep("not the file's");
        assert_ne!(digest(), before, "what is kept is taken");
        fs::write(&file, "22").unwrap();
        let changed = digest();
        assert_ne!(changed, before);
        fs::write(&file, "1").unwrap();
        assert_eq!(digest(), before, "a changed file is read");
        fs::write(&path, "no JSON").unwrap();
        assert_eq!(digest(), before, "a damaged store is no error");
    }
}
