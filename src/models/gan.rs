//! `gan`: a generator of images from noise, trained to deceive a discriminator.

use burn::tensor::{Int, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parts::{looks_aside, not_images};
use super::through::{self, FIRST, SECOND};
use super::{Batch, BatchMetrics, Criterion, ModelFields, Routes, Turn};
use crate::backend::{Kernels, TrainingBackend};
use crate::error::Flaw;
use crate::layers::{ForwardContext, LayerContext, LayerSpec, Role, Signal};
use crate::network::{Network, Part, Plan, Planned, plan_parts};
use crate::objective::Loss;
use crate::record::metrics::DISCRIMINATOR_LOSS;
use crate::shape::{ImageShape, Shape};
use crate::value::Positive;

/// A generative adversarial network (Goodfellow et al. 2014). Every step trains the discriminator to tell
/// real images from generated ones, then the generator to have its own taken for real, both by `train.loss`
/// against 1 for real and 0 for generated: `binary_cross_entropy`, `mse` as Mao et al. 2017, or `hinge` or `wasserstein`, whose
/// verdicts are any numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gan {
    /// Normally distributed numbers that an image is made of.
    pub latent: Positive,
    /// From these to an image; its layers are called `generator.NAME`.
    pub generator: Vec<LayerSpec>,
    /// From the image to one number, above a half for real, or the higher the more real; its layers are called `discriminator.NAME`.
    pub discriminator: Vec<LayerSpec>,
    /// Steps of the discriminator, each on a batch of its own, for one of the generator, which is the last one's. Each draws
    /// new latent numbers, and normalizes by its own batch. Default 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub discriminator_steps: Positive,
}

fn one() -> Positive {
    Positive(1)
}

fn is_one(steps: &Positive) -> bool {
    steps.get() == 1
}

/// The turns of a step without one of the generator.
const ALONE: &[Turn] = &[turn(SECOND, true)];

const fn turn(part: usize, is_alone: bool) -> Turn {
    Turn {
        part: Some(part),
        is_alone,
    }
}

impl ModelFields for Gan {
    const CALLED: &'static str = "a GAN";
    const LISTS: &'static [&'static str] = &["generator", "discriminator"];
    const LOSSES: &'static str =
        "loss = \"binary_cross_entropy\", or \"mse\", \"hinge\", \"wasserstein\"";
    const TURNS: &'static [Turn] = &[turn(SECOND, false), turn(FIRST, false)];

    fn routes(_plan: &Plan) -> Routes {
        Routes {
            decode: Some(vec![FIRST]),
            discriminate: Some(vec![SECOND]),
            ..Routes::default()
        }
    }

    fn plan(&self, images: ImageShape, context: LayerContext, _loss: &Loss) -> (Plan, Vec<Flaw>) {
        let parts = [
            Part::new("generator", &self.generator),
            Part::new("discriminator", &self.discriminator),
        ];
        let latent = Shape::Features(self.latent.get());
        let (plan, mut flaws) = plan_parts(&parts, latent, "chance", context);
        flaws.extend(idle_in_a_gan(&plan));
        flaws.extend(looks_aside(&plan));
        let generated = plan.nodes.first().map(|part| part.output);
        if generated.is_some_and(|shape| shape != Shape::Image(images)) {
            let flaw = not_images(&plan, 0, "generator", &self.generator, images);
            let reshape = || {
                let last = self.generator.len().saturating_sub(1);
                let message = format!("the generator gives features but the images are {images}");
                Flaw::new(format!("generator.{last}"), message)
                    .hint("end it with a `reshape` layer")
            };
            return (plan, vec![flaw.unwrap_or_else(reshape)]);
        }
        if flaws.is_empty() && plan.nodes[1].output != Shape::Features(1) {
            let last = self.discriminator.len() - 1;
            let output = plan.nodes[1].output;
            let message = format!("the discriminator gives {output} where one number is needed");
            let flaw = Flaw::new(format!("discriminator.{last}"), message);
            flaws.push(flaw.hint("end it with { dense = { units = 1 } }"));
        }
        (plan, flaws)
    }

    fn turns(&self, step: usize) -> &'static [Turn] {
        match (step + 1).is_multiple_of(self.discriminator_steps.get()) {
            true => Self::TURNS,
            false => ALONE,
        }
    }

    fn bounded<B: TrainingBackend>(
        &self,
        turn: Turn,
        network: Network<B>,
        loss: &Loss,
    ) -> Network<B> {
        match loss.weight_bound() {
            Some(bound) if turn.part == Some(SECOND) => network.bounded(SECOND, bound),
            _ => network,
        }
    }

    /// The generator's loss is measured in its turn; where it has none, of the verdicts that the discriminator gives before
    /// its own.
    fn loss<B: Kernels>(
        &self,
        turn: Turn,
        network: &Network<B>,
        batch: &Batch<B>,
        criterion: &Criterion<B>,
        metrics: &mut BatchMetrics<B>,
    ) -> Tensor<B, 1> {
        let context = || batch.training_context();
        let latent = self.draw(batch);
        let generated = through::generate(network, latent, &mut context());
        let verdicts = |images| verdicts(network, images, context());
        let objective = &criterion.objective;
        let mean = match turn.part {
            Some(SECOND) => {
                let of_real = judged(criterion, verdicts(batch.images.clone()), 1.0);
                let of_generated = verdicts(generated.detach());
                if turn.is_alone {
                    let mean = objective.of_forgeries(of_generated.clone().detach());
                    measure_generator(mean, batch, metrics);
                }
                let mean = of_real + judged(criterion, of_generated, 0.0);
                metrics.mean(&DISCRIMINATOR_LOSS, mean.clone());
                mean
            }
            _ => {
                let mean = objective.of_forgeries(verdicts(generated));
                measure_generator(mean.clone(), batch, metrics);
                mean
            }
        };
        criterion.step(mean, batch.size(), network)
    }

    fn measure<B: Kernels>(
        &self,
        network: &Network<B>,
        batch: &Batch<B>,
        criterion: &Criterion<B>,
        metrics: &mut BatchMetrics<B>,
    ) -> Option<Tensor<B, 1, Int>> {
        let context = || batch.inference_context();
        let generated = through::generate(network, self.draw(batch), &mut context());
        let of_real = verdicts(network, batch.images.clone(), context());
        let of_generated = verdicts(network, generated, context());
        let deceived = criterion.objective.of_forgeries(of_generated.clone());
        measure_generator(deceived, batch, metrics);
        let of_real = judged(criterion, of_real, 1.0);
        let of_generated = judged(criterion, of_generated, 0.0);
        metrics.mean(&DISCRIMINATOR_LOSS, of_real + of_generated);
        None
    }
}

impl Gan {
    /// Latent numbers for each image of the batch.
    fn draw<B: Kernels>(&self, batch: &Batch<B>) -> Tensor<B, 2> {
        let shape = [batch.size(), self.latent.get()];
        through::latent(shape, &batch.chance, &batch.images.device())
    }
}

/// The discriminator's verdicts on images, `[batch, 1]`.
fn verdicts<B: Kernels>(
    network: &Network<B>,
    images: Tensor<B, 4>,
    mut context: ForwardContext<B>,
) -> Tensor<B, 2> {
    network
        .part(SECOND, Signal::Image(images), &mut context)
        .features()
}

/// The mean loss, `[1]`, of verdicts, `[batch, 1]`, on images that are real (1) or generated (0).
fn judged<B: Kernels>(
    criterion: &Criterion<B>,
    verdicts: Tensor<B, 2>,
    truth: f64,
) -> Tensor<B, 1> {
    let truth = verdicts.full_like(truth);
    criterion.objective.of_values(verdicts, truth)
}

fn measure_generator<B: Kernels>(
    mean: Tensor<B, 1>,
    batch: &Batch<B>,
    metrics: &mut BatchMetrics<B>,
) {
    let weight = Tensor::full([1], batch.size() as f64, &mean.device());
    metrics.loss(mean, weight);
}

/// A layer that adds to the loss of its outputs, of which a GAN's two losses know nothing.
fn idle_in_a_gan(plan: &Plan) -> Option<Flaw> {
    let adds = |layer: &&Planned| {
        let fields = layer.spec.fields();
        fields.is_some_and(|fields| {
            fields.role() == Role::GaussianCode || fields.activity().is_some()
        })
    };
    let layer = plan.layers.iter().find(adds)?;
    let (name, key) = (&layer.name, layer.key);
    let message = format!("`{name}` (`{key}`) adds to the loss, which in a GAN only weights do");
    let part = name.split('.').next().unwrap_or_default();
    Some(Flaw::new(part, message))
}
