//! Mean 0 and variance 1, then a trained scale and offset: what the normalizations have in common.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::Weights;
use super::signal::{EachRank, along_channels};
use crate::value::PositiveReal;

/// Brings the values along an axis to mean 0 and (biased) variance 1.
pub(super) fn standardise<B: Backend, const D: usize>(
    x: Tensor<B, D>,
    axis: usize,
    epsilon: f64,
) -> Tensor<B, D> {
    let centred = x.clone() - x.mean_dim(axis);
    let variance = centred.clone().square().mean_dim(axis);
    centred / (variance + epsilon).sqrt()
}

/// Scale and offset of each channel.
#[derive(Module, Debug)]
pub struct Affine<B: Backend> {
    /// `[channels]`, from 1.
    pub gamma: Param<Tensor<B, 1>>,
    /// `[channels]`, from 0.
    pub beta: Param<Tensor<B, 1>>,
}

impl<B: Backend> Affine<B> {
    pub fn new(channels: usize, weights: &mut Weights<B>) -> Self {
        Affine {
            gamma: weights.vector(vec![1.0; channels]),
            beta: weights.vector(vec![0.0; channels]),
        }
    }
}

impl<B: Backend> EachRank<B> for &Affine<B> {
    fn apply<const D: usize>(&self, x: Tensor<B, D>, channels: usize) -> Tensor<B, D> {
        let (gamma, beta) = (self.gamma.val(), self.beta.val());
        x * along_channels(gamma, channels) + along_channels(beta, channels)
    }
}

/// Standardises groups of channels, each over its channels and all places of one sample.
pub(super) struct Groups {
    pub count: usize,
    pub epsilon: f64,
}

impl<B: Backend> EachRank<B> for Groups {
    fn apply<const D: usize>(&self, x: Tensor<B, D>, channels: usize) -> Tensor<B, D> {
        let x = x.swap_dims(1, channels);
        let dims = x.dims();
        let groups = x.reshape([dims[0] as i64, self.count as i64, -1]);
        let groups = standardise(groups, 2, self.epsilon);
        groups.reshape(dims).swap_dims(1, channels)
    }
}

/// The default of Keras.
pub(super) fn thousandth() -> PositiveReal {
    PositiveReal(1e-3)
}
