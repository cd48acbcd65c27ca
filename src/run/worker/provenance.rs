//! Where a run's numbers come from: programs, machine, time.

use crate::backend::{Device, Precisions};
use crate::record::Provenance;
use crate::run::machine;
use crate::run::protocol::Assignment;

pub(super) fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

/// What Git knows of the folder that the program was started in; nothing where there is no Git or no repository.
#[derive(Default)]
pub(super) struct Commit {
    hash: Option<String>,
    is_dirty: Option<bool>,
}

impl Commit {
    /// Asks Git.
    pub fn of_here() -> Self {
        let git = |arguments: &[&str]| -> Option<String> {
            let output = std::process::Command::new("git")
                .args(arguments)
                .stderr(std::process::Stdio::null())
                .output()
                .ok()?;
            let text = String::from_utf8(output.stdout).ok()?;
            output.status.success().then(|| text.trim().to_string())
        };
        Commit {
            hash: git(&["rev-parse", "HEAD"]),
            // Whoever is killed while it looks must leave no lock behind in a repository that is not its own.
            is_dirty: git(&["--no-optional-locks", "status", "--porcelain"])
                .map(|changes| !changes.is_empty()),
        }
    }
}

pub(super) fn provenance(
    assignment: &Assignment,
    device: &Device,
    precisions: Precisions,
    commit: Commit,
) -> Provenance {
    Provenance {
        git_commit: commit.hash,
        git_dirty: commit.is_dirty,
        burnlab: env!("CARGO_PKG_VERSION").to_string(),
        burn: crate::backend::BURN_VERSION.to_string(),
        dataset: Vec::new(),
        images: None,
        device: device.to_string(),
        precisions: Some(precisions),
        kernels: device.kernels().map(String::from),
        cores: machine::cores(),
        threads: assignment.threads,
        start: now(),
        end: None,
    }
}
