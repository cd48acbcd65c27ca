//! Which other runs a run needs, each by the key that names it.

use super::Settings;
use crate::run_name::RunName;

/// The key of the run whose weights come first.
pub const START: &str = "start.run";

/// A run that must be done before another one can begin.
#[derive(Debug, Clone, PartialEq)]
pub struct Need {
    /// Where the settings name it.
    pub key: &'static str,
    pub run: RunName,
}

impl Settings {
    /// Whether anything must be there before a run can begin: other runs, or a file of weights.
    pub fn needs_something(&self) -> bool {
        self.start.is_some() || !self.needs().is_empty()
    }

    /// The runs that a run with these settings needs; of one key in order.
    pub fn needs(&self) -> Vec<Need> {
        let need = |key| {
            move |run: &RunName| Need {
                key,
                run: run.clone(),
            }
        };
        let start = self.start.as_ref().and_then(|start| start.run.as_ref());
        start.map(need(START)).into_iter().collect()
    }
}
