//! What flows between layers, and the size arithmetic of windows, in one place.
//!
//! Batches come first everywhere and are left out of a [`Shape`]. Knows nothing of Burn.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `[channels, height, width]` of one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ImageShape {
    /// 1 for gray, 3 for RGB.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl ImageShape {
    /// An image of this shape.
    pub const fn new(channels: usize, height: usize, width: usize) -> Self {
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

    /// Whether it has no pixels.
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

/// `[steps, features]` of one sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SequenceShape {
    /// Number of steps.
    pub steps: usize,
    /// Values of each step.
    pub features: usize,
}

/// `[channels, depth, height, width]` of one volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VolumeShape {
    /// Values at each place.
    pub channels: usize,
    /// Places along the depth.
    pub depth: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// The shape of one sample between two layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A vector of this many values; a batch is `[batch, features]`.
    Features(usize),
    /// A row of vectors; a batch is `[batch, steps, features]`.
    Sequence(SequenceShape),
    /// An image; a batch is `[batch, channels, height, width]`.
    Image(ImageShape),
    /// A stack of images; a batch is `[batch, channels, depth, height, width]`.
    Volume(VolumeShape),
}

impl Shape {
    /// A sequence of `steps` steps with `features` values each.
    pub fn sequence(steps: usize, features: usize) -> Self {
        Shape::Sequence(SequenceShape { steps, features })
    }

    /// An image.
    pub fn image(channels: usize, height: usize, width: usize) -> Self {
        Shape::Image(ImageShape::new(channels, height, width))
    }

    /// A volume.
    pub fn volume(channels: usize, depth: usize, height: usize, width: usize) -> Self {
        Shape::Volume(VolumeShape {
            channels,
            depth,
            height,
            width,
        })
    }

    /// The shape with these axes; `None` unless there are one to four.
    pub fn of(dims: &[usize]) -> Option<Self> {
        Some(match *dims {
            [features] => Shape::Features(features),
            [steps, features] => Shape::sequence(steps, features),
            [channels, height, width] => Shape::image(channels, height, width),
            [channels, depth, height, width] => Shape::volume(channels, depth, height, width),
            _ => return None,
        })
    }

    /// The axes, without the batch.
    pub fn dims(self) -> Vec<usize> {
        match self {
            Shape::Features(features) => vec![features],
            Shape::Sequence(s) => vec![s.steps, s.features],
            Shape::Image(i) => vec![i.channels, i.height, i.width],
            Shape::Volume(v) => vec![v.channels, v.depth, v.height, v.width],
        }
    }

    /// Values in one sample.
    pub fn len(self) -> usize {
        self.dims().iter().product()
    }

    /// Whether it has no values.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Channels of an image or a volume, features of a sequence or a vector.
    pub fn channels(self) -> usize {
        match self {
            Shape::Features(features) => features,
            Shape::Sequence(sequence) => sequence.features,
            Shape::Image(image) => image.channels,
            Shape::Volume(volume) => volume.channels,
        }
    }

    /// The axes that a window slides over: steps; height and width; depth, height and width.
    pub fn places(self) -> Vec<usize> {
        match self {
            Shape::Features(_) => Vec::new(),
            Shape::Sequence(sequence) => vec![sequence.steps],
            Shape::Image(image) => vec![image.height, image.width],
            Shape::Volume(volume) => vec![volume.depth, volume.height, volume.width],
        }
    }

    /// The same kind of shape with other channels and places, as [`channels`](Self::channels) and
    /// [`places`](Self::places) give them.
    ///
    /// # Panics
    /// If the number of places is not this shape's.
    pub fn with(self, channels: usize, places: &[usize]) -> Self {
        match (self, places) {
            (Shape::Features(_), []) => Shape::Features(channels),
            (Shape::Sequence(_), [steps]) => Shape::sequence(*steps, channels),
            (Shape::Image(_), [height, width]) => Shape::image(channels, *height, *width),
            (Shape::Volume(_), [depth, height, width]) => {
                Shape::volume(channels, *depth, *height, *width)
            }
            _ => unreachable!("a shape keeps its number of places"),
        }
    }

    /// The same places with other channels.
    pub fn with_channels(self, channels: usize) -> Self {
        self.with(channels, &self.places())
    }

    /// What kind of thing it is, for errors: `features`, `an image`.
    pub fn kind(self) -> &'static str {
        match self {
            Shape::Features(_) => "features",
            Shape::Sequence(_) => "a sequence",
            Shape::Image(_) => "an image",
            Shape::Volume(_) => "a volume",
        }
    }
}

impl Shape {
    /// What it is called where it does not fit: `784 features`, `an image (1x28x28)`.
    pub fn called(self) -> String {
        match self {
            Shape::Features(features) => format!("{features} features"),
            other => format!("{} ({other})", other.kind()),
        }
    }
}

impl fmt::Display for Shape {
    /// `784`, `28x28`, `1x28x28`: the axes without the batch.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims: Vec<String> = self.dims().iter().map(usize::to_string).collect();
        f.write_str(&dims.join("x"))
    }
}

/// How a window treats the border.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Padding {
    /// Pad with zeros so that `output = ceil(input / stride)`, the odd row and column at the end,
    /// as TensorFlow does.
    #[default]
    Same,
    /// No padding: the window stays inside, `output = floor((input - kernel) / stride) + 1`.
    Valid,
    /// As many zeros on both sides of every axis, as PyTorch's `padding`:
    /// `output = floor((input + 2 * zeros - kernel) / stride) + 1`.
    Zeros(usize),
}

/// More zeros than any kernel has values.
const MOST_ZEROS: u64 = 1 << 24;

impl<'de> Deserialize<'de> for Padding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordOrNumber;
        impl Visitor<'_> for WordOrNumber {
            type Value = Padding;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("\"same\", \"valid\" or how many zeros on both sides, from 0")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Padding, E> {
                match text {
                    "same" => Ok(Padding::Same),
                    "valid" => Ok(Padding::Valid),
                    _ => Err(E::unknown_variant(text, &["same", "valid"])),
                }
            }
            fn visit_u64<E: Error>(self, zeros: u64) -> Result<Padding, E> {
                match zeros <= MOST_ZEROS {
                    true => Ok(Padding::Zeros(zeros as usize)),
                    false => Err(E::invalid_value(Unexpected::Unsigned(zeros), &self)),
                }
            }
            fn visit_i64<E: Error>(self, zeros: i64) -> Result<Padding, E> {
                match u64::try_from(zeros) {
                    Ok(zeros) => self.visit_u64(zeros),
                    Err(_) => Err(E::invalid_value(Unexpected::Signed(zeros), &self)),
                }
            }
        }
        deserializer.deserialize_any(WordOrNumber)
    }
}

impl Serialize for Padding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Padding::Same => serializer.serialize_str("same"),
            Padding::Valid => serializer.serialize_str("valid"),
            Padding::Zeros(zeros) => serializer.serialize_u64(*zeros as u64),
        }
    }
}

impl JsonSchema for Padding {
    fn schema_name() -> Cow<'static, str> {
        "Padding".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How a window treats the border.",
            "oneOf": [
                {
                    "const": "same",
                    "description": "Pad with zeros so that `output = ceil(input / stride)`, the odd row and column at the end, as TensorFlow does."
                },
                {
                    "const": "valid",
                    "description": "No padding: the window stays inside, `output = floor((input - kernel) / stride) + 1`."
                },
                {
                    "type": "integer",
                    "minimum": 0,
                    "description": "As many zeros on both sides of every axis, as PyTorch's `padding`."
                }
            ]
        })
    }
}

/// A window along one axis: where it pads and how many steps it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Places of the output along the axis.
    pub output: usize,
    /// Zeros before the first value.
    pub before: usize,
    /// Zeros after the last value.
    pub after: usize,
}

/// Slides a window of `kernel` values over `input` values; `None` if it does not fit.
///
/// The arithmetic of TensorFlow's SAME and VALID (`tf.nn.convolution`, "padding algorithms") and of PyTorch's
/// `Conv2d`.
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
        Padding::Zeros(zeros) => {
            let padded = input + 2 * zeros;
            (input > 0 && padded >= kernel).then(|| Window {
                output: (padded - kernel) / stride + 1,
                before: zeros,
                after: zeros,
            })
        }
    }
}

/// A window of `kernel` values taken from every `dilation`-th value.
pub fn dilated_window(
    input: usize,
    kernel: usize,
    dilation: usize,
    stride: usize,
    padding: Padding,
) -> Option<Window> {
    window(input, (kernel - 1) * dilation + 1, stride, padding)
}

/// What a transposed convolution with a window of `kernel` values makes of `input` values; `None` if nothing is
/// left. Here `before` and `after` are cut off, not added; with gaps between the windows the output ends in zeros.
///
/// As TensorFlow's `conv2d_transpose`: SAME gives `input * stride`, VALID
/// `input * stride + max(kernel - stride, 0)`. A number of zeros as PyTorch's `ConvTranspose2d`:
/// `(input - 1) * stride + kernel - 2 * zeros`.
pub fn transposed_window(
    input: usize,
    kernel: usize,
    stride: usize,
    padding: Padding,
) -> Option<Window> {
    let overlap = kernel.saturating_sub(stride);
    let window = match padding {
        Padding::Valid => Window {
            output: input * stride + overlap,
            before: 0,
            after: 0,
        },
        Padding::Same => Window {
            output: input * stride,
            before: overlap / 2,
            after: overlap - overlap / 2,
        },
        Padding::Zeros(zeros) => Window {
            output: (input.saturating_sub(1) * stride + kernel).saturating_sub(2 * zeros),
            before: zeros,
            after: zeros,
        },
    };
    (window.output > 0).then_some(window)
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

    #[test]
    fn a_transposed_window_leads_back_where_a_window_came_from() {
        for (input, kernel, stride) in [(4, 3, 2), (4, 5, 1), (3, 2, 3), (1, 4, 2), (5, 1, 1)] {
            for padding in [
                Padding::Same,
                Padding::Valid,
                Padding::Zeros((kernel - 1) / 2),
            ] {
                let back = transposed_window(input, kernel, stride, padding).unwrap();
                let there = window(back.output, kernel, stride, padding).unwrap();
                assert_eq!((there.output, there.before), (input, back.before));
            }
        }
        let same = transposed_window(4, 3, 2, Padding::Same).unwrap();
        assert_eq!((same.output, same.before, same.after), (8, 0, 1));
        let outputs = |input, kernel, stride, padding| {
            transposed_window(input, kernel, stride, padding).map(|window| window.output)
        };
        assert_eq!(outputs(4, 3, 2, Padding::Valid), Some(9));
        assert_eq!(outputs(4, 2, 3, Padding::Valid), Some(12));
        assert_eq!(outputs(4, 4, 2, Padding::Zeros(1)), Some(8));
        assert_eq!(outputs(1, 3, 2, Padding::Zeros(2)), None);
    }

    #[test]
    fn a_number_pads_both_sides_alike_whatever_the_stride() {
        let half = window(224, 3, 2, Padding::Zeros(1)).unwrap();
        assert_eq!((half.output, half.before, half.after), (112, 1, 1));
        assert_eq!(window(224, 11, 4, Padding::Zeros(2)).unwrap().output, 55);
        assert_eq!(window(3, 7, 1, Padding::Zeros(1)), None);
        let read = |text: &str| -> Padding { serde_json::from_str(text).unwrap() };
        let padding = [
            Padding::Same,
            Padding::Valid,
            Padding::Zeros(0),
            Padding::Zeros(3),
        ];
        for padding in padding {
            assert_eq!(read(&serde_json::to_string(&padding).unwrap()), padding);
        }
    }
}
