//! Images and their classes in memory, as a run is given them.

use std::borrow::Cow;

use super::format::{Part, Values};
use super::image_form::Bits;
use super::pixel_values::PixelValues;
use super::subset::{Pool, sizes};
use crate::shape::ImageShape;

/// Images and their classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// Of one image.
    pub shape: ImageShape,
    /// `[samples, channels, height, width]`
    pub pixels: PixelValues,
    /// `[samples]`, indices into the class names.
    pub labels: Vec<u32>,
}

impl Samples {
    /// The chosen images of a part of a dataset.
    pub(super) fn of(shape: ImageShape, part: &Part, pool: Pool) -> Self {
        let size = shape.len();
        let ranges = pool.places.iter();
        let ranges = ranges.map(|place| place * size..(place + 1) * size);
        let count = pool.len() * size;
        let pixels = match &part.pixels {
            Values::Eight(values) => {
                let mut bytes = Vec::with_capacity(count);
                ranges.for_each(|range| bytes.extend_from_slice(&values[range]));
                PixelValues::Bytes(bytes)
            }
            Values::Sixteen(values, white) => {
                let white = f32::from(*white);
                let share = |&value: &u16| (f32::from(value) / white).min(1.0);
                let mut reals = Vec::with_capacity(count);
                ranges.for_each(|range| reals.extend(values[range].iter().map(share)));
                PixelValues::Reals(reals)
            }
        };
        Samples {
            shape,
            pixels,
            labels: pool.labels,
        }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Images of each class.
    pub fn counts(&self, classes: usize) -> Vec<usize> {
        sizes(&self.labels, classes)
    }

    /// Pixels of one image from 0 to 1, `[channels, height, width]`; panics if there is no such image.
    pub fn image(&self, index: usize) -> Cow<'_, [f32]> {
        let size = self.shape.len();
        self.pixels.some(index * size..(index + 1) * size)
    }
}

/// What a run works on.
#[derive(Debug, Clone, PartialEq)]
pub struct Splits {
    /// What is trained on, generated images included.
    pub train: Samples,
    /// None if the experiment keeps none back.
    pub validation: Option<Samples>,
    /// What is measured after training.
    pub test: Samples,
    /// Names of the classes; a label is an index into them.
    pub class_names: Vec<String>,
    /// Labels that training and validation keep, ascending: all, or those of `train_classes`.
    pub trained: Vec<u32>,
    /// How many of 16 bits the images' values use; none of images of 8 bits.
    pub bits: Option<Bits>,
}
