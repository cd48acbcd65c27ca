//! What a network is on a whole set of samples.

use std::path::Path;

use burn::tensor::{Int, Tensor};

use super::measured::take;
use super::set::EvaluationSet;
use super::{EarlierRun, sound_plan};
use crate::backend::{Device, Kernels, TrainingBackend, Work, check_threads};
use crate::config::Settings;
use crate::data::{Catalogue, Samples};
use crate::error::Result;
use crate::measure::Taken;
use crate::models::{BatchMetrics, Criterion, LoadedModel, MetricSums, Model as _, ModelSpec};
use crate::network::{Naming, Network, WeightFile};
use crate::objective::Objective;
use crate::record::Score;
use crate::rng::{Chance, Purpose, Seed};

/// Weights of a file, and how they are measured.
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
    /// Whether the labels of what it is measured on say anything.
    pub is_labeled: bool,
    /// The run's first training images, from 0 to 1, [`STARTS`](super::STARTS) at most, as far as they are there: a chain of
    /// samples sets out from them.
    pub starts: Vec<f32>,
    /// The classifier that `measure.frechet_distance` names, or why it cannot look.
    pub feature_classifier: std::result::Result<EarlierRun, String>,
    /// Where that classifier's data comes from.
    pub catalogue: &'a Catalogue,
}

/// What weights are on some samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    /// Means over the samples.
    pub score: Score,
    /// `confusion[truth][answer]`; empty unless the model is a classifier.
    pub confusion: Vec<Vec<usize>>,
    /// What `[measure]` asks for.
    pub measures: Taken,
}

impl Evaluation<'_> {
    /// Measures as a run measures its test set with its final weights. Samples are of the shape that the network takes, from 0
    /// to 1; labels are those of the run. An auto-encoder that is not told classes bears others: they were not trained on.
    ///
    /// # Errors
    /// The weights cannot be read or are of another network, there are no samples, or the device fails.
    pub fn take(self, samples: Samples, device: &Device) -> Result<Evaluated> {
        let own = device.with_precision(self.settings.train.precision);
        own.with_threads(|| {
            own.run(Evaluating {
                evaluation: self,
                samples,
                device,
            })
        })
    }
}

struct Evaluating<'a> {
    evaluation: Evaluation<'a>,
    samples: Samples,
    /// What other models compute on.
    device: &'a Device,
}

impl Work for Evaluating<'_> {
    type Output = Result<Evaluated>;

    fn run<B: TrainingBackend>(self, device: B::Device) -> Result<Evaluated> {
        let (evaluation, samples) = (self.evaluation, self.samples);
        let (settings, seed) = (evaluation.settings, Seed(evaluation.seed));
        let (shape, classes) = (samples.shape, evaluation.counts.len());
        let plan = sound_plan(settings, shape, classes)?;
        let batch = settings.evaluation_batch(&plan);
        let file = WeightFile::read(evaluation.weights, evaluation.naming.clone())?;
        let network = Network::<B::InnerBackend>::build(plan.clone(), classes, seed, &device);
        let network = network.take_weights(&file, &|_| true)?;
        let criterion = Criterion {
            objective: Objective::new(&settings.train.loss, evaluation.counts, &device),
            images: shape,
        };
        let set = EvaluationSet::new(samples, &settings.data.scale, batch, &device)?;
        let chance = seed.chance(Purpose::Measure, &[0]);
        let (score, answers) = evaluate(&network, &set, &settings.model, &criterion, chance);
        check_threads()?;
        let mut blueprint = settings.blueprint_of(plan, shape, classes, set.len());
        let labels = evaluation.is_labeled.then(|| set.labels());
        let most = labels.and_then(|labels| labels.iter().max().copied());
        let trained_on = &mut blueprint.facts.trained_on;
        let known = trained_on.len();
        trained_on.resize(known.max(most.map_or(0, |label| label as usize + 1)), false);
        let measures = match settings.measure.is_idle(&blueprint.facts) {
            true => Taken::default(),
            false => {
                let model = LoadedModel::new(blueprint, network, device);
                evaluation.measures(&model, &set, self.device)
            }
        };
        check_threads()?;
        Ok(Evaluated {
            score,
            confusion: match answers.is_empty() {
                true => Vec::new(),
                false => set.confusion(&answers, classes),
            },
            measures,
        })
    }
}

impl Evaluation<'_> {
    /// What `[measure]` asks for, of a model on these images.
    fn measures<B: Kernels>(
        mut self,
        model: &LoadedModel<B>,
        set: &EvaluationSet<B>,
        device: &Device,
    ) -> Taken {
        let scale = &self.settings.data.scale;
        scale.apply(&mut self.starts, model.images());
        let source = self.feature_classifier.and_then(|earlier| {
            let loaded = earlier.load(self.catalogue, device);
            loaded.map_err(|error| format!("its classifier cannot look: {}", error.first_message()))
        });
        take(
            self.settings,
            self.seed,
            model,
            (set, self.is_labeled.then(|| set.labels())),
            &self.starts,
            source.as_ref().map_err(String::as_str),
        )
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
