//! Whole numbers with their range.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, IntoDeserializer, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::tagged::{Choice, Form};

/// A whole number from 1 to 16,777,216.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Positive(pub usize);

impl Positive {
    /// The number.
    pub fn get(self) -> usize {
        self.0
    }
}

impl Choice for Positive {
    const WHAT: &'static str = "a whole number of at least 1";
    const FORM: Form = Form::Number;
}

/// Sizes up to this can be multiplied without a care where shapes are worked out.
const MOST: u64 = 1 << 24;

/// The schema of a [`Positive`] inside another.
pub fn positive_schema() -> serde_json::Value {
    serde_json::json!({ "type": "integer", "minimum": 1, "maximum": MOST })
}

impl<'de> Deserialize<'de> for Positive {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;
        impl Visitor<'_> for Whole {
            type Value = Positive;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a whole number of at least 1")
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Positive, E> {
                match number {
                    0 => Err(E::invalid_value(Unexpected::Unsigned(0), &self)),
                    1..=MOST => Ok(Positive(number as usize)),
                    _ => {
                        let most = format!("a whole number of at most {MOST}");
                        let most: &str = &most;
                        Err(E::invalid_value(Unexpected::Unsigned(number), &most))
                    }
                }
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Positive, E> {
                match u64::try_from(number) {
                    Ok(number) => self.visit_u64(number),
                    Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
                }
            }
        }
        deserializer.deserialize_any(Whole)
    }
}

impl Serialize for Positive {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0 as u64)
    }
}

impl JsonSchema for Positive {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Positive".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": MOST })
    }
}

/// A whole number from 1 to 16,777,216, or `"auto"`: what follows from other settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PositiveOrAuto(pub Option<Positive>);

impl PositiveOrAuto {
    /// Whether the file says "auto".
    pub fn is_auto(&self) -> bool {
        self.0.is_none()
    }
}

impl<'de> Deserialize<'de> for PositiveOrAuto {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrAuto;
        impl Visitor<'_> for NumberOrAuto {
            type Value = PositiveOrAuto;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a whole number of at least 1, or \"auto\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<PositiveOrAuto, E> {
                match text {
                    "auto" => Ok(PositiveOrAuto(None)),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<PositiveOrAuto, E> {
                match number {
                    0 => Err(E::invalid_value(Unexpected::Unsigned(0), &self)),
                    _ => Positive::deserialize(number.into_deserializer())
                        .map(|number| PositiveOrAuto(Some(number))),
                }
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<PositiveOrAuto, E> {
                match u64::try_from(number) {
                    Ok(number) => self.visit_u64(number),
                    Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
                }
            }
        }
        deserializer.deserialize_any(NumberOrAuto)
    }
}

impl Serialize for PositiveOrAuto {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(number) => number.serialize(serializer),
            None => serializer.serialize_str("auto"),
        }
    }
}

impl JsonSchema for PositiveOrAuto {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "PositiveOrAuto".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [positive_schema(), { "const": "auto" }] })
    }
}
