//! `data.train` and `data.validation`: how many images are used for what, and which.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Unexpected, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// How a subset's samples are chosen; they stay in file order whatever the choice.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Pick {
    /// The first ones of the file.
    #[default]
    First,
    /// The first ones of each class, equally many of each; what does not divide evenly goes to the lowest
    /// classes.
    Stratified,
    /// By the run's seed.
    Random,
}

/// Which samples to train on, of those that validation leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Subset {
    /// All training images.
    #[default]
    All,
    /// Some of them.
    Of {
        /// Their number.
        count: usize,
        /// Which ones.
        pick: Pick,
    },
    /// Above 0 and below 1: the first ones of each class, in proportion; their number is rounded to the nearest.
    Share(f64),
}

impl Subset {
    /// Number taken of so many samples; more than these where more are asked for.
    pub fn of(self, samples: usize) -> usize {
        match self {
            Subset::All => samples,
            Subset::Of { count, .. } => count,
            Subset::Share(share) => part(samples, share),
        }
    }
}

impl<'de> Deserialize<'de> for Subset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            count: usize,
            #[serde(default)]
            pick: Pick,
        }
        struct AllOrSome;
        impl<'de> Visitor<'de> for AllOrSome {
            type Value = Subset;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str(
                    "\"all\", a count, a share such as 0.1, or { count = N, pick = \"stratified\" }",
                )
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Subset, E> {
                match text {
                    "all" => Ok(Subset::All),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Subset, E> {
                let count = whole(number)
                    .ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))?;
                Ok(Subset::Of {
                    count,
                    pick: Pick::First,
                })
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Subset, E> {
                match u64::try_from(number) {
                    Ok(number) => self.visit_u64(number),
                    Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
                }
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Subset, E> {
                if number == 1.0 {
                    Ok(Subset::All)
                } else if number > 0.0 && number < 1.0 {
                    Ok(Subset::Share(number))
                } else {
                    Err(E::invalid_value(Unexpected::Float(number), &self))
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Subset, A::Error> {
                let Table { count, pick } =
                    Table::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Subset::Of { count, pick })
            }
        }
        deserializer.deserialize_any(AllOrSome)
    }
}

impl Serialize for Subset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Subset::All => serializer.serialize_str("all"),
            Subset::Of {
                count,
                pick: Pick::First,
            } => serializer.serialize_u64(*count as u64),
            Subset::Share(share) => serializer.serialize_f64(*share),
            Subset::Of { count, pick } => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("count", count)?;
                map.serialize_entry("pick", pick)?;
                map.end()
            }
        }
    }
}

impl JsonSchema for Subset {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Subset".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "string", "enum": ["all"] },
            { "type": "integer", "minimum": 1 },
            { "type": "number", "exclusiveMinimum": 0, "maximum": 1 },
            {
                "type": "object",
                "properties": {
                    "count": { "type": "integer", "minimum": 1 },
                    "pick": generator.subschema_for::<Pick>()
                },
                "required": ["count"],
                "additionalProperties": false
            }
        ] })
    }
}

/// How many samples of the training set are kept for validation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Validation {
    /// The last ones.
    Count(usize),
    /// Above 0 and below 1; of the training set after classes are chosen, rounded to the nearest: the last
    /// ones of each class, in proportion.
    Fraction(f64),
    /// One of so many equal parts of each class, at least 2: the last part for the seed 0, the one before it for 1, and so on,
    /// round and round. What is left over of a class always trains.
    Folds(usize),
}

impl Default for Validation {
    fn default() -> Self {
        Validation::Count(0)
    }
}

impl Validation {
    /// Number taken of samples whose classes have these sizes; the same for every seed.
    pub fn of(self, sizes: &[usize]) -> usize {
        let samples: usize = sizes.iter().sum();
        match self {
            Validation::Count(count) => count,
            Validation::Fraction(fraction) => part(samples, fraction),
            Validation::Folds(folds) => sizes.iter().map(|size| size / folds).sum(),
        }
    }
}

impl<'de> Deserialize<'de> for Validation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            folds: usize,
        }
        struct CountOrFraction;
        impl<'de> Visitor<'de> for CountOrFraction {
            type Value = Validation;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a count, a fraction below 1, or { folds = 5 }")
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Validation, E> {
                whole(number)
                    .map(Validation::Count)
                    .ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Validation, E> {
                match u64::try_from(number) {
                    Ok(number) => self.visit_u64(number),
                    Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
                }
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Validation, E> {
                if number == 0.0 {
                    Ok(Validation::Count(0))
                } else if number > 0.0 && number < 1.0 {
                    Ok(Validation::Fraction(number))
                } else {
                    Err(E::invalid_value(Unexpected::Float(number), &self))
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Validation, A::Error> {
                let table = Table::deserialize(de::value::MapAccessDeserializer::new(map))?;
                match whole(table.folds as u64) {
                    Some(folds) if folds >= 2 => Ok(Validation::Folds(folds)),
                    _ => Err(de::Error::custom("expected at least 2 folds")),
                }
            }
        }
        deserializer.deserialize_any(CountOrFraction)
    }
}

impl Serialize for Validation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Validation::Count(count) => serializer.serialize_u64(*count as u64),
            Validation::Fraction(fraction) => serializer.serialize_f64(*fraction),
            Validation::Folds(folds) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("folds", folds)?;
                map.end()
            }
        }
    }
}

impl JsonSchema for Validation {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Validation".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "number", "minimum": 0, "exclusiveMaximum": 1 },
            {
                "type": "object",
                "properties": { "folds": { "type": "integer", "minimum": 2 } },
                "required": ["folds"],
                "additionalProperties": false
            }
        ] })
    }
}

/// A share of so many samples, rounded to the nearest.
fn part(samples: usize, share: f64) -> usize {
    (samples as f64 * share).round() as usize
}

fn whole(number: u64) -> Option<usize> {
    usize::try_from(number)
        .ok()
        .filter(|&number| number <= u32::MAX as usize)
}
