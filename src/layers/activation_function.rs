//! Activation functions, as a layer's `activation` or as the `activation` layer.

use std::borrow::Cow;

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, activation};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};

use super::Signal;
use super::signal::EachRank;
use crate::tagged::{one_key, one_key_schema};
use crate::value::{PositiveReal, Real};

macro_rules! functions {
    ($($(#[doc = $doc:literal])* $key:ident: $Name:ident { $($field:ident: $Type:ty = $default:expr),* };)*) => {
        /// An activation function: its name, or a table with its name and its settings.
        #[derive(Debug, Clone, Copy, PartialEq, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum ActivationFunction {
            $($(#[doc = $doc])* $Name { $($field: $Type),* },)*
        }

        $(
            $(#[doc = $doc])*
            #[derive(Serialize, Deserialize, JsonSchema)]
            #[serde(deny_unknown_fields, default)]
            struct $Name {
                $($field: $Type,)*
            }

            impl Default for $Name {
                fn default() -> Self {
                    $Name { $($field: $default),* }
                }
            }
        )*

        #[derive(Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        enum Tables {
            $($(#[doc = $doc])* $Name($Name),)*
        }

        impl<'de> Deserialize<'de> for ActivationFunction {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(match one_key(deserializer, "an activation function")? {
                    $(Tables::$Name($Name { $($field),* }) => ActivationFunction::$Name { $($field),* },)*
                })
            }
        }

        impl ActivationFunction {
            /// The names of all functions, in the registry's order.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($key)),*];

            /// Its name in the file.
            pub fn key(&self) -> &'static str {
                match self {
                    $(ActivationFunction::$Name { .. } => stringify!($key),)*
                }
            }
        }
    };
}

functions! {
    /// `max(0, x)`
    relu: Relu {};
    /// `x` above 0, else `alpha * (exp(x) - 1)` (Clevert et al. 2015)
    elu: Elu { alpha: PositiveReal = PositiveReal(1.0) };
    /// Hyperbolic tangent
    tanh: Tanh {};
    /// `1 / (1 + exp(-x))`
    sigmoid: Sigmoid {};
    /// `ln(1 + exp(x))`
    softplus: Softplus {};
    /// `x` above 0, else `negative_slope * x`
    leaky_relu: LeakyRelu { negative_slope: Real = Real(0.3) };
    /// `x * P(X <= x)` with the exact normal distribution (Hendrycks and Gimpel 2016)
    gelu: Gelu {};
    /// `exp(x)` over the sum of all `exp(x)` of the features, or of the channels of an image
    softmax: Softmax {};
}

impl JsonSchema for ActivationFunction {
    fn schema_name() -> Cow<'static, str> {
        "ActivationFunction".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        one_key_schema::<Tables, ActivationFunction>(ActivationFunction::NAMES, generator)
    }
}

impl<B: Backend> EachRank<B> for ActivationFunction {
    fn apply<const D: usize>(&self, x: Tensor<B, D>, channels: usize) -> Tensor<B, D> {
        match *self {
            ActivationFunction::Relu {} => activation::relu(x),
            ActivationFunction::Elu { alpha } => activation::elu(x, alpha.get()),
            ActivationFunction::Tanh {} => activation::tanh(x),
            ActivationFunction::Sigmoid {} => activation::sigmoid(x),
            ActivationFunction::Softplus {} => activation::softplus(x, 1.0),
            ActivationFunction::LeakyRelu { negative_slope } => {
                activation::leaky_relu(x, negative_slope.get())
            }
            ActivationFunction::Gelu {} => activation::gelu(x),
            ActivationFunction::Softmax {} => activation::softmax(x, channels),
        }
    }
}

/// Applies an activation function, if there is one.
pub(super) fn activate<B: Backend>(
    function: Option<ActivationFunction>,
    x: Signal<B>,
) -> Signal<B> {
    match function {
        Some(function) => x.map(function),
        None => x,
    }
}
