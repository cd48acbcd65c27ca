//! What outputs are held against: classes, or values.

use crate::backend::{Kernels, reshape};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

/// What the outputs of a batch should have been.
#[derive(Debug, Clone)]
pub enum Truth<B: Backend> {
    /// True classes, `[batch]` from 0, of outputs that are one score a class.
    Classes(Tensor<B, 1, Int>),
    /// `[batch, values]`, such as the pixels of images.
    Values(Tensor<B, 2>),
}

impl<B: Kernels> Truth<B> {
    /// Values for outputs of this width: of a class 1 in its own place and 0 in all others.
    pub(super) fn values(&self, width: usize) -> Tensor<B, 2> {
        match self {
            Truth::Values(values) => values.clone(),
            Truth::Classes(classes) => {
                let numbers = Tensor::<B, 1, Int>::arange(0..width as i64, &classes.device());
                let [batch] = classes.dims();
                let places = reshape(classes.clone(), [batch, 1]);
                places.equal(reshape(numbers, [1, width])).float()
            }
        }
    }

    /// The classes.
    ///
    /// # Panics
    /// If it is values: losses that compare classes alone are kept from models that give images.
    pub(super) fn classes(&self) -> Tensor<B, 1, Int> {
        match self {
            Truth::Classes(classes) => classes.clone(),
            Truth::Values(_) => unreachable!("the loss of images compares values"),
        }
    }
}
