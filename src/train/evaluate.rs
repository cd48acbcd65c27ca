//! Losses and right answers, summed on the device.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

use super::set::EvaluationSet;
use crate::backend::Kernels;
use crate::network::Network;
use crate::objective::{Objective, Targets};
use crate::record::Score;

/// Sums over batches that stay on the device until they are read.
pub(super) struct Tally<B: Backend> {
    /// `[3]`: sum of the samples' losses, number of right answers, sum of the samples' weights (1 each
    /// unless the loss weighs classes).
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

    /// Adds a batch: its mean loss `[1]`, what that counts `[1]`, the outputs `[batch, classes]`, the
    /// true classes.
    pub fn add(
        &mut self,
        mean: Tensor<B, 1>,
        weight: Tensor<B, 1>,
        outputs: Tensor<B, 2>,
        targets: &Targets<B>,
    ) {
        let [batch, _] = outputs.dims();
        let right = targets.right(outputs);
        let fresh = Tensor::cat(vec![mean * weight.clone(), right, weight], 0);
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
        Score {
            loss: sums[0] / sums[2],
            accuracy: sums[1] / self.samples as f64,
        }
    }
}

/// The score on a whole set, and the answer to each sample.
pub(super) fn evaluate<B: Kernels>(
    network: &Network<B>,
    set: &EvaluationSet<B>,
    objective: &Objective<B>,
) -> (Score, Vec<usize>) {
    let mut tally = Tally::new();
    let mut answers = Vec::new();
    for (images, labels) in set.batches() {
        let outputs = network.forward(images);
        let [batch, _] = outputs.dims();
        answers.push(outputs.clone().argmax(1).reshape([batch]));
        let targets = Targets::of(labels);
        let mean = objective.mean(outputs.clone(), &targets);
        tally.add(mean, objective.weight(&targets), outputs, &targets);
    }
    let answers: Tensor<B, 1, Int> = Tensor::cat(answers, 0);
    let answers = answers.into_data();
    let answers = answers.iter::<i64>().map(|class| class as usize);
    (tally.read(), answers.collect())
}
