//! The vocabulary of layers: one file a layer, one line a layer in the registry below.
//!
//! A layer file holds its fields as a TOML file writes them, its shape rule, its cost, its weights
//! and its forward pass. A layer knows nothing of datasets, training or files.

// A network has few layers; the derived records of `Layer` fall under it too.
#![allow(clippy::large_enum_variant)]

mod activation_function;
mod init;
mod signal;
#[cfg(test)]
mod testing;

pub use activation_function::ActivationFunction;
pub use init::{Initialisation, Weights};
pub use signal::Signal;

use std::borrow::Cow;

use burn::module::Module;
use burn::tensor::backend::Backend;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};

use crate::backend::Kernels;
use crate::error::Flaw;
use crate::shape::Shape;
use crate::tagged::{one_key, one_key_schema};

/// What a layer may know of its surroundings besides its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Around {
    /// Number of classes of the dataset: what `units = "classes"` stands for.
    pub classes: usize,
}

/// What a layer costs for one sample, forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Trained numbers.
    pub parameters: usize,
    /// Multiplications followed by an addition, in convolutions and matrix products only.
    pub multiply_adds: usize,
}

/// A layer as the file writes it.
pub trait Fields {
    /// The `name` the file gives it, if any.
    fn name(&self) -> Option<&str>;

    /// The activation function applied last, if any.
    fn activation(&self) -> Option<ActivationFunction> {
        None
    }

    /// The output's shape, or why this input cannot be.
    fn output(&self, input: Shape, around: Around) -> Result<Shape, Flaw>;

    /// Parameters and multiply-adds; the input is one that [`output`](Self::output) accepts.
    fn cost(&self, _input: Shape, _around: Around) -> Cost {
        Cost::default()
    }
}

/// A layer with its weights on a device.
pub trait Forward<B: Backend> {
    /// Applies the layer to a batch; `training` switches dropout and batch statistics on.
    fn forward(&self, input: Signal<B>, training: bool) -> Signal<B>;
}

/// Declares every layer once: its file and TOML key, its fields, its weights on backend `B`.
macro_rules! layers {
    ($($(#[doc = $doc:literal])* $file:ident: $Name:ident => $Layer:ty;)*) => {
        $(pub mod $file;)*

        /// One layer of a list: a table with the layer's key, or only its name.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum LayerSpec {
            $($(#[doc = $doc])* $Name($file::$Name),)*
        }

        /// The table alone, as serde and schemars derive it.
        #[derive(Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        enum Tables {
            $($(#[doc = $doc])* $Name($file::$Name),)*
        }

        impl LayerSpec {
            /// The keys of all layers, in the registry's order.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($file)),*];

            /// The layer's key: `conv2d`.
            pub fn key(&self) -> &'static str {
                match self {
                    $(LayerSpec::$Name(_) => stringify!($file),)*
                }
            }

            fn fields(&self) -> &dyn Fields {
                match self {
                    $(LayerSpec::$Name(fields) => fields,)*
                }
            }

            /// The layer with fresh weights on the device; the input is one its shape rule accepts.
            pub fn build<B: Backend>(
                &self,
                input: Shape,
                around: Around,
                weights: &mut Weights<B>,
            ) -> Layer<B> {
                match self {
                    $(LayerSpec::$Name(fields) => Layer::$Name(fields.build(input, around, weights)),)*
                }
            }
        }

        impl<'de> Deserialize<'de> for LayerSpec {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(match one_key(deserializer, "a layer")? {
                    $(Tables::$Name(fields) => LayerSpec::$Name(fields),)*
                })
            }
        }

        /// One layer with its weights.
        #[derive(Module, Debug)]
        pub enum Layer<B: Backend> {
            $(
                #[doc = concat!("`", stringify!($file), "`")]
                $Name($Layer),
            )*
        }

        impl<B: Kernels> Forward<B> for Layer<B> {
            fn forward(&self, input: Signal<B>, training: bool) -> Signal<B> {
                match self {
                    $(Layer::$Name(layer) => layer.forward(input, training),)*
                }
            }
        }
    };
}

layers! {
    /// 2-d convolution.
    conv2d: Conv2d => conv2d::Conv2dLayer<B>;
    /// Largest value of each window.
    max_pool2d: MaxPool2d => max_pool2d::MaxPool2dLayer;
    /// Mean of each window.
    avg_pool2d: AvgPool2d => avg_pool2d::AvgPool2dLayer;
    /// Fully connected layer.
    dense: Dense => dense::DenseLayer<B>;
    /// An image as one row of features.
    flatten: Flatten => flatten::FlattenLayer;
    /// Values dropped at random in training.
    dropout: Dropout => dropout::DropoutLayer;
    /// Normalization over the batch.
    batch_normalization: BatchNormalization => batch_normalization::BatchNormalizationLayer<B>;
    /// An activation function on its own.
    activation: Activation => activation::ActivationLayer;
}

impl JsonSchema for LayerSpec {
    fn schema_name() -> Cow<'static, str> {
        "Layer".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        one_key_schema::<Tables, LayerSpec>(LayerSpec::NAMES, generator)
    }
}

impl Fields for LayerSpec {
    fn name(&self) -> Option<&str> {
        self.fields().name()
    }

    fn activation(&self) -> Option<ActivationFunction> {
        self.fields().activation()
    }

    fn output(&self, input: Shape, around: Around) -> Result<Shape, Flaw> {
        self.fields().output(input, around)
    }

    fn cost(&self, input: Shape, around: Around) -> Cost {
        self.fields().cost(input, around)
    }
}

/// Where a flaw's message speaks of whatever gives the layer its input; the network, which knows
/// the layers, puts its name there.
pub(crate) const GIVER: &str = "the layer before";

/// The flaw of a layer that needs another kind of input than it gets.
fn needs(wanted: &str, input: Shape) -> Flaw {
    let message = format!(
        "needs {wanted} but {GIVER} gives {} ({input})",
        input.kind()
    );
    let flaw = Flaw::new("", message);
    match (wanted, input) {
        ("features", Shape::Image(_)) => flaw.hint("add `flatten` between them"),
        _ => flaw,
    }
}
