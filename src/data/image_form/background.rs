//! The color behind images.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};

/// A color behind images, each part from 0 to 1: a gray as one number, or `[red, green, blue]`.
#[derive(Clone, Copy, Default)]
pub struct Background(pub(super) [f64; 3]);

impl Background {
    fn bits(self) -> [u64; 3] {
        self.0.map(f64::to_bits)
    }

    /// Whether it is black.
    pub fn is_black(&self) -> bool {
        self.0 == [0.0; 3]
    }
}

impl PartialEq for Background {
    fn eq(&self, other: &Self) -> bool {
        self.bits() == other.bits()
    }
}

impl Eq for Background {}

impl std::hash::Hash for Background {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.bits().hash(state);
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl<'de> Deserialize<'de> for Background {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct GrayOrColor;
        impl<'de> Visitor<'de> for GrayOrColor {
            type Value = Background;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a number from 0 (black) to 1 (white), or three as [red, green, blue]")
            }
            fn visit_f64<E: de::Error>(self, gray: f64) -> Result<Background, E> {
                match (0.0..=1.0).contains(&gray) {
                    true => Ok(Background([gray + 0.0; 3])),
                    false => Err(E::invalid_value(Unexpected::Float(gray), &self)),
                }
            }
            fn visit_i64<E: de::Error>(self, gray: i64) -> Result<Background, E> {
                self.visit_f64(gray as f64)
            }
            fn visit_u64<E: de::Error>(self, gray: u64) -> Result<Background, E> {
                self.visit_f64(gray as f64)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Background, A::Error> {
                let mut found = Vec::new();
                while let Some(part) = parts.next_element::<f64>()? {
                    found.push(self_checked(part)?);
                }
                let count = found.len();
                let color = <[f64; 3]>::try_from(found);
                color
                    .map(Background)
                    .map_err(|_| de::Error::invalid_length(count, &self))
            }
        }
        fn self_checked<E: de::Error>(part: f64) -> Result<f64, E> {
            GrayOrColor.visit_f64::<E>(part).map(|gray| gray.0[0])
        }
        deserializer.deserialize_any(GrayOrColor)
    }
}

impl Serialize for Background {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let [red, green, blue] = self.0;
        match red == green && green == blue {
            true => serializer.serialize_f64(red),
            false => self.0.serialize(serializer),
        }
    }
}

impl JsonSchema for Background {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Background".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let part = serde_json::json!({ "type": "number", "minimum": 0.0, "maximum": 1.0 });
        json_schema!({ "anyOf": [
            part,
            { "type": "array", "items": part, "minItems": 3, "maxItems": 3 }
        ] })
    }
}
