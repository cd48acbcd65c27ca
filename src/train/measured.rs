//! What is measured of the trained model beyond its loss.

use super::Run;
use crate::backend::TrainingBackend;
use crate::error::Result;
use crate::measure::{Judge, Subject};
use crate::models::LoadedModel;
use crate::network::Network;
use crate::record::Extra;
use crate::rng::Seed;
use crate::spec::JUDGE;

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
        let judge = job.earlier.iter().find(|earlier| earlier.key == JUDGE);
        let seeing = judge.map(|judge| judge.model(job.catalogue, job.device));
        let seeing = seeing.transpose()?;
        let judge = judge.zip(seeing.as_deref()).map(|(judge, model)| Judge {
            model,
            scale: judge.settings.data.scale,
        });
        let model = LoadedModel::new(blueprint, network.clone(), self.device.clone());
        Ok(settings.measure.take(&Subject {
            model: &model,
            images: &self.test.pixels(),
            labels: self.test.labels(),
            starts: &self.train.first(self.real.min(STARTS)),
            scale: settings.data.scale,
            judge,
            seed: Seed(job.seed),
        }))
    }
}
