//! How a file names a run of this or of another experiment.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunName {
    /// Its name under `experiments/`, or a path from this file's folder. Default: this very file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
    /// One of the experiment's variants; in the same file that at the same point of the grid. Default: the
    /// only one that the other experiment has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Default: the seed of the run that names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}
