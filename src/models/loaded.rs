//! A trained model on a backend.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

use super::through::{self, flat, shaped};
use super::{Activations, Blueprint, Model, ModelFacts, Route, Routes, WeightTensor};
use crate::backend::{Kernels, reshape};
use crate::layers::{ForwardContext, Role};
use crate::network::{Network, Node};
use crate::rng::{Chance, Purpose, Seed};
use crate::shape::Shape;

/// A model with its weights on a device.
pub struct LoadedModel<B: Backend> {
    blueprint: Blueprint,
    routes: Routes,
    network: Network<B>,
    device: B::Device,
}

impl<B: Kernels> LoadedModel<B> {
    /// A model of a network with its weights on a device.
    pub fn new(blueprint: Blueprint, network: Network<B>, device: B::Device) -> Self {
        LoadedModel {
            routes: blueprint.routes(),
            blueprint,
            network,
            device,
        }
    }

    /// What `part` makes of rows, which it is given a batch at a time with their pass, in which `chance` is drawn from.
    fn batches(
        &self,
        chance: &Chance,
        rows: &[f32],
        labels: Option<&[u32]>,
        width: usize,
        mut part: impl FnMut(Tensor<B, 2>, ForwardContext<B>) -> Tensor<B, 2>,
    ) -> Vec<f32> {
        let mut answers = Vec::new();
        let most = self.blueprint.batch;
        for (number, batch) in rows.chunks(most * width).enumerate() {
            let count = batch.len() / width;
            let data = TensorData::new(batch.to_vec(), [count, width]);
            let input = Tensor::from_data(data, &self.device);
            let labels = labels.map(|labels| &labels[number * most..][..count]);
            let context = ForwardContext {
                chance: chance.from_sample(number * most),
                labels: self.labels(labels),
                ..ForwardContext::inference()
            };
            answers.extend(part(input, context).into_data().iter::<f32>());
        }
        answers
    }

    fn labels(&self, labels: Option<&[u32]>) -> Option<Tensor<B, 1, Int>> {
        let numbers: Vec<i32> = labels?.iter().map(|&label| label as i32).collect();
        let count = numbers.len();
        let data = TensorData::new(numbers, [count]);
        Some(Tensor::from_data(data, &self.device))
    }

    /// Leads rows, whose samples have this shape, along routes, one after the other.
    fn along(
        &self,
        routes: &[&Option<Route>],
        rows: Tensor<B, 2>,
        shape: Shape,
        context: &mut ForwardContext<B>,
    ) -> Tensor<B, 2> {
        let route =
            |route: &&'_ Option<Route>| route.as_ref().expect("the model has such a part").clone();
        let nodes: Vec<usize> = routes.iter().flat_map(route).collect();
        flat(self.network.route(&nodes, shaped(rows, shape), context))
    }

    fn shape(&self) -> Shape {
        Shape::Image(self.blueprint.facts.images)
    }

    fn reconstructed(&self, images: Tensor<B, 2>, context: &mut ForwardContext<B>) -> Tensor<B, 2> {
        let routes = [&self.routes.encode, &self.routes.decode];
        self.along(&routes, images, self.shape(), context)
    }

    /// The end of a Markov chain from each image: corrupted, led through, drawn, again and again.
    fn chain(
        &self,
        chance: &Chance,
        starts: &[f32],
        labels: Option<&[u32]>,
        steps: usize,
    ) -> Vec<f32> {
        let loss = &self.blueprint.loss;
        self.batches(
            chance,
            starts,
            labels,
            self.shape().len(),
            |start, context| {
                let mut here = start;
                let mut last = here.clone();
                for _ in 0..steps {
                    let mut context = ForwardContext {
                        corrupting: true,
                        drawing: true,
                        chance: context.chance.clone(),
                        labels: context.labels.clone(),
                        ..ForwardContext::inference()
                    };
                    last = self.reconstructed(here, &mut context);
                    here = through::drawn(last.clone(), loss, &context.chance);
                }
                // The means of the last step's pixels: what was drawn of them is grain alone.
                last
            },
        )
    }
}

impl<B: Kernels> Model for LoadedModel<B> {
    fn facts(&self) -> &ModelFacts {
        &self.blueprint.facts
    }

    fn encode(&self, images: &[f32], labels: Option<&[u32]>) -> Vec<f32> {
        let shape = self.shape();
        self.batches(
            &Chance::default(),
            images,
            labels,
            shape.len(),
            |batch, mut context| self.along(&[&self.routes.encode], batch, shape, &mut context),
        )
    }

    fn decode(&self, codes: &[f32], labels: Option<&[u32]>) -> Vec<f32> {
        let code = self.facts().code.expect("what decodes has a code");
        self.batches(
            &Chance::default(),
            codes,
            labels,
            code.len(),
            |batch, mut context| self.along(&[&self.routes.decode], batch, code, &mut context),
        )
    }

    fn reconstruct(&self, images: &[f32], labels: Option<&[u32]>) -> Vec<f32> {
        self.batches(
            &Chance::default(),
            images,
            labels,
            self.shape().len(),
            |batch, mut context| self.reconstructed(batch, &mut context),
        )
    }

    fn corrupt(&self, images: &[f32], seed: u64) -> Option<Vec<f32>> {
        let plan = self.network.plan();
        let first = plan.part(*self.routes.encode.as_ref()?.first()?);
        // Shapes may change before the noise: what is shown are the same pixels.
        let end = first
            .iter()
            .rposition(|node| plan.role(node) == Some(Role::Noise))?;
        let leads = &first[..=end];
        let is_light = |node: &Node| matches!(plan.role(node), Some(Role::Noise | Role::Reshapes));
        if !leads.iter().all(is_light) {
            return None;
        }
        let chance = Seed(seed).chance(Purpose::Sample, &[0]);
        let shape = self.shape();
        Some(
            self.batches(&chance, images, None, shape.len(), |batch, context| {
                let mut context = ForwardContext {
                    corrupting: true,
                    ..context
                };
                flat(self.network.list(leads, shaped(batch, shape), &mut context))
            }),
        )
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
        let chance = Seed(seed).chance(Purpose::Sample, &[1]);
        if let Some(steps) = self.facts().chain {
            return Some(self.chain(&chance, starts, labels, steps));
        }
        let width = self.facts().code?.len();
        let codes = through::latent::<B>([count, width], &chance, &self.device);
        let codes: Vec<f32> = codes.into_data().iter::<f32>().collect();
        Some(self.decode(&codes, labels))
    }

    fn scores(&self, images: &[f32]) -> Option<Vec<f32>> {
        let (route, shape) = (&self.routes.classify, self.shape());
        route.as_ref()?;
        Some(self.batches(
            &Chance::default(),
            images,
            None,
            shape.len(),
            |batch, mut context| self.along(&[route], batch, shape, &mut context),
        ))
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
        let (input, routes) = (self.facts().input(), self.routes.whole());
        let after = self.batches(
            &Chance::default(),
            images,
            labels,
            input.len(),
            |batch, mut context| {
                context.capture = Some(index);
                for route in &routes {
                    if context.captured.is_none() {
                        let input = shaped(batch.clone(), input);
                        self.network.route(route, input, &mut context);
                    }
                }
                let captured = context.captured.expect("every layer is met on some way");
                before.extend(flat(captured.before).into_data().iter::<f32>());
                flat(captured.after)
            },
        );
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
        let count = images.len() / shape.len();
        let mut weights = vec![0.0; count * draws];
        for draw in 0..draws {
            let chance = Seed(seed).chance(Purpose::Sample, &[2, draw as u64]);
            let of_draw = self.batches(&chance, images, labels, shape.len(), |batch, context| {
                let mut context = ForwardContext {
                    drawing: true,
                    ..context
                };
                let outputs = self.reconstructed(batch.clone(), &mut context);
                let likelihood = self.blueprint.loss.of_samples(outputs, batch) * -nats;
                let ratios = context.gaussian.iter().map(|code| code.log_ratio());
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
