//! A folder of IDX files as an experiment writes it: its path, or a table of that and the set that is meant.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

/// A folder of IDX files.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdxFields {
    /// The folder.
    pub path: PathBuf,
    /// Which of several sets in it.
    pub split: Option<String>,
}

impl IdxFields {
    /// A folder of one set.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        IdxFields {
            path: path.into(),
            split: None,
        }
    }

    /// Whether its path says it all.
    pub fn is_path(&self) -> bool {
        self.split.is_none()
    }
}

/// The table.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The folder, named from the experiment's file; `~` is your home.
    path: PathBuf,
    /// Which of several sets in it: "letters" for `emnist-letters-train-images-idx3-ubyte` and its like. Default: the
    /// only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    split: Option<String>,
}

impl<'de> Deserialize<'de> for IdxFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathOrTable;
        impl<'de> Visitor<'de> for PathOrTable {
            type Value = IdxFields;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a folder's path, or { path = \"DIR\", split = \"letters\" }")
            }
            fn visit_str<E: de::Error>(self, path: &str) -> Result<IdxFields, E> {
                Ok(IdxFields::at(path))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<IdxFields, A::Error> {
                let Table { path, split } = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(IdxFields { path, split })
            }
        }
        deserializer.deserialize_any(PathOrTable)
    }
}

impl Serialize for IdxFields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.split {
            None => self.path.serialize(serializer),
            Some(split) => Table {
                path: self.path.clone(),
                split: Some(split.clone()),
            }
            .serialize(serializer),
        }
    }
}

impl JsonSchema for IdxFields {
    fn schema_name() -> Cow<'static, str> {
        "Idx".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, Table::json_schema(generator)] })
    }
}
