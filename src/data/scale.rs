//! What pixel values become before a network sees them.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use super::pixel_values::PixelValues;
use crate::error::Flaw;
use crate::shape::ImageShape;
use crate::value::{PositiveReal, Real};

/// What pixel values, which are from 0 to 1, become.
#[derive(Debug, Clone, PartialEq)]
pub enum Scale {
    /// `[low, high]`: what 0 and 1 become.
    Range([f64; 2]),
    /// `(value - mean) / deviation`, channel by channel.
    Channels(Moments),
    /// The same with the moments of the images that are trained on, before augmentation; they are measured when the
    /// images are there.
    Standardize,
}

/// Mean and standard deviation of the values of each channel, or of all channels where there is one of either.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Moments {
    /// Of values from 0 to 1: a number for all channels, or a list with one for each.
    mean: OneOrEach<Real>,
    /// Above 0: a number for all channels, or a list with one for each.
    standard_deviation: OneOrEach<PositiveReal>,
}

impl Moments {
    fn of(&self, channel: usize) -> [f32; 2] {
        let mean = self.mean.of(channel).get();
        let deviation = self.standard_deviation.of(channel).get();
        [mean as f32, deviation as f32]
    }
}

/// A value for all channels, or one for each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum OneOrEach<T> {
    One(T),
    Each(Vec<T>),
}

impl<T: Copy> OneOrEach<T> {
    fn of(&self, channel: usize) -> T {
        match self {
            OneOrEach::One(value) => *value,
            OneOrEach::Each(values) => values[channel],
        }
    }

    /// How many there are; none where one stands for all.
    fn count(&self) -> Option<usize> {
        match self {
            OneOrEach::One(_) => None,
            OneOrEach::Each(values) => Some(values.len()),
        }
    }
}

impl Default for Scale {
    fn default() -> Self {
        Scale::Range([0.0, 1.0])
    }
}

impl Scale {
    /// What is wrong with it for images of so many channels; the key is below `scale`.
    pub(super) fn flaw(&self, channels: usize) -> Option<Flaw> {
        match self {
            Scale::Standardize => None,
            Scale::Range([low, high]) => {
                if low.is_finite() && high.is_finite() && low < high {
                    return None;
                }
                let message = format!(
                    "scale goes from {low} to {high}, expected [low, high] with low below high"
                );
                Some(Flaw::new("scale", message))
            }
            Scale::Channels(moments) => {
                let counts = [
                    ("mean", moments.mean.count()),
                    ("standard_deviation", moments.standard_deviation.count()),
                ];
                let is_wrong = |(_, number): &(&str, Option<usize>)| {
                    number.is_some_and(|number| number != channels)
                };
                let (key, number) = counts.into_iter().find(is_wrong)?;
                let number = number.unwrap_or_default();
                let message = match channels {
                    1 => format!(
                        "expected one number, as the images have 1 channel, received {number}"
                    ),
                    _ => format!(
                        "expected one number or {channels}, one for each of the images' channels, received {number}"
                    ),
                };
                Some(Flaw::new(format!("scale.{key}"), message))
            }
        }
    }

    /// The same with moments that are known, of `[images, channels, height, width]`; a channel of one value alone
    /// keeps its deviation, which is taken as 1.
    pub fn measured(&self, pixels: &PixelValues, shape: ImageShape) -> Scale {
        if *self != Scale::Standardize {
            return self.clone();
        }
        let pixels = pixels.reals();
        let plane = shape.height * shape.width;
        let of = |channel: usize| {
            let planes = pixels.chunks_exact(plane.max(1));
            let planes = planes.skip(channel).step_by(shape.channels.max(1));
            planes.flatten().map(|&value| f64::from(value))
        };
        let mut means = Vec::new();
        let mut deviations = Vec::new();
        for channel in 0..shape.channels {
            let number = (of(channel).count() as f64).max(1.0);
            let mean = of(channel).sum::<f64>() / number;
            let squares: f64 = of(channel).map(|value| (value - mean).powi(2)).sum();
            let deviation = (squares / number).sqrt();
            means.push(Real(mean));
            deviations.push(PositiveReal(if deviation > 0.0 { deviation } else { 1.0 }));
        }
        Scale::Channels(Moments {
            mean: OneOrEach::Each(means),
            standard_deviation: OneOrEach::Each(deviations),
        })
    }

    /// Maps pixels from `[0, 1]`, in place; meant for after augmentation, which works in `[0, 1]`.
    ///
    /// `pixels` are `[images, channels, height, width]`. A scale that is to be measured has been.
    pub fn apply(&self, pixels: &mut [f32], shape: ImageShape) {
        match self {
            Scale::Range([low, high]) => {
                if *self == Scale::default() {
                    return;
                }
                let (low, span) = (*low as f32, (high - low) as f32);
                for pixel in pixels {
                    *pixel = low + *pixel * span;
                }
            }
            Scale::Channels(moments) => {
                let plane = (shape.height * shape.width).max(1);
                for (index, plane) in pixels.chunks_exact_mut(plane).enumerate() {
                    let [mean, deviation] = moments.of(index % shape.channels);
                    for pixel in plane {
                        *pixel = (*pixel - mean) / deviation;
                    }
                }
            }
            Scale::Standardize => unmeasured(),
        }
    }

    /// What each byte becomes in each channel, `[channels, 256]`.
    pub fn meanings(&self, channels: usize) -> Vec<f32> {
        let bytes: Vec<u8> = (0..=u8::MAX).collect();
        let mut meanings = PixelValues::Bytes(bytes.repeat(channels)).into_reals();
        self.apply(&mut meanings, ImageShape::new(channels, 1, 256));
        meanings
    }

    /// What each channel is multiplied by, and what is added then.
    pub fn factors(&self, channels: usize) -> (Vec<f32>, Vec<f32>) {
        let of = |channel: usize| match self {
            Scale::Range([low, high]) => ((high - low) as f32, *low as f32),
            Scale::Channels(moments) => {
                let [mean, deviation] = moments.of(channel);
                (1.0 / deviation, -mean / deviation)
            }
            Scale::Standardize => unmeasured(),
        };
        (0..channels).map(of).unzip()
    }

    /// Maps values back to pixels, in place; what lies outside of black and white becomes one of them.
    pub fn undo(&self, values: &mut [f32], shape: ImageShape) {
        let plane = (shape.height * shape.width).max(1);
        for (index, plane) in values.chunks_exact_mut(plane).enumerate() {
            for value in plane {
                *value = self.pixel(index % shape.channels, *value).clamp(0.0, 1.0);
            }
        }
    }

    /// What a value of a channel was, not held to black and white.
    pub fn pixel(&self, channel: usize, value: f32) -> f32 {
        match self {
            Scale::Range([low, high]) => {
                let (low, span) = (*low as f32, (high - low) as f32);
                (value - low) / if span == 0.0 { 1.0 } else { span }
            }
            Scale::Channels(moments) => {
                let [mean, deviation] = moments.of(channel);
                value * deviation + mean
            }
            Scale::Standardize => unmeasured(),
        }
    }
}

fn unmeasured() -> ! {
    unreachable!("a scale is measured before it is used")
}

impl<'de> Deserialize<'de> for Scale {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyScale;
        impl<'de> Visitor<'de> for AnyScale {
            type Value = Scale;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str(
                    "[low, high], \"standardize\", or { mean = 0.5, standard_deviation = 0.25 }",
                )
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Scale, E> {
                match text {
                    "standardize" => Ok(Scale::Standardize),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, ends: A) -> Result<Scale, A::Error> {
                <[f64; 2]>::deserialize(SeqAccessDeserializer::new(ends)).map(Scale::Range)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Scale, A::Error> {
                Moments::deserialize(MapAccessDeserializer::new(map)).map(Scale::Channels)
            }
        }
        deserializer.deserialize_any(AnyScale)
    }
}

impl Serialize for Scale {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Scale::Range(ends) => ends.serialize(serializer),
            Scale::Channels(moments) => moments.serialize(serializer),
            Scale::Standardize => serializer.serialize_str("standardize"),
        }
    }
}

impl JsonSchema for Scale {
    fn schema_name() -> Cow<'static, str> {
        "Scale".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "array", "items": { "type": "number" }, "minItems": 2, "maxItems": 2 },
            { "type": "string", "enum": ["standardize"] },
            Moments::json_schema(generator)
        ] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRAY: ImageShape = ImageShape::new(1, 1, 1);

    fn read(text: &str) -> Result<Scale, String> {
        #[derive(Deserialize)]
        struct File {
            scale: Scale,
        }
        toml::from_str(&format!("scale = {text}"))
            .map(|file: File| file.scale)
            .map_err(|error| error.message().to_string())
    }

    #[test]
    fn scaling_maps_black_to_low_and_white_to_high() {
        let scale = Scale::Range([-1.0, 1.0]);
        let mut pixels = [0.0, 0.5, 1.0];
        scale.apply(&mut pixels, GRAY);
        assert_eq!(pixels, [-1.0, 0.0, 1.0]);
        let mut values = [-1.5, -1.0, 0.5, 2.0];
        scale.undo(&mut values, GRAY);
        assert_eq!(values, [0.0, 0.0, 0.75, 1.0]);
    }

    #[test]
    fn channels_have_a_mean_and_a_deviation_each() {
        let shape = ImageShape::new(2, 1, 2);
        let scale = read("{ mean = [0.5, 0.25], standard_deviation = [0.5, 0.25] }").unwrap();
        let mut pixels = [0.0, 1.0, 0.5, 0.0, 0.5, 0.5, 0.25, 0.25];
        let before = pixels;
        scale.apply(&mut pixels, shape);
        assert_eq!(pixels, [-1.0, 1.0, 1.0, -1.0, 0.0, 0.0, 0.0, 0.0]);
        scale.undo(&mut pixels, shape);
        assert_eq!(pixels, before);
        let mut one = before;
        let scale = read("{ mean = 0.5, standard_deviation = 0.5 }").unwrap();
        scale.apply(&mut one, shape);
        assert_eq!(one, [-1.0, 1.0, 0.0, -1.0, 0.0, 0.0, -0.5, -0.5]);
    }

    #[test]
    fn measured_images_have_a_mean_of_0_and_a_deviation_of_1() {
        let shape = ImageShape::new(2, 1, 2);
        let mut pixels = [0.0, 0.5, 0.25, 0.25, 1.0, 0.5, 0.25, 0.25];
        let scale = Scale::Standardize.measured(&PixelValues::Reals(pixels.to_vec()), shape);
        let deviation = (0.125f64).sqrt();
        let json = serde_json::to_value(&scale).unwrap();
        assert_eq!(
            json,
            serde_json::json!({ "mean": [0.5, 0.25], "standard_deviation": [deviation, 1.0] })
        );
        assert_eq!(serde_json::from_value::<Scale>(json).unwrap(), scale);
        scale.apply(&mut pixels, shape);
        let first: f32 = [0, 1, 4, 5].iter().map(|&at| pixels[at]).sum();
        assert!(first.abs() < 1e-6);
        assert_eq!([pixels[2], pixels[3], pixels[6], pixels[7]], [0.0; 4]);
        let given = Scale::Range([0.0, 2.0]);
        assert_eq!(
            given.measured(&PixelValues::Bytes(Vec::new()), shape),
            given
        );
    }

    #[test]
    fn mistakes_say_what_is_expected() {
        let expected =
            "expected [low, high], \"standardize\", or { mean = 0.5, standard_deviation = 0.25 }";
        assert_eq!(
            read("'standardise'").unwrap_err(),
            format!("invalid value: string \"standardise\", {expected}")
        );
        assert_eq!(
            read("3").unwrap_err(),
            format!("invalid type: integer `3`, {expected}")
        );
        assert_eq!(
            read("{ mean = 0.5 }").unwrap_err(),
            "missing field `standard_deviation`"
        );
        let flaw = |text: &str, channels| {
            let flaw = read(text).unwrap().flaw(channels);
            flaw.map(|flaw| format!("{}: {}", flaw.key, flaw.message))
        };
        assert_eq!(
            flaw("[1, 0]", 1).unwrap(),
            "scale: scale goes from 1 to 0, expected [low, high] with low below high"
        );
        assert_eq!(flaw("{ mean = 0.5, standard_deviation = 0.5 }", 3), None);
        assert_eq!(
            flaw("{ mean = [0.5, 0.5], standard_deviation = 0.5 }", 3).unwrap(),
            "scale.mean: expected one number or 3, one for each of the images' channels, received 2"
        );
        assert_eq!(
            flaw("{ mean = 0, standard_deviation = [1, 1, 1] }", 1).unwrap(),
            "scale.standard_deviation: expected one number, as the images have 1 channel, received 3"
        );
    }
}
