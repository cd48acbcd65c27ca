//! Ranges that a number is drawn from.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Unexpected};
use serde::ser::{Serialize, Serializer};

use super::Real;
use super::length::{Length, length_schema};
use super::one_or_each::{one_or_each, serialize_one_or_each};

/// A number, or a range `[low, high]` that a value is drawn from evenly for every image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawn(pub [f64; 2]);

impl Drawn {
    /// A range of one value.
    pub fn fixed(value: f64) -> Self {
        Drawn([value; 2])
    }

    /// The lower end.
    pub fn low(self) -> f64 {
        self.0[0]
    }

    /// The upper end.
    pub fn high(self) -> f64 {
        self.0[1]
    }

    /// The number itself, or one drawn evenly from `[low, high]`.
    pub fn draw(self, rng: &mut impl rand::Rng) -> f64 {
        let [low, high] = self.0;
        if low == high {
            low
        } else {
            rng.random_range(low..=high)
        }
    }
}

impl<'de> Deserialize<'de> for Drawn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let [low, high]: [Real; 2] =
            one_or_each(deserializer, "a number, or a range as [low, high]")?;
        if low.0 > high.0 {
            return Err(de::Error::invalid_value(
                Unexpected::Other(&format!("[{}, {}]", low.0, high.0)),
                &"a range as [low, high] with low not above high",
            ));
        }
        Ok(Drawn([low.0, high.0]))
    }
}

impl Serialize for Drawn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_one_or_each(&self.0, serializer)
    }
}

impl JsonSchema for Drawn {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Drawn".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "number" },
            { "type": "array", "items": { "type": "number" }, "minItems": 2, "maxItems": 2 }
        ] })
    }
}

/// A length, or a range `[low, high]` of one unit that a value is drawn from evenly for every image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DrawnLength(pub [Length; 2]);

impl DrawnLength {
    /// A range of one number of pixels.
    pub fn fixed(pixels: f64) -> Self {
        DrawnLength([Length::Pixels(pixels); 2])
    }

    /// The range in pixels along a side of `size` pixels.
    pub fn pixels(self, size: usize) -> Drawn {
        Drawn(self.0.map(|length| length.pixels(size)))
    }
}

impl<'de> Deserialize<'de> for DrawnLength {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let says = "a number of pixels, a share of the image's size as \"10%\", or a range of either as [low, high]";
        let ends: [Length; 2] = one_or_each(deserializer, says)?;
        let is_range = match ends {
            [Length::Pixels(low), Length::Pixels(high)] => low <= high,
            [Length::Share(low), Length::Share(high)] => low <= high,
            _ => false,
        };
        match is_range {
            true => Ok(DrawnLength(ends)),
            false => Err(de::Error::invalid_value(
                Unexpected::Other("a range of two units or upside down"),
                &"a range as [low, high] of pixels or of shares, low not above high",
            )),
        }
    }
}

impl Serialize for DrawnLength {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_one_or_each(&self.0, serializer)
    }
}

impl JsonSchema for DrawnLength {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "DrawnLength".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = length_schema();
        json_schema!({ "anyOf": [
            one,
            { "type": "array", "items": one, "minItems": 2, "maxItems": 2 }
        ] })
    }
}
