//! Where compiled kernels are kept.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use burn::cubecl::config::cache::CacheConfig;
use burn::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};
use sha2::{Digest, Sha256};
use walkdir::WalkDir;

use super::{TEXTS, product};
use crate::backend::BURN_VERSION;
use crate::hex::hex;
use crate::user_cache::user_cache;

/// A lock this old is nobody's.
const LEFT: Duration = Duration::from_secs(60);

/// Keeps kernels for the next process, in a folder for each GPU, driver, compiler, version of Burn and text of our own kernels;
/// to be called before the GPU is first used.
///
/// Without it, every process compiles the kernels that it uses: seconds each time. A `cubecl.toml` has the last word.
pub(in crate::backend) fn keep_kernels(gpu: &str) {
    static LAST: Mutex<Option<String>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.as_deref() == Some(gpu) {
        return;
    }
    *last = Some(gpu.to_string());
    let Some(folder) = folder(gpu).filter(|folder| prepare(folder).is_ok()) else {
        return;
    };
    let mut config = CubeClRuntimeConfig::from_current_dir().override_from_env();
    let cache = &mut config.compilation.cache;
    cache.get_or_insert(CacheConfig::File(folder));
    // A GPU reads it when it is first used, and names its kernels without its own architecture: those of another model must
    // not lie beside them. `set` could be called only once.
    *CubeClRuntimeConfig::storage().lock() = Some(Arc::new(config));
}

/// Sees that kernels can be kept in a folder: CubeCL panics where a file cannot be written, and waits for a lock whose process
/// was killed as it made it.
fn prepare(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for entry in WalkDir::new(folder) {
        let entry = entry?;
        let is_lock = entry.path().extension().is_some_and(|end| end == "lock");
        if is_lock
            && entry
                .metadata()?
                .modified()?
                .elapsed()
                .is_ok_and(|age| age > LEFT)
        {
            fs::remove_file(entry.path())?;
        } else if entry.file_type().is_file() && !is_lock {
            File::options().append(true).open(entry.path())?;
        }
    }
    // More than a kernel takes.
    let mut probe = tempfile::tempfile_in(folder)?;
    probe.write_all(&[0; 1 << 20])?;
    probe.sync_data()
}

fn folder(gpu: &str) -> Option<PathBuf> {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '-'
        }
    };
    let name = format!("{gpu}-burn-{BURN_VERSION}-{}", digest());
    let name: String = name.chars().map(plain).collect();
    Some(user_cache()?.join("kernels").join(name))
}

/// The first digits of the SHA-256 of the kernels' texts.
fn digest() -> String {
    let mut digest = Sha256::new();
    let texts = TEXTS.iter().chain(product::TEXTS);
    texts.for_each(|text| digest.update(text));
    hex(&digest.finalize()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_kept_where_files_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("a/b");
        prepare(&inside).unwrap();
        let lock = inside.join("toc.lock");
        let file = File::create(&lock).unwrap();
        prepare(&inside).unwrap();
        assert!(lock.exists(), "it may still be somebody's");
        let before = std::time::SystemTime::now() - 2 * LEFT;
        file.set_modified(before).unwrap();
        prepare(&inside).unwrap();
        assert!(!lock.exists());
        let is_a_file = folder.path().join("file");
        fs::write(&is_a_file, "").unwrap();
        assert!(prepare(&is_a_file.join("c")).is_err());
    }
}
