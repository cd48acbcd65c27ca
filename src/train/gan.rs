//! One step of a GAN: the discriminator's, then the generator's.

use burn::tensor::Tensor;

use super::batch_metrics::BatchMetrics;
use super::set::Batch;
use super::step::{Learner, Steps};
use super::task::Task;
use crate::backend::TrainingBackend;
use crate::layers::Pass;
use crate::model::through::{self, FIRST, SECOND, labelled};
use crate::spec::Gan;

/// Takes both steps; the metrics are of the losses that they were taken by.
pub(super) fn step<B: TrainingBackend>(
    model: &Gan,
    task: &Task<B>,
    learner: Learner<B>,
    batch: Batch<B>,
    steps: &mut Steps<B>,
) -> (Learner<B>, BatchMetrics<B>) {
    let Batch { images, targets } = batch;
    let [size, ..] = images.dims();
    let latent = || through::latent(size, model.latent.get(), &images.device());
    let pass = || labelled(Pass::training(), Some(targets.classes.clone()));

    let factor = task.step_factor(&targets);
    let generated = through::generate(&learner.network, latent(), &mut pass());
    let of_real = task.verdict(&learner.network, images.clone(), 1.0, pass());
    let of_generated = task.verdict(&learner.network, generated.detach(), 0.0, pass());
    let discriminator: Tensor<B, 1> = of_real + of_generated;
    let penalized = with_penalty(&learner, discriminator.clone() * factor);
    let learner = steps.take_part(learner, penalized, SECOND);

    let generated = through::generate(&learner.network, latent(), &mut pass());
    let generator = task.verdict(&learner.network, generated, 1.0, pass());
    let penalized = with_penalty(&learner, generator.clone() * factor);
    let learner = steps.take_part(learner, penalized, FIRST);
    let learner = steps.next(learner);
    (learner, task.metrics_of_gan(generator, discriminator, size))
}

/// With what the size of the weights adds; of the other part's no gradient is taken.
fn with_penalty<B: TrainingBackend>(learner: &Learner<B>, loss: Tensor<B, 1>) -> Tensor<B, 1> {
    let penalty = learner.network.penalty();
    penalty.into_iter().fold(loss, |sum, one| sum + one)
}
