//! Losses and whatever else is measured of batches, summed on the device.

use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};

use crate::record::{BatchMetric, Score};

/// What is measured of one batch, `[1]` each.
pub(super) struct BatchMetrics<B: Backend> {
    /// Mean over the samples.
    pub loss: Tensor<B, 1>,
    /// What that mean counts among others: the number of samples, or the sum of their weights.
    pub weight: Tensor<B, 1>,
    pub samples: usize,
    /// Whatever else is measured; of every batch alike.
    others: Vec<(&'static BatchMetric, Of<B>)>,
}

/// A number about a batch.
enum Of<B: Backend> {
    Sum(Tensor<B, 1>),
    Mean(Tensor<B, 1>),
}

impl<B: Backend> BatchMetrics<B> {
    pub fn new(loss: Tensor<B, 1>, weight: Tensor<B, 1>, samples: usize) -> Self {
        BatchMetrics {
            loss,
            weight,
            samples,
            others: Vec::new(),
        }
    }

    /// The same with a sum over the samples.
    pub fn with_sum(mut self, metric: &'static BatchMetric, sum: Tensor<B, 1>) -> Self {
        self.others.push((metric, Of::Sum(sum)));
        self
    }

    /// The same with a mean over the samples, if there is one.
    pub fn with_mean(
        mut self,
        metric: &'static BatchMetric,
        mean: impl Into<Option<Tensor<B, 1>>>,
    ) -> Self {
        let mean = mean.into();
        self.others
            .extend(mean.map(|mean| (metric, Of::Mean(mean))));
        self
    }
}

impl<B: AutodiffBackend> BatchMetrics<B> {
    /// The same on the backend without gradients.
    pub fn inner(self) -> BatchMetrics<B::InnerBackend> {
        let inner = |(metric, of)| match of {
            Of::Sum(sum) => (metric, Of::Sum(Tensor::inner(sum))),
            Of::Mean(mean) => (metric, Of::Mean(Tensor::inner(mean))),
        };
        BatchMetrics {
            loss: self.loss.inner(),
            weight: self.weight.inner(),
            samples: self.samples,
            others: self.others.into_iter().map(inner).collect(),
        }
    }
}

/// Sums over batches that stay on the device until they are read.
pub(super) struct MetricSums<B: Backend> {
    /// Sums of the samples' losses and weights, then of the other metrics.
    sums: Option<Tensor<B, 1>>,
    samples: usize,
    others: Vec<&'static BatchMetric>,
}

impl<B: Backend> MetricSums<B> {
    pub fn new() -> Self {
        MetricSums {
            sums: None,
            samples: 0,
            others: Vec::new(),
        }
    }

    pub fn add(&mut self, batch: BatchMetrics<B>) {
        self.samples += batch.samples;
        self.others = batch.others.iter().map(|(metric, _)| *metric).collect();
        let size = batch.samples as f64;
        let others = batch.others.into_iter().map(|(_, of)| match of {
            Of::Sum(sum) => sum,
            Of::Mean(mean) => mean * size,
        });
        let mut fresh = vec![batch.loss * batch.weight.clone(), batch.weight];
        fresh.extend(others);
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
