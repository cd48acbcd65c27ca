//! What is measured of the trained model beyond its loss.

use super::Job;
use crate::backend::Kernels;
use crate::error::Result;
use crate::measure::{Judge, Subject};
use crate::model::Resting;
use crate::network::{Network, Plan};
use crate::record::Extra;
use crate::rng::Seed;
use crate::spec::JUDGE;

/// Training images from which samples may set out.
const STARTS: usize = 10_000;

/// Measures a network with its final weights; `plan` is that of all its layers.
///
/// # Errors
/// The data, or the classifier that the run needs for it, cannot be read.
pub(super) fn extra<B: Kernels>(
    job: &Job,
    plan: Plan,
    network: &Network<B>,
    device: &B::Device,
) -> Result<Extra> {
    let settings = job.settings;
    let (facts, _) = job.catalogue.check(&settings.data)?;
    let blueprint = settings.blueprint_of(plan, facts.shape, facts.classes.len());
    let about = settings.about(&blueprint, facts.test);
    if settings.measure.is_idle(&about) {
        return Ok(Extra::default());
    }
    let mut splits = job.catalogue.load(&settings.data, Seed(job.seed))?;
    let scale = settings.data.scale;
    scale.apply(&mut splits.test.pixels);
    let starts = &mut splits.train.pixels;
    starts.truncate(STARTS * facts.shape.len());
    scale.apply(starts);
    let judge = job.earlier.iter().find(|earlier| earlier.key == JUDGE);
    let seeing = judge.map(|judge| judge.model(job.catalogue, job.device));
    let seeing = seeing.transpose()?;
    let judge = judge.zip(seeing.as_deref()).map(|(judge, model)| Judge {
        model,
        scale: judge.settings.data.scale,
    });
    let model = Resting::new(blueprint, network.clone(), device.clone());
    Ok(settings.measure.take(&Subject {
        model: &model,
        about: &about,
        images: &splits.test.pixels,
        labels: &splits.test.labels,
        starts: &splits.train.pixels,
        scale,
        judge,
        seed: Seed(job.seed),
    }))
}
