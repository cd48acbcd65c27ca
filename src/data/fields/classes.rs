//! `data.classes` and `data.train_classes`: which classes are kept.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::error::{Flaw, did_you_mean, list};

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
#[serde(untagged, expecting = "expected a class's number from 0, or its name")]
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
    pub(in crate::data) fn look_up(
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
