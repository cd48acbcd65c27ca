//! What is drawn: a model, and the images that it is shown.

use image::RgbImage;

use super::tiles;
use crate::augment::Augment;
use crate::data::Scale;
use crate::models::Model;
use crate::rng::{Purpose, Seed};
use crate::shape::ImageShape;

/// A model at some point of its training, with images of its data.
#[derive(Clone, Copy)]
pub struct PictureInput<'a> {
    /// The model as it is then.
    pub model: &'a dyn Model,
    /// Test images, `[images, channels, height, width]`, scaled as for the model.
    pub test: &'a [f32],
    /// Their classes, `[images]`.
    pub labels: &'a [u32],
    /// Names of the classes.
    pub classes: &'a [String],
    /// The first training images before augmentation, as `test` but from 0 to 1.
    pub train: &'a [f32],
    /// The run's augmentation recipe.
    pub augment: &'a Augment,
    /// What black and white are to the model.
    pub scale: &'a Scale,
    /// The run's seed: what is drawn by chance follows from it.
    pub seed: Seed,
    /// When it is drawn.
    pub point: TrainingPoint,
}

/// What training is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Epochs.
    Epoch,
    /// Optimizer steps.
    Step,
}

/// A point of the training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainingPoint {
    /// Rows of `epochs.csv` until then.
    pub epoch: usize,
    /// Epochs or steps until then: what captions and files are called after.
    pub number: usize,
    /// What `number` counts.
    pub unit: Unit,
    /// Whether training is over.
    pub is_last: bool,
}

impl TrainingPoint {
    /// `epoch 5`.
    pub fn text(&self) -> String {
        let unit = match self.unit {
            Unit::Epoch => "epoch",
            Unit::Step => "step",
        };
        format!("{unit} {}", self.number)
    }
}

impl PictureInput<'_> {
    /// Shape of one image.
    pub fn shape(&self) -> ImageShape {
        self.model.images()
    }

    /// The first test images and their classes, or all if there are fewer.
    pub fn first(&self, count: usize) -> (&[f32], &[u32]) {
        let count = count.min(self.labels.len());
        (
            &self.test[..count * self.shape().len()],
            &self.labels[..count],
        )
    }

    /// One test image.
    pub fn image(&self, index: usize) -> &[f32] {
        let size = self.shape().len();
        &self.test[index * size..(index + 1) * size]
    }

    /// The images of `[images, channels, height, width]` as they are looked at, enlarged.
    pub fn tiles(&self, pixels: &[f32], times: u32) -> Vec<RgbImage> {
        let tiles = tiles::images(pixels, self.shape(), self.scale);
        let enlarge = |tile: &RgbImage| super::canvas::enlarged(tile, times);
        tiles.iter().map(enlarge).collect()
    }

    /// The number that all chance in pictures comes from, the same for each of them and at each drawing.
    pub fn chance(&self) -> u64 {
        self.seed.number(Purpose::Pictures, &[])
    }

    /// What a class is called, short enough for a caption.
    pub fn class(&self, label: u32) -> String {
        let name = self.classes.get(label as usize);
        super::canvas::short(name.map_or("?", String::as_str))
    }
}
