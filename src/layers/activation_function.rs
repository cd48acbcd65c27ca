//! Activation functions, as a layer's `activation` or as the `activation` layer.

use std::borrow::Cow;

use burn::tensor::{Tensor, activation};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};

use super::bounds::at_most;
use super::signal::EachRank;
use crate::backend::{Kernels, math};
use crate::tagged::{one_key, one_key_schema};
use crate::value::{PositiveReal, Real};

macro_rules! functions {
    ($($(#[doc = $doc:literal])* $key:ident: $Name:ident { $($field:ident: $Type:ty = $default:expr),* };)*) => {
        /// An activation function: its name, or a table with its name and its settings.
        #[derive(Debug, Clone, Copy, PartialEq, Serialize)]
        #[serde(rename_all = "snake_case")]
        #[expect(missing_docs, reason = "the functions' settings are explained in their schema")]
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
    /// Elu with `alpha` 1.67326, times 1.05070, which keep mean 0 and variance 1 (Klambauer et al. 2017)
    selu: Selu {};
    /// Hyperbolic tangent
    tanh: Tanh {};
    /// `1 / (1 + exp(-x))`
    sigmoid: Sigmoid {};
    /// `sigmoid` in straight lines: `x / 6 + 1 / 2`, from 0 to 1, as PyTorch's
    hard_sigmoid: HardSigmoid {};
    /// `ln(1 + exp(x))`
    softplus: Softplus {};
    /// `x / (1 + |x|)`
    softsign: Softsign {};
    /// `exp(x)`
    exponential: Exponential {};
    /// `max(0, x)`, 6 at most
    relu6: Relu6 {};
    /// `x` above 0, else `negative_slope * x`
    leaky_relu: LeakyRelu { negative_slope: Real = Real(0.3) };
    /// `x * P(X <= x)` with the exact normal distribution (Hendrycks and Gimpel 2016)
    gelu: Gelu {};
    /// `x * sigmoid(x)`, also called swish (Elfwing et al. 2018, Ramachandran et al. 2017)
    silu: Silu {};
    /// `x * tanh(softplus(x))` (Misra 2019)
    mish: Mish {};
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

impl<B: Kernels> EachRank<B> for ActivationFunction {
    fn apply<const D: usize>(&self, x: Tensor<B, D>, channels: usize) -> Tensor<B, D> {
        match *self {
            ActivationFunction::Relu {} => math::relu(x),
            ActivationFunction::Elu { alpha } => elu(x, alpha.get()),
            ActivationFunction::Selu {} => {
                elu(x, 1.673_263_242_354_377_2) * 1.050_700_987_355_480_5
            }
            ActivationFunction::Tanh {} => math::tanh(x),
            ActivationFunction::Sigmoid {} => math::sigmoid(x),
            ActivationFunction::HardSigmoid {} => (x / 6.0 + 0.5).clamp(0.0, 1.0),
            ActivationFunction::Softplus {} => softplus_to_20(x.clone()) + math::relu(x - 20.0),
            ActivationFunction::Softsign {} => activation::softsign(x),
            ActivationFunction::Exponential {} => math::exp(x),
            ActivationFunction::Relu6 {} => x.clamp(0.0, 6.0),
            ActivationFunction::LeakyRelu { negative_slope } => {
                activation::leaky_relu(x, negative_slope.get())
            }
            ActivationFunction::Gelu {} => activation::gelu(x),
            ActivationFunction::Silu {} => x.clone() * math::sigmoid(x),
            ActivationFunction::Mish {} => x.clone() * math::tanh(softplus_to_20(x)),
            ActivationFunction::Softmax {} => math::softmax(x, channels),
        }
    }
}

/// With an exponential of nothing above 0: its overflow, though masked, would leave a gradient of NaN.
fn elu<B: Kernels, const D: usize>(x: Tensor<B, D>, alpha: f64) -> Tensor<B, D> {
    if alpha == 1.0 {
        return math::elu(x);
    }
    math::relu(x.clone()) + (math::exp(at_most(x, 0.0)) - 1.0) * alpha
}

/// `ln(1 + exp(x))`, level above 20, from where on it is `x` to 32 bits and `exp(x)` may overflow.
fn softplus_to_20<B: Kernels, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    math::ln_1p(math::exp(at_most(x, 20.0)))
}
