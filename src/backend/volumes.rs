//! 3-d convolutions as 2-d ones over stacks of slices, so that they are as right and as repeatable as those.
//!
//! The planes of a window become channels: each slice of the output sees the slices under its window as one image.

use burn::tensor::Tensor;
use burn::tensor::ops::PadMode;

use super::kernels::Kernels;
use super::shapes::reshape;
use super::sliding::{Sliding, Sliding3d};

/// `[batch, channels, depth, height, width]` and `[filters, channels / groups, planes, rows, columns]` to
/// `[batch, filters, depth out, height out, width out]`, with `[filters]` added.
pub fn convolve3d<B: Kernels>(
    x: Tensor<B, 5>,
    weight: Tensor<B, 5>,
    bias: Option<Tensor<B, 1>>,
    sliding: Sliding3d,
) -> Tensor<B, 5> {
    let [batch, channels, depth, height, width] = x.dims();
    let [filters, seen, planes, rows, columns] = weight.dims();
    let window = (planes - 1) * sliding.dilation[0] + 1;
    let slices = (depth - window) / sliding.stride[0] + 1;
    let under = |plane: usize| {
        every(
            x.clone(),
            plane * sliding.dilation[0],
            sliding.stride[0],
            slices,
        )
    };
    // `[batch, channels, planes, slices, height, width]`
    let stacks: Tensor<B, 6> = Tensor::stack((0..planes).map(under).collect(), 2);
    let images = stacks.permute([0, 3, 1, 2, 4, 5]);
    let images = reshape(images, [batch * slices, channels * planes, height, width]);
    let weight = reshape(weight, [filters, seen * planes, rows, columns]);
    let y = B::convolve2d(images, weight, bias, of_slices(sliding));
    let [_, _, height, width] = y.dims();
    reshape(y, [batch, slices, filters, height, width]).swap_dims(1, 2)
}

/// The transposed convolution: `[batch, channels, depth, height, width]` and
/// `[channels, filters / groups, planes, rows, columns]` to `[batch, filters, ...]`, the `(n - 1) * stride + window`
/// places of each axis.
pub fn convolve3d_transpose<B: Kernels>(
    x: Tensor<B, 5>,
    weight: Tensor<B, 5>,
    sliding: Sliding3d,
) -> Tensor<B, 5> {
    let [batch, channels, depth, height, width] = x.dims();
    let [_, made, planes, rows, columns] = weight.dims();
    let filters = made * sliding.groups;
    let images = reshape(x.swap_dims(1, 2), [batch * depth, channels, height, width]);
    let weight = reshape(weight, [channels, made * planes, rows, columns]);
    let of_slices = of_slices(sliding);
    let length = |axis: usize, places: usize, kernel: usize| {
        (places - 1) * of_slices.stride[axis] + (kernel - 1) * of_slices.dilation[axis] + 1
    };
    let [height, width] = [length(0, height, rows), length(1, width, columns)];
    let y = B::convolve2d_transpose(images, weight, None, [height, width], of_slices);
    let y: Tensor<B, 6> = reshape(y, [batch, depth, filters, planes, height, width]);
    // `[batch, filters, planes, depth, height, width]`
    let y = y.permute([0, 2, 3, 1, 4, 5]);
    let all = (depth - 1) * sliding.stride[0] + (planes - 1) * sliding.dilation[0] + 1;
    let of_plane = |plane: usize| {
        let slices = reshape(
            y.clone().narrow(2, plane, 1),
            [batch, filters, depth, height, width],
        );
        apart(slices, plane * sliding.dilation[0], sliding.stride[0], all)
    };
    let sum = |sum: Tensor<B, 5>, plane: usize| sum + of_plane(plane);
    (1..planes).fold(of_plane(0), sum)
}

/// How the window slides over a slice.
fn of_slices(sliding: Sliding3d) -> Sliding {
    let [_, down, across] = sliding.stride;
    let [_, lines, places] = sliding.dilation;
    Sliding {
        stride: [down, across],
        before: [0; 2],
        after: [0; 2],
        dilation: [lines, places],
        groups: sliding.groups,
    }
}

/// `count` slices along the depth, from `first` on every `step`th.
fn every<B: Kernels>(x: Tensor<B, 5>, first: usize, step: usize, count: usize) -> Tensor<B, 5> {
    let [batch, channels, _, height, width] = x.dims();
    let taken = (count - 1) * step + 1;
    let x = x.narrow(2, first, taken);
    if step == 1 {
        return x;
    }
    let x = x.pad(
        [(0, count * step - taken), (0, 0), (0, 0)],
        PadMode::Constant(0.0),
    );
    let steps: Tensor<B, 6> = reshape(x, [batch, channels, count, step, height, width]);
    reshape(
        steps.narrow(3, 0, 1),
        [batch, channels, count, height, width],
    )
}

/// The way back: slices along the depth, from `first` on every `step`th of `all`, with zeros between.
fn apart<B: Kernels>(x: Tensor<B, 5>, first: usize, step: usize, all: usize) -> Tensor<B, 5> {
    let [batch, channels, count, height, width] = x.dims();
    let taken = (count - 1) * step + 1;
    let zeros = PadMode::Constant(0.0);
    let x = match step {
        1 => x,
        _ => {
            let steps: Tensor<B, 6> = reshape(x, [batch, channels, count, 1, height, width]);
            let steps = steps.pad([(0, step - 1), (0, 0), (0, 0)], zeros);
            let x = reshape(steps, [batch, channels, count * step, height, width]);
            x.narrow(2, 0, taken)
        }
    };
    x.pad([(first, all - first - taken), (0, 0), (0, 0)], zeros)
}

#[cfg(test)]
mod tests {
    use burn::backend::{Autodiff, Flex};
    use burn::tensor::TensorData;
    use burn::tensor::module::{conv_transpose3d, conv3d};
    use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};

    use super::*;

    type Training = Autodiff<Flex>;

    fn numbers<const D: usize>(shape: [usize; D], pace: f32) -> Tensor<Training, D> {
        let count = shape.iter().product::<usize>();
        let values: Vec<f32> = (0..count).map(|at| (at as f32 * pace).sin()).collect();
        Tensor::from_data(TensorData::new(values, shape), &Default::default()).require_grad()
    }

    /// The output and the gradients of images and filters, of a sum of squares.
    fn made(
        [x, weight]: [Tensor<Training, 5>; 2],
        of: impl Fn(Tensor<Training, 5>, Tensor<Training, 5>) -> Tensor<Training, 5>,
    ) -> [Vec<f32>; 3] {
        let y = of(x.clone(), weight.clone());
        let gradients = y.clone().square().sum().backward();
        let grad = |of: &Tensor<Training, 5>| of.grad(&gradients).expect("a gradient").into_data();
        [y.into_data(), grad(&x), grad(&weight)].map(|data| data.into_vec().expect("floats"))
    }

    fn assert_near(ours: [Vec<f32>; 3], burns: [Vec<f32>; 3], what: &str) {
        for (ours, burns) in ours.iter().zip(&burns) {
            assert_eq!(ours.len(), burns.len(), "{what}");
            let size = burns
                .iter()
                .fold(1.0f32, |most, value| most.max(value.abs()));
            for (a, b) in ours.iter().zip(burns) {
                assert!((a - b).abs() < 1e-5 * size, "{what}: {a} {b}");
            }
        }
    }

    #[test]
    fn they_agree_with_burns_own() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        for (stride, dilation, groups) in [
            ([1, 1, 1], [1, 1, 1], 1),
            ([2, 1, 2], [1, 2, 1], 1),
            ([3, 2, 1], [2, 1, 1], 2),
            ([1, 2, 3], [1, 1, 2], 2),
        ] {
            let sliding = Sliding3d {
                stride,
                dilation,
                groups,
            };
            let what = format!("{sliding:?}");
            let both = || {
                [
                    numbers([2, 4, 9, 8, 7], 0.37),
                    numbers([6, 4 / groups, 3, 3, 2], 0.83),
                ]
            };
            let bias = || numbers([6], 0.5);
            let ours = made(both(), |x, w| convolve3d(x, w, Some(bias()), sliding));
            let options = ConvOptions::new(stride, [0; 3], dilation, groups);
            let burns = made(both(), |x, w| conv3d(x, w, Some(bias()), options.clone()));
            assert_near(ours, burns, &what);

            let both = || {
                [
                    numbers([2, 4, 3, 4, 2], 0.37),
                    numbers([4, 6 / groups, 3, 2, 3], 0.83),
                ]
            };
            let ours = made(both(), |x, w| convolve3d_transpose(x, w, sliding));
            let options = ConvTransposeOptions::new(stride, [0; 3], [0; 3], dilation, groups);
            let burns = made(both(), |x, w| conv_transpose3d(x, w, None, options.clone()));
            assert_near(ours, burns, &what);
        }
    }
}
