//! Losses and whatever else is told of batches, summed on the device.

use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Int, Tensor};

use super::set::EvaluationSet;
use super::task::Task;
use crate::backend::Kernels;
use crate::network::Network;
use crate::record::Score;

/// What one batch came to, `[1]` each; what does not apply is `None` in every batch alike.
pub(super) struct Told<B: Backend> {
    /// Mean over the samples.
    pub loss: Tensor<B, 1>,
    /// What that mean counts among others: the number of samples, or the sum of their weights.
    pub weight: Tensor<B, 1>,
    pub samples: usize,
    /// Number of right answers.
    pub accuracy: Option<Tensor<B, 1>>,
    /// Means over the samples.
    pub reconstruction: Option<Tensor<B, 1>>,
    pub kl: Option<Tensor<B, 1>>,
    pub elbo: Option<Tensor<B, 1>>,
    pub discriminator_loss: Option<Tensor<B, 1>>,
}

impl<B: Backend> Told<B> {
    pub fn new(loss: Tensor<B, 1>, weight: Tensor<B, 1>, samples: usize) -> Self {
        Told {
            loss,
            weight,
            samples,
            accuracy: None,
            reconstruction: None,
            kl: None,
            elbo: None,
            discriminator_loss: None,
        }
    }

    fn means(&self) -> [&Option<Tensor<B, 1>>; 4] {
        [
            &self.reconstruction,
            &self.kl,
            &self.elbo,
            &self.discriminator_loss,
        ]
    }
}

impl<B: AutodiffBackend> Told<B> {
    /// The same on the backend without gradients.
    pub fn inner(self) -> Told<B::InnerBackend> {
        let inner = |told: Option<Tensor<B, 1>>| told.map(Tensor::inner);
        Told {
            loss: self.loss.inner(),
            weight: self.weight.inner(),
            samples: self.samples,
            accuracy: inner(self.accuracy),
            reconstruction: inner(self.reconstruction),
            kl: inner(self.kl),
            elbo: inner(self.elbo),
            discriminator_loss: inner(self.discriminator_loss),
        }
    }
}

/// Sums over batches that stay on the device until they are read.
pub(super) struct Tally<B: Backend> {
    /// Sums of the samples' losses and weights, then of whatever else is told, in the order of [`Told`].
    sums: Option<Tensor<B, 1>>,
    samples: usize,
    has_accuracy: bool,
    has_mean: [bool; 4],
}

impl<B: Backend> Tally<B> {
    pub fn new() -> Self {
        Tally {
            sums: None,
            samples: 0,
            has_accuracy: false,
            has_mean: [false; 4],
        }
    }

    pub fn add(&mut self, told: Told<B>) {
        self.samples += told.samples;
        self.has_accuracy = told.accuracy.is_some();
        self.has_mean = told.means().map(Option::is_some);
        let size = told.samples as f64;
        let means = told.means().into_iter().flatten();
        let means: Vec<Tensor<B, 1>> = means.map(|mean| mean.clone() * size).collect();
        let mut fresh = vec![told.loss * told.weight.clone(), told.weight];
        fresh.extend(told.accuracy);
        fresh.extend(means);
        let fresh = Tensor::cat(fresh, 0);
        self.sums = Some(match self.sums.take() {
            Some(sums) => sums + fresh,
            None => fresh,
        });
    }

    /// Waits for the device; there was at least one batch.
    pub fn read(self) -> Score {
        let sums = self.sums.expect("a set has at least one batch");
        let sums: Vec<f64> = sums.into_data().iter::<f64>().collect();
        let mut rest = sums[2..].iter().map(|sum| sum / self.samples as f64);
        let mut next = |is_told: bool| is_told.then(|| rest.next()).flatten();
        let accuracy = next(self.has_accuracy);
        let [reconstruction, kl, elbo, discriminator_loss] = self.has_mean.map(next);
        Score {
            loss: sums[0] / sums[1],
            accuracy,
            reconstruction,
            kl,
            elbo,
            discriminator_loss,
        }
    }
}

/// The score on a whole set, and a classifier's answer to each sample.
pub(super) fn evaluate<B: Kernels>(
    network: &Network<B>,
    set: &EvaluationSet<B>,
    task: &Task<B>,
    seed: u64,
) -> (Score, Vec<usize>) {
    B::seed(set.device(), seed);
    let mut tally = Tally::new();
    let mut answers = Vec::new();
    for (images, labels) in set.batches() {
        let (told, answer) = task.measure(network, images, labels);
        tally.add(told);
        answers.extend(answer);
    }
    if answers.is_empty() {
        return (tally.read(), Vec::new());
    }
    let answers: Tensor<B, 1, Int> = Tensor::cat(answers, 0);
    let answers = answers.into_data();
    let answers = answers.iter::<i64>().map(|class| class as usize);
    (tally.read(), answers.collect())
}
