//! Losses and right answers, summed on the device.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

use super::set::EvaluationSet;
use crate::backend::Kernels;
use crate::network::Network;
use crate::objective::LossSpec;
use crate::record::Score;

/// Sums over batches that stay on the device until they are read.
pub(super) struct Tally<B: Backend> {
    /// `[2]`: sum of the samples' losses, number of right answers.
    sums: Option<Tensor<B, 1>>,
    samples: usize,
}

impl<B: Backend> Tally<B> {
    pub fn new() -> Self {
        Tally {
            sums: None,
            samples: 0,
        }
    }

    /// Adds a batch: its mean loss `[1]`, the outputs `[batch, classes]`, the true classes `[batch]`.
    pub fn add(&mut self, mean: Tensor<B, 1>, outputs: Tensor<B, 2>, labels: Tensor<B, 1, Int>) {
        let [batch] = labels.dims();
        let answers = outputs.argmax(1).reshape([batch]);
        let right = answers.equal(labels).float().sum();
        let fresh = Tensor::cat(vec![mean * batch as f64, right], 0);
        self.samples += batch;
        self.sums = Some(match self.sums.take() {
            Some(sums) => sums + fresh,
            None => fresh,
        });
    }

    /// Waits for the device; there was at least one batch.
    pub fn read(self) -> Score {
        let sums = self.sums.expect("a set has at least one batch");
        let sums: Vec<f64> = sums.into_data().iter::<f64>().collect();
        let samples = self.samples as f64;
        Score {
            loss: sums[0] / samples,
            accuracy: sums[1] / samples,
        }
    }
}

/// The score on a whole set, and the answer to each sample.
pub(super) fn evaluate<B: Kernels>(
    network: &Network<B>,
    set: &EvaluationSet<B>,
    loss: LossSpec,
) -> (Score, Vec<usize>) {
    let mut tally = Tally::new();
    let mut answers = Vec::new();
    for (images, labels) in set.batches() {
        let outputs = network.forward(images);
        let [batch, _] = outputs.dims();
        answers.push(outputs.clone().argmax(1).reshape([batch]));
        let mean = loss.apply(outputs.clone(), labels.clone());
        tally.add(mean, outputs, labels);
    }
    let answers: Tensor<B, 1, Int> = Tensor::cat(answers, 0);
    let answers = answers.into_data();
    let answers = answers.iter::<i64>().map(|class| class as usize);
    (tally.read(), answers.collect())
}
