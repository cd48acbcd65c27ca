//! What one run is made of: the resolved tables of an experiment.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stopping::{Best, EarlyStopping};
use crate::augment::Augment;
use crate::data::DataFields;
use crate::layers::LayerSpec;
use crate::objective::Loss;
use crate::optim::OptimizerSpec;
use crate::optim::average::AverageSpec;
use crate::optim::clip::ClipSpec;
use crate::optim::schedule::{Rates, ScheduleSpec, Span, WarmUp};
use crate::record::Watched;
use crate::tagged::OrNone;
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
    pub loss: Loss,
    /// How the weights are changed.
    pub optimizer: OptimizerSpec,
    /// How the optimiser's rate changes from step to step. Default "constant".
    #[serde(default)]
    pub schedule: ScheduleSpec,
    /// A rise of the rate before the schedule begins. Default "none".
    #[serde(default)]
    pub warm_up: OrNone<WarmUp>,
    /// What is done to gradients that are too large. Default "none".
    #[serde(default)]
    pub clip: OrNone<ClipSpec>,
    /// Batches whose mean gradient, each by its number of images, makes one step; what is left of them
    /// at an epoch's end makes one too. Default 1.
    #[serde(default = "one")]
    pub accumulate: Positive,
    /// An average of the weights over the steps, which is evaluated and kept in place of the weights
    /// themselves; training goes on with those. Default "none".
    #[serde(default)]
    pub average: OrNone<AverageSpec>,
    /// Which epoch's weights are kept besides the final ones. Default the one of least validation loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Best>,
    /// An end of training before all epochs are done. Default "none".
    #[serde(default)]
    pub early_stopping: OrNone<EarlyStopping>,
    /// One run for each. Every use of chance in a run comes from its seed.
    pub seeds: Vec<u64>,
}

fn one() -> Positive {
    Positive(1)
}

impl Train {
    /// The steps of a training with so many images in an epoch, the augmented copies included.
    pub fn span(&self, images: usize) -> Span {
        let batches = images.div_ceil(self.batch_size.get());
        let epoch = batches.div_ceil(self.accumulate.get());
        Span {
            epoch,
            all: epoch * self.epochs.get(),
        }
    }

    /// The learning rate of every step, for so many images in an epoch.
    pub fn rates(&self, images: usize) -> Rates {
        Rates {
            learning_rate: self.optimizer.learning_rate(),
            warm_up: self.warm_up.0,
            schedule: self.schedule,
            span: self.span(images),
        }
    }

    /// What tells the epoch whose weights are kept.
    pub fn best_metric(&self) -> Watched {
        let usual = || Watched::find("validation_loss").expect("there is such a column");
        self.best.map_or_else(usual, |best| best.metric)
    }
}
