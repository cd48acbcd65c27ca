//! 2-d convolution for the CPU: unfold, then matrix products, sample by sample.
//!
//! Burn's own backward pass on the CPU takes the gradient of the filters as a convolution with a kernel as
//! large as the image, which costs several times the forward pass. As matrix products both cost about the
//! same. Sums are made in one order whatever the number of threads, so that runs repeat to the last bit.

use burn::backend::Flex;
use burn::tensor::TensorData;
use burn::tensor::ops::{FloatTensor, FloatTensorOps};
use gemm::{Parallelism, gemm};
use rayon::prelude::*;

use super::sliding::Sliding;

pub(super) type Plain = FloatTensor<Flex>;

pub(super) fn plain(values: Vec<f32>, shape: &[usize]) -> Plain {
    let data = TensorData::new(values, shape.to_vec());
    <Flex as FloatTensorOps<Flex>>::float_from_data(data, &Default::default())
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) batch: usize,
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) filters: usize,
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
    pub(super) fn of(x: [usize; 4], weight: [usize; 4], sliding: Sliding) -> Self {
        let [batch, channels, height, width] = x;
        let [filters, _, rows, columns] = weight;
        Sizes {
            batch,
            channels,
            height,
            width,
            filters,
            rows,
            columns,
            down: sliding.outputs(0, height, rows),
            across: sliding.outputs(1, width, columns),
            sliding,
        }
    }

    /// Of the convolution that makes `x`, `[batch, filters, down, across]`, of images of `size`, `[height, width]`.
    pub(super) fn before(
        x: [usize; 4],
        weight: [usize; 4],
        size: [usize; 2],
        sliding: Sliding,
    ) -> Self {
        let [batch, filters, down, across] = x;
        let [_, seen, rows, columns] = weight;
        let [height, width] = size;
        Sizes {
            batch,
            channels: seen * sliding.groups,
            height,
            width,
            filters,
            rows,
            columns,
            down,
            across,
            sliding,
        }
    }

    /// Values of one window, over all groups.
    pub(super) fn depth(&self) -> usize {
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
    pub(super) fn places(&self) -> usize {
        self.down * self.across
    }

    pub(super) fn image(&self) -> usize {
        self.channels * self.height * self.width
    }

    pub(super) fn output(&self) -> usize {
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

    /// Adds to an output, `[filters, places]`, what the filters make of the windows.
    pub(super) fn apply(&self, filters: &[f32], windows: &[f32], output: &mut [f32]) {
        let (seen, share, places) = (self.seen(), self.share(), self.places());
        let groups = filters
            .chunks_exact(share * seen)
            .zip(windows.chunks_exact(seen * places))
            .zip(output.chunks_exact_mut(share * places));
        for ((filters, windows), output) in groups {
            let filters = Matrix::new(filters, share, seen);
            product(filters, Matrix::new(windows, seen, places), output, true);
        }
    }

    /// The filters applied backwards: an output spread over the windows, `[depth, places]`.
    pub(super) fn spread(&self, filters: &[f32], output: &[f32], windows: &mut [f32]) {
        let (seen, share, places) = (self.seen(), self.share(), self.places());
        let groups = output
            .chunks_exact(share * places)
            .zip(filters.chunks_exact(share * seen))
            .zip(windows.chunks_exact_mut(seen * places));
        for ((output, filters), windows) in groups {
            let turned = Matrix::transposed(filters, share, seen);
            product(turned, Matrix::new(output, share, places), windows, false);
        }
    }

    /// Adds one sample's share to the gradient of the filters.
    pub(super) fn compare(&self, output: &[f32], windows: &[f32], of_filters: &mut [f32]) {
        let (seen, share, places) = (self.seen(), self.share(), self.places());
        let groups = output
            .chunks_exact(share * places)
            .zip(windows.chunks_exact(seen * places))
            .zip(of_filters.chunks_exact_mut(share * seen));
        for ((output, windows), of_filters) in groups {
            let turned = Matrix::transposed(windows, seen, places);
            product(Matrix::new(output, share, places), turned, of_filters, true);
        }
    }

    /// Lays out the windows of an image: `[depth, places]`. What is padding must be 0 already.
    pub(super) fn unfold(&self, image: &[f32], windows: &mut [f32]) {
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
    pub(super) fn fold(&self, windows: &[f32], image: &mut [f32]) {
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

/// `[batch, channels, height, width]` to `[batch, filters, down, across]`.
pub(super) fn forward(x: &Plain, weight: &Plain, bias: Option<&Plain>, sizes: Sizes) -> Plain {
    let (x, weight) = (x.to_contiguous(), weight.to_contiguous());
    let (images, filters): (&[f32], &[f32]) = (x.storage(), weight.storage());
    let bias = bias.map(|bias| bias.to_contiguous().storage::<f32>().to_vec());
    let mut outputs = vec![0.0; sizes.batch * sizes.output()];
    outputs
        .par_chunks_mut(sizes.output())
        .zip(images.par_chunks(sizes.image()))
        .for_each_init(
            || vec![0.0; sizes.depth() * sizes.places()],
            |windows, (output, image)| {
                if let Some(bias) = &bias {
                    fill(output, bias);
                }
                sizes.unfold(image, windows);
                sizes.apply(filters, windows, output);
            },
        );
    let shape = [sizes.batch, sizes.filters, sizes.down, sizes.across];
    plain(outputs, &shape)
}

/// Sets every place of an image, `[channels, places]`, to its channel's value.
pub(super) fn fill(image: &mut [f32], values: &[f32]) {
    let places = image.len() / values.len();
    for (row, value) in image.chunks_exact_mut(places).zip(values) {
        row.fill(*value);
    }
}

/// Adds up the places of every channel of an image, `[channels, places]`.
pub(super) fn add_places(sums: &mut [f32], image: &[f32]) {
    let places = image.len() / sums.len();
    for (sum, row) in sums.iter_mut().zip(image.chunks_exact(places)) {
        *sum += row.iter().sum::<f32>();
    }
}

/// Gradients of a convolution's three inputs.
pub(super) struct Slopes {
    pub(super) x: Option<Vec<f32>>,
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

/// Parts of a batch whose sums are made apart: fixed, so that sums do not depend on threads.
const PARTS: usize = 8;

/// Adds up what `part` gives for parts of a batch: the gradients of filters and bias over some samples of
/// `x` and of the output's gradient. Where `with_x`, it has room to write those of its samples of `x`.
pub(super) fn in_parts(
    x: &[f32],
    of_outputs: &[f32],
    batch: usize,
    with_x: bool,
    part: impl Fn(&[f32], &[f32], &mut [f32]) -> (Vec<f32>, Vec<f32>) + Sync,
) -> Slopes {
    let samples = batch.div_ceil(PARTS).max(1);
    let (size, of_size) = (x.len() / batch, of_outputs.len() / batch);
    let mut of_x = vec![0.0; if with_x { x.len() } else { 0 }];
    // Without a gradient of `x` there is nothing to write, part by part.
    let mut of_parts: Vec<&mut [f32]> = match with_x {
        true => of_x.chunks_mut(samples * size).collect(),
        false => (0..PARTS).map(|_| &mut [][..]).collect(),
    };
    let sums: Vec<(Vec<f32>, Vec<f32>)> = of_parts
        .par_iter_mut()
        .zip(x.par_chunks(samples * size))
        .zip(of_outputs.par_chunks(samples * of_size))
        .map(|((of_x, x), of_outputs)| part(x, of_outputs, of_x))
        .collect();
    let mut sums = sums.into_iter();
    let (mut of_weight, mut of_bias) = sums.next().unwrap_or_default();
    for (weight, bias) in sums {
        add(&mut of_weight, &weight);
        add(&mut of_bias, &bias);
    }
    Slopes {
        x: with_x.then_some(of_x),
        weight: of_weight,
        bias: of_bias,
    }
}

fn add(sum: &mut [f32], part: &[f32]) {
    for (sum, part) in sum.iter_mut().zip(part) {
        *sum += part;
    }
}

/// The gradients of [`forward`]'s inputs.
pub(super) fn backward(
    x: &Plain,
    weight: &Plain,
    of_output: &Plain,
    sizes: Sizes,
    with_x: bool,
) -> Slopes {
    let (x, weight, of_output) = (
        x.to_contiguous(),
        weight.to_contiguous(),
        of_output.to_contiguous(),
    );
    let filters: &[f32] = weight.storage();
    in_parts(
        x.storage(),
        of_output.storage(),
        sizes.batch,
        with_x,
        |images, of_outputs, of_images| {
            part_backward(images, filters, of_outputs, of_images, sizes)
        },
    )
}

/// Gradients of filters and bias over some images; those of the images are written, if there is room.
fn part_backward(
    images: &[f32],
    filters: &[f32],
    of_outputs: &[f32],
    of_images: &mut [f32],
    sizes: Sizes,
) -> (Vec<f32>, Vec<f32>) {
    let windows = sizes.depth() * sizes.places();
    let mut of_windows = vec![0.0; if of_images.is_empty() { 0 } else { windows }];
    let mut windows = vec![0.0; windows];
    let mut of_weight = vec![0.0; filters.len()];
    let mut of_bias = vec![0.0; sizes.filters];
    let mut of_images = of_images.chunks_exact_mut(sizes.image());
    let samples = images
        .chunks_exact(sizes.image())
        .zip(of_outputs.chunks_exact(sizes.output()));
    for (image, of_output) in samples {
        sizes.unfold(image, &mut windows);
        sizes.compare(of_output, &windows, &mut of_weight);
        add_places(&mut of_bias, of_output);
        if let Some(of_image) = of_images.next() {
            sizes.spread(filters, of_output, &mut of_windows);
            sizes.fold(&of_windows, of_image);
        }
    }
    (of_weight, of_bias)
}
