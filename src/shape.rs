//! What flows between layers, and the size arithmetic of windows, in one place.
//!
//! Batches come first everywhere and are left out of a [`Shape`]. Knows nothing of Burn.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[channels, height, width]` of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ImageShape {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

impl ImageShape {
    pub fn new(channels: usize, height: usize, width: usize) -> Self {
        ImageShape {
            channels,
            height,
            width,
        }
    }

    /// Values in one image.
    pub fn len(self) -> usize {
        self.channels * self.height * self.width
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

impl fmt::Display for ImageShape {
    /// `1x28x28`: channels, height, width.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.channels, self.height, self.width)
    }
}

/// The shape of one sample between two layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A vector of this many values; a batch is `[batch, features]`.
    Features(usize),
    /// An image; a batch is `[batch, channels, height, width]`.
    Image(ImageShape),
}

impl Shape {
    /// Values in one sample.
    pub fn len(self) -> usize {
        match self {
            Shape::Features(features) => features,
            Shape::Image(image) => image.len(),
        }
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// What kind of thing it is, for errors: `features`, `an image`.
    pub fn kind(self) -> &'static str {
        match self {
            Shape::Features(_) => "features",
            Shape::Image(_) => "an image",
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Features(features) => write!(f, "{features}"),
            Shape::Image(image) => image.fmt(f),
        }
    }
}

/// How a window treats the border.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// Pad with zeros so that `output = ceil(input / stride)`, the odd row and column at the end,
    /// as TensorFlow does.
    #[default]
    Same,
    /// No padding: the window stays inside, `output = floor((input - kernel) / stride) + 1`.
    Valid,
}

/// A window along one axis: where it pads and how many steps it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub output: usize,
    /// Zeros before the first value.
    pub before: usize,
    /// Zeros after the last value.
    pub after: usize,
}

/// Slides a window of `kernel` values over `input` values; `None` if it does not fit.
///
/// The arithmetic of TensorFlow's SAME and VALID (`tf.nn.convolution`, "padding algorithms").
pub fn window(input: usize, kernel: usize, stride: usize, padding: Padding) -> Option<Window> {
    match padding {
        Padding::Valid => (input >= kernel).then(|| Window {
            output: (input - kernel) / stride + 1,
            before: 0,
            after: 0,
        }),
        Padding::Same => (input > 0).then(|| {
            let output = input.div_ceil(stride);
            let total = ((output - 1) * stride + kernel).saturating_sub(input);
            Window {
                output,
                before: total / 2,
                after: total - total / 2,
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_pads_the_odd_value_at_the_end() {
        let even = window(28, 3, 2, Padding::Same).unwrap();
        assert_eq!((even.output, even.before, even.after), (14, 0, 1));
        let odd = window(7, 3, 2, Padding::Same).unwrap();
        assert_eq!((odd.output, odd.before, odd.after), (4, 1, 1));
        let wide = window(28, 4, 1, Padding::Same).unwrap();
        assert_eq!((wide.output, wide.before, wide.after), (28, 1, 2));
        let gaps = window(5, 1, 2, Padding::Same).unwrap();
        assert_eq!((gaps.output, gaps.before, gaps.after), (3, 0, 0));
    }

    #[test]
    fn valid_drops_what_does_not_fill_a_window() {
        assert_eq!(window(7, 2, 2, Padding::Valid).unwrap().output, 3);
        assert_eq!(window(2, 3, 1, Padding::Valid), None);
    }
}
