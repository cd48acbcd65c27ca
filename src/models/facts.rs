//! What is known of a model before it has weights: its kind, its shapes, what it can be asked.

use std::path::Path;

use burn::tensor::backend::Backend;

use super::{Kind, LoadedModel, Model};
use crate::backend::{Device, TrainingBackend, Work};
use crate::error::Result;
use crate::network::{Naming, Network, Plan, Truth, WeightFile};
use crate::objective::{Loss, LossKind};
use crate::record::Node;
use crate::rng::Seed;
use crate::shape::{ImageShape, Shape};

/// What a model can be asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// Images in, one score a class out.
    Classify,
    /// Images in, their codes out.
    Encode,
    /// Codes, or latent numbers, in, images out.
    Decode,
    /// Images in, whatever it makes of them.
    TakeImages,
    /// Distinguishing real images from generated ones.
    Discriminate,
}

/// Numbers of the plan's nodes, in the order that a batch meets them.
pub type Route = Vec<usize>;

/// How batches pass through the parts of a model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Routes {
    /// From images to one score a class.
    pub classify: Option<Route>,
    /// From images to codes.
    pub encode: Option<Route>,
    /// From codes, or from latent numbers where nothing encodes, to images.
    pub decode: Option<Route>,
    /// From images to a verdict, real or generated.
    pub discriminate: Option<Route>,
}

impl Routes {
    /// Whether they are enough for an ability.
    pub fn allow(&self, ability: Ability) -> bool {
        match ability {
            Ability::Classify => self.classify.is_some(),
            Ability::Encode => self.encode.is_some(),
            Ability::Decode => self.decode.is_some(),
            Ability::TakeImages => self.classify.is_some() || self.encode.is_some(),
            Ability::Discriminate => self.discriminate.is_some(),
        }
    }

    /// Routes from what goes in first, by which all layers are met.
    pub fn whole(&self) -> Vec<Route> {
        let joined = |one: &Option<Route>, other: &Option<Route>| {
            [one, other]
                .into_iter()
                .flatten()
                .flatten()
                .copied()
                .collect()
        };
        match (&self.encode, &self.decode) {
            (Some(_), _) => {
                let images = joined(&self.encode, &self.decode);
                [Some(images), self.classify.clone()]
                    .into_iter()
                    .flatten()
                    .collect()
            }
            (None, Some(_)) => vec![joined(&self.decode, &self.discriminate)],
            (None, None) => self.classify.clone().into_iter().collect(),
        }
    }
}

/// What is known of a model and its data before it is trained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFacts {
    /// Its kind.
    pub kind: Kind,
    /// Of the images that go in (of a GAN: come out).
    pub images: ImageShape,
    /// Number of classes of its data.
    pub classes: usize,
    /// What passes from encoder to decoder, or the latent numbers of a generator; `None` of a classifier.
    pub code: Option<Shape>,
    /// Whether its code is drawn from a normal distribution of each image's own.
    pub has_gaussian_code: bool,
    /// Steps of the Markov chain from an image to a sample, of a model with walk-back training.
    pub chain: Option<usize>,
    /// Whether it needs the true class.
    pub is_conditional: bool,
    /// Whether its loss is minus the log of a likelihood, in nats.
    pub has_likelihood: bool,
    /// Number of test images.
    pub test: usize,
    /// Whether the model is trained on a class, by the class's number.
    pub trained_on: Vec<bool>,
}

impl ModelFacts {
    /// Whether it has an ability.
    pub fn can(&self, ability: Ability) -> bool {
        self.kind.can(ability)
    }

    /// Whether samples can be drawn from it: a gaussian code, a generator, a walk-back chain.
    pub fn is_generative(&self) -> bool {
        let can_draw = !self.can(Ability::Encode) || self.has_gaussian_code || self.chain.is_some();
        self.can(Ability::Decode) && can_draw
    }

    /// A network of this model as a graph of named nodes, from what goes in to the loss.
    pub fn graph<B: Backend>(&self, network: &Network<B>, loss: LossKind) -> Vec<Node> {
        let (name, truth) = match (self.can(Ability::TakeImages), self.can(Ability::Classify)) {
            (false, _) => ("latent", Truth::Nothing),
            (true, true) => ("input", Truth::Labels),
            (true, false) => ("input", Truth::Input),
        };
        network.graph(name, self.input(), truth, loss)
    }

    /// Of what goes in first: images, or latent numbers.
    pub fn input(&self) -> Shape {
        match self.code {
            Some(code) if !self.can(Ability::TakeImages) => code,
            _ => Shape::Image(self.images),
        }
    }
}

/// A model but for its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Blueprint {
    /// What is known of the model.
    pub facts: ModelFacts,
    /// Its layers and their shapes.
    pub plan: Plan,
    /// What it is trained with.
    pub loss: Loss,
    /// Images that are led through it at a time.
    pub batch: usize,
}

impl Blueprint {
    /// How batches pass through its parts.
    pub fn routes(&self) -> Routes {
        self.facts.kind.routes(&self.plan)
    }

    /// The model with the weights that a run left, on a device.
    ///
    /// # Errors
    /// The weights cannot be read or are not this model's.
    pub fn load(&self, weights: &Path, device: &Device) -> Result<Box<dyn Model>> {
        self.load_named(weights, Naming::default(), device)
    }

    /// The same with the weights of a file that calls layers otherwise.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_named(
        &self,
        weights: &Path,
        naming: Naming,
        device: &Device,
    ) -> Result<Box<dyn Model>> {
        let weights = WeightFile::read(weights, naming)?;
        device.run(Loading {
            blueprint: self,
            weights,
        })
    }
}

struct Loading<'a> {
    blueprint: &'a Blueprint,
    weights: WeightFile,
}

impl Work for Loading<'_> {
    type Output = Result<Box<dyn Model>>;

    fn run<B: TrainingBackend>(self, device: B::Device) -> Self::Output {
        let Blueprint { plan, facts, .. } = self.blueprint;
        let network = Network::build(plan.clone(), facts.classes, Seed(0), &device);
        let network = network.take_weights(&self.weights, &|_| true)?;
        let blueprint = self.blueprint.clone();
        Ok(Box::new(LoadedModel::<B::InnerBackend>::new(
            blueprint, network, device,
        )))
    }
}
