//! First values of weights.
//!
//! They are drawn on the host from the run's own stream, so that a run starts alike on every device.

use std::borrow::Cow;

use burn::module::Param;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use rand::Rng as _;
use rand_distr::{Distribution, StandardNormal};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};

use crate::rng::{Purpose, Rng, Seed};
use crate::tagged::{one_key, one_key_schema};
use crate::value::{PositiveReal, Real};

/// How the first values of a tensor are chosen: a name, or a table with its name and settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Initialisation {
    /// Evenly in `+-sqrt(6 / (fan_in + fan_out))` (Glorot and Bengio 2010)
    GlorotUniform {},
    /// Normal, cut at two standard deviations, with variance `2 / fan_in` (He et al. 2015)
    HeNormal {},
    /// Normal, cut at two standard deviations
    TruncatedNormal {
        mean: Real,
        standard_deviation: PositiveReal,
    },
    /// Evenly from `low` to `high`
    Uniform { low: Real, high: Real },
    /// All 0
    Zeros {},
    /// All `value`
    Constant { value: Real },
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Tables {
    /// Evenly in `+-sqrt(6 / (fan_in + fan_out))`
    GlorotUniform(Nothing),
    /// Normal, cut at two standard deviations, with variance `2 / fan_in`
    HeNormal(Nothing),
    /// Normal, cut at two standard deviations
    TruncatedNormal(Normal),
    /// Evenly from `low` to `high`
    Uniform(Ends),
    /// All 0
    Zeros(Nothing),
    /// All `value`
    Constant(Value),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Normal {
    /// Default 0.
    #[serde(default = "zero")]
    mean: Real,
    /// Before the cut. Default 0.05.
    #[serde(default = "twentieth")]
    standard_deviation: PositiveReal,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Ends {
    low: Real,
    high: Real,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Value {
    value: Real,
}

impl<'de> Deserialize<'de> for Initialisation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match one_key(deserializer, "an initialisation")? {
            Tables::GlorotUniform(_) => Initialisation::GlorotUniform {},
            Tables::HeNormal(_) => Initialisation::HeNormal {},
            Tables::TruncatedNormal(normal) => Initialisation::TruncatedNormal {
                mean: normal.mean,
                standard_deviation: normal.standard_deviation,
            },
            Tables::Uniform(Ends { low, high }) if low > high => {
                return Err(serde::de::Error::custom(format!(
                    "`low` ({}) must not be above `high` ({})",
                    low.get(),
                    high.get()
                )));
            }
            Tables::Uniform(Ends { low, high }) => Initialisation::Uniform { low, high },
            Tables::Zeros(_) => Initialisation::Zeros {},
            Tables::Constant(constant) => Initialisation::Constant {
                value: constant.value,
            },
        })
    }
}

impl JsonSchema for Initialisation {
    fn schema_name() -> Cow<'static, str> {
        "Initialisation".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        const NAMES: &[&str] = &[
            "glorot_uniform",
            "he_normal",
            "truncated_normal",
            "uniform",
            "zeros",
            "constant",
        ];
        one_key_schema::<Tables, Initialisation>(NAMES, generator)
    }
}

fn zero() -> Real {
    Real(0.0)
}

fn twentieth() -> PositiveReal {
    PositiveReal(0.05)
}

/// The default of every weight.
pub(super) fn glorot_uniform() -> Initialisation {
    Initialisation::GlorotUniform {}
}

/// The default of every bias.
pub(super) fn zeros() -> Initialisation {
    Initialisation::Zeros {}
}

/// Values a tensor's unit takes in and gives out: what the scale of its first values depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fan {
    pub fan_in: usize,
    pub fan_out: usize,
}

impl Initialisation {
    /// `count` first values.
    pub fn values(&self, count: usize, fan: Fan, rng: &mut Rng) -> Vec<f32> {
        match *self {
            Initialisation::GlorotUniform {} => {
                let limit = (6.0 / (fan.fan_in + fan.fan_out) as f64).sqrt();
                uniform(count, -limit, limit, rng)
            }
            Initialisation::HeNormal {} => {
                // A normal cut at two deviations has this much of its deviation left.
                const CUT: f64 = 0.879_625_661_034_239_8;
                let deviation = (2.0 / fan.fan_in as f64).sqrt() / CUT;
                truncated_normal(count, 0.0, deviation, rng)
            }
            Initialisation::TruncatedNormal {
                mean,
                standard_deviation,
            } => truncated_normal(count, mean.get(), standard_deviation.get(), rng),
            Initialisation::Uniform { low, high } => uniform(count, low.get(), high.get(), rng),
            Initialisation::Zeros {} => vec![0.0; count],
            Initialisation::Constant { value } => vec![value.get() as f32; count],
        }
    }
}

fn uniform(count: usize, low: f64, high: f64, rng: &mut Rng) -> Vec<f32> {
    (0..count)
        .map(|_| (low + (high - low) * rng.random::<f64>()) as f32)
        .collect()
}

fn truncated_normal(count: usize, mean: f64, deviation: f64, rng: &mut Rng) -> Vec<f32> {
    let mut within_two = || loop {
        let draw: f64 = StandardNormal.sample(rng);
        if draw.abs() <= 2.0 {
            return draw;
        }
    };
    (0..count)
        .map(|_| (mean + deviation * within_two()) as f32)
        .collect()
}

/// Makes the weights of a network, tensor after tensor, on a device.
pub struct Weights<B: Backend> {
    seed: Seed,
    device: B::Device,
    layer: u64,
    tensor: u64,
}

impl<B: Backend> Weights<B> {
    pub fn new(seed: Seed, device: B::Device) -> Self {
        Weights {
            seed,
            device,
            layer: 0,
            tensor: 0,
        }
    }

    pub fn device(&self) -> &B::Device {
        &self.device
    }

    /// Each layer draws from streams of its own, so that a change in one moves no other.
    pub fn enter_layer(&mut self, index: usize) {
        self.layer = index as u64;
        self.tensor = 0;
    }

    /// A trained tensor of the given shape.
    pub fn param<const D: usize>(
        &mut self,
        init: Initialisation,
        shape: [usize; D],
        fan: Fan,
    ) -> Param<Tensor<B, D>> {
        let mut rng = self.seed.stream(Purpose::Init, &[self.layer, self.tensor]);
        self.tensor += 1;
        let values = init.values(shape.iter().product(), fan, &mut rng);
        Param::from_data(TensorData::new(values, shape), &self.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(init: Initialisation, fan: Fan) -> (f64, f64, f64) {
        let values = init.values(40_000, fan, &mut Seed(1).stream(Purpose::Init, &[]));
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / 40_000.0;
        let variance = values
            .iter()
            .map(|&v| (f64::from(v) - mean).powi(2))
            .sum::<f64>()
            / 40_000.0;
        let largest = values
            .iter()
            .fold(0.0, |most: f64, v| most.max(f64::from(v.abs())));
        (mean, variance, largest)
    }

    #[test]
    fn glorot_uniform_has_variance_two_over_fans() {
        let fan = Fan {
            fan_in: 100,
            fan_out: 50,
        };
        let (mean, variance, largest) = spread(Initialisation::GlorotUniform {}, fan);
        assert!(mean.abs() < 0.002);
        assert!((variance / (2.0 / 150.0) - 1.0).abs() < 0.03);
        assert!(largest <= (6.0f64 / 150.0).sqrt());
    }

    #[test]
    fn he_normal_has_variance_two_over_fan_in() {
        let fan = Fan {
            fan_in: 50,
            fan_out: 1,
        };
        let (mean, variance, largest) = spread(Initialisation::HeNormal {}, fan);
        assert!(mean.abs() < 0.005);
        assert!((variance / (2.0 / 50.0) - 1.0).abs() < 0.03);
        assert!(largest <= 2.0 * 0.2 / 0.8796 + 1e-6);
    }

    #[test]
    fn truncated_normal_stays_within_two_deviations() {
        let init = Initialisation::TruncatedNormal {
            mean: Real(0.0),
            standard_deviation: PositiveReal(0.1),
        };
        let fan = Fan {
            fan_in: 1,
            fan_out: 1,
        };
        let (_, variance, largest) = spread(init, fan);
        assert!(largest <= 0.2);
        assert!((variance.sqrt() / (0.1 * 0.879_625) - 1.0).abs() < 0.02);
    }
}
