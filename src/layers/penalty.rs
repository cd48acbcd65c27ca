//! What the size of a layer's weight adds to the loss.

use burn::tensor::Tensor;

use crate::backend::{Kernels, math};
use crate::value::NonNegative;

/// `l1 * sum |w| + l2 * sum w^2`, `[1]`, as Keras' kernel regularizers; `None` where both are 0.
pub(super) fn penalty<B: Kernels, const D: usize>(
    weight: Tensor<B, D>,
    l1: NonNegative,
    l2: NonNegative,
) -> Option<Tensor<B, 1>> {
    let (l1, l2) = (l1.get(), l2.get());
    let of_size = (l1 > 0.0).then(|| math::sum(weight.clone().abs()) * l1);
    let of_squares = (l2 > 0.0).then(|| math::sum(weight.square()) * l2);
    match (of_size, of_squares) {
        (Some(one), Some(other)) => Some(one + other),
        (one, other) => one.or(other),
    }
}

pub(super) fn none() -> NonNegative {
    NonNegative(0.0)
}

/// Whether a field was left at its default; files need not repeat it.
pub(super) fn is_none(value: &NonNegative) -> bool {
    value.get() == 0.0
}
