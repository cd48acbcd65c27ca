//! One key names the thing: `{ rotate = { degrees = 10 } }`, or only `"flip"` when nothing is to be said.
//!
//! Reads such a table into an externally tagged enum and gives the matching JSON schema, for every
//! registry alike. Knows none of the names.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, MapDeserializer, StrDeserializer};
use serde::de::{
    self, Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, Visitor,
};

/// Reads `T`, a derived externally tagged enum, from its name or from a table with one key.
///
/// `what` is what errors call it, with its article: `an operation`. A bare name stands for a table
/// without fields, so it is accepted where every field has a default.
pub fn one_key<'de, D, T>(deserializer: D, what: &'static str) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_any(OneKey(what, PhantomData))
}

/// The schema for [`one_key`]: the tables of `Tables`, and the names that `Read` accepts alone.
pub fn one_key_schema<Tables, Read>(names: &[&str], generator: &mut SchemaGenerator) -> Schema
where
    Tables: JsonSchema,
    Read: DeserializeOwned,
{
    let alone: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| Read::deserialize(StrDeserializer::<de::value::Error>::new(name)).is_ok())
        .collect();
    let mut schema = Tables::json_schema(generator);
    let alternatives = schema
        .get_mut("oneOf")
        .and_then(|one_of| one_of.as_array_mut());
    if let (Some(alternatives), false) = (alternatives, alone.is_empty()) {
        alternatives.push(json_schema!({ "type": "string", "enum": alone }).to_value());
    }
    schema
}

struct OneKey<T>(&'static str, PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneKey<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "{}: its name, or a table with its name as the only key",
            self.0
        )
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<T, E> {
        let no_fields = BTreeMap::<&str, &str>::new();
        let table = MapDeserializer::new(std::iter::once((name, no_fields)));
        T::deserialize(MapAccessDeserializer::new(table))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(OnlyKey { map, what: self.0 }))
    }
}

/// A table that insists on having exactly one key.
struct OnlyKey<A> {
    map: A,
    what: &'static str,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for OnlyKey<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        match self.map.next_key_seed(seed)? {
            Some(key) => Ok(Some(key)),
            None => Err(de::Error::custom(format!(
                "expected {} as the table's only key, found an empty table",
                self.what
            ))),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        let value = self.map.next_value_seed(seed)?;
        match self.map.next_key::<String>()? {
            None => Ok(value),
            Some(second) => Err(de::Error::custom(format!(
                "expected {} as the table's only key, found a second key `{second}`",
                self.what
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Tables {
        Bark(Bark),
        Bite(Bite),
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Bark {
        #[serde(default)]
        times: u8,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
    struct Bite {
        whom: String,
    }

    #[derive(Debug, PartialEq)]
    struct Trick(Tables);

    impl<'de> Deserialize<'de> for Trick {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            one_key(deserializer, "a trick").map(Trick)
        }
    }

    #[derive(Debug, Deserialize)]
    struct File {
        trick: Trick,
    }

    fn read(value: &str) -> Result<Tables, String> {
        toml::from_str(&format!("trick = {value}"))
            .map(|file: File| file.trick.0)
            .map_err(|error| error.message().to_string())
    }

    #[test]
    fn a_name_or_a_table_with_one_key() {
        assert_eq!(read("'bark'"), Ok(Tables::Bark(Bark { times: 0 })));
        assert_eq!(
            read("{ bark = { times = 2 } }"),
            Ok(Tables::Bark(Bark { times: 2 }))
        );
    }

    #[test]
    fn errors_say_what_was_expected() {
        let told = |value| read(value).unwrap_err();
        assert_eq!(
            told("3"),
            "invalid type: integer `3`, expected a trick: its name, or a table with its name as the only key"
        );
        assert_eq!(
            told("'brak'"),
            "unknown variant `brak`, expected `bark` or `bite`"
        );
        assert_eq!(
            told("{ brak = {} }"),
            "unknown variant `brak`, expected `bark` or `bite`"
        );
        assert_eq!(told("'bite'"), "missing field `whom`");
        assert_eq!(
            told("{ bark = { tims = 2 } }"),
            "unknown field `tims`, expected `times`"
        );
        assert_eq!(
            told("{}"),
            "expected a trick as the table's only key, found an empty table"
        );
        assert_eq!(
            told("{ bark = {}, bite = { whom = 'me' } }"),
            "expected a trick as the table's only key, found a second key `bite`"
        );
    }

    #[test]
    fn errors_keep_their_place() {
        let source = "trick = { bark = { tims = 2 } }";
        let error = toml::from_str::<File>(source).unwrap_err();
        assert_eq!(&source[error.span().unwrap()], "tims");
        let source = "trick = 'brak'";
        let error = toml::from_str::<File>(source).unwrap_err();
        assert_eq!(&source[error.span().unwrap()], "'brak'");
    }

    #[test]
    fn the_schema_lists_the_names_that_may_stand_alone() {
        let mut generator = SchemaGenerator::default();
        let schema = one_key_schema::<Tables, Trick>(&["bark", "bite"], &mut generator);
        let alternatives = schema.get("oneOf").unwrap().as_array().unwrap();
        assert_eq!(alternatives.len(), 3);
        assert_eq!(
            alternatives[2],
            serde_json::json!({ "type": "string", "enum": ["bark"] })
        );
    }
}
