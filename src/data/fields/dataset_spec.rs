//! `data.dataset`: a name, or a folder in a known format, or made-up images.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::data::dataset::Dataset;
use crate::data::fake::Fake;
use crate::data::folder::FolderFields;
use crate::data::idx::IdxFields;
use crate::data::image_form::{Bits, ImageForm};
use crate::data::registry;

/// Where the images come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DatasetSpec {
    /// One of those known by name.
    Named(&'static Dataset),
    /// A folder with files named as MNIST's, EMNIST's or QMNIST's.
    Idx(IdxFields),
    /// A folder of images, mostly with one folder for each class.
    ///
    /// `train`, `valid` and `test` (or as people call them) lie above the class folders if they are there;
    /// else a share of each class, evenly in the order of names, is for testing: every fifth image unless said. Samples
    /// are ordered so that the classes mix evenly.
    Folder(FolderFields),
    /// Random images, for tests and for trying out networks.
    Fake(Fake),
}

impl DatasetSpec {
    /// The same with another number of bits that values of 16 bits use, if it is a folder of images.
    pub fn with_bits(mut self, bits: Option<Bits>) -> Self {
        if let DatasetSpec::Folder(fields) = &mut self {
            fields.form.bits = bits;
        }
        self
    }

    /// What is made of every image that is read from a file.
    pub fn form(&self) -> ImageForm {
        match self {
            DatasetSpec::Folder(fields) => fields.form.clone(),
            DatasetSpec::Named(_) | DatasetSpec::Idx(_) | DatasetSpec::Fake(_) => {
                ImageForm::default()
            }
        }
    }
}

impl fmt::Display for DatasetSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DatasetSpec::Named(dataset) => f.write_str(dataset.name),
            DatasetSpec::Idx(fields) => fields.path.display().fmt(f),
            DatasetSpec::Folder(fields) => fields.path.display().fmt(f),
            DatasetSpec::Fake(_) => f.write_str("fake"),
        }
    }
}

impl<'de> Deserialize<'de> for DatasetSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrFolder;
        impl<'de> Visitor<'de> for NameOrFolder {
            type Value = DatasetSpec;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str(
                    "a dataset's name, { idx = \"DIR\" }, { folder = \"DIR\" } or { fake = {} }",
                )
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<DatasetSpec, E> {
                registry::DATASETS
                    .into_iter()
                    .find(|dataset| dataset.name == name)
                    .map(DatasetSpec::Named)
                    .ok_or_else(|| E::unknown_variant(name, registry::NAMES))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DatasetSpec, A::Error> {
                let Some(key) = map.next_key::<String>()? else {
                    return Err(de::Error::invalid_length(0, &self));
                };
                let spec = match key.as_str() {
                    "idx" => DatasetSpec::Idx(map.next_value()?),
                    "folder" => DatasetSpec::Folder(map.next_value()?),
                    "fake" => {
                        let fake: Fake = map.next_value()?;
                        fake.check().map_err(de::Error::custom)?;
                        DatasetSpec::Fake(fake)
                    }
                    other => {
                        let known = &["idx", "folder", "fake"];
                        return Err(de::Error::unknown_variant(other, known));
                    }
                };
                match map.next_key::<String>()? {
                    None => Ok(spec),
                    Some(_) => Err(de::Error::invalid_length(2, &self)),
                }
            }
        }
        deserializer.deserialize_any(NameOrFolder)
    }
}

impl Serialize for DatasetSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let DatasetSpec::Named(dataset) = self {
            return serializer.serialize_str(dataset.name);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            DatasetSpec::Named(_) => {}
            DatasetSpec::Idx(folder) => map.serialize_entry("idx", folder)?,
            DatasetSpec::Folder(folder) => map.serialize_entry("folder", folder)?,
            DatasetSpec::Fake(fake) => map.serialize_entry("fake", fake)?,
        }
        map.end()
    }
}

impl JsonSchema for DatasetSpec {
    fn schema_name() -> Cow<'static, str> {
        "Dataset".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "string", "enum": registry::NAMES },
            {
                "type": "object",
                "description": "A folder with files named as MNIST's, EMNIST's or QMNIST's: its path, or a table with its path and the set.",
                "properties": { "idx": generator.subschema_for::<IdxFields>() },
                "required": ["idx"],
                "additionalProperties": false
            },
            {
                "type": "object",
                "description": "A folder of images: its path, or a table with its path and what is made of the images.",
                "properties": { "folder": generator.subschema_for::<FolderFields>() },
                "required": ["folder"],
                "additionalProperties": false
            },
            {
                "type": "object",
                "properties": { "fake": generator.subschema_for::<Fake>() },
                "required": ["fake"],
                "additionalProperties": false
            }
        ] })
    }
}
