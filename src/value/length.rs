//! Lengths in pixels or as a share of an image's size.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};

use super::one_or_each::{one_or_each, serialize_one_or_each};
use super::positive_schema;
use crate::error::Flaw;
use crate::shape::ImageShape;

/// A length within an image: pixels, or a share of the image's size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Length {
    /// Pixels.
    Pixels(f64),
    /// Of the image's height or width, 1 being all of it; `"10%"` in a file.
    Share(f64),
}

impl Length {
    /// Pixels along a side of `size` pixels.
    pub fn pixels(self, size: usize) -> f64 {
        match self {
            Length::Pixels(pixels) => pixels,
            Length::Share(share) => share * size as f64,
        }
    }

    fn of_text(text: &str) -> Option<Self> {
        let number: f64 = text.strip_suffix('%')?.trim().parse().ok()?;
        number.is_finite().then_some(Length::Share(number / 100.0))
    }
}

/// The number of hundredths with the fewest digits of which a hundredth is this share.
fn percent(share: f64) -> f64 {
    let exact = share * 100.0;
    let short = (exact * 1e9).round() / 1e9;
    if short / 100.0 == share { short } else { exact }
}

impl Serialize for Length {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Length::Pixels(pixels) => serializer.serialize_f64(*pixels),
            Length::Share(share) => serializer.collect_str(&format_args!("{}%", percent(*share))),
        }
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PixelsOrShare;
        impl Visitor<'_> for PixelsOrShare {
            type Value = Length;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a number of pixels, or a share of the image's size as \"10%\"")
            }
            fn visit_f64<E: de::Error>(self, pixels: f64) -> Result<Length, E> {
                match pixels.is_finite() {
                    true => Ok(Length::Pixels(pixels)),
                    false => Err(E::invalid_value(Unexpected::Float(pixels), &self)),
                }
            }
            fn visit_i64<E: de::Error>(self, pixels: i64) -> Result<Length, E> {
                self.visit_f64(pixels as f64)
            }
            fn visit_u64<E: de::Error>(self, pixels: u64) -> Result<Length, E> {
                self.visit_f64(pixels as f64)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Length, E> {
                let length = Length::of_text(text);
                length.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(PixelsOrShare)
    }
}

pub(super) fn length_schema() -> serde_json::Value {
    serde_json::json!({ "anyOf": [
        { "type": "number" },
        { "type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?%$" }
    ] })
}

/// One or two lengths of whole pixels: `8` or `"25%"` for both, `[8, "10%"]` for height and width.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Size([Length; 2]);

impl Size {
    /// `[height, width]` in pixels for images of a shape; of a share the nearest whole number, at least 1.
    pub fn pixels(self, shape: ImageShape) -> [usize; 2] {
        let [height, width] = self.0;
        let whole = |length: Length, size| (length.pixels(size).round() as usize).max(1);
        [whole(height, shape.height), whole(width, shape.width)]
    }

    /// The flaw of a size that is larger than images of a shape.
    pub fn flaw(self, key: &str, shape: ImageShape) -> Option<Flaw> {
        let [height, width] = self.pixels(shape);
        let message = format!(
            "expected at most the image's {}x{} pixels, received {height}x{width}",
            shape.height, shape.width
        );
        (height > shape.height || width > shape.width).then(|| Flaw::new(key, message))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let says = "a whole number of at least 1, a share of the image's size as \"25%\", or two as [height, width]";
        let sides: [Length; 2] = one_or_each(deserializer, says)?;
        let is_size = |length: Length| match length {
            Length::Pixels(pixels) => pixels >= 1.0 && pixels.fract() == 0.0,
            Length::Share(share) => share > 0.0 && share <= 1.0,
        };
        match sides.into_iter().find(|length| !is_size(*length)) {
            None => Ok(Size(sides)),
            Some(Length::Pixels(pixels)) => {
                Err(de::Error::invalid_value(Unexpected::Float(pixels), &says))
            }
            Some(Length::Share(share)) => {
                let text = format!("{}%", percent(share));
                Err(de::Error::invalid_value(
                    Unexpected::Str(&text),
                    &"a share above 0% and at most 100%",
                ))
            }
        }
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// Whole pixels as a whole number.
        #[derive(PartialEq)]
        struct Side(Length);
        impl Serialize for Side {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self.0 {
                    Length::Pixels(pixels) => serializer.serialize_u64(pixels as u64),
                    share => share.serialize(serializer),
                }
            }
        }
        serialize_one_or_each(&self.0.map(Side), serializer)
    }
}

impl JsonSchema for Size {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = serde_json::json!({ "anyOf": [
            positive_schema(),
            { "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?%$" }
        ] });
        json_schema!({ "anyOf": [
            one,
            { "type": "array", "items": one, "minItems": 2, "maxItems": 2 }
        ] })
    }
}
