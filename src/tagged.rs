//! One key names the thing: `{ rotate = { degrees = 10 } }`, or only `"flip"` when nothing is to be said.
//!
//! Reads such a table into an externally tagged enum and gives the matching JSON schema, for every
//! registry. Knows none of the names.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, MapDeserializer, StrDeserializer};
use serde::de::{
    self, Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer,
    MapAccess, Unexpected, Visitor,
};
use serde::ser::{self, Serialize, SerializeMap, Serializer};

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
    // What stands there is about the derived type, which nobody sees.
    schema.remove("description");
    let alternatives = schema
        .get_mut("oneOf")
        .and_then(|one_of| one_of.as_array_mut());
    if let (Some(alternatives), false) = (alternatives, alone.is_empty()) {
        alternatives.push(json_schema!({ "type": "string", "enum": alone }).to_value());
    }
    schema
}

/// Writes what [`one_key`] reads: a table with one key, or only the name where there is nothing to say.
pub fn write_one_key<S, T>(serializer: S, key: &'static str, fields: &T) -> Result<S::Ok, S::Error>
where
    S: Serializer,
    T: Serialize,
{
    let fields = serde_json::to_value(fields).map_err(ser::Error::custom)?;
    if fields.as_object().is_some_and(serde_json::Map::is_empty) {
        return serializer.serialize_str(key);
    }
    let mut table = serializer.serialize_map(Some(1))?;
    table.serialize_entry(key, &fields)?;
    table.end()
}

/// Writes a table with one key, also where there is nothing to say.
pub fn write_table<S, T>(serializer: S, key: &'static str, fields: &T) -> Result<S::Ok, S::Error>
where
    S: Serializer,
    T: Serialize,
{
    let mut table = serializer.serialize_map(Some(1))?;
    table.serialize_entry(key, fields)?;
    table.end()
}

/// Declares an enum of things that a file names by one key, with their fields: its variants, `NAMES`, `key`, and how
/// it is read, written and described in the JSON schema under a name.
///
/// [`write_table`] or [`write_one_key`] writes it; the schema may be `extended by` a function.
macro_rules! one_key_enum {
    (
        $(#[$meta:meta])*
        $Enum:ident, $what:literal, $schema:literal, $write:path $(, extended by $extend:path)? {
            $($(#[doc = $doc:literal])* $key:ident: $Variant:ident($Fields:ty);)*
        }
    ) => {
        $(#[$meta])*
        pub enum $Enum {
            $($(#[doc = $doc])* $Variant($Fields),)*
        }

        impl $Enum {
            /// All keys, in the registry's order.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($key)),*];

            /// Its key in the file.
            pub fn key(&self) -> &'static str {
                match self {
                    $($Enum::$Variant(_) => stringify!($key),)*
                }
            }
        }

        const _: () = {
            /// The table alone, as serde and schemars derive it.
            #[derive(serde::Deserialize, schemars::JsonSchema)]
            #[serde(rename_all = "snake_case")]
            enum Tables {
                $($(#[doc = $doc])* $Variant($Fields),)*
            }

            impl<'de> serde::Deserialize<'de> for $Enum {
                fn deserialize<D: serde::Deserializer<'de>>(
                    deserializer: D,
                ) -> std::result::Result<Self, D::Error> {
                    Ok(match $crate::tagged::one_key(deserializer, $what)? {
                        $(Tables::$Variant(fields) => $Enum::$Variant(fields),)*
                    })
                }
            }

            impl serde::Serialize for $Enum {
                fn serialize<S: serde::Serializer>(
                    &self,
                    serializer: S,
                ) -> std::result::Result<S::Ok, S::Error> {
                    match self {
                        $($Enum::$Variant(fields) => $write(serializer, stringify!($key), fields),)*
                    }
                }
            }

            impl schemars::JsonSchema for $Enum {
                fn schema_name() -> std::borrow::Cow<'static, str> {
                    $schema.into()
                }

                fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                    let schema = $crate::tagged::one_key_schema::<Tables, $Enum>($Enum::NAMES, generator);
                    $(let schema = $extend(schema);)?
                    schema
                }
            }
        };
    };
}

pub(crate) use one_key_enum;

/// Something that a file may choose.
pub trait Choice {
    /// What errors call it, with its article: `a schedule`.
    const WHAT: &'static str;
    /// How a file writes it.
    const FORM: Form = Form::Table;
}

/// How a file writes something that it may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As a number.
    Number,
    /// As a table of its fields.
    Table,
    /// As a table with its name as the only key, or by that name alone; these are all names.
    Named(&'static [&'static str]),
}

/// A thing that may be left out: `"none"` stands for none, so that it can be switched off again where
/// another file, or another point of a grid, has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrNone<T>(pub Option<T>);

impl<T> Default for OrNone<T> {
    fn default() -> Self {
        OrNone(None)
    }
}

impl<T> OrNone<T> {
    /// Whether the file says "none".
    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// The value, unless the file says "none".
    pub fn as_ref(&self) -> Option<&T> {
        self.0.as_ref()
    }
}

impl<'de, T: Deserialize<'de> + Choice> Deserialize<'de> for OrNone<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NoneOr<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Choice> Visitor<'de> for NoneOr<T> {
            type Value = OrNone<T>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                let how = match T::FORM {
                    Form::Number => "",
                    Form::Table | Form::Named(_) => " as a table",
                };
                write!(f, "{}{how}, or \"none\"", T::WHAT)
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<OrNone<T>, E> {
                match T::FORM {
                    _ if name == "none" => Ok(OrNone(None)),
                    Form::Named(names) if names.contains(&name) => some(StrDeserializer::new(name)),
                    Form::Named(names) => Err(E::custom(format!(
                        "unknown variant `{name}`, expected one of `{}`, `none`",
                        names.join("`, `")
                    ))),
                    Form::Number | Form::Table => {
                        Err(E::invalid_value(Unexpected::Str(name), &self))
                    }
                }
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<OrNone<T>, E> {
                match T::FORM {
                    Form::Number => some(number.into_deserializer()).map_err(or_none),
                    _ => Err(E::invalid_type(Unexpected::Unsigned(number), &self)),
                }
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<OrNone<T>, E> {
                match T::FORM {
                    Form::Number => some(number.into_deserializer()).map_err(or_none),
                    _ => Err(E::invalid_type(Unexpected::Signed(number), &self)),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OrNone<T>, A::Error> {
                match T::FORM {
                    Form::Number => Err(de::Error::invalid_type(Unexpected::Map, &self)),
                    _ => some(MapAccessDeserializer::new(map)),
                }
            }
        }
        fn some<'de, T, D>(deserializer: D) -> Result<OrNone<T>, D::Error>
        where
            T: Deserialize<'de>,
            D: Deserializer<'de>,
        {
            T::deserialize(deserializer).map(|value| OrNone(Some(value)))
        }
        /// What was expected instead of a number is not all that may stand there.
        fn or_none<E: de::Error>(error: E) -> E {
            E::custom(format!("{error}, or \"none\""))
        }
        deserializer.deserialize_any(NoneOr(PhantomData))
    }
}

impl<T: Serialize> Serialize for OrNone<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            None => serializer.serialize_str("none"),
            Some(value) => value.serialize(serializer),
        }
    }
}

impl<T: JsonSchema> JsonSchema for OrNone<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}OrNone", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let thing = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [thing, { "type": "string", "enum": ["none"] }] })
    }
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
        let message = |value| read(value).unwrap_err();
        assert_eq!(
            message("3"),
            "invalid type: integer `3`, expected a trick: its name, or a table with its name as the only key"
        );
        assert_eq!(
            message("'brak'"),
            "unknown variant `brak`, expected `bark` or `bite`"
        );
        assert_eq!(
            message("{ brak = {} }"),
            "unknown variant `brak`, expected `bark` or `bite`"
        );
        assert_eq!(message("'bite'"), "missing field `whom`");
        assert_eq!(
            message("{ bark = { tims = 2 } }"),
            "unknown field `tims`, expected `times`"
        );
        assert_eq!(
            message("{}"),
            "expected a trick as the table's only key, found an empty table"
        );
        assert_eq!(
            message("{ bark = {}, bite = { whom = 'me' } }"),
            "expected a trick as the table's only key, found a second key `bite`"
        );
    }

    impl Choice for Trick {
        const WHAT: &'static str = "a trick";
        const FORM: Form = Form::Named(&["bark", "bite"]);
    }

    impl Serialize for Trick {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match &self.0 {
                Tables::Bark(fields) => write_one_key(serializer, "bark", fields),
                Tables::Bite(fields) => write_one_key(serializer, "bite", fields),
            }
        }
    }

    #[test]
    fn a_thing_that_may_be_left_out() {
        #[derive(Debug, Deserialize, Serialize)]
        struct File {
            trick: OrNone<Trick>,
        }
        let read = |value: &str| {
            toml::from_str(&format!("trick = {value}"))
                .map(|file: File| file.trick)
                .map_err(|error| error.message().to_string())
        };
        assert_eq!(read("'none'"), Ok(OrNone(None)));
        let trick = OrNone(Some(Trick(Tables::Bark(Bark { times: 2 }))));
        assert_eq!(read("{ bark = { times = 2 } }").as_ref(), Ok(&trick));
        assert_eq!(
            read("3").unwrap_err(),
            "invalid type: integer `3`, expected a trick as a table, or \"none\""
        );
        assert_eq!(
            read("'brak'").unwrap_err(),
            "unknown variant `brak`, expected one of `bark`, `bite`, `none`"
        );
        let json = |trick| serde_json::to_string(&File { trick }).unwrap();
        assert_eq!(json(trick), r#"{"trick":{"bark":{"times":2}}}"#);
        assert_eq!(json(OrNone(None)), r#"{"trick":"none"}"#);
    }

    impl Choice for Bite {
        const WHAT: &'static str = "a bite";
    }

    #[test]
    fn a_table_that_may_be_left_out() {
        let read = |json: &str| {
            let read = serde_json::from_str::<OrNone<Bite>>(json);
            read.map_err(|error| error.to_string())
        };
        let whom = "me".to_string();
        assert_eq!(read(r#"{ "whom": "me" }"#), Ok(OrNone(Some(Bite { whom }))));
        assert_eq!(read("\"none\""), Ok(OrNone(None)));
        let error = read("\"never\"").unwrap_err();
        let start = "invalid value: string \"never\", expected a bite as a table, or \"none\"";
        assert!(error.starts_with(start), "{error}");
    }

    #[test]
    fn a_number_that_may_be_left_out() {
        #[derive(Debug, PartialEq, Deserialize)]
        #[serde(transparent)]
        struct Count(u8);
        impl Choice for Count {
            const WHAT: &'static str = "a count";
            const FORM: Form = Form::Number;
        }
        let read = |json: &str| {
            serde_json::from_str::<OrNone<Count>>(json).map_err(|error| error.to_string())
        };
        assert_eq!(read("7"), Ok(OrNone(Some(Count(7)))));
        assert_eq!(read("\"none\""), Ok(OrNone(None)));
        let error = read("-1").unwrap_err();
        assert!(error.starts_with("invalid value: integer `-1`, expected u8, or \"none\""));
        let error = read("\"nine\"").unwrap_err();
        assert!(error.starts_with("invalid value: string \"nine\", expected a count, or \"none\""));
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
