//! Pooling of the CPU's tensors, with its gradient.

use std::sync::Arc;

use burn::tensor::{Shape, TensorMetadata};

use super::plain::{Plain, plain, values};
use crate::backend::cpu::{Simd, pool};
use crate::backend::sliding::Sliding;

pub(super) fn largest(x: &Plain, kernel: [usize; 2], sliding: Sliding) -> (Plain, Arc<Vec<u32>>) {
    let shape = x.shape();
    let windows = pool::Pool::new([shape[2], shape[3]], kernel, sliding);
    let [rows, columns] = windows.windows();
    let (y, places) = pool::largest(Simd::detected(), &values(x), &windows);
    (
        plain(y, &[shape[0], shape[1], rows, columns]),
        Arc::new(places),
    )
}

pub(super) fn largest_gradient(shape: &Shape, places: &[u32], grad_output: &Plain) -> Plain {
    let made = grad_output.shape();
    let sizes = [shape[2] * shape[3], made[2] * made[3]];
    let of_x = pool::largest_gradient(&values(grad_output), places, sizes, shape[0] * shape[1]);
    plain(of_x, shape)
}
