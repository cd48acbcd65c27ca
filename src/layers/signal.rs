//! A batch on its way through the network.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// A batch of samples, by the rank of its tensor.
#[derive(Debug, Clone)]
pub enum Signal<B: Backend> {
    /// `[batch, features]`
    Features(Tensor<B, 2>),
    /// `[batch, channels, height, width]`
    Image(Tensor<B, 4>),
}

impl<B: Backend> Signal<B> {
    /// The batch as features.
    ///
    /// # Panics
    /// If it is an image: the shape rules, which run before any training, rule that out.
    pub fn features(self) -> Tensor<B, 2> {
        match self {
            Signal::Features(tensor) => tensor,
            Signal::Image(_) => unreachable!("the shape rules keep images from feature layers"),
        }
    }

    /// The batch as images.
    ///
    /// # Panics
    /// If it is features: the shape rules, which run before any training, rule that out.
    pub fn image(self) -> Tensor<B, 4> {
        match self {
            Signal::Image(tensor) => tensor,
            Signal::Features(_) => unreachable!("the shape rules keep features from image layers"),
        }
    }

    /// Applies a function that treats every value alike, whatever the rank.
    pub fn map(self, function: impl EachValue<B>) -> Self {
        match self {
            Signal::Features(tensor) => Signal::Features(function.apply(tensor)),
            Signal::Image(tensor) => Signal::Image(function.apply(tensor)),
        }
    }
}

/// A function on tensors of any rank.
pub trait EachValue<B: Backend> {
    fn apply<const D: usize>(&self, tensor: Tensor<B, D>) -> Tensor<B, D>;
}
