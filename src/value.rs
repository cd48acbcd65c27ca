//! Field types that know their range, so that a wrong number is found where it is read.
//!
//! Each type reads itself from TOML, says in its error what it expects, and gives its range to the
//! JSON schema. Knows nothing of layers, operations or optimizers, which are made of these.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, IntoDeserializer, Unexpected, Visitor};
use serde::ser::{Serialize, SerializeSeq, Serializer};

use crate::error::Flaw;
use crate::shape::ImageShape;
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
        json_schema!({ "type": "integer", "minimum": 1 })
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
        json_schema!({ "anyOf": [{ "type": "integer", "minimum": 1 }, { "const": "auto" }] })
    }
}

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

/// One or two values of one type: `3` for both, `[3, 5]` for height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair(pub [Positive; 2]);

impl Pair {
    /// The same value for both axes.
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
        one_or_each(
            deserializer,
            "a whole number of at least 1, or two as [height, width]",
        )
        .map(Pair)
    }
}

impl Serialize for Pair {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_one_or_each(&self.0, serializer)
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

/// One or three values: `3` for all, `[3, 5, 5]` for depth, height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Triple(pub [Positive; 3]);

impl Triple {
    /// The same value for all three axes.
    pub fn all(value: usize) -> Self {
        Triple([Positive(value); 3])
    }

    /// `[depth, height, width]`.
    pub fn get(self) -> [usize; 3] {
        self.0.map(Positive::get)
    }
}

impl<'de> Deserialize<'de> for Triple {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        one_or_each(
            deserializer,
            "a whole number of at least 1, or three as [depth, height, width]",
        )
        .map(Triple)
    }
}

impl Serialize for Triple {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_one_or_each(&self.0, serializer)
    }
}

impl JsonSchema for Triple {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Triple".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "integer", "minimum": 1 },
            { "type": "array", "items": { "type": "integer", "minimum": 1 }, "minItems": 3, "maxItems": 3 }
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
        let one = serde_json::json!({ "type": "integer", "minimum": 1 });
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

impl Serialize for Length {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Length::Pixels(pixels) => serializer.serialize_f64(*pixels),
            Length::Share(share) => serializer.collect_str(&format_args!("{}%", share * 100.0)),
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

fn length_schema() -> serde_json::Value {
    serde_json::json!({ "anyOf": [
        { "type": "number" },
        { "type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?%$" }
    ] })
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
                let text = format!("{}%", share * 100.0);
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
            { "type": "integer", "minimum": 1 },
            { "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?%$" }
        ] });
        json_schema!({ "anyOf": [
            one,
            { "type": "array", "items": one, "minItems": 2, "maxItems": 2 }
        ] })
    }
}

/// Reads one value for all of `N`, or a list of `N`.
fn one_or_each<'de, D, T, const N: usize>(
    deserializer: D,
    says: &'static str,
) -> Result<[T; N], D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Copy,
{
    struct OneOrEach<T, const N: usize>(&'static str, std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de> + Copy, const N: usize> Visitor<'de> for OneOrEach<T, N> {
        type Value = [T; N];
        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str(self.0)
        }
        fn visit_u64<E: de::Error>(self, number: u64) -> Result<[T; N], E> {
            T::deserialize(de::value::U64Deserializer::new(number)).map(|value| [value; N])
        }
        fn visit_i64<E: de::Error>(self, number: i64) -> Result<[T; N], E> {
            T::deserialize(de::value::I64Deserializer::new(number)).map(|value| [value; N])
        }
        fn visit_f64<E: de::Error>(self, number: f64) -> Result<[T; N], E> {
            T::deserialize(de::value::F64Deserializer::new(number)).map(|value| [value; N])
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<[T; N], E> {
            T::deserialize(de::value::StrDeserializer::<E>::new(text))
                .map(|value| [value; N])
                .map_err(|_| E::invalid_type(Unexpected::Str(text), &self))
        }
        fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<[T; N], A::Error> {
            let mut found = Vec::new();
            while let Some(item) = items.next_element()? {
                found.push(item);
            }
            <[T; N]>::try_from(found).map_err(|found| de::Error::invalid_length(found.len(), &self))
        }
    }
    deserializer.deserialize_any(OneOrEach(says, std::marker::PhantomData))
}

fn serialize_one_or_each<T, S, const N: usize>(
    values: &[T; N],
    serializer: S,
) -> Result<S::Ok, S::Error>
where
    T: Serialize + PartialEq,
    S: Serializer,
{
    if values.iter().all(|value| *value == values[0]) {
        return values[0].serialize(serializer);
    }
    let mut sequence = serializer.serialize_seq(Some(N))?;
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

    #[test]
    fn one_value_or_three() {
        assert_eq!(from_str::<Triple>("3").unwrap(), Triple::all(3));
        assert_eq!(from_str::<Triple>("[1, 2, 3]").unwrap().get(), [1, 2, 3]);
        assert_eq!(to_string(&Triple::all(2)).unwrap(), "2");
        let text = from_str::<Triple>("[3, 5]").unwrap_err().to_string();
        assert!(
            text.starts_with(
                "invalid length 2, expected a whole number of at least 1, or three as \
                 [depth, height, width]"
            ),
            "{text}"
        );
    }

    #[test]
    fn one_value_or_one_per_axis() {
        let factors = from_str::<PerAxis<Positive>>("[2, 3]").unwrap();
        assert_eq!(factors.along(2), Some(vec![Positive(2), Positive(3)]));
        assert_eq!(factors.along(3), None);
        assert!(from_str::<PerAxis<Positive>>("0").is_err());

        let margin = |before, after| Margin { before, after };
        let margins = from_str::<Margins>("[1, [0, 2]]").unwrap();
        assert_eq!(margins.along(2), Some(vec![margin(1, 1), margin(0, 2)]));
        assert_eq!(to_string(&margins).unwrap(), "[1,[0,2]]");
        let all = from_str::<Margins>("3").unwrap();
        assert_eq!(all.along(1), Some(vec![margin(3, 3)]));
        assert!(from_str::<Margins>("-1").is_err());
        assert!(from_str::<Margins>("[[1, 2, 3]]").is_err());
    }
}
