//! First values of weights.
//!
//! They are drawn on the host from the run's own stream, so that a run starts the same on every device.

use std::borrow::Cow;

use burn::module::{Param, ParamId};
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
pub enum Initializer {
    /// Evenly in `+-sqrt(6 / (fan_in + fan_out))` (Glorot and Bengio 2010)
    GlorotUniform {},
    /// Normal, cut at two standard deviations, with variance `2 / (fan_in + fan_out)` (Glorot and Bengio 2010)
    GlorotNormal {},
    /// Evenly in `+-sqrt(6 / fan_in)` (He et al. 2015)
    HeUniform {},
    /// Normal, cut at two standard deviations, with variance `2 / fan_in` (He et al. 2015)
    HeNormal {},
    /// Evenly in `+-sqrt(3 / fan_in)` (LeCun et al. 1998)
    LecunUniform {},
    /// Normal, cut at two standard deviations, with variance `1 / fan_in` (LeCun et al. 1998)
    LecunNormal {},
    /// Normal
    Normal {
        /// The mean.
        mean: Real,
        /// The standard deviation.
        standard_deviation: PositiveReal,
    },
    /// Normal, cut at two standard deviations
    TruncatedNormal {
        /// The mean.
        mean: Real,
        /// The standard deviation before cutting.
        standard_deviation: PositiveReal,
    },
    /// Evenly from `low` to `high`
    Uniform {
        /// The least value.
        low: Real,
        /// The largest value.
        high: Real,
    },
    /// Rows or columns, whichever are fewer, of length 1 and at right angles to each other, in a direction
    /// drawn evenly (Saxe et al. 2014); rows lie along the first axis, columns along all others
    Orthogonal {},
    /// All 0
    Zeros {},
    /// All 1
    Ones {},
    /// All `value`
    Constant {
        /// The value of every weight.
        value: Real,
    },
}

/// What the formulas are about.
const FANS: &str = "`fan_in` is the number of values that one output is made of, `fan_out` the number of outputs that one value \
    goes into, over all places of a kernel; of transposed convolutions the other way round. With groups, and in depthwise layers, \
    those of one group count: Keras and PyTorch count all channels on one side or on both, and begin with smaller values there.";

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Tables {
    /// Evenly in `+-sqrt(6 / (fan_in + fan_out))` (Glorot and Bengio 2010)
    GlorotUniform(Nothing),
    /// Normal, cut at two standard deviations, with variance `2 / (fan_in + fan_out)` (Glorot and Bengio 2010)
    GlorotNormal(Nothing),
    /// Evenly in `+-sqrt(6 / fan_in)` (He et al. 2015)
    HeUniform(Nothing),
    /// Normal, cut at two standard deviations, with variance `2 / fan_in` (He et al. 2015)
    HeNormal(Nothing),
    /// Evenly in `+-sqrt(3 / fan_in)` (LeCun et al. 1998)
    LecunUniform(Nothing),
    /// Normal, cut at two standard deviations, with variance `1 / fan_in` (LeCun et al. 1998)
    LecunNormal(Nothing),
    /// Normal
    Normal(Normal),
    /// Normal, cut at two standard deviations
    TruncatedNormal(Normal),
    /// Evenly from `low` to `high`
    Uniform(Ends),
    /// Rows or columns, whichever are fewer, of length 1 and at right angles to each other, in a direction
    /// drawn evenly (Saxe et al. 2014); rows lie along the first axis, columns along all others
    Orthogonal(Nothing),
    /// All 0
    Zeros(Nothing),
    /// All 1
    Ones(Nothing),
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
    /// Before the cut, if there is one. Default 0.05.
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

impl<'de> Deserialize<'de> for Initializer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match one_key(deserializer, "an initializer")? {
            Tables::GlorotUniform(_) => Initializer::GlorotUniform {},
            Tables::GlorotNormal(_) => Initializer::GlorotNormal {},
            Tables::HeUniform(_) => Initializer::HeUniform {},
            Tables::HeNormal(_) => Initializer::HeNormal {},
            Tables::LecunUniform(_) => Initializer::LecunUniform {},
            Tables::LecunNormal(_) => Initializer::LecunNormal {},
            Tables::Normal(normal) => Initializer::Normal {
                mean: normal.mean,
                standard_deviation: normal.standard_deviation,
            },
            Tables::TruncatedNormal(normal) => Initializer::TruncatedNormal {
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
            Tables::Uniform(Ends { low, high }) => Initializer::Uniform { low, high },
            Tables::Orthogonal(_) => Initializer::Orthogonal {},
            Tables::Zeros(_) => Initializer::Zeros {},
            Tables::Ones(_) => Initializer::Ones {},
            Tables::Constant(constant) => Initializer::Constant {
                value: constant.value,
            },
        })
    }
}

impl JsonSchema for Initializer {
    fn schema_name() -> Cow<'static, str> {
        "Initializer".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        const NAMES: &[&str] = &[
            "glorot_uniform",
            "glorot_normal",
            "he_uniform",
            "he_normal",
            "lecun_uniform",
            "lecun_normal",
            "normal",
            "truncated_normal",
            "uniform",
            "orthogonal",
            "zeros",
            "ones",
            "constant",
        ];
        let mut schema = one_key_schema::<Tables, Initializer>(NAMES, generator);
        schema.insert("description".to_string(), FANS.into());
        schema
    }
}

fn zero() -> Real {
    Real(0.0)
}

fn twentieth() -> PositiveReal {
    PositiveReal(0.05)
}

/// The default of every weight.
pub(super) fn glorot_uniform() -> Initializer {
    Initializer::GlorotUniform {}
}

/// The default of every bias.
pub(super) fn zeros() -> Initializer {
    Initializer::Zeros {}
}

/// The default of weights that lead from one step of a sequence to the next.
pub(super) fn orthogonal() -> Initializer {
    Initializer::Orthogonal {}
}

/// Values a tensor's unit takes in and gives out: what the scale of its first values depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fan {
    pub fan_in: usize,
    pub fan_out: usize,
}

impl Initializer {
    /// First values of a tensor of this shape.
    pub fn values(&self, shape: &[usize], fan: Fan, rng: &mut Rng) -> Vec<f32> {
        let count = shape.iter().product();
        let (inputs, outputs) = (fan.fan_in as f64, fan.fan_out as f64);
        let even = |limit: f64, rng: &mut Rng| uniform(count, -limit, limit, rng);
        match *self {
            Initializer::GlorotUniform {} => even((6.0 / (inputs + outputs)).sqrt(), rng),
            Initializer::GlorotNormal {} => cut_normal(count, 2.0 / (inputs + outputs), rng),
            Initializer::HeUniform {} => even((6.0 / inputs).sqrt(), rng),
            Initializer::HeNormal {} => cut_normal(count, 2.0 / inputs, rng),
            Initializer::LecunUniform {} => even((3.0 / inputs).sqrt(), rng),
            Initializer::LecunNormal {} => cut_normal(count, 1.0 / inputs, rng),
            Initializer::Normal {
                mean,
                standard_deviation,
            } => normal(count, mean.get(), standard_deviation.get(), rng),
            Initializer::TruncatedNormal {
                mean,
                standard_deviation,
            } => truncated_normal(count, mean.get(), standard_deviation.get(), rng),
            Initializer::Uniform { low, high } => uniform(count, low.get(), high.get(), rng),
            Initializer::Orthogonal {} => orthogonal_matrix(shape, rng),
            Initializer::Zeros {} => vec![0.0; count],
            Initializer::Ones {} => vec![1.0; count],
            Initializer::Constant { value } => vec![value.get() as f32; count],
        }
    }
}

fn uniform(count: usize, low: f64, high: f64, rng: &mut Rng) -> Vec<f32> {
    (0..count)
        .map(|_| (low + (high - low) * rng.random::<f64>()) as f32)
        .collect()
}

fn normal(count: usize, mean: f64, deviation: f64, rng: &mut Rng) -> Vec<f32> {
    let standard = StandardNormal.sample_iter(rng).take(count);
    standard
        .map(|draw: f64| (mean + deviation * draw) as f32)
        .collect()
}

/// Cut at two deviations of what it is cut from, and of this variance after the cut.
fn cut_normal(count: usize, variance: f64, rng: &mut Rng) -> Vec<f32> {
    // A normal cut at two deviations has this much of its deviation left.
    const CUT: f64 = 0.879_625_661_034_239_8;
    truncated_normal(count, 0.0, variance.sqrt() / CUT, rng)
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

/// `[rows, columns]`, the first axis against all others, from normal draws made orthonormal one by one
/// (modified Gram-Schmidt), which is the QR decomposition with a positive diagonal.
fn orthogonal_matrix(shape: &[usize], rng: &mut Rng) -> Vec<f32> {
    let rows = shape.first().copied().unwrap_or(1);
    let columns = shape.iter().skip(1).product();
    // `vectors` vectors of `length` values, value by value: all loops run along memory.
    let (length, vectors) = (rows.max(columns), rows.min(columns));
    let draws = StandardNormal.sample_iter(rng).take(length * vectors);
    let mut q: Vec<f64> = draws.collect();
    for this in 0..vectors {
        let mut products = vec![0.0; vectors - this];
        for values in q.chunks_exact(vectors) {
            add_scaled(&mut products, values[this], &values[this..]);
        }
        let size = products[0].sqrt();
        let shares: Vec<f64> = products.iter().map(|product| product / size).collect();
        for values in q.chunks_exact_mut(vectors) {
            values[this] /= size;
            let unit = values[this];
            add_scaled(&mut values[this + 1..], -unit, &shares[1..]);
        }
    }
    if rows >= columns {
        return q.into_iter().map(|value| value as f32).collect();
    }
    let value = |place: usize| q[place % columns * vectors + place / columns] as f32;
    (0..rows * columns).map(value).collect()
}

fn add_scaled(to: &mut [f64], factor: f64, values: &[f64]) {
    for (to, value) in to.iter_mut().zip(values) {
        *to += factor * value;
    }
}

/// Makes the weights of a network, tensor after tensor, on a device.
pub struct Weights<B: Backend> {
    seed: Seed,
    device: B::Device,
    layer: u64,
    tensor: u64,
    /// Whether values are drawn at once; otherwise tensors are 0, and made only where somebody reads them.
    drawn: bool,
}

impl<B: Backend> Weights<B> {
    /// Weights drawn from the stream of this seed, on this device.
    pub fn new(seed: Seed, device: B::Device) -> Self {
        Weights {
            seed,
            device,
            layer: 0,
            tensor: 0,
            drawn: true,
        }
    }

    /// Weights that take no memory: their shapes alone are meant.
    pub fn shapes(device: B::Device) -> Self {
        Weights {
            drawn: false,
            ..Weights::new(Seed(0), device)
        }
    }

    /// The device that weights are put on.
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
        init: Initializer,
        shape: [usize; D],
        fan: Fan,
    ) -> Param<Tensor<B, D>> {
        self.param_with(init, shape, fan, |_| {})
    }

    /// The same, whose first values `change` is given in their order.
    pub fn param_with<const D: usize>(
        &mut self,
        init: Initializer,
        shape: [usize; D],
        fan: Fan,
        change: impl FnOnce(&mut [f32]),
    ) -> Param<Tensor<B, D>> {
        if !self.drawn {
            let zeros = move |device: &B::Device, _| Tensor::zeros(shape, device);
            let (id, device) = (ParamId::new(), self.device.clone());
            return Param::uninitialized(id, zeros, device, true, shape.into());
        }
        let mut rng = self.seed.stream(Purpose::Init, &[self.layer, self.tensor]);
        self.tensor += 1;
        let mut values = init.values(&shape, fan, &mut rng);
        change(&mut values);
        Param::from_data(TensorData::new(values, shape), &self.device)
    }

    /// A trained vector of `length`, if the layer has a bias.
    pub fn bias(
        &mut self,
        has_bias: bool,
        init: Initializer,
        length: usize,
        fan: Fan,
    ) -> Option<Param<Tensor<B, 1>>> {
        has_bias.then(|| self.param(init, [length], fan))
    }

    /// A trained vector that starts from these values.
    pub fn vector(&mut self, values: Vec<f32>) -> Param<Tensor<B, 1>> {
        self.tensor += 1;
        let length = values.len();
        Param::from_data(TensorData::new(values, [length]), &self.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAN: Fan = Fan {
        fan_in: 100,
        fan_out: 50,
    };

    fn read(text: &str) -> Initializer {
        serde_json::from_str(text).expect("it parses")
    }

    /// Mean, variance and largest size of many values.
    fn spread(text: &str) -> (f64, f64, f64) {
        let values = read(text).values(&[40_000], FAN, &mut Seed(1).stream(Purpose::Init, &[]));
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / 40_000.0;
        let squares = values.iter().map(|&v| (f64::from(v) - mean).powi(2));
        let variance = squares.sum::<f64>() / 40_000.0;
        let sizes = values.iter().map(|v| f64::from(v.abs()));
        (mean, variance, sizes.fold(0.0, f64::max))
    }

    fn check(text: &str, mean: f64, variance: f64, largest: f64) {
        let (m, v, l) = spread(text);
        assert!(
            (m - mean).abs() < 0.02 * variance.sqrt(),
            "{text}: mean {m}"
        );
        assert!((v / variance - 1.0).abs() < 0.03, "{text}: variance {v}");
        assert!(l <= largest * 1.000_001, "{text}: largest {l}");
        // Nothing cuts deeper than it says.
        assert!(l > largest * 0.95, "{text}: largest {l}");
    }

    #[test]
    fn values_drawn_evenly_have_the_variance_and_limits_of_their_papers() {
        for (text, variance) in [
            ("\"glorot_uniform\"", 2.0 / 150.0),
            ("\"he_uniform\"", 2.0 / 100.0),
            ("\"lecun_uniform\"", 1.0 / 100.0),
        ] {
            check(text, 0.0, variance, (3.0 * variance).sqrt());
        }
        check(
            r#"{"uniform": {"low": -1, "high": 3}}"#,
            1.0,
            4.0 / 3.0,
            3.0,
        );
    }

    #[test]
    fn normal_values_have_the_variance_of_their_papers_after_the_cut() {
        for (text, variance) in [
            ("\"glorot_normal\"", 2.0f64 / 150.0),
            ("\"he_normal\"", 2.0 / 100.0),
            ("\"lecun_normal\"", 1.0 / 100.0),
        ] {
            check(text, 0.0, variance, 2.0 * variance.sqrt() / 0.879_625_66);
        }
        let cut = (0.1 * 0.879_625f64).powi(2);
        let truncated = r#"{"truncated_normal": {"standard_deviation": 0.1}}"#;
        check(truncated, 0.0, cut, 0.2);
    }

    #[test]
    fn normal_is_cut_nowhere() {
        let (mean, variance, largest) =
            spread(r#"{"normal": {"mean": 1, "standard_deviation": 0.1}}"#);
        assert!((mean - 1.0).abs() < 0.002, "{mean}");
        assert!((variance.sqrt() / 0.1 - 1.0).abs() < 0.03, "{variance}");
        assert!(largest > 1.35, "{largest}");
    }

    #[test]
    fn ones_and_zeros_are_constants() {
        assert_eq!(spread("\"ones\""), (1.0, 0.0, 1.0));
        assert_eq!(spread("\"zeros\""), (0.0, 0.0, 0.0));
    }

    #[test]
    fn orthogonal_rows_or_columns_have_length_1_and_stand_at_right_angles() {
        for shape in [[40, 40, 1], [60, 7, 1], [6, 2, 20]] {
            let mut rng = Seed(1).stream(Purpose::Init, &[]);
            let values = read("\"orthogonal\"").values(&shape, FAN, &mut rng);
            let (rows, columns) = (shape[0], shape[1] * shape[2]);
            let at = |row: usize, column: usize| f64::from(values[row * columns + column]);
            let tall = rows >= columns;
            let product = |a: usize, b: usize| match tall {
                true => (0..rows).map(|i| at(i, a) * at(i, b)).sum::<f64>(),
                false => (0..columns).map(|i| at(a, i) * at(b, i)).sum::<f64>(),
            };
            for a in 0..rows.min(columns) {
                for b in 0..=a {
                    let expected = f64::from(u8::from(a == b));
                    assert!((product(a, b) - expected).abs() < 1e-5, "{shape:?} {a} {b}");
                }
            }
            // Drawn evenly, no direction is preferred.
            let mean = values.iter().sum::<f32>() / values.len() as f32;
            assert!(mean.abs() < 0.03, "{mean}");
        }
    }
}
