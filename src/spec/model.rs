//! The `[model]` table: what kind of model it is, its networks layer by layer, and what follows for them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Flaw;
use crate::layers::{ActivationFunction, Around, LayerSpec};
use crate::model::Kind;
use crate::network::{self, Part, Plan, Planned};
use crate::objective::Loss;
use crate::shape::{ImageShape, Shape};
use crate::value::{NonNegative, Positive};

/// What kind of model it is, and its layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ModelSpec {
    /// Images in, one score a class out.
    Classifier(Classifier),
    /// Images in, the same images out, by way of a code.
    Autoencoder(Autoencoder),
    /// Chance in, images out: a generator that learns to pass for real before a discriminator.
    Gan(Gan),
}

/// A classifier, layer by layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Classifier {
    /// From the image to one score a class: `[batch, classes]`, before softmax.
    pub layers: Vec<LayerSpec>,
}

/// An auto-encoder. Noise layers of the encoder corrupt in training only, and the error is that against the
/// image as it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Autoencoder {
    /// From the image to the code; its layers are called `encoder.NAME`.
    pub encoder: Vec<LayerSpec>,
    /// From the code to an image of the same shape, or to as many features; its layers are called
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
    /// Trained as a generative stochastic network, whose samples are steps of a Markov chain. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub walk_back: Option<WalkBack>,
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

fn none() -> NonNegative {
    NonNegative(0.0)
}

fn is_none(value: &NonNegative) -> bool {
    value.get() == 0.0
}

fn is_not(value: &bool) -> bool {
    !value
}

impl ModelSpec {
    pub fn kind(&self) -> Kind {
        match self {
            ModelSpec::Classifier(_) => Kind::Classifier,
            ModelSpec::Autoencoder(_) => Kind::Autoencoder,
            ModelSpec::Gan(_) => Kind::Gan,
        }
    }

    /// The networks for images of this shape in so many classes, trained with this loss.
    ///
    /// Flaws have keys below `[model]`, such as `autoencoder.encoder.3.dense.units`, and `train.loss`.
    pub(super) fn plan(
        &self,
        images: ImageShape,
        classes: usize,
        loss: &Loss,
    ) -> (Plan, Vec<Flaw>) {
        let around = Around::new(classes);
        let (plan, flaws) = match self {
            ModelSpec::Classifier(classifier) => {
                let image = Shape::Image(images);
                let layers = &classifier.layers;
                let (plan, flaws) = network::plan_classifier(layers, image, around, loss.spec());
                let below = flaws.into_iter().map(|flaw| flaw.under("layers"));
                (plan, below.collect())
            }
            ModelSpec::Autoencoder(autoencoder) => autoencoder.plan(images, around),
            ModelSpec::Gan(gan) => gan.plan(images, around),
        };
        let key = match self.kind() {
            Kind::Classifier => "model.classifier",
            Kind::Autoencoder => "model.autoencoder",
            Kind::Gan => "model.gan",
        };
        let mut flaws: Vec<Flaw> = flaws.into_iter().map(|flaw| flaw.under(key)).collect();
        flaws.extend(self.loss_flaw(&plan, loss));
        (plan, flaws)
    }

    /// A loss that is none for what this model gives.
    fn loss_flaw(&self, plan: &Plan, loss: &Loss) -> Option<Flaw> {
        let name = loss.spec().key();
        let is_classifier = self.kind() == Kind::Classifier;
        if loss.is_of_classes() && !is_classifier {
            let message = format!("`{name}` compares classes, which this model does not give");
            let hint = match self.kind() {
                Kind::Gan => "loss = \"binary_cross_entropy\", or \"mse\"",
                _ => {
                    "loss = \"mse\", or \"half_mse\", \"sum_squared\", \"binary_cross_entropy\", \"huber\""
                }
            };
            return Some(Flaw::new("train.loss", message).hint(hint));
        }
        let ends = plan.last_activation();
        if loss.takes_probabilities() && ends.is_some_and(|function| !gives_probabilities(function))
            || loss.takes_probabilities()
                && ends.is_none()
                && (plan.nodes.len() == 2 || is_classifier)
        {
            let message = format!(
                "`{name}` takes outputs between 0 and 1, which the last layer does not give"
            );
            let hint = "end it with activation = \"sigmoid\", or choose another loss";
            return Some(Flaw::new("train.loss", message).hint(hint));
        }
        None
    }
}

fn gives_probabilities(function: ActivationFunction) -> bool {
    matches!(
        function,
        ActivationFunction::Sigmoid {}
            | ActivationFunction::HardSigmoid {}
            | ActivationFunction::Softmax {}
    )
}

impl Autoencoder {
    fn plan(&self, images: ImageShape, around: Around) -> (Plan, Vec<Flaw>) {
        let parts = [
            Part {
                name: "encoder",
                layers: &self.encoder,
            },
            Part {
                name: "decoder",
                layers: &self.decoder,
            },
        ];
        let image = Shape::Image(images);
        let (plan, mut flaws) = network::plan_parts(&parts, image, "the dataset", around);
        if !flaws.is_empty() {
            return (plan, flaws);
        }
        flaws.extend(not_images(&plan, 1, "decoder", &self.decoder, images));
        flaws.extend(drawn_elsewhere(&plan));
        flaws.extend(looks_aside(&plan));
        if self.contractive.get() > 0.0 {
            flaws.extend(plan.contractive_flaw().map(|flaw| flaw.under("encoder")));
        }
        if self.walk_back.is_some() && !plan.has_noise("encoder.") {
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
}

impl Gan {
    fn plan(&self, images: ImageShape, around: Around) -> (Plan, Vec<Flaw>) {
        let parts = [
            Part {
                name: "generator",
                layers: &self.generator,
            },
            Part {
                name: "discriminator",
                layers: &self.discriminator,
            },
        ];
        let latent = Shape::Features(self.latent.get());
        let (plan, mut flaws) = network::plan_parts(&parts, latent, "chance", around);
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
}

/// A gaussian code that is not what passes to the decoder: samples are drawn there.
fn drawn_elsewhere(plan: &Plan) -> Option<Flaw> {
    let is_code = |layer: &&Planned| layer.key == "gaussian_code";
    let last = plan.last_layer(0).filter(is_code);
    let other = plan.layers.iter().filter(is_code);
    let mut other = other.filter(|layer| last.is_none_or(|last| last.name != layer.name));
    let name = &other.next()?.name;
    let message = format!(
        "`{name}` (`gaussian_code`) is not the encoder's last layer, where samples are drawn"
    );
    Some(Flaw::new("encoder", message).hint("end the encoder with one `gaussian_code`"))
}

/// A side classifier, whose classes this model knows nothing of.
fn looks_aside(plan: &Plan) -> Option<Flaw> {
    let message = "`auxiliary` helps classifiers only";
    plan.has_block("auxiliary").then(|| Flaw::new("", message))
}

/// A layer that adds to the loss of its outputs, of which a GAN's two losses know nothing.
fn idle_in_a_gan(plan: &Plan) -> Option<Flaw> {
    let adds = |layer: &&Planned| match layer.spec {
        LayerSpec::GaussianCode(_) => true,
        _ => layer
            .spec
            .fields()
            .is_some_and(|fields| fields.activity().is_some()),
    };
    let layer = plan.layers.iter().find(adds)?;
    let (name, key) = (&layer.name, layer.key);
    let message = format!("`{name}` (`{key}`) adds to the loss, which in a GAN only weights do");
    let part = name.split('.').next().unwrap_or_default();
    Some(Flaw::new(part, message))
}

/// A part whose output is no image of the dataset's shape, nor as many features.
fn not_images(
    plan: &Plan,
    part: usize,
    name: &str,
    layers: &[LayerSpec],
    images: ImageShape,
) -> Option<Flaw> {
    let output = plan.nodes.get(part)?.output;
    let hint = match output {
        Shape::Image(image) if image == images => return None,
        Shape::Features(features) if features == images.len() => return None,
        Shape::Features(_) => format!("its last `dense` layer needs units = {}", images.len()),
        Shape::Image(image) if image.channels != images.channels => {
            format!("its last layer needs filters = {}", images.channels)
        }
        _ => "strides, `upsampling` and `cropping` set the size".to_string(),
    };
    let gives = match output {
        Shape::Features(features) => format!("{features} features"),
        other => format!("{} ({other})", other.kind()),
    };
    let last = layers.len().saturating_sub(1);
    let message = format!("the {name} gives {gives} but the images are {images}");
    Some(Flaw::new(format!("{name}.{last}"), message).hint(hint))
}
