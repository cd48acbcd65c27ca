//! A trained model on a backend.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

use super::through::{self, flat, labelled, shaped};
use super::{Activations, Blueprint, Model, ModelFacts, Way, Ways, WeightTensor};
use crate::backend::{Kernels, reshape};
use crate::layers::{Pass, Role};
use crate::network::{Network, Node};
use crate::rng::{Purpose, Seed};
use crate::shape::Shape;

/// Images that are led through at a time.
const AT_A_TIME: usize = 500;

/// A model with its weights on a device.
pub struct LoadedModel<B: Backend> {
    blueprint: Blueprint,
    ways: Ways,
    network: Network<B>,
    device: B::Device,
}

impl<B: Kernels> LoadedModel<B> {
    pub fn new(blueprint: Blueprint, network: Network<B>, device: B::Device) -> Self {
        LoadedModel {
            ways: blueprint.ways(),
            blueprint,
            network,
            device,
        }
    }

    /// What `part` makes of rows, which it is given a batch at a time with their pass.
    fn batches(
        &self,
        rows: &[f32],
        labels: Option<&[u32]>,
        width: usize,
        mut part: impl FnMut(Tensor<B, 2>, Pass<B>) -> Tensor<B, 2>,
    ) -> Vec<f32> {
        let mut answers = Vec::new();
        for (number, batch) in rows.chunks(AT_A_TIME * width).enumerate() {
            let count = batch.len() / width;
            let data = TensorData::new(batch.to_vec(), [count, width]);
            let input = Tensor::from_data(data, &self.device);
            let labels = labels.map(|labels| &labels[number * AT_A_TIME..][..count]);
            let pass = labelled(Pass::resting(), self.labels(labels));
            answers.extend(part(input, pass).into_data().iter::<f32>());
        }
        answers
    }

    fn labels(&self, labels: Option<&[u32]>) -> Option<Tensor<B, 1, Int>> {
        let numbers: Vec<i32> = labels?.iter().map(|&label| label as i32).collect();
        let count = numbers.len();
        let data = TensorData::new(numbers, [count]);
        Some(Tensor::from_data(data, &self.device))
    }

    /// Leads rows, whose samples have this shape, along ways, one after the other.
    fn along(
        &self,
        ways: &[&Option<Way>],
        rows: Tensor<B, 2>,
        shape: Shape,
        pass: &mut Pass<B>,
    ) -> Tensor<B, 2> {
        let way = |way: &&'_ Option<Way>| way.as_ref().expect("the model has such a part").clone();
        let nodes: Vec<usize> = ways.iter().flat_map(way).collect();
        flat(self.network.way(&nodes, shaped(rows, shape), pass))
    }

    fn shape(&self) -> Shape {
        Shape::Image(self.blueprint.facts.images)
    }

    fn reconstructed(&self, images: Tensor<B, 2>, pass: &mut Pass<B>) -> Tensor<B, 2> {
        let ways = [&self.ways.encode, &self.ways.decode];
        self.along(&ways, images, self.shape(), pass)
    }

    fn seed(&self, seed: u64, place: u64) {
        let number = Seed(seed).number(Purpose::Sample, &[place]);
        B::seed(&self.device, number);
    }

    /// The end of a Markov chain from each image: corrupted, led through, drawn, again and again.
    fn chain(&self, starts: &[f32], labels: Option<&[u32]>, steps: usize) -> Vec<f32> {
        let loss = &self.blueprint.loss;
        self.batches(starts, labels, self.shape().len(), |start, pass| {
            let mut here = start;
            let mut last = here.clone();
            for _ in 0..steps {
                let mut pass = Pass {
                    corrupting: true,
                    drawing: true,
                    ..labelled(Pass::resting(), pass.labels.clone())
                };
                last = self.reconstructed(here, &mut pass);
                here = through::drawn(last.clone(), loss);
            }
            // The means of the last step's pixels: what was drawn of them is grain alone.
            last
        })
    }
}

impl<B: Kernels> Model for LoadedModel<B> {
    fn facts(&self) -> &ModelFacts {
        &self.blueprint.facts
    }

    fn encode(&self, images: &[f32], labels: Option<&[u32]>) -> Vec<f32> {
        let shape = self.shape();
        self.batches(images, labels, shape.len(), |batch, mut pass| {
            self.along(&[&self.ways.encode], batch, shape, &mut pass)
        })
    }

    fn decode(&self, codes: &[f32], labels: Option<&[u32]>) -> Vec<f32> {
        let code = self.facts().code.expect("what decodes has a code");
        self.batches(codes, labels, code.len(), |batch, mut pass| {
            self.along(&[&self.ways.decode], batch, code, &mut pass)
        })
    }

    fn reconstruct(&self, images: &[f32], labels: Option<&[u32]>) -> Vec<f32> {
        self.batches(images, labels, self.shape().len(), |batch, mut pass| {
            self.reconstructed(batch, &mut pass)
        })
    }

    fn corrupt(&self, images: &[f32], seed: u64) -> Option<Vec<f32>> {
        let plan = self.network.plan();
        let first = plan.part(*self.ways.encode.as_ref()?.first()?);
        // Shapes may change before the noise: what is shown are the same pixels.
        let end = first
            .iter()
            .rposition(|node| plan.role(node) == Some(Role::Noise))?;
        let leads = &first[..=end];
        let is_light = |node: &Node| matches!(plan.role(node), Some(Role::Noise | Role::Reshapes));
        if !leads.iter().all(is_light) {
            return None;
        }
        self.seed(seed, 0);
        let shape = self.shape();
        Some(self.batches(images, None, shape.len(), |batch, pass| {
            let mut pass = Pass {
                corrupting: true,
                ..pass
            };
            flat(self.network.list(leads, shaped(batch, shape), &mut pass))
        }))
    }

    fn sample(
        &self,
        count: usize,
        labels: Option<&[u32]>,
        starts: &[f32],
        seed: u64,
    ) -> Option<Vec<f32>> {
        if !self.facts().is_generative() {
            return None;
        }
        self.seed(seed, 1);
        if let Some(steps) = self.facts().chain {
            return Some(self.chain(starts, labels, steps));
        }
        let width = self.facts().code?.len();
        let codes = through::latent::<B>(count, width, &self.device);
        let codes: Vec<f32> = codes.into_data().iter::<f32>().collect();
        Some(self.decode(&codes, labels))
    }

    fn scores(&self, images: &[f32]) -> Option<Vec<f32>> {
        let (way, shape) = (&self.ways.classify, self.shape());
        way.as_ref()?;
        Some(self.batches(images, None, shape.len(), |batch, mut pass| {
            self.along(&[way], batch, shape, &mut pass)
        }))
    }

    fn activations(
        &self,
        layer: &str,
        images: &[f32],
        labels: Option<&[u32]>,
    ) -> Option<Activations> {
        let plan = self.network.plan();
        let index = plan
            .layers
            .iter()
            .position(|planned| planned.name == layer)?;
        if !plan.on_the_way().contains(&index) {
            return None;
        }
        let mut before = Vec::new();
        let (input, ways) = (self.facts().input(), self.ways.whole());
        let after = self.batches(images, labels, input.len(), |batch, mut pass| {
            pass.watched = Some(index);
            for way in &ways {
                if pass.seen.is_none() {
                    let input = shaped(batch.clone(), input);
                    self.network.way(way, input, &mut pass);
                }
            }
            let seen = pass.seen.expect("every layer is met on some way");
            before.extend(flat(seen.before).into_data().iter::<f32>());
            flat(seen.after)
        });
        Some(Activations {
            shape: plan.layers[index].output,
            before,
            after,
            function: plan.layers[index].activation,
        })
    }

    fn log_weights(
        &self,
        images: &[f32],
        labels: Option<&[u32]>,
        draws: usize,
        seed: u64,
    ) -> Option<Vec<f64>> {
        let shape = self.shape();
        let nats = self.blueprint.loss.nats(shape.len())?;
        if !self.facts().has_gaussian_code {
            return None;
        }
        self.seed(seed, 2);
        let count = images.len() / shape.len();
        let mut weights = vec![0.0; count * draws];
        for draw in 0..draws {
            let of_draw = self.batches(images, labels, shape.len(), |batch, pass| {
                let mut pass = Pass {
                    drawing: true,
                    ..pass
                };
                let outputs = self.reconstructed(batch.clone(), &mut pass);
                let likelihood = self.blueprint.loss.of_samples(outputs, batch) * -nats;
                let ratios = pass.gaussian.iter().map(|code| code.log_ratio());
                let weight = ratios.fold(likelihood, |sum, ratio| sum + ratio);
                let [images] = weight.dims();
                reshape(weight, [images, 1])
            });
            for (image, weight) in of_draw.into_iter().enumerate() {
                weights[image * draws + draw] = f64::from(weight);
            }
        }
        Some(weights)
    }

    fn weights(&self) -> Vec<WeightTensor> {
        let values = self.network.values().into_iter();
        let shapes = self.network.tensor_shapes();
        values
            .zip(shapes)
            .map(|((name, values), (_, shape))| WeightTensor {
                name,
                shape,
                values,
            })
            .collect()
    }
}
