//! A trained model on a backend.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

use super::through::{self, FIRST, SECOND, flat, labelled, shaped};
use super::{Activations, Blueprint, Kind, Model, WeightTensor};
use crate::backend::{Kernels, reshape};
use crate::layers::{Pass, Signal};
use crate::network::Network;
use crate::rng::{Purpose, Seed};
use crate::shape::{ImageShape, Shape};

/// Images that are led through at a time.
const AT_A_TIME: usize = 500;

/// A model with its weights on a device.
pub struct Resting<B: Backend> {
    blueprint: Blueprint,
    network: Network<B>,
    device: B::Device,
}

impl<B: Kernels> Resting<B> {
    pub fn new(blueprint: Blueprint, network: Network<B>, device: B::Device) -> Self {
        Resting {
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

    /// Images, or latent numbers, as the first part takes them.
    fn input(&self, rows: Tensor<B, 2>) -> Signal<B> {
        shaped(rows, self.input_shape())
    }

    fn input_shape(&self) -> Shape {
        match self.blueprint.kind {
            Kind::Gan => self.blueprint.code().expect("a GAN has latent numbers"),
            _ => Shape::Image(self.blueprint.images),
        }
    }

    fn seed(&self, seed: u64, place: u64) {
        let number = Seed(seed).number(Purpose::Sample, &[place]);
        B::seed(&self.device, number);
    }

    fn is(&self, kind: Kind) -> bool {
        self.blueprint.kind == kind
    }

    /// The end of a Markov chain from each image: corrupted, led through, drawn, again and again.
    fn chain(&self, starts: &[f32], labels: Option<&[u32]>, steps: usize) -> Vec<f32> {
        let (images, loss) = (self.blueprint.images, &self.blueprint.loss);
        self.batches(starts, labels, images.len(), |start, pass| {
            let mut here = start;
            let mut last = here.clone();
            for _ in 0..steps {
                let mut pass = Pass {
                    corrupting: true,
                    drawing: true,
                    ..labelled(Pass::resting(), pass.labels.clone())
                };
                let image = through::as_images(here, images);
                last = through::reconstruct(&self.network, image, &mut pass);
                here = through::drawn(last.clone(), loss);
            }
            // The means of the last step's pixels: what was drawn of them is grain alone.
            last
        })
    }
}

impl<B: Kernels> Model for Resting<B> {
    fn kind(&self) -> Kind {
        self.blueprint.kind
    }

    fn images(&self) -> ImageShape {
        self.blueprint.images
    }

    fn code(&self) -> Option<Shape> {
        self.blueprint.code()
    }

    fn is_generative(&self) -> bool {
        self.blueprint.is_generative()
    }

    fn is_conditional(&self) -> bool {
        self.blueprint.plan.is_conditional()
    }

    fn classes(&self) -> usize {
        self.blueprint.classes
    }

    fn encode(&self, images: &[f32], labels: Option<&[u32]>) -> Vec<f32> {
        assert!(self.is(Kind::Autoencoder), "only auto-encoders encode");
        let width = self.blueprint.images.len();
        self.batches(images, labels, width, |batch, mut pass| {
            flat(self.network.part(FIRST, self.input(batch), &mut pass))
        })
    }

    fn decode(&self, codes: &[f32], labels: Option<&[u32]>) -> Vec<f32> {
        let shape = self.code().expect("a classifier decodes nothing");
        let part = match self.blueprint.kind {
            Kind::Gan => FIRST,
            _ => SECOND,
        };
        self.batches(codes, labels, shape.len(), |batch, mut pass| {
            flat(self.network.part(part, shaped(batch, shape), &mut pass))
        })
    }

    fn reconstruct(&self, images: &[f32], labels: Option<&[u32]>) -> Vec<f32> {
        assert!(self.is(Kind::Autoencoder), "only auto-encoders reconstruct");
        let shape = self.blueprint.images;
        self.batches(images, labels, shape.len(), |batch, mut pass| {
            let batch = through::as_images(batch, shape);
            through::reconstruct(&self.network, batch, &mut pass)
        })
    }

    fn corrupt(&self, images: &[f32], seed: u64) -> Option<Vec<f32>> {
        let first = self.network.plan().part(FIRST);
        // Shapes may change before the noise: what is shown are the same pixels.
        let end = first
            .iter()
            .rposition(|node| node.key.ends_with("_noise"))?;
        let leads = &first[..=end];
        let is_light = |node: &crate::network::Node| {
            node.key.ends_with("_noise") || ["flatten", "reshape"].contains(&node.key)
        };
        if !leads.iter().all(is_light) {
            return None;
        }
        self.seed(seed, 0);
        let width = self.blueprint.images.len();
        Some(self.batches(images, None, width, |batch, pass| {
            let mut pass = Pass {
                corrupting: true,
                ..pass
            };
            flat(self.network.list(leads, self.input(batch), &mut pass))
        }))
    }

    fn sample(
        &self,
        count: usize,
        labels: Option<&[u32]>,
        starts: &[f32],
        seed: u64,
    ) -> Option<Vec<f32>> {
        if !self.is_generative() {
            return None;
        }
        self.seed(seed, 1);
        if let Some(steps) = self.blueprint.chain {
            return Some(self.chain(starts, labels, steps));
        }
        let width = self.code()?.len();
        let codes = through::latent::<B>(count, width, &self.device);
        let codes: Vec<f32> = codes.into_data().iter::<f32>().collect();
        Some(self.decode(&codes, labels))
    }

    fn scores(&self, images: &[f32]) -> Option<Vec<f32>> {
        let shape = self.blueprint.images;
        self.is(Kind::Classifier).then(|| {
            self.batches(images, None, shape.len(), |batch, _| {
                self.network.forward(through::as_images(batch, shape))
            })
        })
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
        let width = self.input_shape().len();
        let after = self.batches(images, labels, width, |batch, mut pass| {
            pass.watched = Some(index);
            let input = self.input(batch);
            match self.blueprint.kind {
                Kind::Classifier => {
                    self.network.list(&plan.nodes, input, &mut pass);
                }
                _ => {
                    let middle = self.network.part(FIRST, input, &mut pass);
                    self.network.part(SECOND, middle, &mut pass);
                }
            }
            let seen = pass.seen.expect("every layer is met on the way");
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
        let shape = self.blueprint.images;
        let nats = self.blueprint.loss.nats(shape.len())?;
        if !self.is(Kind::Autoencoder) || !self.blueprint.plan.has_gaussian_code() {
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
                let image = through::as_images(batch.clone(), shape);
                let outputs = through::reconstruct(&self.network, image, &mut pass);
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
