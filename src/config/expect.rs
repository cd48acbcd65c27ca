//! Claims: what the article or the team says the numbers will be.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::Flaw;
use crate::measure::metric_columns;
use crate::value::{NonNegative, Real};

/// One `[[expect]]` entry. It says one of `within`, `at_least`, `at_most` and `greater_than`, about
/// the mean over the variant's seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The claim in words.
    pub claim: String,
    /// Whose numbers it is about.
    pub variant: String,
    /// A metric, by its column of `summary.csv`. Default `test_accuracy`.
    #[serde(default = "test_accuracy")]
    #[schemars(schema_with = "metric_schema")]
    pub metric: String,
    /// The figure the article or the team gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub article: Option<Real>,
    /// Holds when the mean lies at most this far from `article`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<NonNegative>,
    /// Holds when the mean is this or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Real>,
    /// Holds when the mean is this or less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Real>,
    /// Holds when the mean is above that variant's, by more than `by`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub greater_than: Option<String>,
    /// How far above. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<NonNegative>,
    /// Why it does not hold, where that is known: said beside a claim that fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

fn metric_schema(_: &mut SchemaGenerator) -> Schema {
    let named =
        metric_columns().map(|column| json!({ "const": column.name, "description": column.doc }));
    json_schema!({ "type": "string", "oneOf": named.collect::<Vec<_>>() })
}

fn test_accuracy() -> String {
    "test_accuracy".to_string()
}

/// What must be true of the mean.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// The article's number, give or take a distance.
    Within {
        /// The expected number.
        article: f64,
        /// Largest allowed difference from it.
        distance: f64,
    },
    /// A lower bound, itself allowed.
    AtLeast(f64),
    /// An upper bound, itself allowed.
    AtMost(f64),
    /// More than another variant by a margin.
    GreaterThan {
        /// The variant that is compared with.
        variant: String,
        /// The least difference of the means.
        by: f64,
    },
}

impl Expect {
    /// The one condition it states.
    pub fn condition(&self) -> Result<Condition, Flaw> {
        let stated = [
            ("within", self.within.is_some()),
            ("at_least", self.at_least.is_some()),
            ("at_most", self.at_most.is_some()),
            ("greater_than", self.greater_than.is_some()),
        ];
        let stated: Vec<&str> = stated
            .iter()
            .filter(|(_, is)| *is)
            .map(|(name, _)| *name)
            .collect();
        if stated.len() != 1 {
            let message = match stated.as_slice() {
                [] => "the claim states no condition".to_string(),
                several => format!(
                    "the claim states {}: one condition a claim",
                    crate::error::list(several)
                ),
            };
            return Err(Flaw::new("", message).hint(
                "say one of `within` (of `article`), `at_least`, `at_most` and `greater_than`",
            ));
        }
        if self.by.is_some() && self.greater_than.is_none() {
            return Err(Flaw::new("by", "`by` needs `greater_than`"));
        }
        if let Some(within) = self.within {
            let Some(article) = self.article else {
                return Err(Flaw::new(
                    "within",
                    "`within` needs `article`, the figure to be near",
                ));
            };
            return Ok(Condition::Within {
                article: article.get(),
                distance: within.get(),
            });
        }
        Ok(match (self.at_least, self.at_most, &self.greater_than) {
            (Some(least), _, _) => Condition::AtLeast(least.get()),
            (_, Some(most), _) => Condition::AtMost(most.get()),
            (_, _, Some(variant)) => Condition::GreaterThan {
                variant: variant.clone(),
                by: self.by.map_or(0.0, NonNegative::get),
            },
            (None, None, None) => unreachable!("one condition is stated"),
        })
    }
}
