//! What is measured of the trained model beyond its loss.

use super::set::EvaluationSet;
use super::{EarlierRun, Run, SourceModel};
use crate::backend::{Kernels, TrainingBackend};
use crate::config::{FEATURE_CLASSIFIER, Settings};
use crate::error::Result;
use crate::measure::{FeatureClassifier, MeasureInput, Taken};
use crate::models::LoadedModel;
use crate::network::Network;
use crate::rng::Seed;

/// Training images at most from which samples may set out: the first ones.
pub const STARTS: usize = 10_000;

impl<B: TrainingBackend> Run<'_, B> {
    /// Measures a network with its final weights, of all its layers.
    ///
    /// # Errors
    /// The classifier that the run needs for it cannot be read.
    pub(super) fn measure_more(&self, network: &Network<B::InnerBackend>) -> Result<Taken> {
        let (job, settings) = (self.job, self.job.settings);
        let (shape, classes) = (self.train.shape(), self.classes.len());
        let whole = self.whole.clone();
        let blueprint = settings.blueprint_of(whole, shape, classes, self.test.len());
        if settings.measure.is_idle(&blueprint.facts) {
            return Ok(Taken::default());
        }
        let mut earlier = job.earlier.iter();
        let feature_classifier = earlier.find(|earlier| earlier.key == FEATURE_CLASSIFIER);
        let load = |earlier: &EarlierRun| earlier.load(job.catalogue, job.device);
        let feature_classifier = feature_classifier.map(load).transpose()?;
        let model = LoadedModel::new(blueprint, network.clone(), self.device.clone());
        Ok(take(
            settings,
            job.seed,
            &model,
            (&self.test, Some(self.test.labels())),
            &self.train.first(self.real.min(STARTS)),
            feature_classifier.as_ref().ok_or("no classifier is named"),
        ))
    }
}

/// Measures a model on some images with their classes, if anything tells them. Its samples set out from `starts`, and are
/// seen with the eyes of the classifier, or there is a reason why none looks.
pub(super) fn take<B: Kernels>(
    settings: &Settings,
    seed: u64,
    model: &LoadedModel<B>,
    (set, labels): (&EvaluationSet<B>, Option<&[u32]>),
    starts: &[f32],
    feature_classifier: std::result::Result<&SourceModel, &str>,
) -> Taken {
    settings.measure.take(&MeasureInput {
        model,
        images: &set.pixels(),
        labels,
        starts,
        scale: &settings.data.scale,
        feature_classifier: feature_classifier.map(|source| FeatureClassifier {
            model: &*source.model,
            scale: &source.scale,
        }),
        seed: Seed(seed),
    })
}
