//! A trained model on whatever backend, asked in plain numbers.

use super::ModelFacts;
use crate::layers::ActivationFunction;
use crate::shape::{ImageShape, Shape};

/// What one layer gave for some images.
#[derive(Debug, Clone, PartialEq)]
pub struct Activations {
    /// Of one image.
    pub shape: Shape,
    /// `[images, values]` flattened, before the layer's activation function.
    pub before: Vec<f32>,
    /// The same after it; equal to `before` where there is none.
    pub after: Vec<f32>,
    /// The activation function, if the layer has one.
    pub function: Option<ActivationFunction>,
}

/// One tensor of weights.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightTensor {
    /// `encoder.conv2d_1/weight`
    pub name: String,
    /// Sizes of its axes.
    pub shape: Vec<usize>,
    /// Its numbers, the last axis fastest.
    pub values: Vec<f32>,
}

/// A trained model in inference mode: dropout off, batch statistics as trained.
///
/// What chance decides (drawn codes, corruption, samples) depends on the `seed` given alone. Conditional
/// models (`concat_label`) need `labels` wherever they are taken; others ignore them. Images are
/// `[images, channels, height, width]` flattened, scaled as in training; codes are `[images, code]` flattened;
/// labels are classes from 0.
pub trait Model {
    /// What is known of it without its weights.
    fn facts(&self) -> &ModelFacts;

    /// Of the images that go in (of a GAN: come out).
    fn images(&self) -> ImageShape {
        self.facts().images
    }

    /// The codes; of gaussian codes their means.
    ///
    /// # Panics
    /// Unless it is an auto-encoder; so does [`reconstruct`](Self::reconstruct).
    fn encode(&self, images: &[f32], labels: Option<&[u32]>) -> Vec<f32>;

    /// The images of codes, or of latent numbers.
    ///
    /// # Panics
    /// If it is a classifier.
    fn decode(&self, codes: &[f32], labels: Option<&[u32]>) -> Vec<f32>;

    /// Reconstructions of images from their codes.
    fn reconstruct(&self, images: &[f32], labels: Option<&[u32]>) -> Vec<f32>;

    /// What the noise layers that the images meet first make of them; none without such.
    fn corrupt(&self, images: &[f32], seed: u64) -> Option<Vec<f32>>;

    /// `count` generated images; `starts` are `count` real ones, from which a walk-back chain sets out.
    /// `None` if it is not generative.
    fn sample(
        &self,
        count: usize,
        labels: Option<&[u32]>,
        starts: &[f32],
        seed: u64,
    ) -> Option<Vec<f32>>;

    /// One score a class of each image, as the last layer gives them; `None` unless it is a classifier.
    fn scores(&self, images: &[f32]) -> Option<Vec<f32>>;

    /// What the layer of that name gives; `None` if there is no such layer, or images are led past it.
    fn activations(
        &self,
        layer: &str,
        images: &[f32],
        labels: Option<&[u32]>,
    ) -> Option<Activations>;

    /// For every image and each of `draws` codes drawn for it: `log p(x|z) + log p(z) - log q(z|x)` in
    /// nats, `[images, draws]` flattened; `None` unless the code is gaussian and the loss a likelihood.
    fn log_weights(
        &self,
        images: &[f32],
        labels: Option<&[u32]>,
        draws: usize,
        seed: u64,
    ) -> Option<Vec<f64>>;

    /// All tensors of weights, in the order of the layers.
    fn weights(&self) -> Vec<WeightTensor>;
}

/// What samples set out from and whose they are, in turn: for each of `count` ones, from the one with the number `first` on, which of
/// `all`; none where there are none.
pub fn in_turn(first: usize, count: usize, all: usize) -> impl Iterator<Item = usize> {
    let end = if all > 0 { first + count } else { first };
    (first..end).map(move |number| number % all)
}

/// The class that is the answer by the scores of one image: of the highest, and of scores alike the first.
pub fn likeliest(scores: &[f32]) -> usize {
    let higher = |best: usize, class: usize| match scores[class] > scores[best] {
        true => class,
        false => best,
    };
    (1..scores.len()).fold(0, higher)
}

/// The probability of each class by the scores of one image, which are taken as logarithms.
pub fn softmax(scores: &[f32]) -> Vec<f64> {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = scores
        .iter()
        .map(|score| libm::exp(f64::from(score - highest)))
        .collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}
