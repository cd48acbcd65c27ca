//! `burnlab doctor`: what this machine and this build can do.

use super::say;
use crate::backend::{self, Device};
use crate::data::{Folders, list};
use crate::error::{Error, Result};
use crate::system_memory::gib;

/// Prints the version, cores, devices and datasets, and what is missing with its remedy.
pub fn doctor() {
    say(&format!(
        "burnlab {} on Burn {}",
        env!("CARGO_PKG_VERSION"),
        backend::BURN_VERSION
    ));
    say(&format!("cores      {}", crate::run::cores()));
    backend::watch_threads();
    for (name, device) in Device::survey() {
        let state = match device.and_then(|device| ready(&device)) {
            Ok(state) => format!("ready: {state}"),
            Err(error) => format!("no: {}", in_a_line(&error)),
        };
        say(&format!("{name:10} {state}"));
    }
    let datasets = list(&Folders::from_environment());
    let names = datasets.iter().map(|listing| listing.dataset.name.len());
    let width = names.max().unwrap_or_default();
    for listing in datasets {
        let name = listing.dataset.name;
        match listing.folder {
            Some(folder) => say(&format!("{name:width$} found in {}", folder.display())),
            None => say(&format!("{name:width$} missing: burnlab data fetch {name}")),
        }
    }
}

/// The line about a device that computes correctly.
fn ready(device: &Device) -> Result<String> {
    let memory = device.memory()?;
    let precisions = device.check()?;
    let memory = memory.map_or_else(String::new, |(free, all)| {
        let [free, all] = [free, all].map(|bytes| gib(bytes as f64));
        format!(", {free} of {all} free")
    });
    let kernels = device.kernels();
    let kernels = kernels.map_or_else(String::new, |set| format!(", {set} kernels"));
    Ok(format!("{device}{kernels}{memory}; {precisions}"))
}

/// Message and hint of an error's first problem.
fn in_a_line(error: &Error) -> String {
    let problem = error.problems.first();
    let text = problem.map(|p| p.message.clone()).unwrap_or_default();
    match problem.and_then(|p| p.hint.clone()) {
        Some(hint) => format!("{text} ({hint})"),
        None => text,
    }
}
