//! What one run is made of: the resolved tables of an experiment.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::augment::Augment;
use crate::data::DataFields;
use crate::layers::LayerSpec;
use crate::objective::LossSpec;
use crate::optim::OptimizerSpec;
use crate::value::Positive;

/// Everything that a run's numbers depend on, besides its seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Which part of which dataset.
    pub data: DataFields,
    /// The augmentation recipe. Default: none.
    pub augment: Augment,
    /// The network.
    pub model: Model,
    /// How it is trained.
    pub train: Train,
}

/// What kind of model it is, and its layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Model {
    /// Images in, one score a class out.
    Classifier(Classifier),
}

/// A classifier, layer by layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Classifier {
    /// From the image to one score a class: `[batch, classes]`, before softmax.
    pub layers: Vec<LayerSpec>,
}

/// How a network is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// Passes over the training images, the augmented copies included.
    pub epochs: Positive,
    /// Images a step. A last, smaller batch is trained on too.
    pub batch_size: Positive,
    /// What training makes small.
    pub loss: LossSpec,
    /// How the weights are changed.
    pub optimizer: OptimizerSpec,
    /// One run for each. Every use of chance in a run comes from its seed.
    pub seeds: Vec<u64>,
}
