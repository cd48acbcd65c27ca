//! Images whose places hold their channels side by side, with zeros around them, and the windows over them.

use super::buffers::{Form, Frames, room};
use super::simd::Simd;
use super::transpose::{transpose, transpose_far};
use crate::backend::convolution_sizes::ConvolutionSizes;
use crate::backend::sliding::Sliding;

/// Images, `[height, width, channels]`, with zeros around them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    pub before: [usize; 2],
    pub after: [usize; 2],
}

impl Frame {
    /// Values from one row to the next.
    pub fn line(&self) -> usize {
        (self.before[1] + self.width + self.after[1]) * self.channels
    }

    pub fn len(&self) -> usize {
        (self.before[0] + self.height + self.after[0]) * self.line()
    }

    pub fn is_padded(&self) -> bool {
        [self.before, self.after] != [[0; 2]; 2]
    }

    /// Images of `[channels, height, width]` turned, and `slack` places behind them.
    pub fn turn<'a>(
        &self,
        simd: Simd,
        images: &[f32],
        slack: usize,
        turned: &mut Vec<f32>,
        frames: &'a mut Frames,
    ) -> &'a [f32] {
        let places = self.height * self.width;
        let shape = [self.channels, places];
        let images = images.chunks_exact(self.channels * places);
        let frames = frames.of(self, Form::Turned, images.len(), slack);
        for (image, frame) in images.zip(frames.chunks_exact_mut(self.len())) {
            if !self.is_padded() {
                transpose_far(simd, shape, image, places, frame, self.channels);
                continue;
            }
            let turned = room(turned, image.len());
            transpose_far(simd, shape, image, places, turned, self.channels);
            let inner = self.width * self.channels;
            let rows = frame.chunks_exact_mut(self.line()).skip(self.before[0]);
            for (row, turned) in rows.zip(turned.chunks_exact(inner)) {
                row[self.before[1] * self.channels..][..inner].copy_from_slice(turned);
            }
        }
        frames
    }

    /// Lines of a channel with what is around it, and places of a line.
    pub fn extent(&self) -> [usize; 2] {
        [0, 1].map(|axis| {
            let inside = [self.height, self.width][axis];
            self.before[axis] + inside + self.after[axis]
        })
    }

    /// An image of `[channels, height, width]` as it lies, with what is around each channel and `slack` places behind.
    pub fn pad<'a>(&self, image: &[f32], slack: usize, frames: &'a mut Frames) -> &'a [f32] {
        let [lines, line] = self.extent();
        let frames = frames.of(self, Form::Lines, 1, slack);
        let planes = frames.chunks_exact_mut((lines * line).max(1));
        let channels = image.chunks_exact(self.height * self.width);
        for (frame, channel) in planes.zip(channels) {
            let rows = frame.chunks_exact_mut(line).skip(self.before[0]);
            for (row, from) in rows.zip(channel.chunks_exact(self.width)) {
                row[self.before[1]..][..self.width].copy_from_slice(from);
            }
        }
        frames
    }

    /// The images without what is around them, `[channels, height, width]`.
    pub fn take(&self, simd: Simd, frames: &[f32], turned: &mut Vec<f32>, images: &mut [f32]) {
        let places = self.height * self.width;
        let images = images.chunks_exact_mut(self.channels * places);
        for (image, frame) in images.zip(frames.chunks_exact(self.len())) {
            let turned = room(turned, image.len());
            let inner = self.width * self.channels;
            let rows = frame.chunks_exact(self.line()).skip(self.before[0]);
            for (row, turned) in rows.zip(turned.chunks_exact_mut(inner)) {
                turned.copy_from_slice(&row[self.before[1] * self.channels..][..inner]);
            }
            transpose(
                simd,
                [places, self.channels],
                turned,
                self.channels,
                image,
                places,
            );
        }
    }
}

/// The frame that a convolution's windows move over: as far as they reach, which on the way of a transposed
/// convolution may be further than its padding says, and never is less.
pub fn image_frame(sizes: ConvolutionSizes) -> Frame {
    let Sliding {
        stride,
        before,
        dilation,
        ..
    } = sizes.sliding;
    let after = |axis: usize, outputs: usize, kernel: usize, places: usize| {
        let reach = (outputs - 1) * stride[axis] + (kernel - 1) * dilation[axis] + 1;
        reach.saturating_sub(before[axis] + places)
    };
    Frame {
        channels: sizes.channels,
        height: sizes.height,
        width: sizes.width,
        before,
        after: [
            after(0, sizes.out_height, sizes.kernel_height, sizes.height),
            after(1, sizes.out_width, sizes.kernel_width, sizes.width),
        ],
    }
}

/// A place of the kernel.
#[derive(Debug, Clone, Copy)]
pub struct Tap {
    pub row: usize,
    pub column: usize,
}

impl Tap {
    /// From the beginning of a window to what lies under it.
    pub fn offset(self, frame: &Frame, sizes: ConvolutionSizes) -> usize {
        let [down, across] = sizes.sliding.dilation;
        self.row * down * frame.line() + self.column * across * frame.channels
    }

    /// Its value in `[filters, channels, kernel_height, kernel_width]`.
    pub fn weight(self, filter: usize, channel: usize, sizes: ConvolutionSizes) -> usize {
        ((filter * sizes.channels + channel) * sizes.kernel_height + self.row) * sizes.kernel_width
            + self.column
    }
}

pub fn taps(sizes: ConvolutionSizes) -> Vec<Tap> {
    let row = |row| (0..sizes.kernel_width).map(move |column| Tap { row, column });
    (0..sizes.kernel_height).flat_map(row).collect()
}

/// Where the windows begin.
pub fn window_offsets(frame: &Frame, sizes: ConvolutionSizes) -> Vec<usize> {
    let [down, across] = sizes.sliding.stride;
    let row = |y| {
        let x = move |x| y * down * frame.line() + x * across * frame.channels;
        (0..sizes.out_width).map(x)
    };
    (0..sizes.out_height).flat_map(row).collect()
}

/// Where each value of a window lies in a [padded](Frame::pad) image, from where the window begins, in the order of a
/// filter's.
pub fn plane_offsets(frame: &Frame, sizes: ConvolutionSizes) -> Vec<usize> {
    let [lines, line] = frame.extent();
    let [down, across] = sizes.sliding.dilation;
    let under = |Tap { row, column }: Tap| row * down * line + column * across;
    let taps = taps(sizes).into_iter().map(under);
    (0..sizes.channels)
        .flat_map(|channel| taps.clone().map(move |tap| channel * lines * line + tap))
        .collect()
}
