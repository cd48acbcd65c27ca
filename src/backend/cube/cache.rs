//! Where compiled kernels are kept.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use burn::cubecl::config::cache::CacheConfig;
use burn::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};
use sha2::{Digest, Sha256};

use super::TEXTS;
use crate::backend::BURN_VERSION;
use crate::hex::hex;
use crate::user_cache::user_cache;

/// Keeps kernels for the next process, in a folder for each GPU, driver, version of Burn and text of our own kernels; to be
/// called before the GPU is first used.
///
/// Without it, every process compiles the kernels that it uses: seconds each time. A `cubecl.toml` has the last word.
pub(in crate::backend) fn keep_kernels(gpu: &str) {
    static LAST: Mutex<Option<String>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.as_deref() == Some(gpu) {
        return;
    }
    *last = Some(gpu.to_string());
    let Some(folder) = folder(gpu) else { return };
    let mut config = CubeClRuntimeConfig::from_current_dir().override_from_env();
    let cache = &mut config.compilation.cache;
    cache.get_or_insert(CacheConfig::File(folder));
    // A GPU reads it when it is first used, and names its kernels without its own architecture: those of another model must
    // not lie beside them. `set` could be called only once.
    *CubeClRuntimeConfig::storage().lock() = Some(Arc::new(config));
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
    TEXTS.iter().for_each(|text| digest.update(text));
    hex(&digest.finalize()[..8])
}
