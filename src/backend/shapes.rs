//! Tensors in other shapes, right on every device.

use burn::tensor::backend::Backend;
use burn::tensor::ops::PadMode;
use burn::tensor::{BasicOps, Tensor};

/// The same values in row-major order in another shape, by way of a single axis.
///
/// Burn 0.21's cube backends give a tensor that is not laid out in row-major order, and that has axes of length 1,
/// its values in another order where the rank grows; so would the gradient be on its way back. Mended in Burn 0.22.1.
///
/// # Panics
/// The shapes have different numbers of values.
pub fn reshape<B: Backend, const D: usize, const E: usize, K: BasicOps<B>>(
    x: Tensor<B, D, K>,
    shape: [usize; E],
) -> Tensor<B, E, K> {
    let values: usize = x.dims().iter().product();
    x.reshape([values]).reshape(shape)
}

/// All values along the first axis in a row: `[batch, ...]` to `[batch, values]`.
pub fn rows<B: Backend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, 2> {
    let dims = x.dims();
    reshape(x, [dims[0], dims[1..].iter().product()])
}

/// Cuts `before` off the start of each of the last `N` axes and brings them to `size`, with zeros at the
/// end where they are too short: a transposed convolution without padding as one with it.
pub fn fit<B: Backend, const D: usize, const N: usize>(
    x: Tensor<B, D>,
    before: [usize; N],
    size: [usize; N],
) -> Tensor<B, D> {
    let first = D - N;
    let mut x = x;
    let mut missing = [(0, 0); N];
    for axis in 0..N {
        let there = (x.dims()[first + axis] - before[axis]).min(size[axis]);
        x = x.narrow(first + axis, before[axis], there);
        missing[axis].1 = size[axis] - there;
    }
    match missing.iter().all(|&(_, after)| after == 0) {
        true => x,
        false => x.pad(missing, PadMode::Constant(0.0)),
    }
}
