//! Convolutions as matrix products, of Burn's own operations: what GPUs do.
//!
//! Burn's cube backends have one convolution that is right for all shapes and needs no tuning, and its gradient
//! of the filters is slower than the forward pass by a factor of hundreds. Products are fast everywhere, if there
//! are many of them: an image is one (or a part of the batch, where filters are large), and the gradient of the
//! filters is the sum of theirs.

use std::ops::Range;

use burn::tensor::backend::Backend;
use burn::tensor::{Slice, Tensor};

use super::shapes::{fit, reshape};
use super::sliding::Sliding;

/// Values that the filters' gradients of all parts of a batch may have together: 256 MiB.
const MOST: usize = 1 << 26;

/// [`Kernels::convolve2d`](super::Kernels::convolve2d): windows of the images, then products.
pub(super) fn convolve2d<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    bias: Option<Tensor<B, 1>>,
    sliding: Sliding,
) -> Tensor<B, 4> {
    let [batch, _, height, width] = x.dims();
    let [filters, seen, rows, columns] = weight.dims();
    let down = sliding.outputs(0, height, rows);
    let across = sliding.outputs(1, width, columns);
    let (groups, depth) = (sliding.groups, seen * rows * columns);
    let parts = parts_of(batch, filters * depth);
    let images = batch / parts;

    let x = padded(in_parts(x, parts), sliding);
    let windows = unfolded(x, [rows, columns], [down, across], sliding);
    let windows = reshape(windows, [parts, groups, depth, images * down * across]);
    let weight = reshape(weight, [1, groups, filters / groups, depth]);
    let y = weight.matmul(windows);
    let y = joined(reshape(y, [parts * filters, images, down, across]), parts);
    with_bias(y, bias)
}

/// [`Kernels::convolve2d_transpose`](super::Kernels::convolve2d_transpose): products, whose results are added where their
/// windows stand.
pub(super) fn convolve2d_transpose<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    bias: Option<Tensor<B, 1>>,
    size: [usize; 2],
    sliding: Sliding,
) -> Tensor<B, 4> {
    let [batch, channels, height, width] = x.dims();
    let [_, made, rows, columns] = weight.dims();
    let (groups, depth) = (sliding.groups, made * rows * columns);
    let parts = parts_of(batch, channels * depth);
    let images = batch / parts;

    let x = in_parts(x, parts);
    let x = reshape(
        x,
        [parts, groups, channels / groups, images * height * width],
    );
    let weight = reshape(weight, [1, groups, channels / groups, depth]);
    let windows = weight.swap_dims(2, 3).matmul(x);
    let filters = groups * made;
    let windows = reshape(
        windows,
        [parts * filters, rows, columns, images, height, width],
    );
    let y = fit(folded(windows, sliding), sliding.before, size);
    with_bias(joined(y, parts), bias)
}

/// In how many equal parts a batch goes through filters of `values` values.
fn parts_of(batch: usize, values: usize) -> usize {
    let fits = |parts: &usize| batch.is_multiple_of(*parts) && parts * values <= MOST;
    (1..=batch).rev().find(fits).unwrap_or(1)
}

/// `[batch, channels, height, width]` to `[parts * channels, batch / parts, height, width]`.
fn in_parts<B: Backend>(x: Tensor<B, 4>, parts: usize) -> Tensor<B, 4> {
    let [batch, channels, height, width] = x.dims();
    let images = batch / parts;
    // An axis of length 1 need not move, and a device would copy all for it.
    let x = match images {
        1 => return reshape(x, [parts * channels, 1, height, width]),
        _ => reshape(x, [parts, images, channels, height, width]).swap_dims(1, 2),
    };
    reshape(x, [parts * channels, images, height, width])
}

/// The way back.
fn joined<B: Backend>(y: Tensor<B, 4>, parts: usize) -> Tensor<B, 4> {
    let [all, images, height, width] = y.dims();
    let y = match images {
        1 => return reshape(y, [parts, all / parts, height, width]),
        _ => reshape(y, [parts, all / parts, images, height, width]).swap_dims(1, 2),
    };
    reshape(y, [parts * images, all / parts, height, width])
}

/// Adds a number to each channel of `[batch, channels, height, width]`.
fn with_bias<B: Backend>(y: Tensor<B, 4>, bias: Option<Tensor<B, 1>>) -> Tensor<B, 4> {
    match bias {
        Some(bias) => {
            let [_, channels, _, _] = y.dims();
            y + reshape(bias, [1, channels, 1, 1])
        }
        None => y,
    }
}

/// With the zeros around each image.
fn padded<B: Backend>(x: Tensor<B, 4>, sliding: Sliding) -> Tensor<B, 4> {
    let Sliding { before, after, .. } = sliding;
    if [before, after] == [[0; 2]; 2] {
        return x;
    }
    let [channels, batch, height, width] = x.dims();
    let room = [
        channels,
        batch,
        height + before[0] + after[0],
        width + before[1] + after[1],
    ];
    let inside: [Range<usize>; 4] = [
        0..channels,
        0..batch,
        before[0]..before[0] + height,
        before[1]..before[1] + width,
    ];
    Tensor::zeros(room, &x.device()).slice_assign(inside, x)
}

/// The places from `first` on, `count` of them, `step` apart.
fn places(first: usize, count: usize, step: usize) -> Slice {
    let end = first + (count - 1) * step + 1;
    Slice::new(first as isize, Some(end as isize), step as isize)
}

/// `[channels, batch, height, width]` to `[channels, rows, columns, batch * down * across]`: for each value of the window,
/// what lies under it wherever the window stands. Rows first, then columns: fewer and larger steps.
fn unfolded<B: Backend>(
    x: Tensor<B, 4>,
    kernel: [usize; 2],
    outputs: [usize; 2],
    sliding: Sliding,
) -> Tensor<B, 4> {
    let [channels, batch, _, width] = x.dims();
    let [down, across] = outputs;
    let row = |row: usize| {
        let rows = places(row * sliding.dilation[0], down, sliding.stride[0]);
        let lines = x
            .clone()
            .slice([Slice::full(), Slice::full(), rows, Slice::full()]);
        reshape(lines, [channels, 1, batch * down, width])
    };
    let x = Tensor::cat((0..kernel[0]).map(row).collect(), 1);
    let column = |column: usize| {
        let columns = places(column * sliding.dilation[1], across, sliding.stride[1]);
        let values = x
            .clone()
            .slice([Slice::full(), Slice::full(), Slice::full(), columns]);
        reshape(values, [channels, kernel[0], 1, batch * down * across])
    };
    Tensor::cat((0..kernel[1]).map(column).collect(), 2)
}

/// The way back: `[channels, rows, columns, batch, down, across]` to the sums where the windows lie, `[channels, batch, ...]`.
fn folded<B: Backend>(windows: Tensor<B, 6>, sliding: Sliding) -> Tensor<B, 4> {
    let [channels, rows, columns, batch, down, across] = windows.dims();
    let Sliding {
        stride, dilation, ..
    } = sliding;
    let size = |axis: usize, kernel: usize, outputs: usize| {
        (outputs - 1) * stride[axis] + (kernel - 1) * dilation[axis] + 1
    };
    let (height, width) = (size(0, rows, down), size(1, columns, across));
    let device = windows.device();
    let windows = reshape(windows, [channels * rows, columns, batch * down, across]);
    let of_columns = (0..columns).map(|column| {
        let part = windows.clone().narrow(1, column, 1);
        let columns = places(column * dilation[1], across, stride[1]);
        Tensor::<B, 4>::zeros([channels * rows, 1, batch * down, width], &device)
            .slice_assign([Slice::full(), Slice::full(), Slice::full(), columns], part)
    });
    let lines = of_columns
        .reduce(|sum, part| sum + part)
        .expect("a kernel has a column");
    let lines = reshape(lines, [channels, rows * batch, down, width]);
    let of_rows = (0..rows).map(|row| {
        let part = lines.clone().narrow(1, row * batch, batch);
        let rows = places(row * dilation[0], down, stride[0]);
        Tensor::<B, 4>::zeros([channels, batch, height, width], &device)
            .slice_assign([Slice::full(), Slice::full(), rows, Slice::full()], part)
    });
    of_rows
        .reduce(|sum, part| sum + part)
        .expect("a kernel has a row")
}

#[cfg(test)]
mod tests {
    use burn::backend::{Autodiff, Flex};
    use burn::tensor::TensorData;

    use super::*;
    use crate::backend::Kernels;

    type Training = Autodiff<Flex>;

    fn tensor<const D: usize>(shape: [usize; D], pace: f32) -> Tensor<Training, D> {
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|i| (i as f32 * pace).sin()).collect();
        Tensor::from_data(TensorData::new(values, shape), &Default::default()).require_grad()
    }

    fn values<const D: usize>(tensor: Tensor<Flex, D>) -> Vec<f32> {
        tensor.into_data().into_vec().unwrap()
    }

    /// Outputs and all gradients.
    fn all(inputs: &Inputs, y: Tensor<Training, 4>) -> Vec<Vec<f32>> {
        let (x, weight, bias) = inputs;
        let gradients = y.clone().square().sum().backward();
        vec![
            values(y.inner()),
            values(x.grad(&gradients).unwrap()),
            values(weight.grad(&gradients).unwrap()),
            values(bias.grad(&gradients).unwrap()),
        ]
    }

    type Inputs = (
        Tensor<Training, 4>,
        Tensor<Training, 4>,
        Tensor<Training, 1>,
    );

    fn agree(ours: &[Vec<f32>], theirs: &[Vec<f32>], what: &str) {
        for (ours, theirs) in ours.iter().zip(theirs) {
            assert_eq!(ours.len(), theirs.len(), "{what}");
            for (a, b) in ours.iter().zip(theirs) {
                assert!(
                    (a - b).abs() < 1e-3 * (1.0 + b.abs()),
                    "{what}: {a} against {b}"
                );
            }
        }
    }

    #[test]
    fn a_batch_goes_in_parts_where_filters_are_large() {
        assert_eq!(parts_of(100, 64 * 288), 100);
        assert_eq!(parts_of(128, 512 * 4608), 16);
        assert_eq!(parts_of(7, MOST), 1);
        assert_eq!(parts_of(7, 2 * MOST), 1);
        for parts in [1, 2, 3, 6] {
            let x = tensor([6, 2, 3, 2], 0.37);
            let there = in_parts(x.clone(), parts);
            assert_eq!(there.dims(), [parts * 2, 6 / parts, 3, 2]);
            assert_eq!(values(joined(there, parts).inner()), values(x.inner()));
        }
    }

    /// Every mix of strides, dilations, groups and paddings that leaves a window room.
    #[test]
    fn products_agree_with_the_cpus_kernels() {
        let mut compared = 0;
        for kernel in [[1, 1], [3, 2], [2, 4]] {
            for stride in [[1, 1], [2, 3]] {
                for dilation in [[1, 1], [2, 1]] {
                    for (before, after) in [([0, 0], [0, 0]), ([1, 2], [2, 0])] {
                        for groups in [1, 2] {
                            let sliding = Sliding {
                                stride,
                                before,
                                after,
                                dilation,
                                groups,
                            };
                            let x = tensor([3, 4, 9, 8], 0.37);
                            let weight = tensor([6, 4 / groups, kernel[0], kernel[1]], 0.71);
                            let bias = tensor([6], 1.3);
                            let ours =
                                convolve2d(x.clone(), weight.clone(), Some(bias.clone()), sliding);
                            let theirs = Training::convolve2d(
                                x.clone(),
                                weight.clone(),
                                Some(bias.clone()),
                                sliding,
                            );
                            let what = format!("{kernel:?} {sliding:?}");
                            let inputs = (x, weight, bias);
                            agree(&all(&inputs, ours), &all(&inputs, theirs), &what);

                            let x = tensor([3, 4, 4, 3], 0.37);
                            let weight = tensor([4, 6 / groups, kernel[0], kernel[1]], 0.71);
                            let bias = tensor([6], 1.3);
                            let size = [0, 1].map(|axis| {
                                let window = (kernel[axis] - 1) * dilation[axis] + 1;
                                [3, 2][axis] * stride[axis] + window + stride[axis]
                                    - 1
                                    - before[axis]
                            });
                            let ours = convolve2d_transpose(
                                x.clone(),
                                weight.clone(),
                                Some(bias.clone()),
                                size,
                                sliding,
                            );
                            let theirs = Training::convolve2d_transpose(
                                x.clone(),
                                weight.clone(),
                                Some(bias.clone()),
                                size,
                                sliding,
                            );
                            let inputs = (x, weight, bias);
                            agree(
                                &all(&inputs, ours),
                                &all(&inputs, theirs),
                                &format!("back: {what}"),
                            );
                            compared += 1;
                        }
                    }
                }
            }
        }
        assert_eq!(compared, 48);
    }
}
