//! Convolutions as matrix products, of Burn's own operations: what GPUs do.
//!
//! Burn's cube backends have one convolution that is right for all shapes and needs no tuning, and its gradient
//! of the filters is slower than the forward pass by a factor of hundreds. A product is fast everywhere. All is
//! laid out by channels, `[channels, batch, height, width]`, so that a batch is one product.

use std::ops::Range;

use burn::tensor::backend::Backend;
use burn::tensor::{Slice, Tensor};

use super::kernels::{Sliding, reshape};

/// [`Kernels::convolve2d`](super::Kernels::convolve2d): windows of the images, then a product.
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
    let groups = sliding.groups;

    let x = padded(by_channels(x), sliding);
    let windows = unfolded(x, [rows, columns], [down, across], sliding);
    let windows = reshape(
        windows,
        [groups, seen * rows * columns, batch * down * across],
    );
    let weight = reshape(weight, [groups, filters / groups, seen * rows * columns]);
    let y = reshape(weight.matmul(windows), [filters, batch, down, across]);
    by_channels(with_bias(y, bias))
}

/// [`Kernels::convolve2d_transpose`](super::Kernels::convolve2d_transpose): a product, whose results are added where
/// their windows stand.
pub(super) fn convolve2d_transpose<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    bias: Option<Tensor<B, 1>>,
    size: [usize; 2],
    sliding: Sliding,
) -> Tensor<B, 4> {
    let [batch, channels, height, width] = x.dims();
    let [_, made, rows, columns] = weight.dims();
    let groups = sliding.groups;
    let x = reshape(
        by_channels(x),
        [groups, channels / groups, batch * height * width],
    );
    let weight = reshape(weight, [groups, channels / groups, made * rows * columns]);
    let windows = weight.swap_dims(1, 2).matmul(x);
    let windows = reshape(
        windows,
        [groups * made, rows, columns, batch, height, width],
    );
    let y = folded(windows, sliding);
    let y = super::kernels::fit(y, sliding.before, size);
    by_channels(with_bias(y, bias))
}

/// Images to channels and back: the first two axes change places.
fn by_channels<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 4> {
    x.swap_dims(0, 1)
}

/// Adds a number to each of `[channels, batch, height, width]`.
fn with_bias<B: Backend>(y: Tensor<B, 4>, bias: Option<Tensor<B, 1>>) -> Tensor<B, 4> {
    match bias {
        Some(bias) => {
            let [channels, _, _, _] = y.dims();
            y + reshape(bias, [channels, 1, 1, 1])
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
