//! The three ways through a convolution, each by the method that suits its sizes, in parallel over the batch.
//!
//! Forward, back to the images (which is what a transposed convolution does forward), and to the filters. What is
//! summed over the batch is summed in fixed parts, whatever the number of threads.

use rayon::prelude::*;

use super::depthwise::Depthwise;
use super::frame::Buffers;
use super::implicit::{FilterGradient, Plan, together};
use super::panel::Start;
use super::simd::Simd;
use super::sizes::Sizes;
use super::unfolded::{apply, compare, fold, spread, unfold};

/// Columns of a product that are fewer than this leave most of a vector's lanes empty.
const FEW: usize = 5;

/// Parts of a batch whose sums are made apart: fixed, so that sums do not depend on threads.
const PARTS: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Implicit,
    Unfolded,
    Depthwise,
}

impl Method {
    /// For a product of so many columns.
    fn of(sizes: Sizes, columns: usize) -> Self {
        let groups = sizes.sliding.groups;
        if groups > 1 && sizes.channels == groups && sizes.filters == groups {
            Method::Depthwise
        } else if groups > 1 || columns < FEW {
            Method::Unfolded
        } else {
            Method::Implicit
        }
    }
}

/// `[batch, channels, height, width]` to `[batch, filters, down, across]`, with `[filters]` added.
pub fn forward(
    simd: Simd,
    images: &[f32],
    filters: &[f32],
    bias: Option<&[f32]>,
    sizes: Sizes,
) -> Vec<f32> {
    let mut outputs = vec![0.0; sizes.batch * sizes.output()];
    let (size, made) = (sizes.image(), sizes.output());
    match Method::of(sizes, sizes.filters) {
        Method::Implicit => {
            let plan = Plan::forward(simd, filters, sizes);
            planned(
                &plan,
                images,
                size,
                bias,
                &mut outputs,
                made,
                sizes.places(),
            );
        }
        Method::Unfolded => {
            let windows = || vec![0.0; sizes.depth() * sizes.places()];
            each(
                images,
                size,
                bias,
                &mut outputs,
                made,
                windows,
                |windows, image, output| {
                    unfold(image, sizes, windows);
                    apply(simd, filters, windows, sizes, output);
                },
            );
        }
        Method::Depthwise => {
            let depthwise = Depthwise::new(simd, sizes);
            let filters = depthwise.turned(filters);
            each(
                images,
                size,
                bias,
                &mut outputs,
                made,
                Buffers::default,
                |buffers, image, output| {
                    depthwise.apply(image, &filters, output, buffers);
                },
            );
        }
    }
    outputs
}

/// The way back: `[batch, filters, down, across]` to `[batch, channels, height, width]`, with `[channels]` added.
pub fn back(
    simd: Simd,
    outputs: &[f32],
    filters: &[f32],
    bias: Option<&[f32]>,
    sizes: Sizes,
) -> Vec<f32> {
    let mut images = vec![0.0; sizes.batch * sizes.image()];
    let (size, made) = (sizes.output(), sizes.image());
    match Method::of(sizes, sizes.channels) {
        Method::Implicit => {
            let plan = Plan::back(simd, filters, sizes);
            let places = sizes.height * sizes.width;
            planned(&plan, outputs, size, bias, &mut images, made, places);
        }
        Method::Unfolded => {
            let windows = || vec![0.0; sizes.depth() * sizes.places()];
            each(
                outputs,
                size,
                bias,
                &mut images,
                made,
                windows,
                |windows, output, image| {
                    spread(simd, filters, output, sizes, windows);
                    fold(windows, sizes, image);
                },
            );
        }
        Method::Depthwise => {
            let depthwise = Depthwise::new(simd, sizes);
            let filters = depthwise.turned(filters);
            each(
                outputs,
                size,
                bias,
                &mut images,
                made,
                Buffers::default,
                |buffers, output, image| {
                    depthwise.spread(output, &filters, image, buffers);
                },
            );
        }
    }
    images
}

/// A few images at a time through a plan.
fn planned(
    plan: &Plan,
    inputs: &[f32],
    size: usize,
    bias: Option<&[f32]>,
    outputs: &mut [f32],
    made: usize,
    places: usize,
) {
    let batch = outputs.len() / made;
    let images = together(places)
        .min(batch.div_ceil(rayon::current_num_threads()))
        .max(1);
    let start = bias.map_or(Start::Zero, Start::Row);
    outputs
        .par_chunks_mut(images * made)
        .zip(inputs.par_chunks(images * size))
        .for_each_init(Buffers::default, |buffers, (outputs, inputs)| {
            plan.apply(inputs, start, outputs, buffers);
        });
}

/// One image at a time; outputs begin as the bias.
fn each<B>(
    inputs: &[f32],
    size: usize,
    bias: Option<&[f32]>,
    outputs: &mut [f32],
    made: usize,
    buffers: impl Fn() -> B + Sync + Send,
    work: impl Fn(&mut B, &[f32], &mut [f32]) + Sync + Send,
) {
    outputs
        .par_chunks_mut(made)
        .zip(inputs.par_chunks(size))
        .for_each_init(buffers, |buffers, (output, input)| {
            if let Some(bias) = bias {
                let places = output.len() / bias.len();
                for (row, value) in output.chunks_exact_mut(places).zip(bias) {
                    row.fill(*value);
                }
            }
            work(buffers, input, output);
        });
}

/// The gradient of the filters, `[filters, channels / groups, rows, columns]`, from images and the gradients of outputs.
pub fn of_filters(simd: Simd, images: &[f32], of_outputs: &[f32], sizes: Sizes) -> Vec<f32> {
    let count = sizes.filters * sizes.seen();
    match Method::of(sizes, sizes.filters) {
        Method::Implicit => {
            let gradient = FilterGradient::new(simd, sizes);
            let together = together(sizes.places());
            let sums = in_parts(
                images,
                of_outputs,
                sizes,
                count,
                |images, of_outputs, sums| {
                    let mut buffers = Buffers::default();
                    let images = images.chunks(together * sizes.image());
                    for (images, of_outputs) in
                        images.zip(of_outputs.chunks(together * sizes.output()))
                    {
                        gradient.add(images, of_outputs, sums, &mut buffers);
                    }
                },
            );
            gradient.filters(&sums)
        }
        Method::Unfolded => in_parts(
            images,
            of_outputs,
            sizes,
            count,
            |images, of_outputs, sums| {
                let mut windows = vec![0.0; sizes.depth() * sizes.places()];
                let images = images.chunks_exact(sizes.image());
                for (image, of_output) in images.zip(of_outputs.chunks_exact(sizes.output())) {
                    unfold(image, sizes, &mut windows);
                    compare(simd, of_output, &windows, sizes, sums);
                }
            },
        ),
        Method::Depthwise => {
            let depthwise = Depthwise::new(simd, sizes);
            let sums = in_parts(
                images,
                of_outputs,
                sizes,
                count,
                |images, of_outputs, sums| {
                    let mut buffers = Buffers::default();
                    let images = images.chunks_exact(sizes.image());
                    for (image, of_output) in images.zip(of_outputs.chunks_exact(sizes.output())) {
                        depthwise.compare(image, of_output, sums, &mut buffers);
                    }
                },
            );
            depthwise.filters(&sums)
        }
    }
}

/// Adds up what `add` makes of fixed parts of a batch, in their order.
fn in_parts(
    images: &[f32],
    of_outputs: &[f32],
    sizes: Sizes,
    count: usize,
    add: impl Fn(&[f32], &[f32], &mut [f32]) + Sync,
) -> Vec<f32> {
    let samples = sizes.batch.div_ceil(PARTS).max(1);
    let parts: Vec<Vec<f32>> = images
        .par_chunks(samples * sizes.image())
        .zip(of_outputs.par_chunks(samples * sizes.output()))
        .map(|(images, of_outputs)| {
            let mut sums = vec![0.0; count];
            add(images, of_outputs, &mut sums);
            sums
        })
        .collect();
    let mut parts = parts.into_iter();
    let mut sums = parts.next().unwrap_or_else(|| vec![0.0; count]);
    for part in parts {
        for (sum, part) in sums.iter_mut().zip(part) {
            *sum += part;
        }
    }
    sums
}
