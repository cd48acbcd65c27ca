//! Real numbers with their range.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};

/// Declares a real number with a range: its name, what it accepts, how an error says so, its schema.
macro_rules! real {
    ($(#[$doc:meta])* $name:ident, $test:expr, $says:literal, $schema:tt) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
        pub struct $name(pub f64);

        impl $name {
            /// The number.
            pub fn get(self) -> f64 {
                self.0
            }
        }

        // No number is NaN.
        impl Eq for $name {}

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                // Of -0, which equals 0, this makes 0.
                (self.0 + 0.0).to_bits().hash(state);
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct InRange;
                impl Visitor<'_> for InRange {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                        f.write_str($says)
                    }
                    fn visit_f64<E: de::Error>(self, number: f64) -> Result<$name, E> {
                        let accepts: fn(f64) -> bool = $test;
                        if number.is_finite() && accepts(number) {
                            Ok($name(number))
                        } else {
                            Err(E::invalid_value(Unexpected::Float(number), &self))
                        }
                    }
                    fn visit_i64<E: de::Error>(self, number: i64) -> Result<$name, E> {
                        self.visit_f64(number as f64)
                    }
                    fn visit_u64<E: de::Error>(self, number: u64) -> Result<$name, E> {
                        self.visit_f64(number as f64)
                    }
                }
                deserializer.deserialize_any(InRange)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_f64(self.0)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

real!(
    /// Any finite number.
    Real, |_| true, "a number", { "type": "number" });
real!(
    /// A number above 0.
    PositiveReal, |x| x > 0.0, "a number above 0", { "type": "number", "exclusiveMinimum": 0.0 });
real!(
    /// A number of at least 0.
    NonNegative, |x| x >= 0.0, "a number of at least 0", { "type": "number", "minimum": 0.0 });
real!(
    /// A number from 0 to 1, both included: a probability, a share.
    Fraction, |x| (0.0..=1.0).contains(&x), "a number from 0 to 1",
    { "type": "number", "minimum": 0.0, "maximum": 1.0 });
real!(
    /// A number from 0 to below 1: a decay or dropout rate.
    Rate, |x| (0.0..1.0).contains(&x), "a number from 0 to below 1",
    { "type": "number", "minimum": 0.0, "exclusiveMaximum": 1.0 });

real!(
    /// A number between 0 and 1, neither included: a chance that is neither impossible nor certain.
    Between, |x| x > 0.0 && x < 1.0, "a number above 0 and below 1",
    { "type": "number", "exclusiveMinimum": 0.0, "exclusiveMaximum": 1.0 });
