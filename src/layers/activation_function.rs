//! Activation functions, as a layer's `activation` or as the `activation` layer.

use std::borrow::Cow;

use burn::tensor::{Tensor, activation};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};

use super::bounds::at_most;
use super::signal::EachRank;
use crate::backend::{Kernels, math};
use crate::onnx::{Attribute, Graph, Name, Value};
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

/// The slope and the factor of selu (Klambauer et al. 2017).
const SELU: [f64; 2] = [1.673_263_242_354_377_2, 1.050_700_987_355_480_5];

impl<B: Kernels> EachRank<B> for ActivationFunction {
    fn apply<const D: usize>(&self, x: Tensor<B, D>, channels: usize) -> Tensor<B, D> {
        match *self {
            ActivationFunction::Relu {} => math::relu(x),
            ActivationFunction::Elu { alpha } => elu(x, alpha.get()),
            ActivationFunction::Selu {} => {
                let [alpha, gamma] = SELU;
                elu(x, alpha) * gamma
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
            ActivationFunction::Gelu {} => math::gelu(x),
            ActivationFunction::Silu {} => x.clone() * math::sigmoid(x),
            ActivationFunction::Mish {} => x.clone() * math::tanh(softplus_to_20(x)),
            ActivationFunction::Softmax {} => math::softmax(x, channels),
        }
    }
}

impl ActivationFunction {
    /// Whether every value is one from 0 to 1.
    pub fn gives_shares(self) -> bool {
        matches!(
            self,
            ActivationFunction::Sigmoid {}
                | ActivationFunction::HardSigmoid {}
                | ActivationFunction::Softmax {}
        )
    }

    /// As nodes of an ONNX graph.
    pub fn onnx(&self, input: &Value, graph: &mut Graph) -> Name {
        let x = &input.name;
        let float = |name, value| [Attribute::float(name, value)];
        match *self {
            ActivationFunction::Relu {} => graph.node("Relu", &[x], []),
            ActivationFunction::Elu { alpha } => {
                graph.node("Elu", &[x], float("alpha", alpha.get()))
            }
            ActivationFunction::Selu {} => {
                let [alpha, gamma] = SELU;
                let settings = [("alpha", alpha), ("gamma", gamma)];
                let settings = settings.map(|(name, value)| Attribute::float(name, value));
                graph.node("Selu", &[x], settings)
            }
            ActivationFunction::Tanh {} => graph.node("Tanh", &[x], []),
            ActivationFunction::Sigmoid {} => graph.node("Sigmoid", &[x], []),
            ActivationFunction::HardSigmoid {} => {
                graph.node("HardSigmoid", &[x], float("alpha", 1.0 / 6.0))
            }
            ActivationFunction::Softplus {} => graph.node("Softplus", &[x], []),
            ActivationFunction::Softsign {} => graph.node("Softsign", &[x], []),
            ActivationFunction::Exponential {} => graph.node("Exp", &[x], []),
            ActivationFunction::Relu6 {} => {
                let (least, most) = (graph.float("least", 0.0), graph.float("most", 6.0));
                graph.node("Clip", &[x, &least, &most], [])
            }
            ActivationFunction::LeakyRelu { negative_slope } => {
                graph.node("LeakyRelu", &[x], float("alpha", negative_slope.get()))
            }
            ActivationFunction::Gelu {} => {
                // x / 2 * (1 + erf(x / sqrt(2))): an operator of its own came later.
                let half = graph.float("half", 0.5);
                let root = graph.float("root", std::f64::consts::SQRT_2);
                let one = graph.float("one", 1.0);
                let scaled = graph.node("Div", &[x, &root], []);
                let erf = graph.node("Erf", &[&scaled], []);
                let share = graph.node("Add", &[&erf, &one], []);
                let halved = graph.node("Mul", &[x, &half], []);
                graph.node("Mul", &[&halved, &share], [])
            }
            ActivationFunction::Silu {} => {
                let gate = graph.node("Sigmoid", &[x], []);
                graph.node("Mul", &[x, &gate], [])
            }
            ActivationFunction::Mish {} => {
                let softplus = graph.node("Softplus", &[x], []);
                let gate = graph.node("Tanh", &[&softplus], []);
                graph.node("Mul", &[x, &gate], [])
            }
            ActivationFunction::Softmax {} => {
                let axis = Attribute::int("axis", input.channel_axis() as i64);
                graph.node("Softmax", &[x], [axis])
            }
        }
    }
}

/// With an exponential of nothing above 0: its overflow, though masked, would leave a gradient of NaN.
fn elu<B: Kernels, const D: usize>(x: Tensor<B, D>, alpha: f64) -> Tensor<B, D> {
    if alpha == 1.0 {
        return math::elu(x);
    }
    math::relu(x.clone()) + math::elu(at_most(x, 0.0)) * alpha
}

/// `ln(1 + exp(x))`, level above 20, from where on it is `x` to 32 bits and `exp(x)` may overflow.
fn softplus_to_20<B: Kernels, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    math::ln_1p(math::exp(at_most(x, 20.0)))
}
