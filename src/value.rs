//! Field types that know their range, so that a wrong number is found where it is read.
//!
//! Each type reads itself from TOML, says in its error what it expects, and gives its range to the
//! JSON schema. Knows nothing of layers, operations or optimisers, which are made of these.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};
use serde::ser::{Serialize, SerializeSeq, Serializer};

/// A whole number of at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Positive(pub usize);

impl Positive {
    pub fn get(self) -> usize {
        self.0
    }
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
                usize::try_from(number)
                    .ok()
                    .filter(|&n| (1..=u32::MAX as usize).contains(&n))
                    .map(Positive)
                    .ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
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
        json_schema!({ "type": "integer", "minimum": 1 })
    }
}

/// Declares a real number with a range: its name, what it accepts, how an error says so, its schema.
macro_rules! real {
    ($(#[$doc:meta])* $name:ident, $test:expr, $says:literal, $schema:tt) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
        pub struct $name(pub f64);

        impl $name {
            pub fn get(self) -> f64 {
                self.0
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

/// One or two values of one type: `3` for both, `[3, 5]` for height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair(pub [Positive; 2]);

impl Pair {
    pub fn both(value: usize) -> Self {
        Pair([Positive(value); 2])
    }

    /// `[height, width]`.
    pub fn get(self) -> [usize; 2] {
        [self.0[0].0, self.0[1].0]
    }
}

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        one_or_two(
            deserializer,
            "a whole number of at least 1, or two as [height, width]",
        )
        .map(Pair)
    }
}

impl Serialize for Pair {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_one_or_two(&self.0, serializer)
    }
}

impl JsonSchema for Pair {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Pair".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "integer", "minimum": 1 },
            { "type": "array", "items": { "type": "integer", "minimum": 1 }, "minItems": 2, "maxItems": 2 }
        ] })
    }
}

/// A number, or a range `[low, high]` that a value is drawn from evenly for every image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawn(pub [f64; 2]);

impl Drawn {
    pub fn fixed(value: f64) -> Self {
        Drawn([value; 2])
    }

    pub fn low(self) -> f64 {
        self.0[0]
    }

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
            one_or_two(deserializer, "a number, or a range as [low, high]")?;
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
        serialize_one_or_two(&self.0, serializer)
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

fn one_or_two<'de, D, T>(deserializer: D, says: &'static str) -> Result<[T; 2], D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Copy,
{
    struct OneOrTwo<T>(&'static str, std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de> + Copy> Visitor<'de> for OneOrTwo<T> {
        type Value = [T; 2];
        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str(self.0)
        }
        fn visit_u64<E: de::Error>(self, number: u64) -> Result<[T; 2], E> {
            T::deserialize(de::value::U64Deserializer::new(number)).map(|value| [value; 2])
        }
        fn visit_i64<E: de::Error>(self, number: i64) -> Result<[T; 2], E> {
            T::deserialize(de::value::I64Deserializer::new(number)).map(|value| [value; 2])
        }
        fn visit_f64<E: de::Error>(self, number: f64) -> Result<[T; 2], E> {
            T::deserialize(de::value::F64Deserializer::new(number)).map(|value| [value; 2])
        }
        fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<[T; 2], A::Error> {
            let mut found = Vec::new();
            while let Some(item) = items.next_element()? {
                found.push(item);
            }
            <[T; 2]>::try_from(found).map_err(|found| de::Error::invalid_length(found.len(), &self))
        }
    }
    deserializer.deserialize_any(OneOrTwo(says, std::marker::PhantomData))
}

fn serialize_one_or_two<T, S>(values: &[T; 2], serializer: S) -> Result<S::Ok, S::Error>
where
    T: Serialize + PartialEq,
    S: Serializer,
{
    if values[0] == values[1] {
        return values[0].serialize(serializer);
    }
    let mut sequence = serializer.serialize_seq(Some(2))?;
    for value in values {
        sequence.serialize_element(value)?;
    }
    sequence.end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_str, to_string};

    #[test]
    fn ranges_hold() {
        assert_eq!(from_str::<Positive>("3").unwrap(), Positive(3));
        let text = from_str::<Positive>("0").unwrap_err().to_string();
        assert!(
            text.starts_with("invalid value: integer `0`, expected a whole number of at least 1")
        );
        assert!(from_str::<Rate>("1.0").is_err());
        assert!(from_str::<Fraction>("1").is_ok());
        assert!(from_str::<PositiveReal>("0").is_err());
    }

    #[test]
    fn one_value_or_two() {
        assert_eq!(from_str::<Pair>("3").unwrap(), Pair::both(3));
        assert_eq!(from_str::<Pair>("[3, 5]").unwrap().get(), [3, 5]);
        assert!(from_str::<Pair>("[3, 5, 7]").is_err());
        assert!(from_str::<Pair>("[0, 5]").is_err());
        assert_eq!(to_string(&Pair::both(2)).unwrap(), "2");
        assert_eq!(from_str::<Drawn>("[-8, 8]").unwrap(), Drawn([-8.0, 8.0]));
        assert!(from_str::<Drawn>("[8, -8]").is_err());
    }
}
