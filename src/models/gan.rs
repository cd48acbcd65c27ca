//! `gan`: a generator of images from noise, trained to deceive a discriminator.

use burn::tensor::{Int, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parts::{looks_aside, not_images};
use super::through::{self, FIRST, SECOND, labeled};
use super::{Batch, BatchMetrics, Criterion, ModelFields, Routes};
use crate::backend::Kernels;
use crate::error::Flaw;
use crate::layers::{ForwardContext, LayerContext, LayerSpec, Role, Signal};
use crate::network::{Network, Part, Plan, Planned, plan_parts};
use crate::objective::Loss;
use crate::record::metrics::DISCRIMINATOR_LOSS;
use crate::shape::{ImageShape, Shape};
use crate::value::Positive;

/// A generative adversarial network (Goodfellow et al. 2014). Every step trains the discriminator to tell
/// real images from generated ones, then the generator to have its own taken for real, both by `train.loss`
/// against 1 for real and 0 for generated: `binary_cross_entropy`, or `mse` as Mao et al. 2017.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gan {
    /// Normally distributed numbers that an image is made of.
    pub latent: Positive,
    /// From these to an image; its layers are called `generator.NAME`.
    pub generator: Vec<LayerSpec>,
    /// From the image to one number, above a half for real; its layers are called `discriminator.NAME`.
    pub discriminator: Vec<LayerSpec>,
}

/// The turn of the discriminator, which is the first one.
const DISCRIMINATOR: usize = 0;

impl ModelFields for Gan {
    const CALLED: &'static str = "a GAN";
    const LISTS: &'static [&'static str] = &["generator", "discriminator"];
    const LOSSES: &'static str = "loss = \"binary_cross_entropy\", or \"mse\"";

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

    fn turns(&self) -> &'static [Option<usize>] {
        &[Some(SECOND), Some(FIRST)]
    }

    fn loss<B: Kernels>(
        &self,
        turn: usize,
        network: &Network<B>,
        batch: &Batch<B>,
        criterion: &Criterion<B>,
        metrics: &mut BatchMetrics<B>,
    ) -> Tensor<B, 1> {
        let context = || {
            labeled(
                ForwardContext::training(batch.chance.clone()),
                Some(batch.targets.classes.clone()),
            )
        };
        let latent = self.draw(batch);
        let generated = through::generate(network, latent, &mut context());
        let verdict = |images, truth| verdict(network, criterion, images, truth, context());
        let mean = match turn {
            DISCRIMINATOR => {
                let of_real = verdict(batch.images.clone(), 1.0);
                let mean = of_real + verdict(generated.detach(), 0.0);
                metrics.mean(&DISCRIMINATOR_LOSS, mean.clone());
                mean
            }
            _ => {
                let mean = verdict(generated, 1.0);
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
        let context = || {
            labeled(
                ForwardContext::inference(),
                Some(batch.targets.classes.clone()),
            )
        };
        let generated = through::generate(network, self.draw(batch), &mut context());
        let verdict = |images, truth| verdict(network, criterion, images, truth, context());
        let of_real = verdict(batch.images.clone(), 1.0);
        let of_generated = verdict(generated.clone(), 0.0);
        measure_generator(verdict(generated, 1.0), batch, metrics);
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

/// The mean loss, `[1]`, of the discriminator's verdicts on images that it should find real (1) or
/// generated (0).
fn verdict<B: Kernels>(
    network: &Network<B>,
    criterion: &Criterion<B>,
    images: Tensor<B, 4>,
    truth: f64,
    mut context: ForwardContext<B>,
) -> Tensor<B, 1> {
    let verdicts = network
        .part(SECOND, Signal::Image(images), &mut context)
        .features();
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
