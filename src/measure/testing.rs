//! A model that tests can see through.

use rand::Rng as _;

use super::MeasureInput;
use crate::data::Scale;
use crate::models::testing::facts;
use crate::models::{Activations, Kind, Model, ModelFacts, WeightTensor};
use crate::rng::{Purpose, Seed};
use crate::shape::{ImageShape, Shape};

/// An auto-encoder of images of 2 by 2: the code is their first two pixels, the others are lost. Its
/// samples are drawn evenly from 0 to 1; its layer `dense_1` gives back the image.
pub struct Fake(pub ModelFacts);

impl Fake {
    /// Nothing hinders any measure but that of anomalies.
    pub fn new() -> Self {
        let code = Some(Shape::Features(2));
        Fake(ModelFacts {
            has_gaussian_code: true,
            has_likelihood: true,
            ..facts(Kind::Autoencoder, ImageShape::new(1, 2, 2), 2, code)
        })
    }

    pub fn subject<'a>(&'a self, images: &'a [f32], labels: &'a [u32]) -> MeasureInput<'a> {
        MeasureInput {
            model: self,
            images,
            labels: Some(labels),
            starts: images,
            scale: &Scale::Range([0.0, 1.0]),
            feature_classifier: Err("there is no classifier"),
            seed: Seed(0),
        }
    }
}

impl Model for Fake {
    fn facts(&self) -> &ModelFacts {
        &self.0
    }

    fn encode(&self, images: &[f32], _: Option<&[u32]>) -> Vec<f32> {
        images
            .chunks(4)
            .flat_map(|image| &image[..2])
            .copied()
            .collect()
    }

    fn decode(&self, codes: &[f32], _: Option<&[u32]>) -> Vec<f32> {
        codes
            .chunks(2)
            .flat_map(|code| [code[0], code[1], 0.0, 0.0])
            .collect()
    }

    fn reconstruct(&self, images: &[f32], labels: Option<&[u32]>) -> Vec<f32> {
        self.decode(&self.encode(images, labels), labels)
    }

    fn corrupt(&self, _: &[f32], _: u64) -> Option<Vec<f32>> {
        None
    }

    fn sample(
        &self,
        count: usize,
        _: Option<&[u32]>,
        starts: &[f32],
        seed: u64,
    ) -> Option<Vec<f32>> {
        assert_eq!(starts.len(), count * 4);
        let mut rng = Seed(seed).stream(Purpose::Extra, &[]);
        Some((0..count * 4).map(|_| rng.random()).collect())
    }

    fn scores(&self, _: &[f32]) -> Option<Vec<f32>> {
        None
    }

    fn activations(&self, layer: &str, images: &[f32], _: Option<&[u32]>) -> Option<Activations> {
        (layer == "dense_1").then(|| Activations {
            shape: Shape::Features(4),
            before: images.to_vec(),
            after: images.to_vec(),
            function: None,
        })
    }

    /// The number of the draw and the image's first pixel together.
    fn log_weights(
        &self,
        images: &[f32],
        _: Option<&[u32]>,
        draws: usize,
        _: u64,
    ) -> Option<Vec<f64>> {
        let weights = |image: &[f32]| {
            let first = f64::from(image[0]);
            (0..draws).map(move |draw| draw as f64 + first)
        };
        Some(images.chunks(4).flat_map(weights).collect())
    }

    fn weights(&self) -> Vec<WeightTensor> {
        let names = ["dense_1/weight", "dense_1/bias", "dense_2/weight"];
        let tensor = |name: &str| WeightTensor {
            name: name.to_string(),
            shape: vec![1],
            values: vec![0.0],
        };
        names.map(tensor).to_vec()
    }
}

/// A classifier whose images are single numbers: the class that it takes them for. Its other scores are `0, 1, 2, ...`.
pub struct Scored(pub ModelFacts);

/// Images and classes of a [`Scored`].
pub struct ScoredImages<'a> {
    model: &'a Scored,
    images: Vec<f32>,
    labels: Vec<u32>,
}

impl Scored {
    /// One of so many classes.
    pub fn new(classes: usize) -> Self {
        Scored(facts(
            Kind::Classifier,
            ImageShape::new(1, 1, 1),
            classes,
            None,
        ))
    }

    /// What each image is taken for, and what it is.
    pub fn subject(&self, answers: &[u32], labels: &[u32]) -> ScoredImages<'_> {
        ScoredImages {
            model: self,
            images: answers.iter().map(|&answer| answer as f32).collect(),
            labels: labels.to_vec(),
        }
    }
}

impl ScoredImages<'_> {
    pub fn input(&self) -> MeasureInput<'_> {
        MeasureInput {
            model: self.model,
            images: &self.images,
            labels: Some(&self.labels),
            starts: &[],
            scale: &Scale::Range([0.0, 1.0]),
            feature_classifier: Err("there is no classifier"),
            seed: Seed(0),
        }
    }
}

impl Model for Scored {
    fn facts(&self) -> &ModelFacts {
        &self.0
    }

    fn scores(&self, images: &[f32]) -> Option<Vec<f32>> {
        let classes = self.0.classes;
        let row = |&answer: &f32| {
            let mut scores: Vec<f32> = (0..classes).map(|class| class as f32).collect();
            scores[answer as usize] = classes as f32;
            scores
        };
        Some(images.iter().flat_map(row).collect())
    }

    fn encode(&self, _: &[f32], _: Option<&[u32]>) -> Vec<f32> {
        Vec::new()
    }

    fn decode(&self, _: &[f32], _: Option<&[u32]>) -> Vec<f32> {
        Vec::new()
    }

    fn reconstruct(&self, _: &[f32], _: Option<&[u32]>) -> Vec<f32> {
        Vec::new()
    }

    fn corrupt(&self, _: &[f32], _: u64) -> Option<Vec<f32>> {
        None
    }

    fn sample(&self, _: usize, _: Option<&[u32]>, _: &[f32], _: u64) -> Option<Vec<f32>> {
        None
    }

    fn activations(&self, _: &str, _: &[f32], _: Option<&[u32]>) -> Option<Activations> {
        None
    }

    fn log_weights(&self, _: &[f32], _: Option<&[u32]>, _: usize, _: u64) -> Option<Vec<f64>> {
        None
    }

    fn weights(&self) -> Vec<WeightTensor> {
        Vec::new()
    }
}
