//! The `[data]` table as an experiment writes it.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Unexpected, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::dataset::Dataset;
use super::fake::Fake;
use super::folder::FolderFields;
use super::generated::Generated;
use super::idx::IdxFields;
use super::image_form::{Bits, ImageForm};
use super::registry;
use super::scale::Scale;
use crate::error::{Flaw, did_you_mean, list};
use crate::tagged::OrNone;

/// Which images are used, and for what.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataFields {
    /// A dataset's name, or `{ idx = "DIR" }`, or `{ folder = "DIR" }` (or a table with `path`, `size` and more in the
    /// place of "DIR"), or `{ fake = {} }`.
    pub dataset: DatasetSpec,
    /// Training images: "all", the number of first ones, or `{ count = N, pick = "stratified" }`; picked from
    /// what validation leaves.
    #[serde(default)]
    pub train: Subset,
    /// Validation images: a count, taken from the end of the training set, or a fraction, taken from the end of
    /// each of its classes.
    #[serde(default)]
    pub validation: Validation,
    /// Classes to keep, of all parts, by ids or names; they are numbered anew from 0 in this order. Or "all".
    /// Of a folder whose classes are called by numbers, a number is a name.
    #[serde(default)]
    pub classes: Classes,
    /// Classes that training and validation keep of those; the test set keeps all of them. Or "all".
    #[serde(default, skip_serializing_if = "Classes::is_all")]
    pub train_classes: Classes,
    /// What pixel values become before an image meets the network: what black and white are, as [low, high]; or "standardize",
    /// so that each channel has a mean of 0 and a standard deviation of 1 over the images that are trained on; or these
    /// moments, as { mean = 0.5, standard_deviation = 0.25 }, with a list for channel by channel.
    #[serde(default)]
    pub scale: Scale,
    /// Images that trained models generate, beside the real ones. Default "none".
    #[serde(default, skip_serializing_if = "OrNone::is_none")]
    pub generated: OrNone<Generated>,
}

impl DataFields {
    /// A dataset with everything else as it is by default.
    pub fn new(dataset: DatasetSpec) -> Self {
        DataFields {
            dataset,
            train: Subset::default(),
            validation: Validation::default(),
            classes: Classes::default(),
            train_classes: Classes::default(),
            scale: Scale::default(),
            generated: OrNone::default(),
        }
    }

    /// Whether the images that the dataset itself keeps for validation are used: the table takes none of training.
    pub fn has_own_validation(&self) -> bool {
        self.validation == Validation::default()
    }

    /// The ids of the chosen ones of the dataset's `classes` classes, in the order of their labels.
    pub fn ids(&self, classes: usize) -> Vec<usize> {
        match &self.classes {
            Classes::All => (0..classes).collect(),
            Classes::Only(ids) => ids.clone(),
            Classes::Named(_) => Vec::new(),
        }
    }

    /// Labels that training and validation keep of `classes` classes, ascending.
    pub fn trained(&self, classes: usize) -> Vec<u32> {
        let kept = |id: usize| match &self.train_classes {
            Classes::All => true,
            Classes::Only(ids) => ids.contains(&id),
            Classes::Named(_) => false,
        };
        let ids = self.ids(classes).into_iter().zip(0..);
        ids.filter(|(id, _)| kept(*id))
            .map(|(_, label)| label)
            .collect()
    }
}

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
    /// else every fifth image of each class (or the last of fewer), in the order of names, is for testing. Samples
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

/// How a subset's samples are chosen; they stay in file order whatever the choice.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Pick {
    /// The first ones of the file.
    #[default]
    First,
    /// The first ones of each class, equally many of each; what does not divide evenly goes to the lowest
    /// classes.
    Stratified,
    /// By the run's seed.
    Random,
}

/// Which samples to train on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Subset {
    /// All training images.
    #[default]
    All,
    /// Some of them.
    Of {
        /// Their number.
        count: usize,
        /// Which ones.
        pick: Pick,
    },
}

impl<'de> Deserialize<'de> for Subset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            count: usize,
            #[serde(default)]
            pick: Pick,
        }
        struct AllOrSome;
        impl<'de> Visitor<'de> for AllOrSome {
            type Value = Subset;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("\"all\", a count, or { count = N, pick = \"stratified\" }")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Subset, E> {
                match text {
                    "all" => Ok(Subset::All),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Subset, E> {
                let count = whole(number)
                    .ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))?;
                Ok(Subset::Of {
                    count,
                    pick: Pick::First,
                })
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Subset, E> {
                match u64::try_from(number) {
                    Ok(number) => self.visit_u64(number),
                    Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Subset, A::Error> {
                let Table { count, pick } =
                    Table::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Subset::Of { count, pick })
            }
        }
        deserializer.deserialize_any(AllOrSome)
    }
}

impl Serialize for Subset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Subset::All => serializer.serialize_str("all"),
            Subset::Of {
                count,
                pick: Pick::First,
            } => serializer.serialize_u64(*count as u64),
            Subset::Of { count, pick } => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("count", count)?;
                map.serialize_entry("pick", pick)?;
                map.end()
            }
        }
    }
}

impl JsonSchema for Subset {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Subset".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "string", "enum": ["all"] },
            { "type": "integer", "minimum": 1 },
            {
                "type": "object",
                "properties": {
                    "count": { "type": "integer", "minimum": 1 },
                    "pick": generator.subschema_for::<Pick>()
                },
                "required": ["count"],
                "additionalProperties": false
            }
        ] })
    }
}

/// How many samples of the training set are kept for validation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Validation {
    /// The last ones.
    Count(usize),
    /// Above 0 and below 1; of the training set after classes are chosen, rounded to the nearest: the last
    /// ones of each class, in proportion.
    Fraction(f64),
}

impl Default for Validation {
    fn default() -> Self {
        Validation::Count(0)
    }
}

impl Validation {
    /// Number taken of `samples` samples.
    pub fn of(self, samples: usize) -> usize {
        match self {
            Validation::Count(count) => count,
            Validation::Fraction(fraction) => (samples as f64 * fraction).round() as usize,
        }
    }
}

impl<'de> Deserialize<'de> for Validation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CountOrFraction;
        impl Visitor<'_> for CountOrFraction {
            type Value = Validation;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a count, or a fraction below 1")
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Validation, E> {
                whole(number)
                    .map(Validation::Count)
                    .ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Validation, E> {
                match u64::try_from(number) {
                    Ok(number) => self.visit_u64(number),
                    Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
                }
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Validation, E> {
                if number == 0.0 {
                    Ok(Validation::Count(0))
                } else if number > 0.0 && number < 1.0 {
                    Ok(Validation::Fraction(number))
                } else {
                    Err(E::invalid_value(Unexpected::Float(number), &self))
                }
            }
        }
        deserializer.deserialize_any(CountOrFraction)
    }
}

impl Serialize for Validation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Validation::Count(count) => serializer.serialize_u64(*count as u64),
            Validation::Fraction(fraction) => serializer.serialize_f64(*fraction),
        }
    }
}

impl JsonSchema for Validation {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Validation".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "number", "minimum": 0, "exclusiveMaximum": 1 }
        ] })
    }
}

/// Which classes to keep.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum Classes {
    /// All classes.
    #[default]
    All,
    /// Ids in the dataset; an id's place here is its label.
    Only(Vec<usize>),
    /// As the file has them, until the names are looked up.
    Named(Vec<Class>),
}

/// A class in a list that has names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum Class {
    Id(usize),
    Name(String),
}

impl Classes {
    /// Whether no class is left out.
    pub fn is_all(&self) -> bool {
        *self == Classes::All
    }

    /// Puts ids in the place of names; of folders that are called by numbers, a number is a name. Flaws of
    /// names that there are not; ids are left to be checked.
    pub(super) fn look_up(
        &mut self,
        key: &str,
        dataset: &str,
        names: &[String],
        is_folder: bool,
    ) -> Vec<Flaw> {
        let listed: Vec<Class> = match self {
            Classes::All => return Vec::new(),
            Classes::Only(ids) => ids.iter().copied().map(Class::Id).collect(),
            Classes::Named(listed) => listed.clone(),
        };
        let numbers: Vec<Option<usize>> = names.iter().map(|name| name.parse().ok()).collect();
        let are_numbers = is_folder && numbers.iter().all(Option::is_some);
        let (mut ids, mut flaws) = (Vec::new(), Vec::new());
        for (at, class) in listed.into_iter().enumerate() {
            let found = match &class {
                Class::Name(name) => names.iter().position(|known| known == name),
                Class::Id(number) if are_numbers => {
                    numbers.iter().position(|known| *known == Some(*number))
                }
                Class::Id(id) => Some(*id),
            };
            match (found, class) {
                (Some(id), _) => ids.push(id),
                (None, Class::Id(number)) => {
                    let message = format!("`{dataset}` has no class `{number}`");
                    let hint = format!("its classes are {}", list(names));
                    flaws.push(Flaw::new(format!("{key}.{at}"), message).hint(hint));
                }
                (None, Class::Name(name)) => {
                    let message = format!("`{dataset}` has no class `{name}`");
                    let flaw = Flaw::new(format!("{key}.{at}"), message);
                    flaws.push(flaw.maybe_hint(did_you_mean(&name, names)));
                }
            }
        }
        if flaws.is_empty() {
            *self = Classes::Only(ids);
        }
        flaws
    }
}

impl<'de> Deserialize<'de> for Classes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AllOrIds;
        impl<'de> Visitor<'de> for AllOrIds {
            type Value = Classes;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("\"all\", or class ids as [0, 1, 7], or names")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Classes, E> {
                match text {
                    "all" => Ok(Classes::All),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut ids: A) -> Result<Classes, A::Error> {
                let mut found = Vec::new();
                while let Some(class) = ids.next_element::<Class>()? {
                    found.push(class);
                }
                if found.is_empty() {
                    return Err(de::Error::invalid_length(0, &self));
                }
                let id = |class: &Class| match class {
                    Class::Id(id) => Some(*id),
                    Class::Name(_) => None,
                };
                let ids: Option<Vec<usize>> = found.iter().map(id).collect();
                Ok(ids.map_or(Classes::Named(found), Classes::Only))
            }
        }
        deserializer.deserialize_any(AllOrIds)
    }
}

impl Serialize for Classes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Classes::All => serializer.serialize_str("all"),
            Classes::Only(ids) => ids.serialize(serializer),
            Classes::Named(classes) => classes.serialize(serializer),
        }
    }
}

impl JsonSchema for Classes {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Classes".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "string", "enum": ["all"] },
            {
                "type": "array",
                "items": { "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string" }] },
                "minItems": 1,
                "uniqueItems": true
            }
        ] })
    }
}

fn whole(number: u64) -> Option<usize> {
    usize::try_from(number)
        .ok()
        .filter(|&number| number <= u32::MAX as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<DataFields, String> {
        toml::from_str(text).map_err(|error| error.message().to_string())
    }

    #[test]
    fn a_dataset_alone_is_enough_and_says_the_rest_when_written() {
        let fields = read("dataset = 'mnist'").unwrap();
        assert_eq!(fields, DataFields::new(fields.dataset.clone()));
        assert_eq!(
            serde_json::to_string(&fields).unwrap(),
            r#"{"dataset":"mnist","train":"all","validation":0,"classes":"all","scale":[0.0,1.0]}"#
        );
    }

    #[test]
    fn every_form_of_every_key_goes_round() {
        for text in [
            "dataset = 'cifar-10'\ntrain = 1000\nvalidation = 0.25\nclasses = [7, 0]\nscale = [-1, 1]",
            "dataset = { idx = 'x' }\ntrain = { count = 10, pick = 'stratified' }\nvalidation = 5",
            "dataset = { fake = { shape = [1, 8, 8], classes = 3 } }\nvalidation = 16",
            "dataset = { folder = 'x' }\ntrain = { count = 10, pick = 'random' }\nvalidation = 0.0",
            "dataset = 'mnist'\ntrain_classes = [0]\ngenerated = { run = { variant = 'a' }, count = 5 }",
        ] {
            let fields = read(text).unwrap();
            let json = serde_json::to_string(&fields).unwrap();
            assert_eq!(serde_json::from_str::<DataFields>(&json).unwrap(), fields);
        }
        let first = read("dataset = 'mnist'\ntrain = { count = 10 }").unwrap();
        assert_eq!(first, read("dataset = 'mnist'\ntrain = 10").unwrap());
    }

    #[test]
    fn wrong_values_say_what_is_expected() {
        let wrong = |text: &str| read(text).unwrap_err();
        assert_eq!(
            wrong("dataset = 'minst'"),
            "unknown variant `minst`, expected one of `mnist`, `fashion-mnist`, `kmnist`, `qmnist`, \
             `emnist-balanced`, `emnist-byclass`, `emnist-bymerge`, `emnist-letters`, `emnist-digits`, \
             `emnist-mnist`, `cifar-10`"
        );
        assert_eq!(
            wrong("dataset = { dir = 'x' }"),
            "unknown variant `dir`, expected one of `idx`, `folder`, `fake`"
        );
        assert_eq!(
            wrong("dataset = 3"),
            "invalid type: integer `3`, expected a dataset's name, \
             { idx = \"DIR\" }, { folder = \"DIR\" } or { fake = {} }"
        );
        assert_eq!(
            wrong("dataset = 'mnist'\ntrain = 'most'"),
            "invalid value: string \"most\", expected \"all\", a count, or { count = N, pick = \"stratified\" }"
        );
        assert_eq!(
            wrong("dataset = 'mnist'\ntrain = { count = 3, pick = 'best' }"),
            "unknown variant `best`, expected one of `first`, `stratified`, `random`"
        );
        assert_eq!(
            wrong("dataset = 'mnist'\ntrain = { count = 3, pik = 'first' }"),
            "unknown field `pik`, expected `count` or `pick`"
        );
        assert_eq!(
            wrong("dataset = 'mnist'\nvalidation = 1.5"),
            "invalid value: floating point `1.5`, expected a count, or a fraction below 1"
        );
        assert_eq!(
            wrong("dataset = 'mnist'\nclasses = []"),
            "invalid length 0, expected \"all\", or class ids as [0, 1, 7], or names"
        );
    }

    #[test]
    fn the_schema_names_the_datasets() {
        let schema = schemars::schema_for!(DataFields);
        let text = serde_json::to_string(&schema).unwrap();
        assert!(
            text.contains(&serde_json::to_string(registry::NAMES).unwrap()),
            "{text}"
        );
    }

    #[test]
    fn classes_to_train_on_keep_the_labels_of_all() {
        let fields =
            read("dataset = 'mnist'\nclasses = [7, 3, 1]\ntrain_classes = [1, 7]").unwrap();
        assert_eq!(fields.ids(3), [7, 3, 1]);
        assert_eq!(fields.trained(3), [0, 2]);
        let all = read("dataset = 'mnist'").unwrap();
        assert_eq!(all.trained(3), [0, 1, 2]);
        let one = read("dataset = 'mnist'\ntrain_classes = [4]").unwrap();
        assert_eq!(one.trained(10), [4]);
    }
}
