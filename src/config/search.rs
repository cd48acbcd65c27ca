//! `[search]`: points of the settings that are drawn by chance, and how the weaker ones are given up early.
//!
//! What a file may say. The points themselves are the plan's to draw, and runs are stopped by who starts them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::Watched;
use crate::tagged::{one_key_enum, write_table};
use crate::value::{Positive, Real};

one_key_enum! {
    /// What the values of a key are drawn from.
    #[derive(Debug, Clone, PartialEq)]
    Distribution, "a distribution", "Distribution", write_table {
        /// One of a list, each as likely as the others.
        choice: Choice(Choices);
        /// A number between two, both possible, to three significant digits.
        uniform: Uniform(Bounds);
        /// A number between two above 0, both possible, to three significant digits; its logarithm is drawn evenly.
        log_uniform: LogUniform(PositiveBounds);
        /// A whole number between two, both possible.
        int: Int(WholeBounds);
        /// A whole number between two above 0, both possible; its logarithm is drawn evenly.
        log_int: LogInt(PositiveWholeBounds);
    }
}

/// What is chosen from: one value or more, no two alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<serde_json::Value>")]
pub struct Choices(pub Vec<serde_json::Value>);

impl TryFrom<Vec<serde_json::Value>> for Choices {
    type Error = String;

    fn try_from(values: Vec<serde_json::Value>) -> Result<Self, String> {
        let twin = (1..values.len()).find(|&at| values[..at].contains(&values[at]));
        match (values.is_empty(), twin) {
            (true, _) => Err("there is nothing to choose from".to_string()),
            (_, Some(twin)) => Err(format!("{} stands here twice", values[twin])),
            _ => Ok(Choices(values)),
        }
    }
}

/// The ends of a range, `[low, high]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "[Real; 2]")]
#[schemars(with = "[f64; 2]")]
pub struct Bounds(pub [f64; 2]);

impl TryFrom<[Real; 2]> for Bounds {
    type Error = String;

    fn try_from([low, high]: [Real; 2]) -> Result<Self, String> {
        match low.0 < high.0 {
            true => Ok(Bounds([low.0, high.0])),
            false => Err(format!(
                "expected [low, high], found [{}, {}]",
                low.0, high.0
            )),
        }
    }
}

/// The ends of a range of numbers above 0, `[low, high]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Bounds")]
#[schemars(with = "[f64; 2]")]
pub struct PositiveBounds(pub [f64; 2]);

impl TryFrom<Bounds> for PositiveBounds {
    type Error = String;

    fn try_from(Bounds([low, high]): Bounds) -> Result<Self, String> {
        match low > 0.0 {
            true => Ok(PositiveBounds([low, high])),
            false => Err(without_logarithm(low)),
        }
    }
}

/// The ends of a range of whole numbers, `[low, high]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "[i64; 2]")]
#[schemars(with = "[i64; 2]")]
pub struct WholeBounds(pub [i64; 2]);

impl TryFrom<[i64; 2]> for WholeBounds {
    type Error = String;

    fn try_from([low, high]: [i64; 2]) -> Result<Self, String> {
        match low < high {
            true => Ok(WholeBounds([low, high])),
            false => Err(format!("expected [low, high], found [{low}, {high}]")),
        }
    }
}

/// The ends of a range of whole numbers above 0, `[low, high]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "WholeBounds")]
#[schemars(with = "[i64; 2]")]
pub struct PositiveWholeBounds(pub [i64; 2]);

impl TryFrom<WholeBounds> for PositiveWholeBounds {
    type Error = String;

    fn try_from(WholeBounds([low, high]): WholeBounds) -> Result<Self, String> {
        match low > 0 {
            true => Ok(PositiveWholeBounds([low, high])),
            false => Err(without_logarithm(low)),
        }
    }
}

fn without_logarithm(low: impl std::fmt::Display) -> String {
    format!("expected numbers above 0, found {low}: it has no logarithm")
}

/// What `[search]` says besides what its keys are drawn from.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchFields {
    /// How many points are drawn. Of a larger number the first ones are the same.
    pub points: Positive,
    /// Another one draws other points. Default 0.
    #[serde(default)]
    pub seed: u64,
    /// The score in `epochs.csv` that points are compared by: less of a loss, more of an accuracy is better, by the mean
    /// over the seeds. Default `validation_loss`.
    #[serde(default = "validation_loss")]
    pub metric: Watched,
    /// Gives the weaker points up early. Default: all are trained to the end.
    pub halving: Option<Halving>,
}

impl SearchFields {
    /// Its fields; the other keys of `[search]` are drawn.
    pub const NAMES: &'static [&'static str] = &["points", "seed", "metric", "halving"];
}

fn validation_loss() -> Watched {
    Watched::find("validation_loss").expect("there is such a column")
}

/// Successive halving (Jamieson and Talwalkar 2016): after each of some epochs the better points go on, from their
/// checkpoints. A point goes on, or is given up, as soon as that is certain, whatever the others still do (as in the asynchronous
/// halving of Li et al. 2020); which ones do depends on their scores alone, and not on how many runs are trained at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Halving {
    /// One of so many points goes on, rounded up. 2 or more; default 3.
    #[serde(default = "three")]
    #[schemars(range(min = 2))]
    pub factor: Positive,
    /// The epochs after which points are compared, in order.
    pub rungs: Vec<Positive>,
}

fn three() -> Positive {
    Positive(3)
}
