//! One batch's forward pass through a network: what layers learn from it and leave in it besides their outputs.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

use super::Signal;
use crate::backend::{Kernels, math, reshape};
#[cfg(test)]
use crate::defects::{Defect, is_planted};
use crate::rng::Chance;

/// The state of one batch's forward pass.
#[derive(Debug)]
pub struct ForwardContext<B: Backend> {
    /// Whether dropout and batch statistics are on.
    pub training: bool,
    /// Whether noise layers corrupt: in training, and where corrupted inputs are measured.
    pub corrupting: bool,
    /// Whether gaussian codes are drawn: in training, and where a bound of the likelihood is measured.
    /// Otherwise a code is its mean.
    pub drawing: bool,
    /// The true classes, `[batch]` from 0, where they are known.
    pub labels: Option<Tensor<B, 1, Int>>,
    /// Whether the current layer is frozen: its statistics stay too, and are what it works with. Dropout
    /// and noise are no part of that.
    pub frozen: bool,
    /// What is drawn in the pass comes from here.
    pub chance: Chance,
    /// Outputs of side classifiers: the weight of each in the loss and its scores `[batch, classes]`.
    pub auxiliary: Vec<(f64, Tensor<B, 2>)>,
    /// The weight that the current layer is tied to, if it is.
    pub tied: Option<SharedWeight<B>>,
    /// What `gaussian_code` layers made of their inputs.
    pub gaussian: Vec<GaussianCode<B>>,
    /// The layer, by its number, whose outputs are wanted.
    pub capture: Option<usize>,
    /// Those outputs, once it was met.
    pub captured: Option<LayerOutput<B>>,
    /// What layers' outputs add to the loss of the batch, `[1]` each, weights included.
    pub activity: Vec<Tensor<B, 1>>,
}

/// A layer's output, before and after its activation function.
#[derive(Debug, Clone)]
pub struct LayerOutput<B: Backend> {
    /// Before the activation function.
    pub before: Signal<B>,
    /// After it; the same where there is none.
    pub after: Signal<B>,
}

/// A code drawn from a normal distribution for each sample.
#[derive(Debug, Clone)]
pub struct GaussianCode<B: Backend> {
    /// `[batch, units]`
    pub mean: Tensor<B, 2>,
    /// Logarithm of the variance, `[batch, units]`.
    pub log_variance: Tensor<B, 2>,
    /// The standard normal numbers that it was drawn with, `[batch, units]`; 0 where it is the mean.
    pub noise: Tensor<B, 2>,
    /// What was passed on, `[batch, units]`: drawn, or the mean.
    pub code: Tensor<B, 2>,
    /// What the divergence from the prior counts in the loss.
    pub beta: f64,
}

impl<B: Kernels> GaussianCode<B> {
    /// Divergence of each sample's distribution from the standard normal one in nats, `[batch]`:
    /// `0.5 * sum(exp(log_variance) + mean^2 - 1 - log_variance)` (Kingma and Welling 2013, appendix B).
    pub fn divergence(&self) -> Tensor<B, 1> {
        let variance = math::exp(self.log_variance.clone());
        let parts = variance + self.mean.clone().square() - 1.0 - self.log_variance.clone();
        #[cfg(test)]
        let parts = match is_planted(Defect::DivergenceOfWrongSign) {
            true => parts * -1.0,
            false => parts,
        };
        sum_of_samples(parts) * 0.5
    }

    /// `log p(code) - log q(code)` of each sample in nats, `[batch]`: the code's density under the standard
    /// normal distribution against that under its own. It is minus the divergence, code by code.
    pub fn log_ratio(&self) -> Tensor<B, 1> {
        // By the noise: the code less its mean would lose a small deviation to rounding.
        let parts =
            self.log_variance.clone() + self.noise.clone().square() - self.code.clone().square();
        sum_of_samples(parts) * 0.5
    }
}

/// `[batch, values]` to `[batch]`.
fn sum_of_samples<B: Kernels>(parts: Tensor<B, 2>) -> Tensor<B, 1> {
    let [batch, _] = parts.dims();
    reshape(math::sum_dim(parts, 1), [batch])
}

/// The weight of a layer that another one uses too.
#[derive(Debug, Clone)]
pub enum SharedWeight<B: Backend> {
    /// `[features, units]`
    Matrix(Tensor<B, 2>),
    /// `[filters, channels, kernel height, kernel width]`
    Filters(Tensor<B, 4>),
}

impl<B: Kernels> ForwardContext<B> {
    /// A forward pass in training: dropout, noise and batch statistics are on.
    pub fn training(chance: Chance) -> Self {
        ForwardContext {
            training: true,
            corrupting: true,
            drawing: true,
            labels: None,
            frozen: false,
            chance,
            auxiliary: Vec::new(),
            tied: None,
            gaussian: Vec::new(),
            capture: None,
            captured: None,
            activity: Vec::new(),
        }
    }

    /// A forward pass that measures or predicts: dropout, noise and batch statistics are off, and nothing is drawn.
    pub fn inference() -> Self {
        ForwardContext {
            training: false,
            corrupting: false,
            drawing: false,
            ..ForwardContext::training(Chance::default())
        }
    }

    /// The matrix `[features, units]` that the current layer is tied to.
    ///
    /// # Panics
    /// If there is none: the plan, which is made before any training, rules that out.
    pub fn matrix(&self) -> Tensor<B, 2> {
        matrix(self.tied.clone())
    }

    /// The filters `[filters, channels, rows, columns]` that the current layer is tied to.
    ///
    /// # Panics
    /// As [`matrix`](Self::matrix).
    pub fn filters(&self) -> Tensor<B, 4> {
        filters(self.tied.clone())
    }
}

pub(super) fn matrix<B: Backend>(tied: Option<SharedWeight<B>>) -> Tensor<B, 2> {
    match tied {
        Some(SharedWeight::Matrix(weight)) => weight,
        _ => unreachable!("the plan saw a matrix to be tied to"),
    }
}

pub(super) fn filters<B: Backend>(tied: Option<SharedWeight<B>>) -> Tensor<B, 4> {
    match tied {
        Some(SharedWeight::Filters(weight)) => weight,
        _ => unreachable!("the plan saw filters to be tied to"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::backend::Flex;

    /// A code of two samples with noise for them.
    fn code() -> GaussianCode<Flex> {
        let tensor = |values: [[f32; 2]; 2]| Tensor::from_floats(values, &Default::default());
        let mean = tensor([[0.5, -1.0], [0.0, 2.0]]);
        let log_variance = tensor([[0.0, -2.0], [0.0, 1.0]]);
        let noise = tensor([[1.0, -0.5], [0.25, 2.0]]);
        GaussianCode {
            code: mean.clone() + (log_variance.clone() * 0.5).exp() * noise.clone(),
            mean,
            log_variance,
            noise,
            beta: 1.0,
        }
    }

    fn values<const D: usize>(tensor: Tensor<Flex, D>) -> Vec<f64> {
        tensor.into_data().iter::<f64>().collect()
    }

    /// Logarithm of a normal density.
    fn log_density(z: f64, mean: f64, log_variance: f64) -> f64 {
        let squares = (z - mean).powi(2) / log_variance.exp();
        -0.5 * ((2.0 * std::f64::consts::PI).ln() + log_variance + squares)
    }

    #[test]
    fn the_ratio_is_that_of_the_two_densities() {
        let code = code();
        let received = values(code.log_ratio());
        let (z, mean, log_variance) = (
            values(code.code),
            values(code.mean),
            values(code.log_variance),
        );
        for (sample, received) in received.into_iter().enumerate() {
            let units = 2 * sample..2 * sample + 2;
            let expected: f64 = units
                .map(|at| {
                    log_density(z[at], 0.0, 0.0) - log_density(z[at], mean[at], log_variance[at])
                })
                .sum();
            assert!(
                (received - expected).abs() < 1e-5,
                "{received} against {expected}"
            );
        }
    }

    #[test]
    fn the_divergence_is_minus_the_mean_ratio() {
        let code = code();
        let expected = values(code.divergence());
        // The integral over the noise, as a sum.
        let shares = 20_000;
        for (sample, expected) in expected.into_iter().enumerate() {
            let mut ratio = 0.0;
            for unit in 2 * sample..2 * sample + 2 {
                let (mean, log_variance) = (
                    values(code.mean.clone())[unit],
                    values(code.log_variance.clone())[unit],
                );
                let step = 16.0 / f64::from(shares);
                for share in 0..shares {
                    let noise = -8.0 + step * (f64::from(share) + 0.5);
                    let z = mean + (0.5 * log_variance).exp() * noise;
                    let apart = log_density(z, 0.0, 0.0) - log_density(z, mean, log_variance);
                    ratio += step * log_density(noise, 0.0, 0.0).exp() * apart;
                }
            }
            assert!(
                (expected + ratio).abs() < 1e-5,
                "{expected} against {ratio}"
            );
        }
    }
}
