//! Losses and whatever else is measured of batches, summed on the device.

use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};

use crate::backend::DeviceSums;
use crate::record::{BatchMetric, Score};

/// What is measured of one batch, `[1]` each.
pub struct BatchMetrics<B: Backend> {
    samples: usize,
    /// Mean over the samples, and what that mean counts among others: the number of samples, or the sum of
    /// their weights.
    loss: Option<(Tensor<B, 1>, Tensor<B, 1>)>,
    /// Whatever else is measured, of every batch.
    others: Vec<(&'static BatchMetric, Quantity<B>)>,
}

/// A number about a batch.
enum Quantity<B: Backend> {
    Sum(Tensor<B, 1>),
    Mean(Tensor<B, 1>),
}

impl<B: Backend> BatchMetrics<B> {
    /// Nothing yet, of a batch of `samples`.
    pub fn new(samples: usize) -> Self {
        BatchMetrics {
            samples,
            loss: None,
            others: Vec::new(),
        }
    }

    /// The mean loss over the samples and its weight among other batches' means.
    pub fn loss(&mut self, mean: Tensor<B, 1>, weight: Tensor<B, 1>) {
        self.loss = Some((mean, weight));
    }

    /// A sum over the samples.
    pub fn sum(&mut self, metric: &'static BatchMetric, sum: Tensor<B, 1>) {
        self.others.push((metric, Quantity::Sum(sum)));
    }

    /// A mean over the samples, if there is one.
    pub fn mean(&mut self, metric: &'static BatchMetric, mean: impl Into<Option<Tensor<B, 1>>>) {
        let mean = mean.into();
        self.others
            .extend(mean.map(|mean| (metric, Quantity::Mean(mean))));
    }
}

impl<B: AutodiffBackend> BatchMetrics<B> {
    /// The same on the backend without gradients.
    pub fn inner(self) -> BatchMetrics<B::InnerBackend> {
        let inner = |(metric, of)| match of {
            Quantity::Sum(sum) => (metric, Quantity::Sum(Tensor::inner(sum))),
            Quantity::Mean(mean) => (metric, Quantity::Mean(Tensor::inner(mean))),
        };
        BatchMetrics {
            samples: self.samples,
            loss: self
                .loss
                .map(|(mean, weight)| (mean.inner(), weight.inner())),
            others: self.others.into_iter().map(inner).collect(),
        }
    }
}

/// Sums over batches that stay on the device until they are read.
pub struct MetricSums<B: Backend> {
    /// Of the samples' losses and weights, then of the other metrics.
    sums: DeviceSums<B>,
    samples: usize,
    others: Vec<&'static BatchMetric>,
}

impl<B: Backend> Default for MetricSums<B> {
    fn default() -> Self {
        MetricSums {
            sums: DeviceSums::default(),
            samples: 0,
            others: Vec::new(),
        }
    }
}

impl<B: Backend> MetricSums<B> {
    /// # Panics
    /// If the batch has no loss.
    pub fn add(&mut self, batch: BatchMetrics<B>) {
        self.samples += batch.samples;
        self.others = batch.others.iter().map(|(metric, _)| *metric).collect();
        let size = batch.samples as f64;
        let others = batch.others.into_iter().map(|(_, of)| match of {
            Quantity::Sum(sum) => sum,
            Quantity::Mean(mean) => mean * size,
        });
        let (mean, weight) = batch.loss.expect("a step has a loss");
        let mut fresh = vec![mean * weight.clone(), weight];
        fresh.extend(others);
        self.sums.add(Tensor::cat(fresh, 0));
    }

    /// Waits for the device; there was at least one batch.
    pub fn read(self) -> Score {
        let sums = self.sums.read(2 + self.others.len());
        let sums = sums.expect("a set has at least one batch");
        let mut score = Score {
            loss: sums[0] / sums[1],
            ..Score::default()
        };
        for (metric, sum) in self.others.iter().zip(&sums[2..]) {
            (metric.set)(&mut score, sum / self.samples as f64);
        }
        score
    }
}
