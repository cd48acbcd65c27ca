//! What a trained classifier says of images.
//!
//! Knows nothing of files, experiments or the command line.

use std::path::Path;

use crate::backend::Device;
use crate::error::Result;
use crate::layers::ActivationFunction;
use crate::model::{Blueprint, softmax};
use crate::objective::LossKind;

/// What the numbers of an answer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// From 0 to 1, 1 in all.
    Probability,
    /// The larger, the likelier; nothing more is known of the network's outputs.
    Score,
}

impl Measure {
    /// As tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Measure::Probability => "probability",
            Measure::Score => "score",
        }
    }
}

/// A trained classifier on disk.
#[derive(Debug)]
pub struct Trained<'a> {
    pub blueprint: Blueprint,
    /// As a run leaves them.
    pub weights: &'a Path,
}

impl Trained<'_> {
    /// What its answers are made of: cross entropy takes the outputs as logarithms.
    pub fn measure(&self) -> Measure {
        let loss = self.blueprint.loss.spec();
        match self.ends_with_softmax() || loss == LossKind::CrossEntropy {
            true => Measure::Probability,
            false => Measure::Score,
        }
    }

    fn ends_with_softmax(&self) -> bool {
        self.blueprint.plan.last_activation() == Some(ActivationFunction::Softmax {})
    }

    /// For each image a number a class. `pixels` are scaled as in training,
    /// `[images, channels, height, width]`.
    ///
    /// # Errors
    /// The weights cannot be read or are not this network's.
    ///
    /// # Panics
    /// If the model is no classifier.
    pub fn answer(&self, pixels: &[f32], device: &Device) -> Result<Vec<Vec<f32>>> {
        let model = self.blueprint.load(self.weights, device)?;
        let scores = model.scores(pixels).expect("classifiers have scores");
        let is_raw = self.measure() == Measure::Probability && !self.ends_with_softmax();
        let answer = |scores: &[f32]| match is_raw {
            true => softmax(scores).into_iter().map(|p| p as f32).collect(),
            false => scores.to_vec(),
        };
        Ok(scores
            .chunks_exact(self.blueprint.classes)
            .map(answer)
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::{Tensor, TensorData};

    use super::*;
    use crate::layers::{Around, LayerSpec};
    use crate::model::Kind;
    use crate::network::{Network, plan_classifier};
    use crate::rng::Seed;
    use crate::shape::{ImageShape, Shape};

    const SHAPE: ImageShape = ImageShape {
        channels: 1,
        height: 2,
        width: 2,
    };

    /// The answers of a fresh network to 501 images, what they are, and its outputs.
    fn answers(activation: &str, loss: LossKind) -> (Vec<Vec<f32>>, Measure, Vec<f32>) {
        let dense = format!(r#"["flatten", {{ "dense": {{ "units": 3{activation} }} }}]"#);
        let layers: Vec<LayerSpec> = serde_json::from_str(&dense).unwrap();
        let (plan, flaws) = plan_classifier(&layers, Shape::Image(SHAPE), Around::new(3), loss);
        assert_eq!(flaws, []);
        let device = Default::default();
        let network = Network::<Flex>::build(plan.clone(), 3, Seed(5), &device);
        let folder = tempfile::tempdir().unwrap();
        let weights = folder.path().join("weights.safetensors");
        network.save_weights(&weights).unwrap();
        let pixels: Vec<f32> = (0..501 * 4).map(|at| (at % 17) as f32 / 16.0).collect();
        let trained = Trained {
            blueprint: Blueprint {
                kind: Kind::Classifier,
                plan,
                images: SHAPE,
                classes: 3,
                loss: serde_json::from_value(loss.key().into()).unwrap(),
                chain: None,
            },
            weights: &weights,
        };
        let answers = trained.answer(&pixels, &Device::cpu()).unwrap();
        let images = Tensor::from_data(TensorData::new(pixels, [501, 1, 2, 2]), &device);
        let outputs = network.forward(images).into_data().into_vec().unwrap();
        (answers, trained.measure(), outputs)
    }

    #[test]
    fn cross_entropy_s_outputs_become_probabilities() {
        let (answers, measure, outputs) = answers("", LossKind::CrossEntropy);
        assert_eq!((answers.len(), measure), (501, Measure::Probability));
        for (answer, outputs) in answers.iter().zip(outputs.chunks(3)) {
            let all: f32 = outputs.iter().map(|output| output.exp()).sum();
            for (answer, output) in answer.iter().zip(outputs) {
                assert!((answer - output.exp() / all).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn other_outputs_are_told_as_they_are() {
        let (answers, measure, outputs) = answers("", LossKind::Mse);
        assert_eq!((answers.concat(), measure), (outputs, Measure::Score));
        let softmax = r#", "activation": "softmax""#;
        let (answers, measure, outputs) = self::answers(softmax, LossKind::Mse);
        assert_eq!((answers.concat(), measure), (outputs, Measure::Probability));
    }
}
