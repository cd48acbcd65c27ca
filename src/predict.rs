//! What a trained network says of images.
//!
//! Knows nothing of files, experiments or the command line.

use std::path::Path;

use burn::tensor::activation::softmax;
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Tensor, TensorData};

use crate::backend::{Device, TrainingBackend, Work};
use crate::error::Result;
use crate::layers::ActivationFunction;
use crate::network::{Network, Plan};
use crate::objective::LossKind;
use crate::rng::Seed;
use crate::shape::ImageShape;

/// Images that are answered at a time.
const AT_A_TIME: usize = 500;

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

/// A trained network on disk.
#[derive(Debug)]
pub struct Trained<'a> {
    pub plan: Plan,
    /// Number of classes.
    pub classes: usize,
    /// What it was trained with: cross entropy takes its outputs as logarithms.
    pub loss: LossKind,
    /// As a run leaves them.
    pub weights: &'a Path,
}

impl Trained<'_> {
    /// What its answers are made of.
    pub fn measure(&self) -> Measure {
        match self.ends_with_softmax() || self.loss == LossKind::CrossEntropy {
            true => Measure::Probability,
            false => Measure::Score,
        }
    }

    fn ends_with_softmax(&self) -> bool {
        self.plan.last_activation() == Some(ActivationFunction::Softmax {})
    }

    /// For each image a number a class. `pixels` are scaled as in training,
    /// `[images, channels, height, width]`.
    ///
    /// # Errors
    /// The weights cannot be read or are not this network's.
    pub fn answer(
        &self,
        pixels: &[f32],
        shape: ImageShape,
        device: &Device,
    ) -> Result<Vec<Vec<f32>>> {
        device.run(Answering {
            trained: self,
            pixels,
            shape,
        })
    }
}

struct Answering<'a> {
    trained: &'a Trained<'a>,
    pixels: &'a [f32],
    shape: ImageShape,
}

impl Work for Answering<'_> {
    type Output = Result<Vec<Vec<f32>>>;

    fn run<B: TrainingBackend>(self, device: B::Device) -> Self::Output {
        self.on::<B>(&device)
    }
}

impl Answering<'_> {
    fn on<B: TrainingBackend>(&self, device: &B::Device) -> Result<Vec<Vec<f32>>> {
        type Resting<B> = <B as AutodiffBackend>::InnerBackend;
        let Trained { plan, classes, .. } = self.trained;
        let network = Network::<Resting<B>>::build(plan.clone(), *classes, Seed(0), device);
        let network = network.load_weights(self.trained.weights)?;
        let is_raw = !self.trained.ends_with_softmax();
        let (size, shape) = (self.shape.len(), self.shape);
        let mut answers = Vec::new();
        for batch in self.pixels.chunks(AT_A_TIME * size) {
            let dims = [
                batch.len() / size,
                shape.channels,
                shape.height,
                shape.width,
            ];
            let images = Tensor::from_data(TensorData::new(batch.to_vec(), dims), device);
            let outputs = network.forward(images);
            let outputs = match self.trained.measure() == Measure::Probability && is_raw {
                true => softmax(outputs, 1),
                false => outputs,
            };
            let values: Vec<f32> = outputs.into_data().iter::<f32>().collect();
            answers.extend(values.chunks_exact(*classes).map(<[f32]>::to_vec));
        }
        Ok(answers)
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;
    use crate::layers::{Around, LayerSpec};
    use crate::network::plan_classifier;
    use crate::shape::Shape;

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
            plan,
            classes: 3,
            loss,
            weights: &weights,
        };
        let answers = trained.answer(&pixels, SHAPE, &Device::cpu()).unwrap();
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
