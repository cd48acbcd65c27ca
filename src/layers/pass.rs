//! One batch's way through a network: what layers learn from it and leave in it besides their outputs.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// A pass of one batch.
#[derive(Debug)]
pub struct Pass<B: Backend> {
    /// Whether dropout, noise and batch statistics are on.
    pub training: bool,
    /// Whether the layer at hand is frozen: its statistics stay too, and are what it works with. Dropout
    /// and noise are no part of that.
    pub frozen: bool,
    /// What side classifiers gave: the weight of each in the loss and its scores `[batch, classes]`.
    pub auxiliary: Vec<(f64, Tensor<B, 2>)>,
    /// The weight that the layer at hand is tied to, if it is.
    pub tied: Option<SharedWeight<B>>,
}

/// The weight of a layer that another one uses too.
#[derive(Debug, Clone)]
pub enum SharedWeight<B: Backend> {
    /// `[features, units]`
    Matrix(Tensor<B, 2>),
    /// `[filters, channels, kernel height, kernel width]`
    Filters(Tensor<B, 4>),
}

impl<B: Backend> Pass<B> {
    /// A pass whose gradients are wanted.
    pub fn training() -> Self {
        Pass {
            training: true,
            frozen: false,
            auxiliary: Vec::new(),
            tied: None,
        }
    }

    /// A pass that measures or predicts.
    pub fn resting() -> Self {
        Pass {
            training: false,
            ..Pass::training()
        }
    }

    /// The matrix `[features, units]` that the layer at hand is tied to.
    ///
    /// # Panics
    /// If there is none: the plan, which is made before any training, rules that out.
    pub fn matrix(&self) -> Tensor<B, 2> {
        match &self.tied {
            Some(SharedWeight::Matrix(weight)) => weight.clone(),
            _ => unreachable!("the plan saw a matrix to be tied to"),
        }
    }

    /// The filters `[filters, channels, rows, columns]` that the layer at hand is tied to.
    ///
    /// # Panics
    /// As [`matrix`](Self::matrix).
    pub fn filters(&self) -> Tensor<B, 4> {
        match &self.tied {
            Some(SharedWeight::Filters(weight)) => weight.clone(),
            _ => unreachable!("the plan saw filters to be tied to"),
        }
    }
}
