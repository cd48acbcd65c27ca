//! What the cube backends share: where compiled kernels, and what was measured of them, are kept.

use std::env;
use std::path::PathBuf;
use std::sync::Once;

use burn::cubecl::config::cache::CacheConfig;
use burn::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};

/// Keeps kernels for the next process, in a folder for each GPU, driver and version of burnlab.
///
/// Without it, every process compiles the kernels that it uses, and measures anew which of several ways to a
/// product is the fastest: seconds each time, and perhaps another way. A `cubecl.toml` has the last word.
pub(super) fn keep_kernels(gpu: &str) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let Some(folder) = folder(gpu) else { return };
        let mut config = CubeClRuntimeConfig::from_current_dir().override_from_env();
        let kept = CacheConfig::File(folder);
        if matches!(config.autotune.cache, CacheConfig::Target) {
            config.autotune.cache = kept.clone();
        }
        config.compilation.cache.get_or_insert(kept);
        CubeClRuntimeConfig::set(config);
    });
}

/// `$XDG_CACHE_HOME` or `~/.cache`, below it `burnlab/kernels`.
fn folder(gpu: &str) -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let cache = set("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '-'
        }
    };
    let name = format!("{gpu}-burnlab-{}", env!("CARGO_PKG_VERSION"));
    let name: String = name.chars().map(plain).collect();
    Some(cache.join("burnlab/kernels").join(name))
}
