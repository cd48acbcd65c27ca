//! Values along the axes of an image or a volume.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};

use super::one_or_each::{one_or_each, serialize_one_or_each};
use super::{Positive, positive_schema};

/// A whole number of at least 1 for each of 2 or 3 axes: `3` for all, `[3, 5]` for height and width, `[3, 5, 5]` for
/// depth, height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axes<const N: usize>(pub [Positive; N]);

/// Numbers for height and width.
pub type Pair = Axes<2>;

/// Numbers for depth, height and width.
pub type Triple = Axes<3>;

impl<const N: usize> Axes<N> {
    /// The same number for every axis.
    pub fn all(value: usize) -> Self {
        Axes([Positive(value); N])
    }

    /// `[height, width]`, or `[depth, height, width]`.
    pub fn get(self) -> [usize; N] {
        self.0.map(Positive::get)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Axes<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let says = match N {
            2 => "a whole number of at least 1, or two as [height, width]",
            _ => "a whole number of at least 1, or three as [depth, height, width]",
        };
        one_or_each(deserializer, says).map(Axes)
    }
}

impl<const N: usize> Serialize for Axes<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_one_or_each(&self.0, serializer)
    }
}

impl<const N: usize> JsonSchema for Axes<N> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Axes{N}").into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            positive_schema(),
            { "type": "array", "items": positive_schema(), "minItems": N, "maxItems": N }
        ] })
    }
}

/// Values on both sides of an axis: `2` for both, `[1, 2]` for one before and two after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Margin {
    /// Places before.
    pub before: usize,
    /// Places after.
    pub after: usize,
}

impl<'de> Deserialize<'de> for Margin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let [before, after]: [Whole; 2] = one_or_each(
            deserializer,
            "a whole number of at least 0, or two as [before, after]",
        )?;
        Ok(Margin {
            before: before.0,
            after: after.0,
        })
    }
}

impl Serialize for Margin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_one_or_each(&[self.before, self.after], serializer)
    }
}

/// A whole number of at least 0.
#[derive(Clone, Copy)]
struct Whole(usize);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FromZero;
        impl Visitor<'_> for FromZero {
            type Value = Whole;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a whole number of at least 0")
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Whole, E> {
                u32::try_from(number)
                    .map(|number| Whole(number as usize))
                    .map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Whole, E> {
                match u64::try_from(number) {
                    Ok(number) => self.visit_u64(number),
                    Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
                }
            }
        }
        deserializer.deserialize_any(FromZero)
    }
}

/// What [`PerAxis`] may hold.
pub trait AxisValue: Copy {
    /// What an error says was expected: one value, or a list of them.
    const SAYS: &'static str;

    /// The schema of an entry for one axis, and of one value for all axes.
    fn schemas() -> [serde_json::Value; 2];
}

impl AxisValue for Positive {
    const SAYS: &'static str =
        "a whole number of at least 1, or a list with one for each axis ([2, 3])";

    fn schemas() -> [serde_json::Value; 2] {
        let one = positive_schema();
        [one.clone(), one]
    }
}

impl AxisValue for Margin {
    const SAYS: &'static str = "a whole number of at least 0, or a list with one or a [before, after] \
                                for each axis ([1, [0, 2]])";

    fn schemas() -> [serde_json::Value; 2] {
        let one = serde_json::json!({ "type": "integer", "minimum": 0 });
        let sides = serde_json::json!({ "anyOf": [
            one,
            { "type": "array", "items": one, "minItems": 2, "maxItems": 2 }
        ] });
        [sides, one]
    }
}

/// One value for every axis, or a list with one for each: how many there are is up to the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PerAxis<T> {
    /// The value of all axes.
    All(T),
    /// One value an axis.
    Each(Vec<T>),
}

/// Margins around an input, axis by axis.
pub type Margins = PerAxis<Margin>;

impl<T: Copy> PerAxis<T> {
    /// The values along `axes` axes; `None` if the list has another length.
    pub fn along(&self, axes: usize) -> Option<Vec<T>> {
        match self {
            PerAxis::All(value) => Some(vec![*value; axes]),
            PerAxis::Each(values) => (values.len() == axes).then(|| values.clone()),
        }
    }
}

impl<'de, T: AxisValue + Deserialize<'de>> Deserialize<'de> for PerAxis<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AllOrEach<T>(std::marker::PhantomData<T>);
        impl<'de, T: AxisValue + Deserialize<'de>> Visitor<'de> for AllOrEach<T> {
            type Value = PerAxis<T>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str(T::SAYS)
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
                T::deserialize(de::value::U64Deserializer::new(number)).map(PerAxis::All)
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
                T::deserialize(de::value::I64Deserializer::new(number)).map(PerAxis::All)
            }
            fn visit_seq<A: de::SeqAccess<'de>>(
                self,
                mut items: A,
            ) -> Result<Self::Value, A::Error> {
                let mut found = Vec::new();
                while let Some(item) = items.next_element()? {
                    found.push(item);
                }
                Ok(PerAxis::Each(found))
            }
        }
        deserializer.deserialize_any(AllOrEach(std::marker::PhantomData))
    }
}

impl<T: Serialize> Serialize for PerAxis<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            PerAxis::All(value) => value.serialize(serializer),
            PerAxis::Each(values) => values.serialize(serializer),
        }
    }
}

impl<T: AxisValue> JsonSchema for PerAxis<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "PerAxis".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let [each, all] = T::schemas();
        json_schema!({ "anyOf": [
            all,
            { "type": "array", "items": each, "minItems": 1, "maxItems": 3 }
        ] })
    }
}
