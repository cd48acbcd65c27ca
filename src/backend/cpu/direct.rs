//! Convolution of stride 1 as a product whose right matrix is the image as it lies: along a line, what a value of the
//! filters sees is the line itself, moved.
//!
//! Nothing is turned, neither the image nor the output, and the left matrix is the filters as they lie. Lines must be
//! long enough to fill vectors. Channels in one group only.

use super::buffers::Buffers;
use super::frame::{Frame, image_frame, plane_offsets};
use super::panel::{Offsets, Output, Panel, RightRows, Run, Start, height, width};
use super::simd::Simd;
use crate::backend::convolution_sizes::ConvolutionSizes;
use crate::backend::sliding::Sliding;

/// Values of a line that are loaded together, at most.
const MOST: usize = 48;

/// Tiles of filters whose outputs are written together.
const AT_ONCE: usize = 2;

/// Lanes of the widest vector.
const LANES: usize = 16;

/// What images and filters make of each other, line by line.
#[derive(Debug)]
pub struct Direct {
    simd: Simd,
    sizes: ConvolutionSizes,
    frame: Frame,
    /// Of what a filter sees, from the beginning of a window.
    offsets: Offsets,
    /// Where each filter begins, and where its outputs do.
    filters: Vec<usize>,
    outputs: Vec<usize>,
}

impl Direct {
    /// Whether the windows move by 1 and three quarters of the vectors' lanes are filled.
    pub fn suits(sizes: ConvolutionSizes) -> bool {
        let Sliding { stride, groups, .. } = sizes.sliding;
        let lanes = sizes.out_width.next_multiple_of(LANES);
        stride == [1, 1] && groups == 1 && 4 * sizes.out_width >= 3 * lanes
    }

    pub fn new(simd: Simd, sizes: ConvolutionSizes) -> Self {
        let frame = image_frame(sizes);
        Direct {
            simd,
            sizes,
            offsets: Offsets::new(plane_offsets(&frame, sizes)),
            filters: (0..sizes.filters)
                .map(|filter| filter * sizes.depth())
                .collect(),
            outputs: (0..sizes.filters)
                .map(|filter| filter * sizes.places())
                .collect(),
            frame,
        }
    }

    /// Writes the output, `[filters, out_height, out_width]`, that an image gives with `[filters, channels, kernel_height, kernel_width]`.
    pub fn apply(
        &self,
        image: &[f32],
        filters: &[f32],
        bias: Option<&[f32]>,
        mut output: Output,
        buffers: &mut Buffers,
    ) {
        let (sizes, [_, line]) = (self.sizes, self.frame.extent());
        let frame = self.frame.pad(image, MOST, &mut buffers.frames);
        let all = width(self.simd, sizes.out_width);
        // All lines of a few filters before others: what is written to few places at a time is soon in memory.
        let tiles = AT_ONCE * height(self.simd);
        for first in (0..sizes.filters).step_by(tiles) {
            let some = first..sizes.filters.min(first + tiles);
            for y in 0..sizes.out_height {
                for x in (0..sizes.out_width).step_by(all) {
                    let start = bias.map_or(Start::Zero, Start::Column);
                    let panel = Panel {
                        left: filters,
                        rows: &self.filters[some.clone()],
                        runs: &[Run {
                            offset: 0,
                            length: sizes.depth(),
                        }],
                        step: 1,
                        right: &frame[y * line + x..],
                        right_rows: RightRows::At(&self.offsets),
                        start: start.of_rows(first),
                        columns: all.min(sizes.out_width - x),
                    };
                    let place = y * sizes.out_width + x;
                    panel.write(self.simd, output.from(place), &self.outputs[some.clone()]);
                }
            }
        }
    }
}

/// The input's gradient as a convolution of the output's, with turned kernels and a padding of `kernel - 1 - padding`; none
/// where the padding is larger than that.
pub fn turned(sizes: ConvolutionSizes) -> Option<ConvolutionSizes> {
    let Sliding {
        before,
        dilation,
        groups,
        ..
    } = sizes.sliding;
    let before = |axis: usize, kernel: usize| {
        let reach = (kernel - 1) * dilation[axis];
        reach.checked_sub(before[axis])
    };
    Some(ConvolutionSizes {
        channels: sizes.filters,
        height: sizes.out_height,
        width: sizes.out_width,
        filters: sizes.channels,
        out_height: sizes.height,
        out_width: sizes.width,
        sliding: Sliding {
            before: [
                before(0, sizes.kernel_height)?,
                before(1, sizes.kernel_width)?,
            ],
            after: [0, 0],
            stride: sizes.sliding.stride,
            dilation,
            groups,
        },
        ..sizes
    })
}

/// `[filters, channels, kernel_height, kernel_width]` as `[channels, filters, rows, columns]`, the values of each kernel backwards.
pub fn turned_filters(filters: &[f32], sizes: ConvolutionSizes) -> Vec<f32> {
    let taps = sizes.kernel_height * sizes.kernel_width;
    let mut turned = Vec::with_capacity(filters.len());
    for channel in 0..sizes.channels {
        for filter in 0..sizes.filters {
            let kernel = &filters[(filter * sizes.channels + channel) * taps..][..taps];
            turned.extend(kernel.iter().rev());
        }
    }
    turned
}
