//! What a network is on a whole set of samples.

use burn::tensor::{Int, Tensor};

use super::batch_metrics::MetricSums;
use super::set::EvaluationSet;
use super::task::Task;
use crate::backend::Kernels;
use crate::network::Network;
use crate::record::Score;

/// The score on a whole set, and a classifier's answer to each sample.
pub(super) fn evaluate<B: Kernels>(
    network: &Network<B>,
    set: &EvaluationSet<B>,
    task: &Task<B>,
    seed: u64,
) -> (Score, Vec<usize>) {
    B::seed(set.device(), seed);
    let mut sums = MetricSums::new();
    let mut answers = Vec::new();
    for (images, labels) in set.batches() {
        let (metrics, answer) = task.measure(network, images, labels);
        sums.add(metrics);
        answers.extend(answer);
    }
    if answers.is_empty() {
        return (sums.read(), Vec::new());
    }
    let answers: Tensor<B, 1, Int> = Tensor::cat(answers, 0);
    let answers = answers.into_data();
    let answers = answers.iter::<i64>().map(|class| class as usize);
    (sums.read(), answers.collect())
}
