//! What is recorded of an operation, and how the gradients of its parents are made.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::ops::{FloatTensor, IntTensor};
use burn::tensor::{Shape, TensorMetadata};

use crate::backend::convolution_sizes::ConvolutionSizes;
use crate::backend::passes::{Direction, Function, Passes, Reduction};

/// Declares what is recorded: its parents, its state, and the gradients of the parents as far as they are wanted.
macro_rules! operations {
    ($($Name:ident, $parents:literal, $State:ty,
        |$operation:ident, $state:pat_param, $gradient:ident, $wanted:pat_param| $gradients:expr;)+) => {$(
        impl<B: Passes> Backward<B, $parents> for $Name {
            type State = $State;

            fn backward(
                self,
                ops: Ops<Self::State, $parents>,
                gradients: &mut Gradients,
                _checkpointer: &mut Checkpointer,
            ) {
                let $operation = self;
                let ($state, $gradient) = (ops.state, gradients.consume::<B>(&ops.node));
                let $wanted = ops.parents.each_ref().map(Option::is_some);
                let made: [Option<FloatTensor<B>>; $parents] = $gradients;
                for (node, gradient) in ops.parents.into_iter().zip(made) {
                    if let (Some(node), Some(gradient)) = (node, gradient) {
                        gradients.register::<B>(node.id, gradient);
                    }
                }
            }
        }
    )+};
}

/// Filters over images.
#[derive(Debug)]
pub(super) struct Filters(pub(super) Direction);

/// `x` times a matrix plus a bias.
#[derive(Debug)]
pub(super) struct Linear;

/// Products of matrices.
#[derive(Debug)]
pub(super) struct Product;

#[derive(Debug)]
pub(super) struct OfEachValue(pub(super) Function);

#[derive(Debug)]
pub(super) struct MaxPool;

#[derive(Debug)]
pub(super) struct Reduced(pub(super) Reduction);

/// Axes of length 1 that are repeated.
#[derive(Debug)]
pub(super) struct Expansion;

#[derive(Debug)]
pub(super) struct Standardization;

#[derive(Debug)]
pub(super) struct Scaling;

/// Both.
#[derive(Debug)]
pub(super) struct Normalization;

#[derive(Debug)]
pub(super) struct LogSoftmax;

/// Of the logarithms of a softmax and targets.
#[derive(Debug)]
pub(super) struct CrossEntropy;

#[derive(Debug)]
pub(super) struct BinaryCrossEntropy;

operations! {
    Filters, 3, (FloatTensor<B>, FloatTensor<B>, ConvolutionSizes), |of, (x, weight, sizes), gradient, wanted| {
        B::convolution_gradients(of.0, &x, &weight, &gradient, sizes, wanted)
    };
    Filters, 2, (FloatTensor<B>, FloatTensor<B>, ConvolutionSizes), |of, (x, weight, sizes), gradient, [x_is, weight_is]| {
        let wanted = [x_is, weight_is, false];
        let [of_x, of_weight, _] = B::convolution_gradients(of.0, &x, &weight, &gradient, sizes, wanted);
        [of_x, of_weight]
    };
    Linear, 3, (FloatTensor<B>, FloatTensor<B>), |_of, (x, weight), gradient, wanted| {
        B::linear_gradients(&x, &weight, &gradient, wanted)
    };
    Product, 2, (FloatTensor<B>, FloatTensor<B>), |_of, (left, right), gradient, wanted| {
        B::product_gradients(&left, &right, &gradient, wanted)
    };
    OfEachValue, 1, FloatTensor<B>, |of, saved, gradient, [wanted]| {
        [wanted.then(|| B::function_gradient(of.0, &saved, gradient))]
    };
    MaxPool, 1, (Shape, Arc<Vec<u32>>), |_of, (shape, places), gradient, [wanted]| {
        [wanted.then(|| B::max_pool_gradient(&shape, &places, &gradient))]
    };
    Reduced, 1, Shape, |of, shape, gradient, [wanted]| {
        [wanted.then(|| B::reduction_gradient(of.0, &shape, &gradient))]
    };
    Expansion, 1, Shape, |_of, shape, gradient, [wanted]| {
        [wanted.then(|| summed_to::<B>(gradient, &shape))]
    };
    Standardization, 1, (FloatTensor<B>, FloatTensor<B>), |_of, (values, rate), gradient, [wanted]| {
        [wanted.then(|| B::standardization_gradient(&values, &rate, &gradient))]
    };
    Scaling, 3, (FloatTensor<B>, FloatTensor<B>), |_of, (x, scale), gradient, wanted| {
        B::scaling_gradients(&x, &scale, &gradient, wanted)
    };
    Normalization, 3, (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>), |_of, (values, rate, scale), gradient, wanted| {
        B::normalization_gradients(&values, &rate, &scale, &gradient, wanted)
    };
    LogSoftmax, 1, FloatTensor<B>, |_of, y, gradient, [wanted]| {
        [wanted.then(|| B::log_softmax_gradient(&y, &gradient))]
    };
    CrossEntropy, 1, (FloatTensor<B>, IntTensor<B>), |_of, (logs, targets), gradient, [wanted]| {
        [wanted.then(|| B::cross_entropy_gradient(&logs, &targets, &gradient))]
    };
    BinaryCrossEntropy, 1, (FloatTensor<B>, FloatTensor<B>), |_of, (probabilities, values), gradient, [wanted]| {
        [wanted.then(|| B::binary_cross_entropy_gradient(&probabilities, &values, &gradient))]
    };
}

/// The sums along every axis that is longer than in `shape`, where it has length 1.
fn summed_to<B: Passes>(mut gradient: FloatTensor<B>, shape: &Shape) -> FloatTensor<B> {
    for axis in (0..shape.num_dims()).rev() {
        if shape[axis] == 1 && gradient.shape()[axis] > 1 {
            gradient = B::reduction(Reduction::sum_along(axis), &gradient);
        }
    }
    gradient
}
