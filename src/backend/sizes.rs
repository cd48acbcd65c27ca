//! The sizes of a convolution, from which all offsets follow.

use super::sliding::Sliding;

#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub batch: usize,
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    pub filters: usize,
    /// Of the kernel.
    pub rows: usize,
    pub columns: usize,
    /// Of the output.
    pub down: usize,
    pub across: usize,
    pub sliding: Sliding,
}

impl Sizes {
    /// Of `[batch, channels, height, width]` and `[filters, channels / groups, rows, columns]`.
    pub fn of(x: [usize; 4], weight: [usize; 4], sliding: Sliding) -> Self {
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
    pub fn before(x: [usize; 4], weight: [usize; 4], size: [usize; 2], sliding: Sliding) -> Self {
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
    pub fn depth(&self) -> usize {
        self.channels * self.rows * self.columns
    }

    /// Values of one window that one filter sees.
    pub fn seen(&self) -> usize {
        self.depth() / self.sliding.groups
    }

    /// Filters of one group.
    pub fn share(&self) -> usize {
        self.filters / self.sliding.groups
    }

    /// Windows of one image.
    pub fn places(&self) -> usize {
        self.down * self.across
    }

    pub fn image(&self) -> usize {
        self.channels * self.height * self.width
    }

    pub fn output(&self) -> usize {
        self.filters * self.places()
    }
}
