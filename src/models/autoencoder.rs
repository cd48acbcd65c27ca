//! `autoencoder`: images in, the same images out, by way of a code.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parts::{looks_aside, not_images};
use super::through::{self, FIRST, SECOND, flat};
use super::{Batch, BatchMetrics, Criterion, ModelFields, Routes, Turn};
use crate::backend::{Kernels, math};
use crate::error::Flaw;
use crate::layers::{ForwardContext, LayerContext, LayerSpec, Role, Signal};
use crate::network::{Network, Part, Plan, Planned, plan_parts};
use crate::objective::Loss;
use crate::record::metrics::{ELBO, KL, RECONSTRUCTION};
use crate::shape::{ImageShape, Shape};
use crate::tagged::{Choice, OrNone};
use crate::value::{NonNegative, Positive};

/// An auto-encoder. Noise layers of the encoder corrupt in training only, and the error is that against the
/// image as it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Autoencoder {
    /// From the image to the code; its layers are called `encoder.NAME`.
    pub encoder: Vec<LayerSpec>,
    /// From the code to an image of the same shape, or to features of the same number; its layers are called
    /// `decoder.NAME`.
    pub decoder: Vec<LayerSpec>,
    /// What the squared Frobenius norm of the encoder's Jacobian, mean over the images, counts in the
    /// loss (Rifai et al. 2011). The encoder is made of `flatten` and `dense` layers then. Default 0.
    #[serde(default = "none", skip_serializing_if = "is_none")]
    pub contractive: NonNegative,
    /// Whether the noise layers corrupt what is measured too: the validation and the test set. Default
    /// false.
    #[serde(default, skip_serializing_if = "is_not")]
    pub test_corruption: bool,
    /// Trained as a generative stochastic network, whose samples are steps of a Markov chain. Default "none".
    #[serde(default, skip_serializing_if = "OrNone::is_none")]
    pub walk_back: OrNone<WalkBack>,
}

/// Walk-back training (Bengio et al. 2014): what comes out is corrupted and led through again, and each time
/// the error is that against the image at the start. The encoder has a noise layer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WalkBack {
    /// Times each batch is led through. Default 5.
    pub steps: Positive,
    /// Steps of the chain from a real image to a sample. Default 50.
    pub chain: Positive,
}

impl Default for WalkBack {
    fn default() -> Self {
        WalkBack {
            steps: Positive(5),
            chain: Positive(50),
        }
    }
}

impl Choice for WalkBack {
    const WHAT: &'static str = "walk-back training";
}

fn none() -> NonNegative {
    NonNegative(0.0)
}

fn is_none(value: &NonNegative) -> bool {
    value.get() == 0.0
}

fn is_not(value: &bool) -> bool {
    !value
}

impl ModelFields for Autoencoder {
    const CALLED: &'static str = "an auto-encoder";
    const LISTS: &'static [&'static str] = &["encoder", "decoder"];
    const LOSSES: &'static str = "loss = \"mse\", or \"mae\", \"half_mse\", \"sum_squared\", \"binary_cross_entropy\", \"huber\"";
    const TURNS: &'static [Turn] = &[Turn::WHOLE];

    fn routes(_plan: &Plan) -> Routes {
        Routes {
            encode: Some(vec![FIRST]),
            decode: Some(vec![SECOND]),
            ..Routes::default()
        }
    }

    fn plan(&self, images: ImageShape, context: LayerContext, _loss: &Loss) -> (Plan, Vec<Flaw>) {
        let parts = [
            Part::new("encoder", &self.encoder),
            Part::new("decoder", &self.decoder),
        ];
        let image = Shape::Image(images);
        let (plan, mut flaws) = plan_parts(&parts, image, "the dataset", context);
        if !flaws.is_empty() {
            return (plan, flaws);
        }
        flaws.extend(not_images(&plan, 1, "decoder", &self.decoder, images));
        flaws.extend(drawn_elsewhere(&plan));
        flaws.extend(looks_aside(&plan));
        if self.contractive.get() > 0.0 {
            flaws.extend(plan.contractive_flaw().map(|flaw| flaw.under("encoder")));
        }
        if !self.walk_back.is_none() && !plan.has_noise("encoder.") {
            let message = "`walk_back` needs an encoder that corrupts its input";
            let hint =
                "begin it with { salt_and_pepper_noise = { ... } } or { gaussian_noise = { ... } }";
            flaws.push(Flaw::new("walk_back", message).hint(hint));
        }
        if self.test_corruption && !plan.has_noise("encoder.") {
            let message = "`test_corruption` needs an encoder that corrupts its input";
            flaws.push(Flaw::new("test_corruption", message));
        }
        (plan, flaws)
    }

    fn chain(&self) -> Option<usize> {
        self.walk_back.0.map(|walk_back| walk_back.chain.get())
    }

    fn walks(&self) -> usize {
        self.walk_back
            .0
            .map_or(1, |walk_back| walk_back.steps.get())
    }

    /// The loss of a batch, or with walk-back training its mean over the walk, each time against the images
    /// at its start. The metrics are those of the first time.
    fn loss<B: Kernels>(
        &self,
        _turn: Turn,
        network: &Network<B>,
        batch: &Batch<B>,
        criterion: &Criterion<B>,
        metrics: &mut BatchMetrics<B>,
    ) -> Tensor<B, 1> {
        let context = || batch.training_context();
        let clean = flat(Signal::Image(batch.images.clone()));
        let through = |images| self.parts(network, criterion, images, clean.clone(), context());
        let (mut outputs, mut parts) = through(batch.images.clone());
        parts.measure(criterion, &clean, metrics);
        let steps = self.walks();
        for _ in 1..steps {
            let drawn = through::drawn(outputs.detach(), criterion.objective.loss(), &batch.chance);
            let (next, more) = through(through::as_images(drawn, criterion.images));
            parts = parts.plus(more);
            outputs = next;
        }
        let mean = parts.times(1.0 / steps as f64).sum();
        criterion.step(mean, batch.size(), network)
    }

    fn measure<B: Kernels>(
        &self,
        network: &Network<B>,
        batch: &Batch<B>,
        criterion: &Criterion<B>,
        metrics: &mut BatchMetrics<B>,
    ) -> Option<Tensor<B, 1, Int>> {
        let context = ForwardContext {
            corrupting: self.test_corruption,
            drawing: true,
            chance: batch.chance.clone(),
            ..batch.inference_context()
        };
        let images = batch.images.clone();
        let clean = flat(Signal::Image(images.clone()));
        let (_, parts) = self.parts(network, criterion, images, clean.clone(), context);
        parts.measure(criterion, &clean, metrics);
        None
    }
}

impl Autoencoder {
    /// What comes out, `[batch, pixels]`, and what that costs against `clean`.
    fn parts<B: Kernels>(
        &self,
        network: &Network<B>,
        criterion: &Criterion<B>,
        images: Tensor<B, 4>,
        clean: Tensor<B, 2>,
        mut context: ForwardContext<B>,
    ) -> (Tensor<B, 2>, Parts<B>) {
        let contractive = self.contractive.get();
        let (code, norm) = match contractive > 0.0 {
            true => {
                let (code, norm) = network.contracted(Signal::Image(images), &mut context);
                (code, Some(norm * contractive))
            }
            false => (
                network.part(FIRST, Signal::Image(images), &mut context),
                None,
            ),
        };
        let outputs = flat(network.part(SECOND, code, &mut context));
        let reconstruction = criterion.objective.of_values(outputs.clone(), clean);
        let divergences = context.gaussian.iter().map(|code| {
            let mean = math::mean(code.divergence());
            (mean.clone(), mean * code.beta)
        });
        let (nats, counted): (Vec<_>, Vec<_>) = divergences.unzip();
        let kl = nats.into_iter().reduce(|sum, one| sum + one);
        let more = counted.into_iter().chain(norm).chain(context.activity);
        let parts = Parts {
            reconstruction,
            more: more.reduce(|sum, one| sum + one),
            kl,
        };
        (outputs, parts)
    }
}

/// What the loss of an auto-encoder is made of, `[1]` each, means over the images.
struct Parts<B: Backend> {
    reconstruction: Tensor<B, 1>,
    /// What the code and activities add.
    more: Option<Tensor<B, 1>>,
    /// Nats, whatever they count in the loss.
    kl: Option<Tensor<B, 1>>,
}

impl<B: Kernels> Parts<B> {
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

    fn measure(
        &self,
        criterion: &Criterion<B>,
        clean: &Tensor<B, 2>,
        metrics: &mut BatchMetrics<B>,
    ) {
        let [size, pixels] = clean.dims();
        let nats = criterion.objective.loss().nats(pixels);
        let bound = |(nats, kl): (f64, &Tensor<B, 1>)| {
            (self.reconstruction.clone() * nats + kl.clone()).neg()
        };
        let weight = Tensor::full([1], size as f64, &clean.device());
        metrics.loss(self.sum(), weight);
        metrics.mean(&RECONSTRUCTION, self.reconstruction.clone());
        metrics.mean(&KL, self.kl.clone());
        metrics.mean(&ELBO, nats.zip(self.kl.as_ref()).map(bound));
    }
}

/// A gaussian code that is not what passes to the decoder: samples are drawn there.
fn drawn_elsewhere(plan: &Plan) -> Option<Flaw> {
    let is_code = |layer: &&Planned| layer.spec.role() == Some(Role::GaussianCode);
    let last = plan.last_layer(0).filter(is_code);
    let other = plan.layers.iter().filter(is_code);
    let mut other = other.filter(|layer| last.is_none_or(|last| last.name != layer.name));
    let Planned { name, key, .. } = other.next()?;
    let message =
        format!("`{name}` (`{key}`) is not the encoder's last layer, where samples are drawn");
    Some(Flaw::new("encoder", message).hint(format!("end the encoder with one `{key}`")))
}
