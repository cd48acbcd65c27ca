//! A batch on its way through the network.

use crate::backend::{Kernels, reshape};
use crate::shape::Shape;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// A batch of samples, by the rank of its tensor.
#[derive(Debug, Clone)]
pub enum Signal<B: Backend> {
    /// `[batch, features]`
    Features(Tensor<B, 2>),
    /// `[batch, steps, features]`
    Sequence(Tensor<B, 3>),
    /// `[batch, channels, height, width]`
    Image(Tensor<B, 4>),
    /// `[batch, channels, depth, height, width]`
    Volume(Tensor<B, 5>),
}

impl<B: Kernels> Signal<B> {
    /// The batch as features.
    ///
    /// # Panics
    /// If it is something else: the shape rules, which run before any training, rule that out.
    pub fn features(self) -> Tensor<B, 2> {
        match self {
            Signal::Features(tensor) => tensor,
            _ => unreachable!("the shape rules keep other kinds from feature layers"),
        }
    }

    /// The batch as sequences.
    ///
    /// # Panics
    /// As [`features`](Self::features).
    pub fn sequence(self) -> Tensor<B, 3> {
        match self {
            Signal::Sequence(tensor) => tensor,
            _ => unreachable!("the shape rules keep other kinds from sequence layers"),
        }
    }

    /// The batch as images.
    ///
    /// # Panics
    /// As [`features`](Self::features).
    pub fn image(self) -> Tensor<B, 4> {
        match self {
            Signal::Image(tensor) => tensor,
            _ => unreachable!("the shape rules keep other kinds from image layers"),
        }
    }

    /// The batch as volumes.
    ///
    /// # Panics
    /// As [`features`](Self::features).
    pub fn volume(self) -> Tensor<B, 5> {
        match self {
            Signal::Volume(tensor) => tensor,
            _ => unreachable!("the shape rules keep other kinds from volume layers"),
        }
    }

    /// Applies a function that keeps the rank, whatever it is.
    pub fn map(self, function: impl EachRank<B>) -> Self {
        match self {
            Signal::Features(tensor) => Signal::Features(function.apply(tensor, 1)),
            Signal::Sequence(tensor) => Signal::Sequence(function.apply(tensor, 2)),
            Signal::Image(tensor) => Signal::Image(function.apply(tensor, 1)),
            Signal::Volume(tensor) => Signal::Volume(function.apply(tensor, 1)),
        }
    }

    /// Applies a function to the batch as `[batch, channels, places]` and gives the result its shape back.
    pub fn by_channels(self, function: impl FnOnce(Tensor<B, 3>) -> Tensor<B, 3>) -> Self {
        match self {
            Signal::Features(x) => {
                let [batch, features] = x.dims();
                let y = function(reshape(x, [batch, features, 1]));
                Signal::Features(reshape(y, [batch, features]))
            }
            Signal::Sequence(x) => Signal::Sequence(function(x.swap_dims(1, 2)).swap_dims(1, 2)),
            Signal::Image(x) => {
                let dims = x.dims();
                let y = function(reshape(x, [dims[0], dims[1], dims[2] * dims[3]]));
                Signal::Image(reshape(y, dims))
            }
            Signal::Volume(x) => {
                let dims = x.dims();
                let places = dims[2] * dims[3] * dims[4];
                let y = function(reshape(x, [dims[0], dims[1], places]));
                Signal::Volume(reshape(y, dims))
            }
        }
    }

    /// Of one sample.
    pub fn shape(&self) -> Shape {
        Shape::of(&self.dims()[1..]).expect("a sample has one to four axes")
    }

    /// Batch and all axes of a sample.
    pub fn dims(&self) -> Vec<usize> {
        match self {
            Signal::Features(tensor) => tensor.dims().to_vec(),
            Signal::Sequence(tensor) => tensor.dims().to_vec(),
            Signal::Image(tensor) => tensor.dims().to_vec(),
            Signal::Volume(tensor) => tensor.dims().to_vec(),
        }
    }

    /// Element-wise sum of two batches of one shape.
    pub fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Signal::Features(a), Signal::Features(b)) => Signal::Features(a + b),
            (Signal::Sequence(a), Signal::Sequence(b)) => Signal::Sequence(a + b),
            (Signal::Image(a), Signal::Image(b)) => Signal::Image(a + b),
            (Signal::Volume(a), Signal::Volume(b)) => Signal::Volume(a + b),
            _ => unreachable!("the shape rules compare what is added"),
        }
    }

    /// Batches one behind the other along channels (features of a vector or a sequence).
    pub fn concat(parts: Vec<Self>) -> Self {
        fn all<S, T>(parts: Vec<S>, of: fn(S) -> T) -> Vec<T> {
            parts.into_iter().map(of).collect()
        }
        match &parts[0] {
            Signal::Features(_) => Signal::Features(Tensor::cat(all(parts, Self::features), 1)),
            Signal::Sequence(_) => Signal::Sequence(Tensor::cat(all(parts, Self::sequence), 2)),
            Signal::Image(_) => Signal::Image(Tensor::cat(all(parts, Self::image), 1)),
            Signal::Volume(_) => Signal::Volume(Tensor::cat(all(parts, Self::volume), 1)),
        }
    }
}

/// A function on tensors of any rank that keeps it.
pub trait EachRank<B: Backend> {
    /// `channels` is the axis of the channels, or of a vector's or sequence's features.
    fn apply<const D: usize>(&self, tensor: Tensor<B, D>, channels: usize) -> Tensor<B, D>;
}

/// A vector of one value a channel (or of one for all) that multiplies and adds along the axis of the channels.
pub(super) fn along_channels<B: Kernels, const D: usize>(
    vector: Tensor<B, 1>,
    channels: usize,
) -> Tensor<B, D> {
    let mut shape = [1; D];
    shape[channels] = vector.dims()[0];
    reshape(vector, shape)
}
