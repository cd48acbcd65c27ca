//! How images of any size, color and depth are brought to one form.
//!
//! In this order: what is transparent is laid over the background, colors are kept or made gray, the size is
//! changed. Everything is computed at the depth that the file has. Gray and sizes are as Pillow's.

mod background;
mod bits;
mod formed;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use background::Background;
pub use bits::Bits;
use bits::{depth, white};
pub(super) use formed::{Formed, Pixels};

use crate::shape::ImageShape;

/// What is made of every image; by default nothing but that what is transparent is laid over black.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ImageForm {
    /// `[height, width]`; none for that of the file.
    pub size: Option<[usize; 2]>,
    /// What becomes of proportions.
    pub fit: Fit,
    /// How a size is changed.
    pub filter: Filter,
    /// None for what the file has.
    pub channels: Option<Channels>,
    /// What is behind what is transparent, and around what is padded.
    pub background: Background,
    /// How many of 16 bits a value has; none for the least usual number that holds the largest of all.
    pub bits: Option<Bits>,
}

/// What becomes of an image's proportions where it is brought to another size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// They are given up.
    #[default]
    Stretch,
    /// They are kept: the image covers the size, and what reaches beyond it on both sides is cut off.
    Crop,
    /// They are kept: the image fits into the size, and the rest on both sides is background.
    Pad,
}

/// How a size is changed; all but the nearest average where they shrink (they are antialiased), as Pillow's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// The nearest pixel.
    Nearest,
    /// Linear in both directions.
    #[default]
    Bilinear,
    /// Cubic (Keys 1981, a = -1/2: Catmull-Rom).
    Bicubic,
    /// A windowed sinc of three lobes.
    Lanczos,
}

/// The channels of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// One: the luma of ITU-R BT.601, 0.299 red + 0.587 green + 0.114 blue.
    Gray,
    /// Three.
    Rgb,
}

impl ImageForm {
    /// The shape that an image gets whose file has this one.
    pub(super) fn shape(&self, file: ImageShape) -> ImageShape {
        let [height, width] = self.size.unwrap_or([file.height, file.width]);
        let channels = match self.channels {
            None => file.channels,
            Some(Channels::Gray) => 1,
            Some(Channels::Rgb) => 3,
        };
        ImageShape::new(channels, height, width)
    }

    /// The same, so that every image gets this shape, if its channels are gray or colors.
    pub fn to_shape(self, shape: ImageShape) -> Self {
        ImageForm {
            size: Some([shape.height, shape.width]),
            channels: match shape.channels {
                1 => Some(Channels::Gray),
                3 => Some(Channels::Rgb),
                _ => self.channels,
            },
            ..self
        }
    }

    /// What white is of values of 16 bits of which the largest is known.
    pub(super) fn white(&self, largest: u16) -> u16 {
        white(self.bits.map_or_else(|| depth(largest), |bits| bits.0))
    }

    /// Whether the color of the background must be known at the values' depth.
    pub(super) fn needs_bits(&self, is_transparent: bool) -> bool {
        let is_seen = is_transparent || (self.fit == Fit::Pad && self.size.is_some());
        self.bits.is_none() && is_seen && !self.background.is_black()
    }
}
