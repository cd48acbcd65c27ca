//! Numbers that JSON does not have: what is infinite, or no number, is written as a text, `"inf"` or `"NaN"`.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serializer};

/// Writes a number.
pub fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    match number.is_finite() {
        true => serializer.serialize_f64(*number),
        false => serializer.collect_str(number),
    }
}

/// Reads a number. Nothing in its place is no number: so it was written once.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(AnyNumber::deserialize(deserializer)?.0.unwrap_or(f64::NAN))
}

/// A number that may be missing.
pub mod or_none {
    use super::*;

    /// Writes it.
    pub fn serialize<S: Serializer>(
        number: &Option<f64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match number {
            None => serializer.serialize_none(),
            Some(number) => super::serialize(number, serializer),
        }
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<f64>, D::Error> {
        AnyNumber::deserialize(deserializer).map(|number| number.0)
    }
}

struct AnyNumber(Option<f64>);

impl<'de> Deserialize<'de> for AnyNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Option<f64>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a number, \"NaN\", \"inf\" or \"-inf\"")
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Option<f64>, E> {
                Ok(Some(number))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Option<f64>, E> {
                Ok(Some(number as f64))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Option<f64>, E> {
                Ok(Some(number as f64))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Option<f64>, E> {
                let number = text
                    .parse()
                    .map_err(|_| de::Error::invalid_value(de::Unexpected::Str(text), &self));
                number.map(Some)
            }
            fn visit_unit<E: de::Error>(self) -> Result<Option<f64>, E> {
                Ok(None)
            }
        }
        deserializer.deserialize_any(Any).map(AnyNumber)
    }
}

#[cfg(test)]
mod tests {
    use crate::record::Score;

    #[test]
    fn scores_go_through_json_whatever_they_are() {
        let score = |loss, kl| Score {
            loss,
            kl,
            ..Score::default()
        };
        let again = |score: Score| -> Score {
            let text = serde_json::to_string(&score).unwrap();
            serde_json::from_str(&text).unwrap()
        };
        for loss in [0.1, -2.0, 3e300, f64::INFINITY, f64::NEG_INFINITY] {
            for kl in [None, Some(1.0), Some(f64::INFINITY)] {
                assert_eq!(again(score(loss, kl)), score(loss, kl));
            }
        }
        let lost = again(score(f64::NAN, Some(f64::NAN)));
        assert!(lost.loss.is_nan() && lost.kl.is_some_and(f64::is_nan));
        let early: Score = serde_json::from_str(r#"{ "loss": null, "accuracy": 1 }"#).unwrap();
        assert!(early.loss.is_nan());
        assert_eq!(early.accuracy, Some(1.0));
        assert!(serde_json::from_str::<Score>(r#"{ "loss": "much" }"#).is_err());
    }
}
