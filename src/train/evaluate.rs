//! What a network is on a whole set of samples.

use std::path::Path;

use burn::tensor::{Int, Tensor};

use super::set::EvaluationSet;
use super::sound_plan;
use crate::backend::{Device, Kernels, TrainingBackend, Work, check_threads};
use crate::config::Settings;
use crate::data::Samples;
use crate::error::Result;
use crate::models::{BatchMetrics, Criterion, MetricSums, ModelSpec};
use crate::network::{Naming, Network, WeightFile};
use crate::objective::Objective;
use crate::record::Score;
use crate::rng::{Chance, Purpose, Seed};

/// Weights of a file, and what they are measured on.
pub struct Evaluation<'a> {
    /// The run's settings, as it was trained.
    pub settings: &'a Settings,
    /// The run's seed.
    pub seed: u64,
    /// Training images of each class, by which a loss may weigh them.
    pub counts: &'a [usize],
    /// The file of weights.
    pub weights: &'a Path,
    /// What it calls layers and tensors.
    pub naming: Naming,
    /// Of the shape that the network takes, from 0 to 1; labels are those of the run.
    pub samples: Samples,
}

/// What weights are on some samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    /// Means over the samples.
    pub score: Score,
    /// `confusion[truth][answer]`; empty unless the model is a classifier.
    pub confusion: Vec<Vec<usize>>,
}

impl Evaluation<'_> {
    /// Measures as a run measures its test set with its final weights.
    ///
    /// # Errors
    /// The weights cannot be read or are of another network, there are no samples, or the device fails.
    pub fn take(self, device: &Device) -> Result<Evaluated> {
        let device = device.with_precision(self.settings.train.precision);
        device.with_threads(|| device.run(self))
    }
}

impl Work for Evaluation<'_> {
    type Output = Result<Evaluated>;

    fn run<B: TrainingBackend>(self, device: B::Device) -> Result<Evaluated> {
        let (settings, shape, classes) = (self.settings, self.samples.shape, self.counts.len());
        let plan = sound_plan(settings, shape, classes)?;
        let batch = settings.train.evaluation_batch(&plan);
        let file = WeightFile::read(self.weights, self.naming)?;
        let network = Network::<B::InnerBackend>::build(plan, classes, Seed(self.seed), &device);
        let network = network.take_weights(&file, &|_| true)?;
        let criterion = Criterion {
            objective: Objective::new(&settings.train.loss, self.counts, &device),
            images: shape,
        };
        let set = EvaluationSet::new(self.samples, &settings.data.scale, batch, &device)?;
        let chance = Seed(self.seed).chance(Purpose::Measure, &[0]);
        let (score, answers) = evaluate(&network, &set, &settings.model, &criterion, chance);
        check_threads()?;
        Ok(Evaluated {
            score,
            confusion: match answers.is_empty() {
                true => Vec::new(),
                false => set.confusion(&answers, classes),
            },
        })
    }
}

/// The score on a whole set, and a classifier's answer to each sample.
pub(super) fn evaluate<B: Kernels>(
    network: &Network<B>,
    set: &EvaluationSet<B>,
    model: &ModelSpec,
    criterion: &Criterion<B>,
    chance: Chance,
) -> (Score, Vec<usize>) {
    let mut sums = MetricSums::default();
    let mut answers = Vec::new();
    for batch in set.batches(chance) {
        let mut metrics = BatchMetrics::new(batch.size());
        answers.extend(model.measure(network, &batch, criterion, &mut metrics));
        sums.add(metrics);
    }
    if answers.is_empty() {
        return (sums.read(), Vec::new());
    }
    let answers: Tensor<B, 1, Int> = Tensor::cat(answers, 0);
    let answers = answers.into_data();
    let answers = answers.iter::<i64>().map(|class| class as usize);
    (sums.read(), answers.collect())
}
