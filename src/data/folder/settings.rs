//! A folder of images as an experiment writes it: its path, or a table of more.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::data::image_form::{Background, Bits, Channels, Filter, Fit, ImageForm};
use crate::value::{Axes, Between, Pair, Positive};

/// A folder of images, and what is made of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FolderFields {
    /// The folder.
    pub path: PathBuf,
    /// Where the images' classes are told.
    pub labels: LabelSource,
    /// What share of each class is for testing where nothing says which images are; a fifth where this is not said.
    pub test: Option<Between>,
    /// What is made of every image.
    pub form: ImageForm,
}

/// Where the classes of images are told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum LabelSource {
    /// By the folders that they lie in; where there are only images, they have none.
    #[default]
    Folders,
    /// Nowhere: all images below the folder, or below its parts, are taken.
    None,
    /// By a file of comma-separated values, named from the folder.
    Csv(PathBuf),
}

impl FolderFields {
    /// A folder with everything else as it is by default.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        FolderFields {
            path: path.into(),
            labels: LabelSource::default(),
            test: None,
            form: ImageForm::default(),
        }
    }

    /// Whether its path says it all.
    pub fn is_path(&self) -> bool {
        *self == FolderFields::at(&self.path)
    }
}

/// The table of a folder.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The folder, named from the experiment's file; `~` is your home.
    path: PathBuf,
    /// "folders" (default): a folder a class, below `train`, `valid` and `test` if they are there; where there are
    /// only images, they have no class. "none": all images below the folder, or below these parts, without classes.
    /// Or a file of comma-separated values, named from the folder: its columns `file` and `label`, or its only two,
    /// and `split` (train, validation or test) if there is one.
    #[serde(default, skip_serializing_if = "is_default")]
    labels: LabelSource,
    /// What share of each class is for testing, evenly in the order of names, at least an image; for a folder without `test`
    /// or `valid` in it, and without a column `split`. Default 0.2: every fifth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    test: Option<Between>,
    /// Pixels: one number for a square, or [height, width]. Default: as the files have them, all of one size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<Pair>,
    /// What becomes of proportions: "stretch" (default) gives them up, "crop" covers the size and cuts off what
    /// reaches beyond it, "pad" fits the image into it on the background.
    #[serde(default, skip_serializing_if = "is_default")]
    fit: Fit,
    /// How a size is changed: "nearest", "bilinear" (default), "bicubic" or "lanczos"; all but the first are
    /// antialiased.
    #[serde(default, skip_serializing_if = "is_default")]
    filter: Filter,
    /// "gray" or "rgb". Default: as the files have them, all alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channels: Option<Channels>,
    /// What is behind what is transparent, and around what is padded: a number from 0 to 1, or three as
    /// [red, green, blue]. Default 0, black.
    #[serde(default, skip_serializing_if = "is_default")]
    background: Background,
    /// How many of 16 bits a value has, from 8 to 16. Default: the least of 8, 10, 12, 14 and 16 that holds the
    /// largest value of all images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bits: Option<Bits>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl From<Table> for FolderFields {
    fn from(table: Table) -> Self {
        FolderFields {
            path: table.path,
            labels: table.labels,
            test: table.test,
            form: ImageForm {
                size: table.size.map(Pair::get),
                fit: table.fit,
                filter: table.filter,
                channels: table.channels,
                background: table.background,
                bits: table.bits,
            },
        }
    }
}

impl<'de> Deserialize<'de> for FolderFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathOrTable;
        impl<'de> Visitor<'de> for PathOrTable {
            type Value = FolderFields;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a folder's path, or { path = \"DIR\", size = 64, channels = \"rgb\" }")
            }
            fn visit_str<E: de::Error>(self, path: &str) -> Result<FolderFields, E> {
                Ok(FolderFields::at(path))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FolderFields, A::Error> {
                Table::deserialize(MapAccessDeserializer::new(map)).map(FolderFields::from)
            }
        }
        deserializer.deserialize_any(PathOrTable)
    }
}

impl Serialize for FolderFields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_path() {
            return self.path.serialize(serializer);
        }
        let size = |size: [usize; 2]| Axes(size.map(Positive));
        Table {
            path: self.path.clone(),
            labels: self.labels.clone(),
            test: self.test,
            size: self.form.size.map(size),
            fit: self.form.fit,
            filter: self.form.filter,
            channels: self.form.channels,
            background: self.form.background,
            bits: self.form.bits,
        }
        .serialize(serializer)
    }
}

impl JsonSchema for FolderFields {
    fn schema_name() -> Cow<'static, str> {
        "Folder".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, Table::json_schema(generator)] })
    }
}

impl<'de> Deserialize<'de> for LabelSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(match text.as_str() {
            "folders" => LabelSource::Folders,
            "none" => LabelSource::None,
            path if path.to_lowercase().ends_with(".csv") => LabelSource::Csv(path.into()),
            other => {
                let expected = "\"folders\", \"none\" or a file that ends in .csv";
                return Err(de::Error::invalid_value(
                    de::Unexpected::Str(other),
                    &expected,
                ));
            }
        })
    }
}

impl Serialize for LabelSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            LabelSource::Folders => serializer.serialize_str("folders"),
            LabelSource::None => serializer.serialize_str("none"),
            LabelSource::Csv(path) => path.serialize(serializer),
        }
    }
}

impl JsonSchema for LabelSource {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "LabelSource".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "string", "enum": ["folders", "none"] },
            { "type": "string", "pattern": "\\.[cC][sS][vV]$" }
        ] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<FolderFields, String> {
        #[derive(Deserialize)]
        struct File {
            folder: FolderFields,
        }
        toml::from_str(&format!("folder = {value}"))
            .map(|file: File| file.folder)
            .map_err(|error| error.message().to_string())
    }

    #[test]
    fn a_path_and_a_table_go_round() {
        let json = |fields: &FolderFields| serde_json::to_string(fields).unwrap();
        assert_eq!(json(&read("'pets'").unwrap()), r#""pets""#);
        assert_eq!(json(&read("{ path = 'pets' }").unwrap()), r#""pets""#);
        let all = "{ path = 'pets', labels = 'a.csv', test = 0.1, size = [32, 48], fit = 'pad', filter = 'lanczos', \
                   channels = 'gray', background = [1, 0.5, 0], bits = 12 }";
        let fields = read(all).unwrap();
        assert_eq!(
            json(&fields),
            r#"{"path":"pets","labels":"a.csv","test":0.1,"size":[32,48],"fit":"pad","filter":"lanczos","channels":"gray","background":[1.0,0.5,0.0],"bits":12}"#
        );
        assert_eq!(
            serde_json::from_str::<FolderFields>(&json(&fields)).unwrap(),
            fields
        );
        assert_eq!(fields.form.size, Some([32, 48]));
    }

    #[test]
    fn mistakes_say_what_is_expected() {
        let wrong = |text: &str| read(text).unwrap_err();
        assert_eq!(
            wrong("3"),
            "invalid type: integer `3`, expected a folder's path, or { path = \"DIR\", size = 64, channels = \"rgb\" }"
        );
        assert_eq!(wrong("{ size = 64 }"), "missing field `path`");
        assert_eq!(
            wrong("{ path = 'x', sise = 64 }"),
            "unknown field `sise`, expected one of `path`, `labels`, `test`, `size`, `fit`, `filter`, `channels`, \
             `background`, `bits`"
        );
        assert_eq!(
            wrong("{ path = 'x', background = 2 }"),
            "invalid value: floating point `2.0`, expected a number from 0 (black) to 1 (white), or three as \
             [red, green, blue]"
        );
        assert_eq!(
            wrong("{ path = 'x', bits = 7 }"),
            "expected a number of bits from 8 to 16, received 7"
        );
        assert_eq!(
            wrong("{ path = 'x', labels = 'folder' }"),
            "invalid value: string \"folder\", expected \"folders\", \"none\" or a file that ends in .csv"
        );
    }
}
