//! What a network is on a whole set of samples.

use burn::tensor::{Int, Tensor};

use super::set::EvaluationSet;
use crate::backend::Kernels;
use crate::models::{BatchMetrics, Criterion, MetricSums, ModelSpec};
use crate::network::Network;
use crate::record::Score;
use crate::rng::Chance;

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
