//! The sizes of a convolution, from which all offsets follow.

use super::sliding::Sliding;

/// Sizes of images, filters and outputs; `filters` and `channels` are those of all groups together.
#[derive(Debug, Clone, Copy)]
pub struct ConvolutionSizes {
    pub batch: usize,
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    pub filters: usize,
    pub kernel_height: usize,
    pub kernel_width: usize,
    pub out_height: usize,
    pub out_width: usize,
    pub sliding: Sliding,
}

impl ConvolutionSizes {
    /// Of `[batch, channels, height, width]` and `[filters, channels / groups, kernel_height, kernel_width]`.
    pub fn of(x: [usize; 4], weight: [usize; 4], sliding: Sliding) -> Self {
        let [batch, channels, height, width] = x;
        let [filters, _, kernel_height, kernel_width] = weight;
        ConvolutionSizes {
            batch,
            channels,
            height,
            width,
            filters,
            kernel_height,
            kernel_width,
            out_height: sliding.outputs(0, height, kernel_height),
            out_width: sliding.outputs(1, width, kernel_width),
            sliding,
        }
    }

    /// Of the convolution that makes `x`, `[batch, filters, out_height, out_width]`, of images of `size`, `[height, width]`.
    pub fn of_outputs(
        x: [usize; 4],
        weight: [usize; 4],
        size: [usize; 2],
        sliding: Sliding,
    ) -> Self {
        let [batch, filters, out_height, out_width] = x;
        let [_, seen, kernel_height, kernel_width] = weight;
        let [height, width] = size;
        ConvolutionSizes {
            batch,
            channels: seen * sliding.groups,
            height,
            width,
            filters,
            kernel_height,
            kernel_width,
            out_height,
            out_width,
            sliding,
        }
    }

    /// Values of one window, over all groups.
    pub fn depth(&self) -> usize {
        self.channels * self.kernel_height * self.kernel_width
    }

    /// Values of one window that one filter sees.
    pub fn seen(&self) -> usize {
        self.depth() / self.sliding.groups
    }

    /// Filters of one group.
    pub fn filters_per_group(&self) -> usize {
        self.filters / self.sliding.groups
    }

    /// Windows of one image.
    pub fn places(&self) -> usize {
        self.out_height * self.out_width
    }

    pub fn image(&self) -> usize {
        self.channels * self.height * self.width
    }

    pub fn output(&self) -> usize {
        self.filters * self.places()
    }
}
