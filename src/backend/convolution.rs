//! 2-d convolution for the CPU: unfold, then matrix products, sample by sample.
//!
//! Burn's own backward pass on the CPU takes the gradient of the filters as a convolution with a kernel as
//! large as the image, which costs several times the forward pass. As matrix products both cost about the
//! same. Sums are made in one order whatever the number of threads, so that runs repeat to the last bit.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Autodiff, Flex};
use burn::tensor::ops::{FloatTensor, FloatTensorOps};
use burn::tensor::{Tensor, TensorData, TensorPrimitive};
use gemm::{Parallelism, gemm};
use rayon::prelude::*;

use super::kernels::{Kernels, Sliding, Standardized};
use super::normalization;

type Plain = FloatTensor<Flex>;
type Tracked = FloatTensor<Autodiff<Flex>>;

impl Kernels for Flex {
    fn convolve2d(
        x: Tensor<Self, 4>,
        weight: Tensor<Self, 4>,
        bias: Option<Tensor<Self, 1>>,
        sliding: Sliding,
    ) -> Tensor<Self, 4> {
        let sizes = Sizes::of(x.dims(), weight.dims(), sliding);
        let bias = bias.map(|bias| bias.into_primitive().tensor());
        let output = forward(
            &x.into_primitive().tensor(),
            &weight.into_primitive().tensor(),
            bias.as_ref(),
            sizes,
        );
        Tensor::from_primitive(TensorPrimitive::Float(output))
    }

    fn standardize(x: Tensor<Self, 3>, epsilon: f64) -> Standardized<Self> {
        normalization::standardize_plain(x, epsilon)
    }

    fn scale_channels(
        x: Tensor<Self, 3>,
        scale: Tensor<Self, 1>,
        shift: Tensor<Self, 1>,
    ) -> Tensor<Self, 3> {
        normalization::scale_plain(x, scale, shift)
    }
}

impl Kernels for Autodiff<Flex> {
    fn convolve2d(
        x: Tensor<Self, 4>,
        weight: Tensor<Self, 4>,
        bias: Option<Tensor<Self, 1>>,
        sliding: Sliding,
    ) -> Tensor<Self, 4> {
        let sizes = Sizes::of(x.dims(), weight.dims(), sliding);
        let x: Tracked = x.into_primitive().tensor();
        let weight: Tracked = weight.into_primitive().tensor();
        let bias: Tracked = match bias {
            Some(bias) => bias.into_primitive().tensor(),
            None => Tracked::new(plain(vec![0.0; sizes.filters], &[sizes.filters])),
        };
        let output = forward(
            &x.primitive,
            &weight.primitive,
            Some(&bias.primitive),
            sizes,
        );
        let parents = [x.node.clone(), weight.node.clone(), bias.node.clone()];
        let output = match Convolution
            .prepare::<NoCheckpointing>(parents)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prepared) => {
                prepared.finish((x.primitive, weight.primitive, sizes), output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        };
        Tensor::from_primitive(TensorPrimitive::Float(output))
    }

    fn standardize(x: Tensor<Self, 3>, epsilon: f64) -> Standardized<Self> {
        normalization::standardize_tracked(x, epsilon)
    }

    fn scale_channels(
        x: Tensor<Self, 3>,
        scale: Tensor<Self, 1>,
        shift: Tensor<Self, 1>,
    ) -> Tensor<Self, 3> {
        normalization::scale_tracked(x, scale, shift)
    }
}

#[derive(Debug)]
struct Convolution;

impl Backward<Flex, 3> for Convolution {
    type State = (Plain, Plain, Sizes);

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [of_x, of_weight, of_bias] = ops.parents;
        let (x, weight, sizes) = ops.state;
        let of_output = gradients.consume::<Flex>(&ops.node);
        let slopes = backward(&x, &weight, &of_output, sizes, of_x.is_some());
        if let (Some(node), Some(gradient)) = (of_x, slopes.x) {
            let shape = [sizes.batch, sizes.channels, sizes.height, sizes.width];
            gradients.register::<Flex>(node.id, plain(gradient, &shape));
        }
        if let Some(node) = of_weight {
            let seen = sizes.channels / sizes.sliding.groups;
            let shape = [sizes.filters, seen, sizes.rows, sizes.columns];
            gradients.register::<Flex>(node.id, plain(slopes.weight, &shape));
        }
        if let Some(node) = of_bias {
            gradients.register::<Flex>(node.id, plain(slopes.bias, &[sizes.filters]));
        }
    }
}

pub(super) fn plain(values: Vec<f32>, shape: &[usize]) -> Plain {
    let data = TensorData::new(values, shape.to_vec());
    <Flex as FloatTensorOps<Flex>>::float_from_data(data, &Default::default())
}

#[derive(Debug, Clone, Copy)]
struct Sizes {
    batch: usize,
    channels: usize,
    height: usize,
    width: usize,
    filters: usize,
    /// Of the kernel.
    rows: usize,
    columns: usize,
    /// Of the output.
    down: usize,
    across: usize,
    sliding: Sliding,
}

impl Sizes {
    /// Of `[batch, channels, height, width]` and `[filters, channels / groups, rows, columns]`.
    fn of(x: [usize; 4], weight: [usize; 4], sliding: Sliding) -> Self {
        let [batch, channels, height, width] = x;
        let [filters, _, rows, columns] = weight;
        let outputs = |axis: usize, input: usize, kernel: usize| {
            let window = (kernel - 1) * sliding.dilation[axis] + 1;
            (input + sliding.before[axis] + sliding.after[axis] - window) / sliding.stride[axis] + 1
        };
        Sizes {
            batch,
            channels,
            height,
            width,
            filters,
            rows,
            columns,
            down: outputs(0, height, rows),
            across: outputs(1, width, columns),
            sliding,
        }
    }

    /// Values of one window, over all groups.
    fn depth(&self) -> usize {
        self.channels * self.rows * self.columns
    }

    /// Values of one window that one filter sees.
    fn seen(&self) -> usize {
        self.depth() / self.sliding.groups
    }

    /// Filters of one group.
    fn share(&self) -> usize {
        self.filters / self.sliding.groups
    }

    /// Windows of one image.
    fn places(&self) -> usize {
        self.down * self.across
    }

    fn image(&self) -> usize {
        self.channels * self.height * self.width
    }

    fn output(&self) -> usize {
        self.filters * self.places()
    }

    /// Calls `visit(start of a row of windows, start of a row of the image, first, end)` for every value of
    /// the window and every row of windows that meets the image: windows `first..end` of the row do, the
    /// first of them at the image's given place.
    fn visit(&self, mut visit: impl FnMut(usize, usize, usize, usize)) {
        let Sliding {
            stride,
            before,
            dilation,
            ..
        } = self.sliding;
        for channel in 0..self.channels {
            for row in 0..self.rows {
                for column in 0..self.columns {
                    let depth = (channel * self.rows + row) * self.columns + column;
                    let (row, column) = (row * dilation[0], column * dilation[1]);
                    let first = before[1].saturating_sub(column).div_ceil(stride[1]);
                    let end = (self.width + before[1])
                        .saturating_sub(column)
                        .div_ceil(stride[1])
                        .min(self.across);
                    if first >= end {
                        continue;
                    }
                    let x = first * stride[1] + column - before[1];
                    for place in 0..self.down {
                        let y = place * stride[0] + row;
                        if y < before[0] || y - before[0] >= self.height {
                            continue;
                        }
                        let line = channel * self.height + y - before[0];
                        let windows = depth * self.places() + place * self.across;
                        visit(windows, line * self.width + x, first, end);
                    }
                }
            }
        }
    }

    /// Lays out the windows of an image: `[depth, places]`. What is padding must be 0 already.
    fn unfold(&self, image: &[f32], windows: &mut [f32]) {
        let step = self.sliding.stride[1];
        self.visit(|start, from, first, end| {
            let to = &mut windows[start + first..start + end];
            if step == 1 {
                to.copy_from_slice(&image[from..from + to.len()]);
            } else {
                for (to, from) in to.iter_mut().zip(image[from..].iter().step_by(step)) {
                    *to = *from;
                }
            }
        });
    }

    /// Adds every value of the windows to its place in the image.
    fn fold(&self, windows: &[f32], image: &mut [f32]) {
        let step = self.sliding.stride[1];
        self.visit(|start, to, first, end| {
            let from = &windows[start + first..start + end];
            if step == 1 {
                let length = from.len();
                for (to, from) in image[to..to + length].iter_mut().zip(from) {
                    *to += from;
                }
            } else {
                for (to, from) in image[to..].iter_mut().step_by(step).zip(from) {
                    *to += from;
                }
            }
        });
    }
}

/// A row-major matrix, perhaps read as its transpose.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    transposed: bool,
}

impl<'a> Matrix<'a> {
    fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns);
        Matrix {
            values,
            rows,
            columns,
            transposed: false,
        }
    }

    fn transposed(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Matrix {
            transposed: true,
            ..Matrix::new(values, rows, columns)
        }
    }

    /// Rows and columns as read.
    fn shape(&self) -> (usize, usize) {
        match self.transposed {
            false => (self.rows, self.columns),
            true => (self.columns, self.rows),
        }
    }

    /// Steps from column to column and from row to row.
    fn steps(&self) -> (isize, isize) {
        match self.transposed {
            false => (1, self.columns as isize),
            true => (self.columns as isize, 1),
        }
    }
}

/// `output = left * right`, or `output += left * right`; `output` is row-major.
fn product(left: Matrix, right: Matrix, output: &mut [f32], add: bool) {
    let ((rows, inner), (height, columns)) = (left.shape(), right.shape());
    assert_eq!((inner, rows * columns), (height, output.len()));
    let (left_steps, right_steps) = (left.steps(), right.steps());
    // SAFETY: the shapes were just compared with the lengths of the three slices, which do not overlap.
    unsafe {
        gemm(
            rows,
            columns,
            inner,
            output.as_mut_ptr(),
            1,
            columns as isize,
            add,
            left.values.as_ptr(),
            left_steps.0,
            left_steps.1,
            right.values.as_ptr(),
            right_steps.0,
            right_steps.1,
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

fn forward(x: &Plain, weight: &Plain, bias: Option<&Plain>, sizes: Sizes) -> Plain {
    let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
    let (images, filters): (&[f32], &[f32]) = (x.storage(), weight.storage());
    let bias = bias.map(|bias| bias.to_contiguous().storage::<f32>().to_vec());
    let (depth, places) = (sizes.depth(), sizes.places());
    let mut outputs = vec![0.0; sizes.batch * sizes.output()];
    outputs
        .par_chunks_mut(sizes.output())
        .zip(images.par_chunks(sizes.image()))
        .for_each_init(
            || vec![0.0; depth * places],
            |windows, (output, image)| {
                if let Some(bias) = &bias {
                    for (row, bias) in output.chunks_exact_mut(places).zip(bias) {
                        row.fill(*bias);
                    }
                }
                sizes.unfold(image, windows);
                let (seen, share) = (sizes.seen(), sizes.share());
                let groups = filters
                    .chunks_exact(share * seen)
                    .zip(windows.chunks_exact(seen * places))
                    .zip(output.chunks_exact_mut(share * places));
                for ((filters, windows), output) in groups {
                    let filters = Matrix::new(filters, share, seen);
                    product(filters, Matrix::new(windows, seen, places), output, true);
                }
            },
        );
    let shape = [sizes.batch, sizes.filters, sizes.down, sizes.across];
    plain(outputs, &shape)
}

/// Gradients of a convolution's three inputs.
struct Slopes {
    x: Option<Vec<f32>>,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// Parts of a batch whose sums are made apart: fixed, so that sums do not depend on threads.
const PARTS: usize = 8;

fn backward(x: &Plain, weight: &Plain, of_output: &Plain, sizes: Sizes, with_x: bool) -> Slopes {
    let (x, weight, of_output) = (
        x.to_contiguous(),
        weight.to_contiguous(),
        of_output.to_contiguous(),
    );
    let images: &[f32] = x.storage();
    let filters: &[f32] = weight.storage();
    let of_outputs: &[f32] = of_output.storage();
    let part = sizes.batch.div_ceil(PARTS).max(1);
    let mut of_images = match with_x {
        true => vec![0.0; sizes.batch * sizes.image()],
        false => Vec::new(),
    };
    // Without a gradient of the images there is nothing to write, part by part.
    let mut of_parts: Vec<&mut [f32]> = match with_x {
        true => of_images.chunks_mut(part * sizes.image()).collect(),
        false => (0..PARTS).map(|_| &mut [][..]).collect(),
    };
    let sums: Vec<(Vec<f32>, Vec<f32>)> = of_parts
        .par_iter_mut()
        .zip(images.par_chunks(part * sizes.image()))
        .zip(of_outputs.par_chunks(part * sizes.output()))
        .map(|((of_images, images), of_outputs)| {
            part_backward(images, filters, of_outputs, of_images, sizes)
        })
        .collect();
    let mut sums = sums.into_iter();
    let (mut of_weight, mut of_bias) = sums.next().unwrap_or_default();
    for (weight, bias) in sums {
        add(&mut of_weight, &weight);
        add(&mut of_bias, &bias);
    }
    Slopes {
        x: with_x.then_some(of_images),
        weight: of_weight,
        bias: of_bias,
    }
}

fn add(sum: &mut [f32], part: &[f32]) {
    for (sum, part) in sum.iter_mut().zip(part) {
        *sum += part;
    }
}

/// Gradients of filters and bias over some images; those of the images are written, if there is room.
fn part_backward(
    images: &[f32],
    filters: &[f32],
    of_outputs: &[f32],
    of_images: &mut [f32],
    sizes: Sizes,
) -> (Vec<f32>, Vec<f32>) {
    let (depth, places) = (sizes.depth(), sizes.places());
    let mut windows = vec![0.0; depth * places];
    let mut of_windows = vec![
        0.0;
        if of_images.is_empty() {
            0
        } else {
            depth * places
        }
    ];
    let (seen, share) = (sizes.seen(), sizes.share());
    let mut of_weight = vec![0.0; sizes.filters * seen];
    let mut of_bias = vec![0.0; sizes.filters];
    let mut of_images = of_images.chunks_exact_mut(sizes.image());
    let samples = images
        .chunks_exact(sizes.image())
        .zip(of_outputs.chunks_exact(sizes.output()));
    for (image, of_output) in samples {
        sizes.unfold(image, &mut windows);
        let groups = of_output
            .chunks_exact(share * places)
            .zip(windows.chunks_exact(seen * places))
            .zip(of_weight.chunks_exact_mut(share * seen));
        for ((of_output, windows), of_weight) in groups {
            let slopes = Matrix::new(of_output, share, places);
            let turned = Matrix::transposed(windows, seen, places);
            product(slopes, turned, of_weight, true);
        }
        for (sum, row) in of_bias.iter_mut().zip(of_output.chunks_exact(places)) {
            *sum += row.iter().sum::<f32>();
        }
        if let Some(of_image) = of_images.next() {
            let groups = of_output
                .chunks_exact(share * places)
                .zip(filters.chunks_exact(share * seen))
                .zip(of_windows.chunks_exact_mut(seen * places));
            for ((of_output, filters), of_windows) in groups {
                let slopes = Matrix::new(of_output, share, places);
                let turned = Matrix::transposed(filters, share, seen);
                product(turned, slopes, of_windows, false);
            }
            sizes.fold(&of_windows, of_image);
        }
    }
    (of_weight, of_bias)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::module::conv2d;
    use burn::tensor::ops::PaddedConvOptions;

    type Training = Autodiff<Flex>;

    fn values(count: usize, pace: f32) -> Vec<f32> {
        (0..count).map(|i| (i as f32 * pace).sin()).collect()
    }

    fn tensor<const D: usize>(shape: [usize; D], pace: f32) -> Tensor<Training, D> {
        let data = TensorData::new(values(shape.iter().product(), pace), shape);
        Tensor::from_data(data, &Default::default()).require_grad()
    }

    fn near<const D: usize>(ours: Tensor<Flex, D>, burns: Tensor<Flex, D>, what: &str) {
        let ours: Vec<f32> = ours.into_data().into_vec().unwrap();
        let burns: Vec<f32> = burns.into_data().into_vec().unwrap();
        assert_eq!(ours.len(), burns.len(), "{what}");
        for (ours, burns) in ours.iter().zip(&burns) {
            assert!(
                (ours - burns).abs() < 1e-3 * (1.0 + burns.abs()),
                "{what}: {ours} against {burns}"
            );
        }
    }

    /// Output and all three gradients agree with Burn's own convolution.
    #[test]
    fn it_agrees_with_burns_convolution() {
        let cases = [
            ([3, 1, 9, 8], [4, 1, 3, 3], [1, 1], [1, 1], [1, 1], [1, 1]),
            ([9, 3, 9, 8], [4, 3, 3, 3], [2, 2], [0, 0], [1, 1], [1, 1]),
            ([2, 2, 7, 7], [5, 2, 4, 2], [3, 1], [1, 0], [2, 1], [1, 1]),
            ([10, 2, 5, 6], [3, 2, 1, 1], [1, 2], [0, 0], [0, 0], [1, 1]),
            ([1, 2, 3, 3], [3, 2, 5, 5], [1, 1], [2, 2], [2, 2], [1, 1]),
            ([3, 4, 9, 8], [6, 2, 3, 3], [1, 2], [2, 2], [2, 1], [2, 2]),
            ([9, 4, 7, 7], [4, 1, 3, 2], [2, 1], [1, 0], [1, 1], [1, 3]),
            ([2, 3, 8, 8], [6, 1, 3, 3], [1, 1], [1, 1], [1, 1], [1, 1]),
        ];
        for (x_shape, weight_shape, stride, before, after, dilation) in cases {
            let groups = x_shape[1] / weight_shape[1];
            let sliding = Sliding {
                stride,
                before,
                after,
                dilation,
                groups,
            };
            let (x, weight) = (tensor(x_shape, 0.37), tensor(weight_shape, 0.71));
            let bias = tensor([weight_shape[0]], 1.3);
            let ours = Training::convolve2d(x.clone(), weight.clone(), Some(bias.clone()), sliding);
            let options = PaddedConvOptions::asymmetric(stride, before, after, dilation, groups);
            let burns = conv2d(x.clone(), weight.clone(), Some(bias.clone()), options);
            near(ours.clone().inner(), burns.clone().inner(), "output");
            let slopes = |output: Tensor<Training, 4>| {
                let gradients = output.clone().square().sum().backward();
                (
                    x.grad(&gradients).unwrap(),
                    weight.grad(&gradients).unwrap(),
                    bias.grad(&gradients).unwrap(),
                )
            };
            let (ours, burns) = (slopes(ours), slopes(burns));
            near(ours.0, burns.0, "gradient of x");
            near(ours.1, burns.1, "gradient of the filters");
            near(ours.2, burns.2, "gradient of the bias");
        }
    }
}
