//! Datasets are read whole once on a machine, so that damage shows before anything is trained or removed.
//!
//! What was read is known by the size and times of its files. It is only ever a shortcut: where nothing can be kept, or a
//! file has just been changed, it is read again.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::digests::{Stamp, is_settled, keep, stamp};
use crate::error::Result;
use crate::hex::hex;

/// Reads a dataset's files unless that was done since they were last changed; `name` tells the dataset from others, `store`
/// is where it is kept.
///
/// # Errors
/// A file cannot be read, or what is in it.
pub(super) fn read_once(
    name: &str,
    files: &[&Path],
    store: Option<&Path>,
    read: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let started = SystemTime::now();
    let stamps = files.iter().map(|path| stamp(path));
    let stamps: Vec<Stamp> = stamps.collect::<Result<_>>()?;
    let known = format!("{} {files:?} {stamps:?}", env!("CARGO_PKG_VERSION"));
    let known = hex(&Sha256::digest(known));
    let note = store.map(|store| {
        let name = Sha256::digest(name);
        store.join(format!("{}.read", hex(&name[..16])))
    });
    if let Some(note) = &note
        && fs::read(note).is_ok_and(|kept| kept == known.as_bytes())
    {
        return Ok(());
    }
    read()?;
    if let Some(note) = note
        && stamps.iter().all(|stamp| is_settled(stamp, started))
    {
        keep(&note, known.as_bytes());
    }
    Ok(())
}
