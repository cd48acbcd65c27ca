//! Convolution as a product whose left matrix is the image itself: no window is copied.
//!
//! Images are brought to the order `[height, width, channels]` with their padding. Then what a row of a kernel sees is
//! one run of memory, and so is what the gradient of a place is made of.
//! Several images go through one product where an image has few places. Channels in one group only.

use std::mem::MaybeUninit;

use super::buffers::{Buffers, room};
use super::frame::{Frame, Tap, image_frame, taps, window_offsets};
use super::panel::{Output, Panel, RightRows, Run, Start, width};
use super::simd::Simd;
use super::transpose::{transpose_far, transpose_fresh};
use crate::backend::convolution_sizes::ConvolutionSizes;
use crate::backend::sliding::Sliding;

/// Products along which a panel is read at once: it stays in a core's own cache.
const DEPTH: usize = 512;

/// The same for the gradients of filters, where both matrices are new to the cache.
const PLACES_AT_ONCE: usize = 128;

/// Places that are worth a product of their own.
const PLACES: usize = 256;

/// Where some outputs find their products: all that see the same values of the filters.
#[derive(Debug, Clone, Default)]
struct ForwardContext {
    /// Where the window of each place begins in the frame.
    windows: Vec<usize>,
    /// Where its outputs begin, `[places, columns]`.
    outputs: Vec<usize>,
    runs: Vec<Run>,
    /// `[depth, width]` for each panel of columns.
    right: Vec<f32>,
}

/// One way through the filters: what a frame's windows make of it.
#[derive(Debug, Clone)]
pub struct Plan {
    simd: Simd,
    frame: Frame,
    /// Of the output.
    places: usize,
    columns: usize,
    passes: Vec<ForwardContext>,
}

/// Images that go through one product, where each has `places` places.
pub fn together(places: usize) -> usize {
    (PLACES / places.max(1)).max(1)
}

impl Plan {
    /// From `[channels, height, width]` to `[filters, out_height, out_width]`.
    pub fn forward(simd: Simd, filters: &[f32], sizes: ConvolutionSizes) -> Self {
        let frame = image_frame(sizes);
        let taps = taps(sizes);
        let runs = taps.iter().map(|tap| Run {
            offset: tap.offset(&frame, sizes),
            length: sizes.channels,
        });
        let weight = |k: usize, filter: usize| {
            let (tap, channel) = (taps[k / sizes.channels], k % sizes.channels);
            filters[tap.weight(filter, channel, sizes)]
        };
        let places = sizes.places();
        let pass = ForwardContext {
            windows: window_offsets(&frame, sizes),
            outputs: (0..places).map(|place| place * sizes.filters).collect(),
            runs: merged(runs),
            right: packed(simd, sizes.depth(), sizes.filters, weight),
        };
        Plan {
            simd,
            frame,
            places,
            columns: sizes.filters,
            passes: vec![pass],
        }
    }

    /// From `[filters, out_height, out_width]` back to `[channels, height, width]`: every value of an image is the sum over
    /// the windows that see it.
    ///
    /// Where the stride is longer than 1, places that lie a stride apart are seen by the same values of the filters.
    pub fn back(simd: Simd, filters: &[f32], sizes: ConvolutionSizes) -> Self {
        let Sliding { stride, before, .. } = sizes.sliding;
        let axes = [
            axis_phases(
                sizes.height,
                before[0],
                stride[0],
                sizes.kernel_height,
                sizes.sliding.dilation[0],
            ),
            axis_phases(
                sizes.width,
                before[1],
                stride[1],
                sizes.kernel_width,
                sizes.sliding.dilation[1],
            ),
        ];
        let outputs = [sizes.out_height, sizes.out_width];
        let reach = |axis: usize| {
            let places = axes[axis].iter().flat_map(Phase::places);
            places.fold((0, 0), |(before, after), place| {
                let behind = place - (outputs[axis] as isize - 1);
                (isize::max(before, -place), isize::max(after, behind))
            })
        };
        let (down, across) = (reach(0), reach(1));
        let frame = Frame {
            channels: sizes.filters,
            height: sizes.out_height,
            width: sizes.out_width,
            before: [down.0 as usize, across.0 as usize],
            after: [down.1 as usize, across.1 as usize],
        };
        let mut passes = Vec::new();
        for of_rows in &axes[0] {
            for of_columns in &axes[1] {
                passes.push(back_pass(simd, filters, sizes, &frame, of_rows, of_columns));
            }
        }
        Plan {
            simd,
            frame,
            places: sizes.height * sizes.width,
            columns: sizes.channels,
            passes,
        }
    }

    /// Sends a few images through: `[images, channels, ...]` to `[images, columns, ...]`, beginning with `[columns]`. Every
    /// place of the outputs is written.
    pub fn apply(
        &self,
        inputs: &[f32],
        start: Start,
        outputs: &mut [MaybeUninit<f32>],
        buffers: &mut Buffers,
    ) {
        let images = outputs.len() / (self.places * self.columns);
        let Buffers {
            turned,
            frames,
            made,
            ..
        } = buffers;
        let frames = self.frame.turn(self.simd, inputs, 0, turned, frames);
        let made = room(made, outputs.len());
        for pass in &self.passes {
            self.pass(pass, images, start, frames, made);
        }
        let of_images = outputs.chunks_exact_mut(self.places * self.columns);
        for (output, made) in of_images.zip(made.chunks_exact(self.places * self.columns)) {
            let shape = [self.places, self.columns];
            transpose_fresh(self.simd, shape, made, self.columns, output, self.places);
        }
    }

    fn pass(
        &self,
        pass: &ForwardContext,
        images: usize,
        start: Start,
        frames: &[f32],
        made: &mut [f32],
    ) {
        let (size, made_size) = (self.frame.len(), self.places * self.columns);
        let depth: usize = pass.runs.iter().map(|run| run.length).sum();
        let rows = spread(&pass.windows, images, size);
        let outputs = spread(&pass.outputs, images, made_size);
        let all_columns = width(self.simd, self.columns);
        let mut from = 0;
        for (index, runs) in blocks(&pass.runs).into_iter().enumerate() {
            let taken: usize = runs.iter().map(|run| run.length).sum();
            for column in (0..self.columns).step_by(all_columns) {
                let columns = all_columns.min(self.columns - column);
                let wide = width(self.simd, columns);
                let begin = column * depth + from * wide;
                let panel = Panel {
                    left: frames,
                    rows: &rows,
                    runs: &runs,
                    step: 1,
                    right: &pass.right[begin..begin + taken * wide],
                    right_rows: RightRows::Apart(wide),
                    columns,
                    start: match index {
                        0 => start.from(column),
                        _ => Start::Output,
                    },
                };
                panel.write(self.simd, Output::of(&mut made[column..]), &outputs);
            }
            from += taken;
        }
    }
}

/// Offsets of one image, for all images.
fn spread(offsets: &[usize], images: usize, size: usize) -> Vec<usize> {
    let of_image = |image| offsets.iter().map(move |offset| image * size + offset);
    (0..images).flat_map(of_image).collect()
}

/// Along an axis, the places of an image that the same values of a kernel see, a stride apart.
#[derive(Debug)]
struct Phase {
    /// The first of them, and how many.
    first: usize,
    count: usize,
    /// Which values see the first, and in which window each does; the next place is seen in the next window.
    taps: Vec<(usize, isize)>,
}

impl Phase {
    /// All windows that are asked for.
    fn places(&self) -> impl Iterator<Item = isize> {
        let last = self.count as isize - 1;
        self.taps
            .iter()
            .flat_map(move |&(_, window)| [window, window + last])
    }
}

fn axis_phases(
    places: usize,
    before: usize,
    stride: usize,
    kernel: usize,
    dilation: usize,
) -> Vec<Phase> {
    let phase = |first: usize| {
        let tap = |tap: usize| {
            let off = (first + before) as isize - (tap * dilation) as isize;
            let window = off.div_euclid(stride as isize);
            (off.rem_euclid(stride as isize) == 0).then_some((tap, window))
        };
        Phase {
            first,
            count: (places - first).div_ceil(stride),
            // Backwards, so that windows are in the order in which they lie.
            taps: (0..kernel).rev().filter_map(tap).collect(),
        }
    };
    (0..stride.min(places)).map(phase).collect()
}

fn back_pass(
    simd: Simd,
    filters: &[f32],
    sizes: ConvolutionSizes,
    frame: &Frame,
    of_rows: &Phase,
    of_columns: &Phase,
) -> ForwardContext {
    let [down, across] = sizes.sliding.stride;
    let mut pass = ForwardContext::default();
    for y in 0..of_rows.count {
        for x in 0..of_columns.count {
            pass.windows.push(y * frame.line() + x * frame.channels);
            let (y, x) = (of_rows.first + y * down, of_columns.first + x * across);
            pass.outputs.push((y * sizes.width + x) * sizes.channels);
        }
    }
    let (mut taps, mut runs) = (Vec::new(), Vec::new());
    for &(row, y) in &of_rows.taps {
        for &(column, x) in &of_columns.taps {
            let y = (y + frame.before[0] as isize) as usize;
            let x = (x + frame.before[1] as isize) as usize;
            taps.push(Tap { row, column });
            runs.push(Run {
                offset: y * frame.line() + x * frame.channels,
                length: sizes.filters,
            });
        }
    }
    let weight = |k: usize, channel: usize| {
        let (tap, filter) = (taps[k / sizes.filters], k % sizes.filters);
        filters[tap.weight(filter, channel, sizes)]
    };
    pass.right = packed(simd, taps.len() * sizes.filters, sizes.channels, weight);
    pass.runs = merged(runs.into_iter());
    pass
}

/// Runs that follow each other as one.
fn merged(runs: impl Iterator<Item = Run>) -> Vec<Run> {
    let mut merged: Vec<Run> = Vec::new();
    for run in runs {
        match merged.last_mut() {
            Some(last) if last.offset + last.length == run.offset => last.length += run.length,
            _ => merged.push(run),
        }
    }
    merged
}

/// The runs in blocks of no more than [`DEPTH`] products; one at least, though it be empty.
fn blocks(runs: &[Run]) -> Vec<Vec<Run>> {
    let mut blocks = vec![Vec::new()];
    let mut room = DEPTH;
    for &run in runs {
        let mut run = run;
        while run.length > room {
            let (offset, length) = (run.offset, room);
            if length > 0 {
                blocks
                    .last_mut()
                    .expect("one at least")
                    .push(Run { offset, length });
            }
            run = Run {
                offset: offset + length,
                length: run.length - length,
            };
            blocks.push(Vec::new());
            room = DEPTH;
        }
        room -= run.length;
        blocks.last_mut().expect("one at least").push(run);
    }
    blocks
}

/// `value(k, column)` panel by panel, `[depth, width]` each, zeros behind the columns.
fn packed(
    simd: Simd,
    depth: usize,
    columns: usize,
    value: impl Fn(usize, usize) -> f32,
) -> Vec<f32> {
    let all = width(simd, columns);
    let mut values = Vec::with_capacity(depth * (columns + all));
    for column in (0..columns).step_by(all) {
        let taken = all.min(columns - column);
        let wide = width(simd, taken);
        for k in 0..depth {
            values.extend((column..column + taken).map(|column| value(k, column)));
            values.resize(values.len() + wide - taken, 0.0);
        }
    }
    values
}

/// The gradient of the filters, `[kernel_height, kernel_width, channels, filters]`, summed image after image.
#[derive(Debug)]
pub struct FilterGradient {
    simd: Simd,
    frame: Frame,
    sizes: ConvolutionSizes,
    /// Where each value of a window lies from its beginning.
    values: Vec<usize>,
    outputs: Vec<usize>,
}

impl FilterGradient {
    pub fn new(simd: Simd, sizes: ConvolutionSizes) -> Self {
        let frame = image_frame(sizes);
        let of_tap = |tap: Tap| {
            let begin = tap.offset(&frame, sizes);
            (0..sizes.channels).map(move |channel| begin + channel)
        };
        let values: Vec<usize> = taps(sizes).into_iter().flat_map(of_tap).collect();
        let outputs = (0..values.len()).map(|k| k * sizes.filters).collect();
        FilterGradient {
            simd,
            frame,
            sizes,
            values,
            outputs,
        }
    }

    /// Adds to `sums` what a few images make with the gradients of their outputs.
    pub fn add(&self, images: &[f32], of_outputs: &[f32], sums: &mut [f32], buffers: &mut Buffers) {
        let sizes = self.sizes;
        let Buffers {
            turned,
            frames,
            made,
            right,
        } = buffers;
        let count = of_outputs.len() / sizes.output();
        let frames = self.frame.turn(self.simd, images, 0, turned, frames);
        let made = room(made, of_outputs.len());
        let of_images = of_outputs.chunks_exact(sizes.output());
        for (of_output, turned) in of_images.zip(made.chunks_exact_mut(sizes.output())) {
            let shape = [sizes.filters, sizes.places()];
            transpose_far(
                self.simd,
                shape,
                of_output,
                sizes.places(),
                turned,
                sizes.filters,
            );
        }
        let lines = count * sizes.out_height;
        let together = (PLACES_AT_ONCE / sizes.out_width).max(1);
        for first in (0..lines).step_by(together) {
            let last = (first + together).min(lines);
            let of_outputs = &made
                [first * sizes.out_width * sizes.filters..last * sizes.out_width * sizes.filters];
            self.add_lines(first..last, frames, of_outputs, right, sums);
        }
    }

    /// Some rows of windows, counted through all images; `of_outputs` is `[places, filters]`.
    fn add_lines(
        &self,
        lines: std::ops::Range<usize>,
        frames: &[f32],
        of_outputs: &[f32],
        right: &mut Vec<f32>,
        sums: &mut [f32],
    ) {
        let sizes = self.sizes;
        let [down, across] = sizes.sliding.stride;
        let line = |line: usize| Run {
            offset: line / sizes.out_height * self.frame.len()
                + line % sizes.out_height * down * self.frame.line(),
            length: sizes.out_width,
        };
        let runs: Vec<Run> = lines.map(line).collect();
        let all = width(self.simd, sizes.filters);
        for column in (0..sizes.filters).step_by(all) {
            let columns = all.min(sizes.filters - column);
            let wide = width(self.simd, columns);
            // Columns that fill their vectors are read where they lie.
            let (right, stride) = match columns == wide {
                true => (&of_outputs[column..], sizes.filters),
                false => {
                    right.clear();
                    for place in of_outputs.chunks_exact(sizes.filters) {
                        right.extend_from_slice(&place[column..column + columns]);
                        right.resize(right.len() + wide - columns, 0.0);
                    }
                    (&right[..], wide)
                }
            };
            let panel = Panel {
                left: frames,
                rows: &self.values,
                runs: &runs,
                step: across * self.frame.channels,
                right,
                right_rows: RightRows::Apart(stride),
                start: Start::Output,
                columns,
            };
            panel.write(self.simd, Output::of(&mut sums[column..]), &self.outputs);
        }
    }

    /// The sums as filters, `[filters, channels, kernel_height, kernel_width]`.
    pub fn filters(&self, sums: &[f32]) -> Vec<f32> {
        let sizes = self.sizes;
        let mut filters = vec![0.0; sums.len()];
        let values = taps(sizes)
            .into_iter()
            .flat_map(|tap| (0..sizes.channels).map(move |channel| (tap, channel)));
        for ((tap, channel), row) in values.zip(sums.chunks_exact(sizes.filters)) {
            for (filter, sum) in row.iter().enumerate() {
                filters[tap.weight(filter, channel, sizes)] = *sum;
            }
        }
        filters
    }
}
