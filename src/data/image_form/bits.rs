//! How many of the 16 bits of a deep image's values are used.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// How many of 16 bits a value has, from 8 to 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Bits(pub(super) u32);

impl TryFrom<i64> for Bits {
    type Error = String;
    fn try_from(bits: i64) -> Result<Self, String> {
        let known = u32::try_from(bits).ok().filter(|n| (8..=16).contains(n));
        let wrong = || format!("expected a number of bits from 8 to 16, received {bits}");
        known.map(Bits).ok_or_else(wrong)
    }
}

impl Bits {
    /// Those of a largest value.
    pub(in crate::data) fn of(white: u16) -> Self {
        Bits(u16::BITS - white.leading_zeros())
    }
}

impl From<Bits> for i64 {
    fn from(bits: Bits) -> i64 {
        i64::from(bits.0)
    }
}

impl JsonSchema for Bits {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Bits".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 8, "maximum": 16 })
    }
}

/// Depths that cameras and scanners write into 16 bits.
const DEPTHS: [u32; 5] = [8, 10, 12, 14, 16];

/// The least usual number of bits that holds a value.
pub(super) fn depth(largest: u16) -> u32 {
    let holds = |bits: &u32| u32::from(largest) < 1 << bits;
    DEPTHS.into_iter().find(holds).unwrap_or(16)
}

/// The largest value of so many bits.
pub(super) fn white(bits: u32) -> u16 {
    ((1u32 << bits) - 1) as u16
}
