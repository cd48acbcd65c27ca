//! The vocabulary of kinds of model: one file a kind, one line a kind in the registry below.
//!
//! A kind's file holds its fields as a TOML file writes them, its plan and what is wrong with it, the ways of
//! batches through its parts, and what a step minimizes: a list of turns, each of which changes one part by
//! one loss. Whoever trains drives the turns; whoever draws, measures or answers commands asks a [`Model`] in
//! plain numbers. Neither knows a kind.

mod answers;
mod batch_metrics;
mod criterion;
mod facts;
mod loaded;
mod model;
mod onnx;
mod parts;
#[cfg(test)]
pub mod testing;
mod through;

pub use answers::AnswerKind;
pub use batch_metrics::{BatchMetrics, MetricSums};
pub use criterion::{Batch, Criterion};
pub use facts::{Ability, Blueprint, ModelFacts, Route, Routes};
pub use loaded::LoadedModel;
pub use model::{Activations, Model, WeightTensor, in_turn, likeliest, softmax};
pub use onnx::Described;

use burn::tensor::{Int, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backend::{Kernels, TrainingBackend};
use crate::error::Flaw;
use crate::layers::{ActivationFunction, LayerContext};
use crate::network::{Network, Plan};
use crate::objective::Loss;
use crate::shape::ImageShape;

/// A part of a step: some of the weights, changed by one loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// The node of the plan whose weights it changes, which is the part with this number, or `None` for all.
    pub part: Option<usize>,
    /// Whether it is the step's only one.
    pub is_alone: bool,
}

impl Turn {
    /// That of a model whose weights are all changed at once.
    const WHOLE: Turn = Turn {
        part: None,
        is_alone: true,
    };
}

/// A kind of model as the file writes it.
trait ModelFields {
    /// What sentences call it, with its article.
    const CALLED: &'static str;
    /// Its fields that are lists of layers.
    const LISTS: &'static [&'static str];
    /// Losses that it can be trained with, for a hint.
    const LOSSES: &'static str;
    /// The turns that a step may have, in order.
    const TURNS: &'static [Turn];

    /// The routes of batches through its plan.
    fn routes(plan: &Plan) -> Routes;

    /// Its network for images of this shape. Flaws have keys below the kind's table.
    fn plan(&self, images: ImageShape, context: LayerContext, loss: &Loss) -> (Plan, Vec<Flaw>);

    /// Steps of the Markov chain from an image to a sample, if samples are drawn so.
    fn chain(&self) -> Option<usize> {
        None
    }

    /// How often a step leads its images through the network before it makes gradients.
    fn walks(&self) -> usize {
        1
    }

    /// The turns of the step with this number, from 0, in order.
    fn turns(&self, _step: usize) -> &'static [Turn] {
        Self::TURNS
    }

    /// What a turn minimizes, `[1]`, penalties included; adds to the batch's metrics.
    fn loss<B: Kernels>(
        &self,
        turn: Turn,
        network: &Network<B>,
        batch: &Batch<B>,
        criterion: &Criterion<B>,
        metrics: &mut BatchMetrics<B>,
    ) -> Tensor<B, 1>;

    /// The network after a turn's change of its weights, of which the loss may bound some.
    fn bounded<B: TrainingBackend>(
        &self,
        _turn: Turn,
        network: Network<B>,
        _loss: &Loss,
    ) -> Network<B> {
        network
    }

    /// Adds what is measured of images that are not trained on to the batch's metrics; gives the classes that
    /// a classifier takes them for, `[batch]`.
    fn measure<B: Kernels>(
        &self,
        network: &Network<B>,
        batch: &Batch<B>,
        criterion: &Criterion<B>,
        metrics: &mut BatchMetrics<B>,
    ) -> Option<Tensor<B, 1, Int>>;
}

/// Declares every kind of model once: its file, which is its TOML key, and its fields.
macro_rules! models {
    ($($(#[doc = $doc:literal])* $file:ident: $Name:ident;)*) => {
        $(mod $file; pub use $file::$Name;)*

        /// What kind of model it is, and its layers.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case", deny_unknown_fields)]
        pub enum ModelSpec {
            $($(#[doc = $doc])* $Name($Name),)*
        }

        /// A kind of model.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind {
            $($(#[doc = $doc])* $Name,)*
        }

        impl Kind {
            /// Every kind, in the registry's order.
            pub const ALL: &'static [Kind] = &[$(Kind::$Name),*];

            /// Its key in `[model]`.
            pub fn key(self) -> &'static str {
                match self {
                    $(Kind::$Name => stringify!($file),)*
                }
            }

            /// The type of its fields, as the JSON schema calls it.
            pub fn type_name(self) -> &'static str {
                match self {
                    $(Kind::$Name => stringify!($Name),)*
                }
            }

            /// What sentences call it, with its article: `an auto-encoder`.
            pub fn called(self) -> &'static str {
                match self {
                    $(Kind::$Name => $Name::CALLED,)*
                }
            }

            /// Its fields that are lists of layers.
            pub fn lists(self) -> &'static [&'static str] {
                match self {
                    $(Kind::$Name => $Name::LISTS,)*
                }
            }

            /// The turns that a step may have, in order.
            pub fn turns(self) -> &'static [Turn] {
                match self {
                    $(Kind::$Name => $Name::TURNS,)*
                }
            }

            fn losses(self) -> &'static str {
                match self {
                    $(Kind::$Name => $Name::LOSSES,)*
                }
            }

            /// The ways of batches through a plan of this kind.
            pub fn routes(self, plan: &Plan) -> Routes {
                match self {
                    $(Kind::$Name => $Name::routes(plan),)*
                }
            }
        }

        impl ModelSpec {
            /// Which kind of model it is.
            pub fn kind(&self) -> Kind {
                match self {
                    $(ModelSpec::$Name(_) => Kind::$Name,)*
                }
            }

            fn plan_of_kind(&self, images: ImageShape, context: LayerContext, loss: &Loss) -> (Plan, Vec<Flaw>) {
                match self {
                    $(ModelSpec::$Name(fields) => fields.plan(images, context, loss),)*
                }
            }

            fn chain(&self) -> Option<usize> {
                match self {
                    $(ModelSpec::$Name(fields) => fields.chain(),)*
                }
            }

            /// How often a step leads its images through the network before it makes gradients.
            pub fn walks(&self) -> usize {
                match self {
                    $(ModelSpec::$Name(fields) => fields.walks(),)*
                }
            }

            /// The turns of the step with this number, from 0, in order.
            pub fn turns(&self, step: usize) -> &'static [Turn] {
                match self {
                    $(ModelSpec::$Name(fields) => fields.turns(step),)*
                }
            }

            /// The network after a turn's change of its weights, of which the loss may bound some.
            pub fn bounded<B: TrainingBackend>(
                &self,
                turn: Turn,
                network: Network<B>,
                loss: &Loss,
            ) -> Network<B> {
                match self {
                    $(ModelSpec::$Name(fields) => fields.bounded(turn, network, loss),)*
                }
            }

            /// What a turn minimizes, `[1]`, penalties included; adds to the batch's metrics.
            pub fn loss<B: Kernels>(
                &self,
                turn: Turn,
                network: &Network<B>,
                batch: &Batch<B>,
                criterion: &Criterion<B>,
                metrics: &mut BatchMetrics<B>,
            ) -> Tensor<B, 1> {
                match self {
                    $(ModelSpec::$Name(fields) => fields.loss(turn, network, batch, criterion, metrics),)*
                }
            }

            /// Adds what is measured of images that are not trained on to the batch's metrics; gives the
            /// classes that a classifier takes them for, `[batch]`.
            pub fn measure<B: Kernels>(
                &self,
                network: &Network<B>,
                batch: &Batch<B>,
                criterion: &Criterion<B>,
                metrics: &mut BatchMetrics<B>,
            ) -> Option<Tensor<B, 1, Int>> {
                match self {
                    $(ModelSpec::$Name(fields) => fields.measure(network, batch, criterion, metrics),)*
                }
            }
        }
    };
}

models! {
    /// Images in, one score a class out.
    classifier: Classifier;
    /// Images in, the same images out, by way of a code.
    autoencoder: Autoencoder;
    /// A generator of images from noise, trained to deceive a discriminator.
    gan: Gan;
}

impl Kind {
    /// Whether models of the kind have an ability, whatever their layers.
    pub fn can(self, ability: Ability) -> bool {
        self.routes(&Plan::default()).allow(ability)
    }

    /// Whether its parts are changed in turn, so that each may have an optimizer of its own.
    pub fn takes_turns(self) -> bool {
        self.turns().iter().any(|turn| turn.part.is_some())
    }

    /// The kinds that can do it, with their articles: `an auto-encoder or a GAN`.
    pub fn that_can(ability: Ability) -> String {
        let kinds = Kind::ALL.iter().filter(|kind| kind.can(ability));
        let called: Vec<&str> = kinds.map(|kind| kind.called()).collect();
        called.join(" or ")
    }
}

impl ModelSpec {
    /// The network for images of this shape in `classes` classes, trained with this loss.
    ///
    /// Flaws have keys below `[model]`, such as `model.autoencoder.encoder.3.dense.units`, and `train.loss`.
    pub fn plan(&self, images: ImageShape, classes: usize, loss: &Loss) -> (Plan, Vec<Flaw>) {
        let (plan, flaws) = self.plan_of_kind(images, LayerContext::new(classes), loss);
        let key = format!("model.{}", self.kind().key());
        let mut flaws: Vec<Flaw> = flaws.into_iter().map(|flaw| flaw.under(&key)).collect();
        flaws.extend(self.loss_flaw(&plan, loss));
        (plan, flaws)
    }

    /// What is known of the model, planned for images of this shape; `test` is the number of test images, and
    /// `trained_on` says of each class whether the model is trained on it. `batch` images are asked at a time.
    pub fn blueprint(
        &self,
        plan: Plan,
        batch: usize,
        images: ImageShape,
        loss: &Loss,
        test: usize,
        trained_on: Vec<bool>,
    ) -> Blueprint {
        let kind = self.kind();
        let routes = kind.routes(&plan);
        let code = match (&routes.encode, &routes.decode) {
            (Some(encode), _) => {
                let last = encode.last().and_then(|&node| plan.nodes.get(node));
                last.map(|node| node.output)
            }
            (None, Some(_)) => plan.layers.first().map(|layer| layer.input),
            (None, None) => None,
        };
        let facts = ModelFacts {
            kind,
            images,
            classes: trained_on.len(),
            code,
            has_gaussian_code: routes.encode.is_some() && plan.has_gaussian_code(),
            chain: self.chain(),
            is_conditional: plan.is_conditional(),
            has_likelihood: loss.nats(images.len()).is_some(),
            test,
            trained_on,
        };
        Blueprint {
            batch,
            facts,
            plan,
            loss: loss.clone(),
        }
    }

    /// A loss that does not fit what this model gives.
    fn loss_flaw(&self, plan: &Plan, loss: &Loss) -> Option<Flaw> {
        let (name, kind) = (loss.kind().key(), self.kind());
        if loss.is_of_classes() && !kind.can(Ability::Classify) {
            let message = format!("`{name}` compares classes, which this model does not give");
            return Some(Flaw::new("train.loss", message).hint(kind.losses()));
        }
        if loss.is_of_verdicts() {
            return self.verdict_flaw(plan, name);
        }
        if !loss.takes_probabilities() {
            return None;
        }
        let is_whole = !plan.has_parts || plan.nodes.len() == kind.lists().len();
        let is_wrong = match plan.last_activation() {
            Some(function) => !gives_probabilities(function),
            None => is_whole,
        };
        let message =
            format!("`{name}` takes outputs between 0 and 1, which the last layer does not give");
        let hint = "end it with activation = \"sigmoid\", or choose another loss";
        is_wrong.then(|| Flaw::new("train.loss", message).hint(hint))
    }
}

impl ModelSpec {
    /// A loss of a GAN's verdicts, `name`, that does not fit what this model gives.
    fn verdict_flaw(&self, plan: &Plan, name: &str) -> Option<Flaw> {
        let kind = self.kind();
        if !kind.can(Ability::Discriminate) {
            let message = format!(
                "`{name}` judges real images against generated ones, which this model does not distinguish"
            );
            return Some(Flaw::new("train.loss", message).hint(kind.losses()));
        }
        plan.last_activation()
            .is_some_and(gives_probabilities)
            .then(|| {
                let message = format!(
                    "`{name}` takes verdicts of any size, but the last layer keeps them between 0 and 1"
                );
                Flaw::new("train.loss", message)
                    .hint("end the discriminator with { dense = { units = 1 } }")
            })
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
