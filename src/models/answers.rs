//! What a classifier's outputs say of each class.

use super::{Blueprint, Model, softmax};
use crate::layers::ActivationFunction;
use crate::objective::LossKind;

/// What the numbers of an answer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// From 0 to 1, 1 in all.
    Probability,
    /// The larger, the likelier; nothing more is known of the network's outputs.
    Score,
}

impl AnswerKind {
    /// As tables call it.
    pub fn name(self) -> &'static str {
        match self {
            AnswerKind::Probability => "probability",
            AnswerKind::Score => "score",
        }
    }
}

impl Blueprint {
    /// What a classifier's answers are made of: cross entropy takes the outputs as logarithms.
    pub fn answer_kind(&self) -> AnswerKind {
        match self.ends_with_softmax() || self.loss.kind() == LossKind::CrossEntropy {
            true => AnswerKind::Probability,
            false => AnswerKind::Score,
        }
    }

    pub(super) fn ends_with_softmax(&self) -> bool {
        self.plan.last_activation() == Some(ActivationFunction::Softmax {})
    }

    /// For each image one number a class, as [`answer_kind`](Self::answer_kind) says; `model` is this one with its
    /// weights.
    ///
    /// # Panics
    /// If it is no classifier.
    pub fn answers(&self, model: &dyn Model, images: &[f32]) -> Vec<Vec<f32>> {
        let scores = model.scores(images).expect("classifiers have scores");
        let is_raw = self.answer_kind() == AnswerKind::Probability && !self.ends_with_softmax();
        let answer = |scores: &[f32]| match is_raw {
            true => softmax(scores).into_iter().map(|p| p as f32).collect(),
            false => scores.to_vec(),
        };
        scores
            .chunks_exact(self.facts.classes)
            .map(answer)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::{Tensor, TensorData};

    use super::super::testing::SHAPE;
    use super::super::{Classifier, ModelSpec};
    use super::*;
    use crate::backend::Device;
    use crate::layers::LayerSpec;
    use crate::network::Network;
    use crate::rng::Seed;

    /// The answers of a fresh network to 501 images, what they are, and its outputs.
    fn answers(activation: &str, loss: LossKind) -> (Vec<Vec<f32>>, AnswerKind, Vec<f32>) {
        let dense = format!(r#"["flatten", {{ "dense": {{ "units": 3{activation} }} }}]"#);
        let layers: Vec<LayerSpec> = serde_json::from_str(&dense).unwrap();
        let model = ModelSpec::Classifier(Classifier { layers });
        let loss = serde_json::from_value(loss.key().into()).unwrap();
        let (plan, flaws) = model.plan(SHAPE, 3, &loss);
        assert_eq!(flaws, []);
        let device = Default::default();
        let network = Network::<Flex>::build(plan.clone(), 3, Seed(5), &device);
        let folder = tempfile::tempdir().unwrap();
        let weights = folder.path().join("weights.safetensors");
        network.save_weights(&weights).unwrap();
        let pixels: Vec<f32> = (0..501 * 4).map(|at| (at % 17) as f32 / 16.0).collect();
        let blueprint = model.blueprint(plan, 64, SHAPE, &loss, 501, vec![true; 3]);
        let model = blueprint.load(&weights, &Device::cpu()).unwrap();
        let answers = blueprint.answers(&*model, &pixels);
        let images = Tensor::from_data(TensorData::new(pixels, [501, 1, 2, 2]), &device);
        let outputs = network.forward(images).into_data().into_vec().unwrap();
        (answers, blueprint.answer_kind(), outputs)
    }

    #[test]
    fn cross_entropy_s_outputs_become_probabilities() {
        let (answers, measure, outputs) = answers("", LossKind::CrossEntropy);
        assert_eq!((answers.len(), measure), (501, AnswerKind::Probability));
        for (answer, outputs) in answers.iter().zip(outputs.chunks(3)) {
            let all: f32 = outputs.iter().map(|output| output.exp()).sum();
            for (answer, output) in answer.iter().zip(outputs) {
                assert!((answer - output.exp() / all).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn other_outputs_are_reported_as_they_are() {
        let (answers, measure, outputs) = answers("", LossKind::Mse);
        assert_eq!((answers.concat(), measure), (outputs, AnswerKind::Score));
        let softmax = r#", "activation": "softmax""#;
        let (answers, measure, outputs) = self::answers(softmax, LossKind::Mse);
        assert_eq!(
            (answers.concat(), measure),
            (outputs, AnswerKind::Probability)
        );
    }
}
