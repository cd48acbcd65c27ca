//! What training makes small and what is measured, for each kind of model.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

use super::batch_metrics::BatchMetrics;
use super::set::Batch;
use crate::backend::{Kernels, reshape};
use crate::layers::{Pass, Signal};
use crate::model::through::{self, FIRST, SECOND, flat, labelled};
use crate::network::Network;
use crate::objective::{Objective, Targets};
use crate::record::metrics::{ACCURACY, DISCRIMINATOR_LOSS, ELBO, KL, RECONSTRUCTION};
use crate::shape::ImageShape;
use crate::spec::{Autoencoder, ModelSpec};

/// What a model of one kind is trained for, on a device.
pub(super) struct Task<'a, B: Backend> {
    model: &'a ModelSpec,
    objective: Objective<B>,
    images: ImageShape,
}

/// What the loss of an auto-encoder is made of, `[1]` each, means over the images.
struct Parts<B: Backend> {
    reconstruction: Tensor<B, 1>,
    /// What the code and activities add.
    more: Option<Tensor<B, 1>>,
    /// Nats, whatever they count in the loss.
    kl: Option<Tensor<B, 1>>,
}

impl<'a, B: Kernels> Task<'a, B> {
    pub fn new(model: &'a ModelSpec, objective: Objective<B>, images: ImageShape) -> Self {
        Task {
            model,
            objective,
            images,
        }
    }

    /// What a step of a classifier or an auto-encoder makes small, `[1]`, penalties included; and the
    /// metrics of the batch.
    pub fn step(&self, network: &Network<B>, batch: Batch<B>) -> (Tensor<B, 1>, BatchMetrics<B>) {
        let Batch { images, targets } = batch;
        match self.model {
            ModelSpec::Classifier(_) => self.classify(network, images, targets),
            ModelSpec::Autoencoder(model) => {
                let factor = self.step_factor(&targets);
                let (parts, metrics) = self.walk(model, network, images, targets);
                let sum = parts.sum() * factor;
                let total = network
                    .penalty()
                    .into_iter()
                    .fold(sum, |sum, one| sum + one);
                (total, metrics)
            }
            ModelSpec::Gan(_) => unreachable!("a GAN's steps are two"),
        }
    }

    /// What steps multiply the mean loss of a batch by.
    pub fn step_factor(&self, targets: &Targets<B>) -> f64 {
        let [size] = targets.classes.dims();
        self.objective.loss().step_factor(size)
    }

    fn classify(
        &self,
        network: &Network<B>,
        images: Tensor<B, 4>,
        targets: Targets<B>,
    ) -> (Tensor<B, 1>, BatchMetrics<B>) {
        let passed = network.forward_training(images);
        let outputs = passed.outputs.clone();
        let mean = self.objective.mean(outputs.clone(), &targets);
        let factor = self.step_factor(&targets);
        let of_scores = |scores| self.objective.mean(scores, &targets) * factor;
        let total = passed.total_loss(mean.clone() * factor, of_scores);
        (total, self.metrics_of_scores(mean, outputs, &targets))
    }

    fn metrics_of_scores(
        &self,
        mean: Tensor<B, 1>,
        outputs: Tensor<B, 2>,
        targets: &Targets<B>,
    ) -> BatchMetrics<B> {
        let weight = self.objective.weight(targets);
        BatchMetrics::new(mean, weight, targets.classes.dims()[0])
            .with_sum(&ACCURACY, targets.right(outputs))
    }

    /// The loss of a batch, or with walk-back training its mean over the walk, each time against the images
    /// at its start. The metrics are those of the first time.
    fn walk(
        &self,
        model: &Autoencoder,
        network: &Network<B>,
        images: Tensor<B, 4>,
        targets: Targets<B>,
    ) -> (Parts<B>, BatchMetrics<B>) {
        let pass = || labelled(Pass::training(), Some(targets.classes.clone()));
        let clean = flat(Signal::Image(images.clone()));
        let (outputs, mut parts) = self.parts(model, network, images, clean.clone(), pass());
        let metrics = self.metrics_of_parts(&parts, &clean);
        let steps = model.walk_back.map_or(1, |walk_back| walk_back.steps.get());
        let mut last = outputs;
        for _ in 1..steps {
            let drawn = through::drawn(last.detach(), self.objective.loss());
            let image = through::as_images(drawn, self.images);
            let (outputs, more) = self.parts(model, network, image, clean.clone(), pass());
            parts = parts.plus(more);
            last = outputs;
        }
        (parts.times(1.0 / steps as f64), metrics)
    }

    /// What comes out, `[batch, pixels]`, and what that costs against `clean`.
    fn parts(
        &self,
        model: &Autoencoder,
        network: &Network<B>,
        images: Tensor<B, 4>,
        clean: Tensor<B, 2>,
        mut pass: Pass<B>,
    ) -> (Tensor<B, 2>, Parts<B>) {
        let contractive = model.contractive.get();
        let (code, norm) = match contractive > 0.0 {
            true => {
                let (code, norm) = network.contracted(Signal::Image(images), &mut pass);
                (code, Some(norm * contractive))
            }
            false => (network.part(FIRST, Signal::Image(images), &mut pass), None),
        };
        let outputs = flat(network.part(SECOND, code, &mut pass));
        let reconstruction = self.objective.of_values(outputs.clone(), clean);
        let divergences = pass.gaussian.iter().map(|code| {
            let mean = code.divergence().mean();
            (mean.clone(), mean * code.beta)
        });
        let (nats, counted): (Vec<_>, Vec<_>) = divergences.unzip();
        let kl = nats.into_iter().reduce(|sum, one| sum + one);
        let more = counted.into_iter().chain(norm).chain(pass.activity);
        let parts = Parts {
            reconstruction,
            more: more.reduce(|sum, one| sum + one),
            kl,
        };
        (outputs, parts)
    }

    fn metrics_of_parts(&self, parts: &Parts<B>, clean: &Tensor<B, 2>) -> BatchMetrics<B> {
        let [size, pixels] = clean.dims();
        let nats = self.objective.loss().nats(pixels);
        let bound = |(nats, kl): (f64, &Tensor<B, 1>)| {
            (parts.reconstruction.clone() * nats + kl.clone()).neg()
        };
        let weight = Tensor::full([1], size as f64, &clean.device());
        BatchMetrics::new(parts.sum(), weight, size)
            .with_mean(&RECONSTRUCTION, parts.reconstruction.clone())
            .with_mean(&KL, parts.kl.clone())
            .with_mean(&ELBO, nats.zip(parts.kl.as_ref()).map(bound))
    }

    /// The metrics of images that are not trained on, and a classifier's answers `[batch]`.
    pub fn measure(
        &self,
        network: &Network<B>,
        images: Tensor<B, 4>,
        labels: Tensor<B, 1, Int>,
    ) -> (BatchMetrics<B>, Option<Tensor<B, 1, Int>>) {
        match self.model {
            ModelSpec::Classifier(_) => {
                let outputs = network.forward(images);
                let [batch, _] = outputs.dims();
                let answers = reshape(outputs.clone().argmax(1), [batch]);
                let targets = Targets::of(labels);
                let mean = self.objective.mean(outputs.clone(), &targets);
                (
                    self.metrics_of_scores(mean, outputs, &targets),
                    Some(answers),
                )
            }
            ModelSpec::Autoencoder(model) => {
                let pass = Pass {
                    corrupting: model.test_corruption,
                    drawing: true,
                    ..labelled(Pass::resting(), Some(labels))
                };
                let clean = flat(Signal::Image(images.clone()));
                let (_, parts) = self.parts(model, network, images, clean.clone(), pass);
                (self.metrics_of_parts(&parts, &clean), None)
            }
            ModelSpec::Gan(model) => {
                let [size, ..] = images.dims();
                let device = images.device();
                let pass = || labelled(Pass::resting(), Some(labels.clone()));
                let latent = through::latent(size, model.latent.get(), &device);
                let generated = through::generate(network, latent, &mut pass());
                let of_real = self.verdict(network, images, 1.0, pass());
                let of_generated = self.verdict(network, generated.clone(), 0.0, pass());
                let of_generator = self.verdict(network, generated, 1.0, pass());
                (
                    self.metrics_of_gan(of_generator, of_real + of_generated, size),
                    None,
                )
            }
        }
    }

    /// The mean loss, `[1]`, of the discriminator's verdicts on images that it should find real (1) or
    /// generated (0).
    pub fn verdict(
        &self,
        network: &Network<B>,
        images: Tensor<B, 4>,
        truth: f64,
        mut pass: Pass<B>,
    ) -> Tensor<B, 1> {
        let verdicts = network
            .part(SECOND, Signal::Image(images), &mut pass)
            .features();
        let truth = verdicts.full_like(truth);
        self.objective.of_values(verdicts, truth)
    }

    /// The metrics of a batch of a GAN.
    pub fn metrics_of_gan(
        &self,
        generator: Tensor<B, 1>,
        discriminator: Tensor<B, 1>,
        size: usize,
    ) -> BatchMetrics<B> {
        let weight = Tensor::full([1], size as f64, &generator.device());
        BatchMetrics::new(generator, weight, size).with_mean(&DISCRIMINATOR_LOSS, discriminator)
    }
}

impl<B: Backend> Parts<B> {
    fn sum(&self) -> Tensor<B, 1> {
        let whole = self.reconstruction.clone();
        self.more
            .clone()
            .into_iter()
            .fold(whole, |sum, one| sum + one)
    }

    fn plus(self, other: Self) -> Self {
        let both = |one: Option<Tensor<B, 1>>, other: Option<Tensor<B, 1>>| {
            one.zip(other).map(|(one, other)| one + other)
        };
        Parts {
            reconstruction: self.reconstruction + other.reconstruction,
            more: both(self.more, other.more),
            kl: both(self.kl, other.kl),
        }
    }

    fn times(self, factor: f64) -> Self {
        Parts {
            reconstruction: self.reconstruction * factor,
            more: self.more.map(|more| more * factor),
            kl: self.kl.map(|kl| kl * factor),
        }
    }
}
