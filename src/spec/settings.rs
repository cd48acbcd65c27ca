//! What one run is made of: the resolved tables of an experiment.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Start;
use super::stopping::{Best, EarlyStopping};
use crate::augment::Augment;
use crate::data::DataFields;
use crate::error::Flaw;
use crate::layers::{Around, LayerSpec};
use crate::measure::{About, Measures};
use crate::model::Kind;
use crate::network::{self, Patterns};
use crate::objective::Loss;
use crate::optim::OptimizerSpec;
use crate::optim::average::AverageSpec;
use crate::optim::clip::ClipSpec;
use crate::optim::schedule::{Rates, ScheduleSpec, Span, WarmUp};
use crate::record::Watched;
use crate::shape::{ImageShape, Shape};
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
    /// Trained weights to start from. Default none: all layers start fresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    /// How it is trained.
    pub train: Train,
    /// What is measured when it is trained, besides what is cheap. Default nothing.
    #[serde(default, skip_serializing_if = "Measures::is_empty")]
    pub measure: Measures,
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
    /// Batches whose mean gradient, each by its number of images (also where classes have weights), makes
    /// one step; what is left of them at an epoch's end makes one too. Default 1.
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
    /// Layers that stay as they are, as patterns of their names: no step and no weight decay changes
    /// them, and batch normalization keeps and uses its running statistics, as with Keras's
    /// `trainable = False`. Default none.
    #[serde(default, skip_serializing_if = "Patterns::is_empty")]
    pub freeze: Patterns,
    /// The only layers that do not stay as they are. Default all.
    #[serde(default, skip_serializing_if = "Patterns::is_empty")]
    pub train_only: Patterns,
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

impl Settings {
    /// The network for images of this shape in so many classes, with what is frozen in it.
    ///
    /// Flaws have keys such as `model.classifier.layers.3` and `train.freeze.0`.
    pub fn network(&self, images: ImageShape, classes: usize) -> (network::Plan, Vec<Flaw>) {
        let Model::Classifier(classifier) = &self.model;
        let (mut plan, flaws) = network::plan_classifier(
            &classifier.layers,
            Shape::Image(images),
            Around::new(classes),
            self.train.loss.spec(),
        );
        let below = |outer: &'static str| move |flaw: Flaw| flaw.under(outer);
        if !flaws.is_empty() {
            let flaws = flaws.into_iter().map(below("model.classifier.layers"));
            return (plan, flaws.collect());
        }
        let flaws = plan.freeze(&self.train.freeze, &self.train.train_only);
        (plan, flaws.into_iter().map(below("train")).collect())
    }

    /// Whether each class is trained on.
    fn trained_on(&self, classes: usize) -> Vec<bool> {
        let trained = self.data.trained(classes);
        (0..classes as u32)
            .map(|class| trained.contains(&class))
            .collect()
    }

    /// What measures need to know of the model; `test` is the number of test images.
    pub fn about(&self, classes: usize, test: usize) -> About {
        let Model::Classifier(_) = &self.model;
        About {
            kind: Kind::Classifier,
            gaussian: false,
            likelihood: false,
            generative: false,
            test,
            trained_on: self.trained_on(classes),
        }
    }
}
