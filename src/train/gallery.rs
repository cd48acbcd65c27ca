//! Pictures of a network in training: what they show, and when they are drawn.

use super::Job;
use super::stopping::epoch_to_restore;
use crate::backend::Kernels;
use crate::config::Settings;
use crate::data::{Scale, Splits};
use crate::error::Result;
use crate::models::{Blueprint, LoadedModel, Model};
use crate::network::Network;
use crate::pictures::{Augmentation, PictureInput, TrainingPoint, Unit, draw_all};
use crate::record::{EpochRow, Event};
use crate::rng::Seed;

/// The images that pictures show; none where nothing is drawn.
pub struct Gallery {
    test: Vec<f32>,
    labels: Vec<u32>,
    train: Vec<f32>,
    classes: Vec<String>,
    scale: Scale,
    blueprint: Blueprint,
}

impl Gallery {
    /// Whatever of a run's data its pictures show, if it has any pictures.
    pub fn of(settings: &Settings, splits: &Splits) -> Option<Self> {
        if settings.pictures.is_empty() {
            return None;
        }
        let Splits { train, test, .. } = splits;
        let mut pixels = test.pixels.reals().into_owned();
        settings.data.scale.apply(&mut pixels, test.shape);
        let shown = train.len().min(Augmentation::MOST) * train.shape.len();
        Some(Gallery {
            test: pixels,
            labels: test.labels.clone(),
            train: train.pixels.some(0..shown).into_owned(),
            classes: splits.class_names.clone(),
            scale: settings.data.scale.clone(),
            blueprint: settings.blueprint(train.shape, splits.class_names.len(), test.len()),
        })
    }

    /// What is known of the trained model.
    pub fn blueprint(&self) -> &Blueprint {
        &self.blueprint
    }

    /// The model with these images, at a moment of its training.
    pub fn subject<'a>(
        &'a self,
        model: &'a dyn Model,
        settings: &'a Settings,
        seed: u64,
        point: TrainingPoint,
    ) -> PictureInput<'a> {
        PictureInput {
            model,
            test: &self.test,
            labels: &self.labels,
            classes: &self.classes,
            train: &self.train,
            augment: &settings.augment,
            scale: &self.scale,
            seed: Seed(seed),
            point,
        }
    }

    /// Draws the network as it is after a row; what is said of it is for TensorBoard.
    pub(super) fn draw<B: Kernels>(
        &self,
        job: &Job,
        network: &Network<B>,
        device: &B::Device,
        point: TrainingPoint,
    ) -> Result<Vec<Event>> {
        // A stage may leave layers out.
        let blueprint = Blueprint {
            plan: network.plan().clone(),
            ..self.blueprint.clone()
        };
        let model = LoadedModel::new(blueprint, network.clone(), device.clone());
        let subject = self.subject(&model, job.settings, job.seed, point);
        draw_all(&job.settings.pictures, &subject, job.folder)
    }
}

/// The moment that a run's weights are of, after these rows: that of the last one, or of the epoch given,
/// or of the one that early stopping brings back. `None` without rows.
pub fn last_point(
    settings: &Settings,
    rows: &[EpochRow],
    epoch: Option<usize>,
) -> Option<TrainingPoint> {
    let restored = || epoch_to_restore(&settings.train, rows);
    let epoch = epoch.or_else(restored).unwrap_or(rows.len());
    let row = rows.get(epoch.checked_sub(1)?)?;
    Some(point(settings, row, true))
}

/// The moment after a row of `epochs.csv`.
pub(super) fn point(settings: &Settings, row: &EpochRow, is_last: bool) -> TrainingPoint {
    let (unit, number) = match settings.train.counts_steps() {
        true => (Unit::Step, row.step),
        false => (Unit::Epoch, row.epoch),
    };
    TrainingPoint {
        epoch: row.epoch,
        unit,
        number,
        is_last,
    }
}
