//! A trained model on whatever backend, asked in plain numbers.
//!
//! What draws pictures, measures, answers commands and dreams up training images speaks to a model
//! through [`Model`] and so knows neither Burn nor files. Images are `[images, channels, height, width]`
//! flattened, scaled as in training; codes are `[images, code]` flattened; labels are classes from 0.

mod resting;
pub mod through;

pub use crate::network::Kind;
pub use resting::Resting;

use std::path::Path;

use crate::backend::{Device, TrainingBackend, Work};
use crate::error::Result;
use crate::layers::ActivationFunction;
use crate::network::{Network, Plan};
use crate::objective::Loss;
use crate::rng::Seed;
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
    pub function: Option<ActivationFunction>,
}

/// One tensor of weights.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightTensor {
    /// `encoder.conv2d_1/weight`
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// A trained model at rest: dropout off, batch statistics as trained.
///
/// What chance decides (drawn codes, corruption, samples) depends on the `seed` given alone. Models that
/// are told the class (`concat_label`) need `labels` wherever they are taken; others ignore them.
pub trait Model {
    fn kind(&self) -> Kind;

    /// Of the images that go in (of a GAN: come out).
    fn images(&self) -> ImageShape;

    /// What passes from encoder to decoder, or from chance to generator; `None` of a classifier.
    fn code(&self) -> Option<Shape>;

    /// Whether samples can be drawn from it: a gaussian code, a GAN, a walk-back chain.
    fn is_generative(&self) -> bool;

    /// Whether it must be told the class.
    fn is_conditional(&self) -> bool;

    fn classes(&self) -> usize;

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

    /// What becomes of images by way of their codes.
    fn reconstruct(&self, images: &[f32], labels: Option<&[u32]>) -> Vec<f32>;

    /// What the noise layers that the images meet first make of them; none without such.
    fn corrupt(&self, images: &[f32], seed: u64) -> Option<Vec<f32>>;

    /// Images that the model dreams up; `starts` are real ones, as many, from which a walk-back chain
    /// sets out. `None` if it is not generative.
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

    fn weights(&self) -> Vec<WeightTensor>;
}

/// The probability of each class by the scores of one image, which are taken as logarithms.
pub fn softmax(scores: &[f32]) -> Vec<f64> {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = scores
        .iter()
        .map(|score| f64::from(score - highest).exp())
        .collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// What is known of a model before it has weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Blueprint {
    pub kind: Kind,
    pub plan: Plan,
    pub images: ImageShape,
    pub classes: usize,
    /// What it is trained with.
    pub loss: Loss,
    /// Steps of the Markov chain from an image to a sample, of a model with walk-back training.
    pub chain: Option<usize>,
}

impl Blueprint {
    /// Of the code or the latent numbers; `None` of a classifier.
    pub fn code(&self) -> Option<Shape> {
        match self.kind {
            Kind::Classifier => None,
            Kind::Autoencoder => Some(self.plan.nodes.first()?.output),
            Kind::Gan => Some(self.plan.layers.first()?.input),
        }
    }

    /// Whether samples can be drawn from it.
    pub fn is_generative(&self) -> bool {
        match self.kind {
            Kind::Classifier => false,
            Kind::Autoencoder => self.chain.is_some() || self.plan.has_gaussian_code(),
            Kind::Gan => true,
        }
    }

    /// The model with the weights that a run left, on a device.
    ///
    /// # Errors
    /// The weights cannot be read or are not this model's.
    pub fn load(&self, weights: &Path, device: &Device) -> Result<Box<dyn Model>> {
        device.run(Loading {
            blueprint: self,
            weights,
        })
    }
}

struct Loading<'a> {
    blueprint: &'a Blueprint,
    weights: &'a Path,
}

impl Work for Loading<'_> {
    type Output = Result<Box<dyn Model>>;

    fn run<B: TrainingBackend>(self, device: B::Device) -> Self::Output {
        let Blueprint { plan, classes, .. } = self.blueprint;
        let network = Network::build(plan.clone(), *classes, Seed(0), &device);
        let network = network.load_weights(self.weights)?;
        let blueprint = self.blueprint.clone();
        Ok(Box::new(Resting::<B::InnerBackend>::new(
            blueprint, network, device,
        )))
    }
}
