//! Which epoch's weights are kept, and when training ends before all epochs are done.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Watched;
use crate::tagged::Choice;
use crate::value::{NonNegative, Positive};

/// The epoch whose weights are kept as `best.safetensors` and measured as `best_test_...`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// A score in `epochs.csv`: less of a loss, more of an accuracy is better, the earlier of two equal
    /// epochs. Default `validation_loss`, with which nothing is kept where there is no validation set; of a GAN
    /// that is its generator's and says little about its samples.
    pub metric: Watched,
}

impl Choice for Best {
    const WHAT: &'static str = "the best epoch's metric";
}

/// An end of training when it no longer gets better, as `EarlyStopping` of Keras.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EarlyStopping {
    /// A score in `epochs.csv`: less of a loss, more of an accuracy is better. Default
    /// `validation_loss`.
    pub metric: Watched,
    /// Epochs in a row without a better one after which training ends. Default 5 (Keras: 0).
    pub patience: Positive,
    /// An epoch is better if it is so by more than this. Default 0.
    pub min_delta: NonNegative,
    /// Whether the best epoch's weights are the final ones, also where all epochs were done; those of
    /// the last epoch are then kept as `last.safetensors`. Default true (Keras: false).
    pub restore_best: bool,
}

impl Default for EarlyStopping {
    fn default() -> Self {
        EarlyStopping {
            metric: Watched::find("validation_loss").expect("there is such a column"),
            patience: Positive(5),
            min_delta: NonNegative(0.0),
            restore_best: true,
        }
    }
}

impl Choice for EarlyStopping {
    const WHAT: &'static str = "early stopping";
}
