//! Images on a device, as bytes where they are such, and some of them as a network sees them.

use std::ops::Range;

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

use crate::backend::Kernels;
use crate::data::{PixelValues, Scale};
use crate::shape::ImageShape;

/// Images that are kept on a device.
pub(super) enum Images<B: Backend> {
    /// `[images, words]`, each of four bytes of an image, the first of them lowest.
    Bytes {
        words: Tensor<B, 2, Int>,
        /// `[channels, 256]`, what each byte is to a network.
        meanings: Tensor<B, 2>,
        shape: ImageShape,
    },
    /// `[images, channels, height, width]`, as a network sees them.
    Reals(Tensor<B, 4>),
}

impl<B: Kernels> Images<B> {
    pub fn new(pixels: PixelValues, shape: ImageShape, scale: &Scale, device: &B::Device) -> Self {
        match pixels {
            PixelValues::Bytes(bytes) => {
                let [count, width] = [bytes.len() / shape.len(), shape.len().div_ceil(4)];
                let words = TensorData::new(words(&bytes, shape), [count, width]);
                let meanings = scale.meanings(shape.channels);
                let meanings = TensorData::new(meanings, [shape.channels, 256]);
                Images::Bytes {
                    words: Tensor::from_data(words, device),
                    meanings: Tensor::from_data(meanings, device),
                    shape,
                }
            }
            PixelValues::Reals(mut values) => {
                scale.apply(&mut values, shape);
                Images::Reals(image_tensor(values, shape, device))
            }
        }
    }

    /// The images with these numbers, `[chosen, channels, height, width]`.
    pub fn chosen(&self, chosen: Tensor<B, 1, Int>) -> Tensor<B, 4> {
        match self {
            Images::Bytes {
                words,
                meanings,
                shape,
            } => B::look_up(words.clone(), chosen, meanings.clone(), *shape),
            Images::Reals(images) => images.clone().select(0, chosen),
        }
    }

    /// Images that lie one after another, `[range, channels, height, width]`.
    pub fn range(&self, range: Range<usize>) -> Tensor<B, 4> {
        match self {
            Images::Bytes { words, .. } => {
                let range = range.start as i64..range.end as i64;
                self.chosen(Tensor::arange(range, &words.device()))
            }
            Images::Reals(images) => images.clone().slice([range]),
        }
    }

    /// The values of [`range`](Self::range), read so many images at a time: a device makes room for what is read at once, and
    /// keeps it.
    pub fn read(&self, range: Range<usize>, most: usize) -> Vec<f32> {
        let mut values = Vec::new();
        for start in range.clone().step_by(most) {
            let part = self.range(start..(start + most).min(range.end));
            values.extend(part.into_data().iter::<f32>());
        }
        values
    }
}

/// The bytes of each image, four in a word; zeros fill the last.
fn words(bytes: &[u8], shape: ImageShape) -> Vec<i32> {
    let images = bytes.chunks_exact(shape.len());
    let mut words = Vec::with_capacity(images.len() * shape.len().div_ceil(4));
    for image in images {
        let (whole, rest) = image.as_chunks();
        words.extend(whole.iter().map(|&word| i32::from_le_bytes(word)));
        if !rest.is_empty() {
            let byte = |at: usize| rest.get(at).copied().unwrap_or(0);
            words.push(i32::from_le_bytes([0, 1, 2, 3].map(byte)));
        }
    }
    words
}

/// `[images, channels, height, width]` of pixels that lie so.
pub(super) fn image_tensor<B: Backend>(
    pixels: Vec<f32>,
    shape: ImageShape,
    device: &B::Device,
) -> Tensor<B, 4> {
    let count = pixels.len() / shape.len();
    let dims = [count, shape.channels, shape.height, shape.width];
    Tensor::from_data(TensorData::new(pixels, dims), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::TrainingBackend;
    use crate::backend::testing::on_test_device;

    #[test]
    fn bytes_are_seen_as_the_same_values_as_reals() {
        on_test_device!(compare() -> ());
    }

    fn compare<B: TrainingBackend>(device: &B::Device) {
        let shape = ImageShape::new(3, 3, 5);
        let bytes: Vec<u8> = (0..4 * 45u32).map(|at| (at * 37 % 256) as u8).collect();
        let pixels = PixelValues::Bytes(bytes);
        let reals = PixelValues::Reals(pixels.reals().into_owned());
        let channels = serde_json::json!({ "mean": [0.1, 0.2, 0.3], "standard_deviation": 0.3 });
        let channels: Scale = serde_json::from_value(channels).unwrap();
        for scale in [Scale::default(), Scale::Range([-1.0, 1.0]), channels] {
            let seen = |pixels: &PixelValues| {
                let images = Images::<B>::new(pixels.clone(), shape, &scale, device);
                let chosen = images.chosen(Tensor::from_data([3, 0, 3], device));
                [chosen, images.range(1..3)].map(|images| images.into_data())
            };
            assert_eq!(seen(&pixels), seen(&reals), "{scale:?}");
        }
    }
}
