//! Convolution of every channel by filters of its own: channel by channel in vectors, place by place.
//!
//! Where a channel has several filters, it is there as often.

use std::borrow::Cow;

use super::buffers::{Buffers, Frames, room};
use super::frame::{Frame, image_frame, taps, window_offsets};
use super::simd::{Simd, on_every_set};
use super::sums::add;
use super::transpose::transpose;
use crate::backend::convolution_sizes::ConvolutionSizes;

/// What an image and filters of `[filters, 1, kernel_height, kernel_width]` make of each other.
#[derive(Debug)]
pub struct Depthwise {
    simd: Simd,
    /// With one channel a filter.
    sizes: ConvolutionSizes,
    /// Filters of a channel.
    times: usize,
    frame: Frame,
    windows: Vec<usize>,
    /// From the beginning of a window to what lies under each value of the kernel.
    taps: Vec<usize>,
}

impl Depthwise {
    pub fn new(simd: Simd, sizes: ConvolutionSizes) -> Self {
        let times = sizes.filters / sizes.channels;
        let sizes = ConvolutionSizes {
            channels: sizes.filters,
            ..sizes
        };
        let frame = image_frame(sizes);
        Depthwise {
            simd,
            sizes,
            times,
            windows: window_offsets(&frame, sizes),
            taps: taps(sizes)
                .into_iter()
                .map(|tap| tap.offset(&frame, sizes))
                .collect(),
            frame,
        }
    }

    /// Filters as `[kernel_height, kernel_width, filters]`.
    pub fn turned(&self, filters: &[f32]) -> Vec<f32> {
        let mut turned = vec![0.0; filters.len()];
        let shape = [self.sizes.channels, self.taps.len()];
        transpose(
            self.simd,
            shape,
            filters,
            self.taps.len(),
            &mut turned,
            self.sizes.channels,
        );
        turned
    }

    /// The way back.
    pub fn filters(&self, turned: &[f32]) -> Vec<f32> {
        let mut filters = vec![0.0; turned.len()];
        let shape = [self.taps.len(), self.sizes.channels];
        transpose(
            self.simd,
            shape,
            turned,
            self.sizes.channels,
            &mut filters,
            self.taps.len(),
        );
        filters
    }

    /// `[channels, height, width]` and turned filters to `[filters, out_height, out_width]`, with `[filters]` added.
    pub fn apply(
        &self,
        image: &[f32],
        filters: &[f32],
        bias: Option<&[f32]>,
        output: &mut [f32],
        buffers: &mut Buffers,
    ) {
        let Buffers {
            turned,
            frames,
            made,
            ..
        } = buffers;
        let frame = self.frame_of(image, turned, frames);
        let (places, channels) = (self.sizes.places(), self.sizes.channels);
        let made = room(made, output.len());
        for made in made.chunks_exact_mut(channels) {
            match bias {
                Some(bias) => made.copy_from_slice(bias),
                None => made.fill(0.0),
            }
        }
        sum_windows(self.simd, frame, &self.windows, &self.taps, filters, made);
        transpose(
            self.simd,
            [places, channels],
            made,
            channels,
            output,
            places,
        );
    }

    /// Adds an output spread back over its windows to an image.
    pub fn spread(
        &self,
        output: &[f32],
        filters: &[f32],
        image: &mut [f32],
        buffers: &mut Buffers,
    ) {
        let Buffers {
            turned,
            frames,
            made,
            right: sums,
        } = buffers;
        let frame = frames.zeros(&self.frame);
        let made = self.turn_output(output, made);
        spread_windows(self.simd, frame, &self.windows, &self.taps, filters, made);
        let sums = room(sums, self.sizes.image());
        self.frame.take(self.simd, frame, turned, sums);
        let places = self.sizes.height * self.sizes.width;
        for (index, sums) in sums.chunks_exact(places).enumerate() {
            add(
                self.simd,
                sums,
                &mut image[index / self.times * places..][..places],
            );
        }
    }

    /// Adds one image's share to the gradient of the turned filters.
    pub fn compare(&self, image: &[f32], output: &[f32], sums: &mut [f32], buffers: &mut Buffers) {
        let Buffers {
            turned,
            frames,
            made,
            ..
        } = buffers;
        let frame = self.frame_of(image, turned, frames);
        let made = self.turn_output(output, made);
        compare_windows(self.simd, frame, &self.windows, &self.taps, made, sums);
    }

    fn frame_of<'a>(
        &self,
        image: &[f32],
        turned: &mut Vec<f32>,
        frames: &'a mut Frames,
    ) -> &'a [f32] {
        let image = match self.times {
            1 => Cow::Borrowed(image),
            times => {
                let channels = image.chunks_exact(self.sizes.height * self.sizes.width);
                let mut repeated = Vec::with_capacity(image.len() * times);
                for channel in channels {
                    (0..times).for_each(|_| repeated.extend_from_slice(channel));
                }
                Cow::Owned(repeated)
            }
        };
        self.frame.turn(self.simd, &image, 0, turned, frames)
    }

    fn turn_output<'a>(&self, output: &[f32], made: &'a mut Vec<f32>) -> &'a [f32] {
        let (places, channels) = (self.sizes.places(), self.sizes.channels);
        let made = room(made, output.len());
        transpose(
            self.simd,
            [channels, places],
            output,
            places,
            made,
            channels,
        );
        made
    }
}

/// `sum + a * b`, value by value, sixteen at once, then the rest one by one.
#[inline(always)]
fn multiply_add(a: &[f32], b: &[f32], sums: &mut [f32]) {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    let (sums, rest) = sums.as_chunks_mut::<16>();
    for ((sums, a), b) in sums.iter_mut().zip(a).zip(b) {
        for lane in 0..16 {
            sums[lane] = a[lane].mul_add(b[lane], sums[lane]);
        }
    }
    for ((sum, a), b) in rest.iter_mut().zip(a_rest).zip(b_rest) {
        *sum = a.mul_add(*b, *sum);
    }
}

on_every_set! {
    /// Adds to each output the windows times the filters, one value of the kernel after another.
    fn sum_windows(frames: &[f32], windows: &[usize], taps: &[usize], filters: &[f32], outputs: &mut [f32]) {
        let channels = filters.len() / taps.len();
        for (output, window) in outputs.chunks_exact_mut(channels).zip(windows) {
            let (whole, rest) = output.as_chunks_mut::<16>();
            let first = whole.len() * 16;
            for (index, output) in whole.iter_mut().enumerate() {
                // In registers until the last of them.
                let mut sums = *output;
                for (tap, filter) in taps.iter().zip(filters.chunks_exact(channels)) {
                    let values = &frames[window + tap + index * 16..][..16];
                    multiply_add(values, &filter[index * 16..][..16], &mut sums);
                }
                *output = sums;
            }
            for (tap, filter) in taps.iter().zip(filters.chunks_exact(channels)) {
                multiply_add(&frames[window + tap + first..][..rest.len()], &filter[first..], rest);
            }
        }
    }
}

on_every_set! {
    /// Adds to the values under each window its output times the filters.
    fn spread_windows(frames: &mut [f32], windows: &[usize], taps: &[usize], filters: &[f32], outputs: &[f32]) {
        let channels = filters.len() / taps.len();
        for (output, window) in outputs.chunks_exact(channels).zip(windows) {
            for (tap, filter) in taps.iter().zip(filters.chunks_exact(channels)) {
                multiply_add(output, filter, &mut frames[window + tap..][..channels]);
            }
        }
    }
}

on_every_set! {
    /// Adds to the filters' gradients the values under each window times its output.
    fn compare_windows(frames: &[f32], windows: &[usize], taps: &[usize], outputs: &[f32], sums: &mut [f32]) {
        let channels = sums.len() / taps.len();
        for (output, window) in outputs.chunks_exact(channels).zip(windows) {
            for (tap, sums) in taps.iter().zip(sums.chunks_exact_mut(channels)) {
                multiply_add(&frames[window + tap..][..channels], output, sums);
            }
        }
    }
}
