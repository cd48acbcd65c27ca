//! What one run is made of: the resolved tables of an experiment.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stopping::{Best, EarlyStopping};
use super::{Interval, Optimizers, Recording, Stage, Start};
use crate::augment::Augment;
use crate::backend::Precision;
use crate::data::DataFields;
use crate::error::Flaw;
use crate::measure::Measures;
use crate::models::{Blueprint, Kind, ModelSpec};
use crate::network::{self, Patterns};
use crate::objective::Loss;
use crate::optim::OptimizerSpec;
use crate::optim::average::AverageSpec;
use crate::optim::clip::ClipSpec;
use crate::optim::schedule::{Rates, ScheduleSpec, WarmUp};
use crate::pictures::Pictures;
use crate::record::{EpochRow, Watched};
use crate::shape::ImageShape;
use crate::tagged::OrNone;
use crate::value::{Positive, PositiveOrAuto};

/// Everything that a run's numbers depend on, besides its seed; and what is written down and drawn, on which they
/// do not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Which part of which dataset.
    pub data: DataFields,
    /// The augmentation recipe. Default: none.
    pub augment: Augment,
    /// The network.
    pub model: ModelSpec,
    /// Trained weights to start from. Default "none": all layers start fresh.
    #[serde(default, skip_serializing_if = "OrNone::is_none")]
    pub start: OrNone<Start>,
    /// How it is trained.
    pub train: Train,
    /// What is measured when it is trained, besides what is cheap. Default nothing.
    #[serde(default, skip_serializing_if = "Measures::is_empty")]
    pub measure: Measures,
    /// What it writes down while it trains.
    #[serde(default, skip_serializing_if = "Recording::is_default")]
    pub record: Recording,
    /// Pictures of what it learns. Default: none.
    #[serde(default, skip_serializing_if = "Pictures::is_empty")]
    pub pictures: Pictures,
}

/// How a network is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// Passes over the training images, the augmented copies included.
    pub epochs: Positive,
    /// Steps of the training, in place of `epochs`. Default "none".
    #[serde(default, skip_serializing_if = "OrNone::is_none")]
    pub steps: OrNone<Positive>,
    /// Steps that make a row of `epochs.csv`, where training is counted in steps. Default "none": a hundredth of all, a
    /// pass over the training images at least.
    #[serde(default, skip_serializing_if = "OrNone::is_none")]
    pub log_every: OrNone<Positive>,
    /// Parts of the training one after another, each with its own length: `epochs` says nothing then. Default
    /// none: all in one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// Images of a batch, and of a step unless `accumulate` makes one of several batches. A last, smaller batch is trained on too.
    pub batch_size: Positive,
    /// Images of a batch whose gradients are made at a time; a step's are added up. It takes less memory, and changes the last
    /// digits only: for models and losses by which an image does not depend on the others of its batch. Default "auto": all of
    /// a batch, but on the CPU 8 MiB of values between layers and their gradients, or 16 times the weights' memory if that is
    /// more, where a batch of such a model has more than 64 MiB.
    #[serde(default, skip_serializing_if = "PositiveOrAuto::is_auto")]
    pub micro_batch_size: PositiveOrAuto,
    /// Images that are measured at a time, on which the last digits of losses depend, and an `activity.kl`, which looks at the
    /// mean of a batch. Default "auto": as many as need
    /// 512 MiB for the values between layers, or as a training step makes gradients of at a time if those are more, and 500 at most.
    #[serde(default, skip_serializing_if = "PositiveOrAuto::is_auto")]
    pub evaluation_batch_size: PositiveOrAuto,
    /// Whether every epoch goes through the training images in another order. Default true.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub shuffle: bool,
    /// As what numbers a GPU takes the factors of products and convolutions: "f32", or "tf32" and "bf16" on tensor cores,
    /// which round them to 10 and 7 bits after the point; sums are always of 32-bit floats. A device that has no such
    /// tensor cores takes a higher precision. Default "f32".
    #[serde(default, skip_serializing_if = "is_f32")]
    pub precision: Precision,
    /// What training minimizes.
    pub loss: Loss,
    /// How the weights are changed: by one optimizer, or by one for each part of a GAN.
    pub optimizer: Optimizers,
    /// How the optimizer's rate changes from step to step. Default "constant".
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
    /// Which epoch's weights are kept besides the final ones; "none" keeps only these. Default the one of least
    /// validation loss, where there is a validation set. Of a training in stages, an epoch of the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<OrNone<Best>>,
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

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
}

fn is_f32(precision: &Precision) -> bool {
    *precision == Precision::F32
}

impl Train {
    /// The learning rates of every step of an interval after these epochs: that of each optimizer of a kind of model.
    pub fn rates(&self, kind: Kind, interval: &Interval, rows: &[EpochRow]) -> Vec<Rates> {
        let span = interval.phase.span;
        let phase_begins = interval.steps_done - interval.steps.end;
        let warm = self
            .warm_up
            .as_ref()
            .map_or(0, |warm_up| warm_up.steps(span));
        let before = rows.partition_point(|row| row.step <= phase_begins + warm);
        let factor_so_far = self.schedule.factor_after(&rows[before..]);
        let specs = self.optimizers_of(interval.phase.stage).of(kind);
        let rates = |spec: &OptimizerSpec| Rates {
            learning_rate: spec.learning_rate(),
            warm_up: self.warm_up.0,
            schedule: self.schedule.clone(),
            span,
            factor_so_far,
        };
        specs.into_iter().map(rates).collect()
    }

    /// What decides the epoch whose weights are kept; `None` where only the final ones are.
    pub fn best_metric(&self) -> Option<Watched> {
        match self.best {
            None => Watched::find("validation_loss"),
            Some(best) => Some(best.0?.metric),
        }
    }

    /// Why no epoch's weights are kept as the best; `None` where some are.
    pub fn best_lack(&self, has_validation: bool) -> Option<&'static str> {
        match self.best_metric() {
            None => Some("its `train.best` is \"none\""),
            Some(best) if best.needs_validation() && !has_validation => {
                Some("it has no validation set")
            }
            Some(_) => None,
        }
    }
}

impl Settings {
    /// The network for images of this shape in `classes` classes, with what is frozen in it; stages freeze
    /// their own.
    ///
    /// Flaws have keys such as `model.classifier.layers.3` and `train.freeze.0`.
    pub fn network(&self, images: ImageShape, classes: usize) -> (network::Plan, Vec<Flaw>) {
        let (mut plan, flaws) = self.model.plan(images, classes, &self.train.loss);
        if !flaws.is_empty() {
            return (plan, flaws);
        }
        let train = &self.train;
        let mut flaws = train.training_plan_flaws(self.model.kind(), &plan);
        if train.stages.is_empty() {
            flaws.extend(plan.freeze(&train.freeze, &train.train_only));
        }
        let mut flaws: Vec<Flaw> = flaws.into_iter().map(|flaw| flaw.under("train")).collect();
        if plan.is_conditional() && !self.augment.batch.is_empty() {
            let message =
                "`batch` mixes images of two classes, but `concat_label` gives the model one";
            flaws.push(Flaw::new("augment.batch", message));
        }
        (plan, flaws)
    }

    /// What is known of the trained model before it has weights; the settings have no flaws, and there are
    /// `test` test images.
    pub fn blueprint(&self, images: ImageShape, classes: usize, test: usize) -> Blueprint {
        let (plan, _) = self.network(images, classes);
        self.blueprint_of(plan, images, classes, test)
    }

    /// The same of a network that is planned already.
    pub fn blueprint_of(
        &self,
        plan: network::Plan,
        images: ImageShape,
        classes: usize,
        test: usize,
    ) -> Blueprint {
        let trained = self.data.trained(classes);
        let classes = 0..classes as u32;
        let trained_on = classes
            .map(|class| trained.binary_search(&class).is_ok())
            .collect();
        let batch = self.evaluation_batch(&plan);
        let loss = &self.train.loss;
        self.model
            .blueprint(plan, batch, images, loss, test, trained_on)
    }
}
