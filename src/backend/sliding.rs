//! How windows move over images and volumes.

/// How a window slides over an image: `[height, width]` each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sliding {
    /// Places from one window to the next.
    pub stride: [usize; 2],
    /// Zeros above and to the left.
    pub before: [usize; 2],
    /// Zeros below and to the right.
    pub after: [usize; 2],
    /// Distance between the values under the window.
    pub dilation: [usize; 2],
    /// Groups of channels, each seen by its own share of the filters.
    pub groups: usize,
}

impl Sliding {
    /// Windows along an axis, 0 for the height and 1 for the width, of an image with `places` places there.
    pub(super) fn outputs(&self, axis: usize, places: usize, kernel: usize) -> usize {
        let window = (kernel - 1) * self.dilation[axis] + 1;
        (places + self.before[axis] + self.after[axis] - window) / self.stride[axis] + 1
    }
}

/// How a window slides over a volume that is padded already: `[depth, height, width]` each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sliding3d {
    /// Places from one window to the next.
    pub stride: [usize; 3],
    /// Distance between the values under the window.
    pub dilation: [usize; 3],
    /// Groups of channels, each seen by its own share of the filters.
    pub groups: usize,
}
