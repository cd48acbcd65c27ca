//! `burnlab doctor`: what this machine and this build can do.

use super::say;
use crate::backend::{self, Device};
use crate::data::{Folders, list};

/// Prints devices, features, datasets and tools, and what is missing with its remedy.
pub fn doctor() {
    say(&format!(
        "burnlab {} on Burn {}",
        env!("CARGO_PKG_VERSION"),
        backend::BURN_VERSION
    ));
    say(&format!("cores      {}", crate::run::cores()));
    for name in ["cpu", "cuda:0", "ndarray"] {
        let state = match Device::parse(name) {
            Ok(device) => format!("ready: {device}"),
            Err(error) => {
                let problem = error.problems.first();
                let text = problem.map(|p| p.message.clone()).unwrap_or_default();
                let hint = problem.and_then(|p| p.hint.clone());
                match hint {
                    Some(hint) => format!("no: {text} ({hint})"),
                    None => format!("no: {text}"),
                }
            }
        };
        say(&format!("{name:10} {state}"));
    }
    for listing in list(&Folders::from_environment()) {
        let name = listing.dataset.name;
        match listing.folder {
            Some(folder) => say(&format!("{name:14} found in {}", folder.display())),
            None => say(&format!("{name:14} missing: burnlab data fetch {name}")),
        }
    }
}
