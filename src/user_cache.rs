//! Where what can be made anew is kept for a user's next commands.

use std::env;
use std::path::PathBuf;

/// `$XDG_CACHE_HOME` or `~/.cache`, below it `burnlab`; `None` where neither is known.
pub fn user_cache() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let cache = set("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    Some(cache.join("burnlab"))
}
