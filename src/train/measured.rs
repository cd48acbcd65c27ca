//! What is measured of the trained model beyond its loss.

use super::{EarlierRun, Run};
use crate::backend::TrainingBackend;
use crate::config::FEATURE_CLASSIFIER;
use crate::error::Result;
use crate::measure::{FeatureClassifier, MeasureInput};
use crate::models::LoadedModel;
use crate::network::Network;
use crate::record::Extra;
use crate::rng::Seed;

/// Training images from which samples may set out.
const STARTS: usize = 10_000;

impl<B: TrainingBackend> Run<'_, B> {
    /// Measures a network with its final weights, of all its layers.
    ///
    /// # Errors
    /// The classifier that the run needs for it cannot be read.
    pub(super) fn measure_more(&self, network: &Network<B::InnerBackend>) -> Result<Extra> {
        let (job, settings) = (self.job, self.job.settings);
        let (shape, classes) = (self.train.shape(), self.classes.len());
        let whole = self.whole.clone();
        let blueprint = settings.blueprint_of(whole, shape, classes, self.test.len());
        if settings.measure.is_idle(&blueprint.facts) {
            return Ok(Extra::default());
        }
        let feature_classifier = job
            .earlier
            .iter()
            .find(|earlier| earlier.key == FEATURE_CLASSIFIER);
        let seeing = feature_classifier
            .map(|feature_classifier| feature_classifier.model(job.catalogue, job.device));
        let seeing = seeing.transpose()?;
        let scale = feature_classifier.map(EarlierRun::scale).transpose()?;
        let feature_classifier = seeing.as_deref().zip(scale.as_ref());
        let feature_classifier =
            feature_classifier.map(|(model, scale)| FeatureClassifier { model, scale });
        let model = LoadedModel::new(blueprint, network.clone(), self.device.clone());
        Ok(settings.measure.take(&MeasureInput {
            model: &model,
            images: &self.test.pixels(),
            labels: self.test.labels(),
            starts: &self.train.first(self.real.min(STARTS)),
            scale: &settings.data.scale,
            feature_classifier,
            seed: Seed(job.seed),
        }))
    }
}
