//! The three ways through a convolution, each by the method that suits its sizes, in parallel over the batch.
//!
//! Forward, back to the images (which is what a transposed convolution does forward), and to the filters. What is
//! summed over the batch is summed in fixed parts, whatever the number of threads.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use super::buffers::Held;
use super::depthwise::Depthwise;
use super::direct::{Direct, turned, turned_filters};
use super::few::Few;
use super::fresh::written;
use super::implicit::{FilterGradient, Plan, together};
use super::panel::{Output, Start};
use super::simd::Simd;
use super::unfolded::{apply, compare, fold, spread, unfold};
use crate::backend::convolution_sizes::ConvolutionSizes;

/// Columns of a product that are fewer than this leave most of a vector's lanes empty.
const FEW: usize = 5;

/// Parts of a batch whose sums are made apart: fixed, so that sums do not depend on threads.
const PARTS: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Direct,
    Implicit,
    Few,
    Unfolded,
    Depthwise,
}

impl Method {
    fn forward(sizes: ConvolutionSizes) -> Self {
        match Method::of_filters(sizes) {
            // Rows are moved as they lie.
            Method::Few if sizes.sliding.stride[1] > 1 => Method::Unfolded,
            Method::Implicit if Direct::suits(sizes) => Method::Direct,
            method => method,
        }
    }

    fn back(sizes: ConvolutionSizes) -> Self {
        match sizes.sliding.groups {
            1 if sizes.channels < FEW => Method::Unfolded,
            1 if turned(sizes).is_some_and(Direct::suits) => Method::Direct,
            1 => Method::Implicit,
            groups => Method::grouped(sizes, groups),
        }
    }

    fn of_filters(sizes: ConvolutionSizes) -> Self {
        match sizes.sliding.groups {
            1 if sizes.filters < FEW => Method::Few,
            1 => Method::Implicit,
            groups => Method::grouped(sizes, groups),
        }
    }

    fn grouped(sizes: ConvolutionSizes, groups: usize) -> Self {
        match sizes.channels == groups {
            true => Method::Depthwise,
            false => Method::Unfolded,
        }
    }
}

/// `[batch, channels, height, width]` to `[batch, filters, out_height, out_width]`, with `[filters]` added.
pub fn forward(
    simd: Simd,
    images: &[f32],
    filters: &[f32],
    bias: Option<&[f32]>,
    sizes: ConvolutionSizes,
) -> Vec<f32> {
    let (size, made) = (sizes.image(), sizes.output());
    match Method::forward(sizes) {
        Method::Direct => lines(simd, images, filters, bias, sizes),
        Method::Implicit => {
            let plan = Plan::forward(simd, filters, sizes);
            planned(&plan, images, size, bias, sizes.batch, made, sizes.places())
        }
        Method::Few => {
            let few = Few::new(simd, sizes);
            each(
                images,
                size,
                bias,
                sizes.batch,
                made,
                Held::new,
                |buffers, image, output| few.apply(image, filters, output, buffers),
            )
        }
        Method::Unfolded => {
            let windows = || vec![0.0; sizes.depth() * sizes.places()];
            each(
                images,
                size,
                bias,
                sizes.batch,
                made,
                windows,
                |windows, image, output| {
                    unfold(image, sizes, windows);
                    apply(simd, filters, windows, sizes, output);
                },
            )
        }
        Method::Depthwise => {
            let depthwise = Depthwise::new(simd, sizes);
            let filters = depthwise.turned(filters);
            each(
                images,
                size,
                None,
                sizes.batch,
                made,
                Held::new,
                |buffers, image, output| {
                    depthwise.apply(image, &filters, bias, output, buffers);
                },
            )
        }
    }
}

/// The way back: `[batch, filters, out_height, out_width]` to `[batch, channels, height, width]`, with `[channels]` added.
pub fn back(
    simd: Simd,
    outputs: &[f32],
    filters: &[f32],
    bias: Option<&[f32]>,
    sizes: ConvolutionSizes,
) -> Vec<f32> {
    let (size, made) = (sizes.output(), sizes.image());
    match Method::back(sizes) {
        Method::Direct => {
            let turned = turned(sizes).expect("what is direct can be turned");
            let filters = turned_filters(filters, sizes);
            lines(simd, outputs, &filters, bias, turned)
        }
        Method::Implicit => {
            let plan = Plan::back(simd, filters, sizes);
            let places = sizes.height * sizes.width;
            planned(&plan, outputs, size, bias, sizes.batch, made, places)
        }
        // Its sums over windows have another order.
        Method::Few | Method::Unfolded => {
            let windows = || vec![0.0; sizes.depth() * sizes.places()];
            each(
                outputs,
                size,
                bias,
                sizes.batch,
                made,
                windows,
                |windows, output, image| {
                    spread(simd, filters, output, sizes, windows);
                    fold(windows, sizes, image);
                },
            )
        }
        Method::Depthwise => {
            let depthwise = Depthwise::new(simd, sizes);
            let filters = depthwise.turned(filters);
            each(
                outputs,
                size,
                bias,
                sizes.batch,
                made,
                Held::new,
                |buffers, output, image| {
                    depthwise.spread(output, &filters, image, buffers);
                },
            )
        }
    }
}

/// One image at a time, line by line.
fn lines(
    simd: Simd,
    images: &[f32],
    filters: &[f32],
    bias: Option<&[f32]>,
    sizes: ConvolutionSizes,
) -> Vec<f32> {
    let direct = Direct::new(simd, sizes);
    let write = |outputs: &mut [MaybeUninit<f32>]| {
        outputs
            .par_chunks_mut(sizes.output())
            .zip(images.par_chunks(sizes.image()))
            .for_each_init(Held::new, |buffers, (output, image)| {
                // SAFETY: no output begins with what is there.
                let output = unsafe { Output::fresh(output) };
                direct.apply(image, filters, bias, output, buffers);
            });
    };
    assert_eq!(images.len(), sizes.batch * sizes.image());
    // SAFETY: an image writes all lines of all of its outputs.
    unsafe { written(sizes.batch * sizes.output(), write) }
}

/// A few images at a time through a plan.
fn planned(
    plan: &Plan,
    inputs: &[f32],
    size: usize,
    bias: Option<&[f32]>,
    batch: usize,
    made: usize,
    places: usize,
) -> Vec<f32> {
    assert_eq!(inputs.len(), batch * size);
    let images = together(places)
        .min(batch.div_ceil(rayon::current_num_threads()))
        .max(1);
    let start = bias.map_or(Start::Zero, Start::Row);
    let write = |outputs: &mut [MaybeUninit<f32>]| {
        outputs
            .par_chunks_mut(images * made)
            .zip(inputs.par_chunks(images * size))
            .for_each_init(Held::new, |buffers, (outputs, inputs)| {
                plan.apply(inputs, start, outputs, buffers);
            });
    };
    // SAFETY: the plan writes every place of the outputs of as many inputs.
    unsafe { written(batch * made, write) }
}

/// One image at a time; outputs begin as the bias.
fn each<B>(
    inputs: &[f32],
    size: usize,
    bias: Option<&[f32]>,
    batch: usize,
    made: usize,
    buffers: impl Fn() -> B + Sync + Send,
    work: impl Fn(&mut B, &[f32], &mut [f32]) + Sync + Send,
) -> Vec<f32> {
    let mut outputs = vec![0.0; batch * made];
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
    outputs
}

/// The gradient of the filters, `[filters, channels / groups, kernel_height, kernel_width]`, from images and the gradients of outputs.
pub fn of_filters(
    simd: Simd,
    images: &[f32],
    of_outputs: &[f32],
    sizes: ConvolutionSizes,
) -> Vec<f32> {
    let count = sizes.filters * sizes.seen();
    match Method::of_filters(sizes) {
        Method::Direct | Method::Implicit => {
            let gradient = FilterGradient::new(simd, sizes);
            let together = together(sizes.places());
            let sums = in_parts(
                images,
                of_outputs,
                sizes,
                count,
                |images, of_outputs, sums| {
                    let mut buffers = Held::new();
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
        Method::Few => {
            let few = Few::new(simd, sizes);
            let sums = image_by_image(
                images,
                of_outputs,
                sizes,
                count,
                Held::new,
                |buffers, image, of_output, sums| few.compare(image, of_output, sums, buffers),
            );
            few.filters(&sums)
        }
        Method::Unfolded => image_by_image(
            images,
            of_outputs,
            sizes,
            count,
            || vec![0.0; sizes.depth() * sizes.places()],
            |windows: &mut Vec<f32>, image, of_output, sums| {
                unfold(image, sizes, windows);
                compare(simd, of_output, windows, sizes, sums);
            },
        ),
        Method::Depthwise => {
            let depthwise = Depthwise::new(simd, sizes);
            let sums = image_by_image(
                images,
                of_outputs,
                sizes,
                count,
                Held::new,
                |buffers, image, of_output, sums| {
                    depthwise.compare(image, of_output, sums, buffers)
                },
            );
            depthwise.filters(&sums)
        }
    }
}

/// Adds up what `add` makes of one image after another, with buffers of each part's own.
fn image_by_image<B>(
    images: &[f32],
    of_outputs: &[f32],
    sizes: ConvolutionSizes,
    count: usize,
    buffers: impl Fn() -> B + Sync,
    add: impl Fn(&mut B, &[f32], &[f32], &mut [f32]) + Sync,
) -> Vec<f32> {
    let of_part = |images: &[f32], of_outputs: &[f32], sums: &mut [f32]| {
        let mut buffers = buffers();
        let images = images.chunks_exact(sizes.image());
        for (image, of_output) in images.zip(of_outputs.chunks_exact(sizes.output())) {
            add(&mut buffers, image, of_output, sums);
        }
    };
    in_parts(images, of_outputs, sizes, count, of_part)
}

/// Adds up what `add` makes of fixed parts of a batch, in their order.
fn in_parts(
    images: &[f32],
    of_outputs: &[f32],
    sizes: ConvolutionSizes,
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

#[cfg(test)]
mod tests {
    use rand::Rng;
    use rand_chacha::ChaCha8Rng;

    use super::super::testing::{by_every_set, chance, is_same, near, numbers};
    use super::*;
    use crate::backend::sliding::Sliding;

    /// ConvolutionSizes of any kind in which a window finds room.
    fn sizes(chance: &mut ChaCha8Rng) -> ConvolutionSizes {
        loop {
            let mut up_to = |most: usize| chance.random_range(1..=most);
            let groups = [1, 1, 1, 2, 3][up_to(5) - 1];
            let depthwise = groups > 1 && up_to(2) == 1;
            let (seen, share) = match depthwise {
                true => (1, up_to(3)),
                false => (up_to(9), [up_to(5), up_to(40)][up_to(2) - 1]),
            };
            let groups = if depthwise { up_to(20) + 1 } else { groups };
            let [height, rows, columns] = [up_to(12), up_to(4), up_to(4)];
            // Some lines fill vectors.
            let width = [up_to(12), 10 + up_to(45)][up_to(2) - 1];
            let sliding = Sliding {
                stride: [up_to(3), up_to(3)],
                before: [up_to(4) - 1, up_to(4) - 1],
                after: [up_to(4) - 1, up_to(4) - 1],
                dilation: [up_to(2), up_to(2)],
                groups,
            };
            let fits = |axis: usize, size: usize, kernel: usize| {
                let padded = size + sliding.before[axis] + sliding.after[axis];
                (kernel - 1) * sliding.dilation[axis] < padded
            };
            if fits(0, height, rows) && fits(1, width, columns) {
                let x = [up_to(11), seen * groups, height, width];
                let weight = [share * groups, seen, rows, columns];
                let mut sizes = ConvolutionSizes::of(x, weight, sliding);
                if up_to(3) == 1 {
                    // As the transposed convolution has it: windows reach as far as they do, unsaid.
                    sizes.sliding.after = [0, 0];
                }
                return sizes;
            }
        }
    }

    /// Calls `visit(of the image, of the filters, of the output)` for all that are multiplied.
    fn visit(sizes: ConvolutionSizes, mut visit: impl FnMut(usize, usize, usize)) {
        let Sliding {
            stride,
            before,
            dilation,
            groups,
            ..
        } = sizes.sliding;
        let seen = sizes.channels / groups;
        for output in 0..sizes.batch * sizes.output() {
            let (image, place) = (output / sizes.output(), output % sizes.places());
            let filter = output / sizes.places() % sizes.filters;
            for value in 0..sizes.seen() {
                let (column, row) = (
                    value % sizes.kernel_width,
                    value / sizes.kernel_width % sizes.kernel_height,
                );
                let channel = value / sizes.kernel_width / sizes.kernel_height
                    + filter / sizes.filters_per_group() * seen;
                let y = place / sizes.out_width * stride[0] + row * dilation[0];
                let x = place % sizes.out_width * stride[1] + column * dilation[1];
                let (Some(y), Some(x)) = (y.checked_sub(before[0]), x.checked_sub(before[1]))
                else {
                    continue;
                };
                if y < sizes.height && x < sizes.width {
                    let line = (image * sizes.channels + channel) * sizes.height + y;
                    visit(
                        line * sizes.width + x,
                        filter * sizes.seen() + value,
                        output,
                    );
                }
            }
        }
    }

    #[test]
    fn all_ways_agree_with_plain_sums_and_every_set_with_every_other() {
        let mut chance = chance(5);
        for _ in 0..150 {
            let sizes = sizes(&mut chance);
            let what = format!("{sizes:?}");
            let images = numbers(&mut chance, sizes.batch * sizes.image());
            let filters = numbers(&mut chance, sizes.filters * sizes.seen());
            let outputs = numbers(&mut chance, sizes.batch * sizes.output());
            let biases = [sizes.filters, sizes.channels].map(|count| numbers(&mut chance, count));
            let spread = |bias: &[f32], places: usize| -> Vec<f64> {
                let of_image = || {
                    bias.iter()
                        .flat_map(|value| vec![f64::from(*value); places])
                };
                (0..sizes.batch).flat_map(|_| of_image()).collect()
            };
            let mut made = spread(&biases[0], sizes.places());
            let mut back_made = spread(&biases[1], sizes.height * sizes.width);
            let mut of = vec![0.0; filters.len()];
            visit(sizes, |image, filter, output| {
                let [i, f, o] = [images[image], filters[filter], outputs[output]].map(f64::from);
                made[output] += i * f;
                back_made[image] += o * f;
                of[filter] += i * o;
            });
            let bias = Some(&biases[0][..]);
            let received =
                by_every_set(&what, |simd| forward(simd, &images, &filters, bias, sizes));
            near(&what, &received, &made, sizes.seen());
            let bias = Some(&biases[1][..]);
            let received = by_every_set(&what, |simd| back(simd, &outputs, &filters, bias, sizes));
            near(
                &what,
                &received,
                &back_made,
                sizes.seen() * sizes.filters_per_group(),
            );
            let received = by_every_set(&what, |simd| of_filters(simd, &images, &outputs, sizes));
            near(&what, &received, &of, sizes.batch * sizes.places());
        }
    }

    #[test]
    fn threads_change_nothing() {
        let mut chance = chance(6);
        for _ in 0..10 {
            let sizes = sizes(&mut chance);
            let images = numbers(&mut chance, sizes.batch * sizes.image());
            let filters = numbers(&mut chance, sizes.filters * sizes.seen());
            let outputs = numbers(&mut chance, sizes.batch * sizes.output());
            let made = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
                pool.build().unwrap().install(|| {
                    let simd = Simd::detected();
                    [
                        forward(simd, &images, &filters, None, sizes),
                        back(simd, &outputs, &filters, None, sizes),
                        of_filters(simd, &images, &outputs, sizes),
                    ]
                })
            };
            for (one, three) in made(1).iter().zip(&made(3)) {
                assert!(is_same(one, three), "{sizes:?}");
            }
        }
    }

    #[test]
    fn what_is_no_number_stays_so() {
        let sliding = Sliding {
            stride: [1, 1],
            before: [1, 1],
            after: [1, 1],
            dilation: [1, 1],
            groups: 1,
        };
        let sizes = ConvolutionSizes::of([1, 2, 5, 5], [6, 2, 3, 3], sliding);
        let mut images = vec![1.0; sizes.image()];
        images[12] = f32::NAN;
        images[25] = f32::INFINITY;
        let filters = vec![1.0; sizes.filters * sizes.seen()];
        let made = by_every_set("NaN", |simd| forward(simd, &images, &filters, None, sizes));
        for made in made.chunks_exact(25) {
            let nan = made.iter().filter(|value| value.is_nan()).count();
            assert_eq!((nan, made[0], made[24]), (9, f32::INFINITY, 8.0));
        }
    }
}
