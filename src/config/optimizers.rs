//! How the weights are changed: by one optimizer, or by one for each part of a model.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use burn::module::AutodiffModule;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::backend::TrainingBackend;
use crate::error::{Flaw, list};
use crate::models::Kind;
use crate::optim::{DynOptimizer, OptimizerSpec};

/// One optimizer, or one for each part of a model whose parts are changed in turn.
#[derive(Debug, Clone, PartialEq)]
pub enum Optimizers {
    /// For all weights.
    One(OptimizerSpec),
    /// For those of each part, by its name.
    Parts(BTreeMap<String, OptimizerSpec>),
}

/// The parts that may have an optimizer of their own.
pub(super) fn parts() -> impl Iterator<Item = &'static str> {
    let in_turn = Kind::ALL.iter().filter(|kind| kind.takes_turns());
    in_turn.flat_map(|kind| kind.lists()).copied()
}

/// What the table's first key may be.
static KEYS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let names = OptimizerSpec::NAMES.iter().copied();
    names.chain(parts()).collect()
});

impl Optimizers {
    /// Those of a kind of model: one, or as many as it has parts, in their order.
    pub fn of(&self, kind: Kind) -> Vec<&OptimizerSpec> {
        match self {
            Optimizers::One(one) => vec![one],
            Optimizers::Parts(parts) => {
                let names = kind.lists().iter();
                names.filter_map(|name| parts.get(*name)).collect()
            }
        }
    }

    /// They before their first step, in the order of [`of`](Self::of).
    pub fn build<B, M>(&self, kind: Kind) -> Vec<Box<dyn DynOptimizer<B, M>>>
    where
        B: TrainingBackend,
        M: AutodiffModule<B> + 'static,
    {
        self.of(kind)
            .into_iter()
            .map(OptimizerSpec::build)
            .collect()
    }

    /// Numbers that are remembered of each weight from step to step, at most.
    pub fn numbers_a_weight(&self) -> usize {
        let numbers = |spec: &OptimizerSpec| spec.numbers_a_weight();
        match self {
            Optimizers::One(one) => numbers(one),
            Optimizers::Parts(parts) => parts.values().map(numbers).max().unwrap_or(0),
        }
    }

    /// What is wrong with them for a kind of model; keys are such as `sgd.nesterov` and `generator.adam`.
    pub fn check(&self, kind: Kind) -> Vec<Flaw> {
        let parts = match self {
            Optimizers::One(one) => return one.check(),
            Optimizers::Parts(parts) => parts,
        };
        if !kind.takes_turns() {
            let names: Vec<&String> = parts.keys().collect();
            let message = format!("{} has no {}", kind.called(), list(&names));
            let flaw = Flaw::new("", message);
            return vec![flaw.hint(
                "one optimizer for all weights: optimizer = { adam = { learning_rate = 1e-3 } }",
            )];
        }
        let of_parts = parts.iter().flat_map(|(name, spec)| {
            let flaws = spec.check().into_iter();
            flaws.map(move |flaw| flaw.under(name))
        });
        let missing = kind
            .lists()
            .iter()
            .filter(|name| !parts.contains_key(**name));
        let missing = missing.map(|name| {
            let flaw = Flaw::new("", format!("the {name} has no optimizer"));
            flaw.hint("one for each part, or one for all weights")
        });
        of_parts.chain(missing).collect()
    }
}

impl<'de> Deserialize<'de> for Optimizers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrParts)
    }
}

struct OneOrParts;

impl<'de> Visitor<'de> for OneOrParts {
    type Value = Optimizers;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an optimizer: its name, or a table with its name as the only key")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Optimizers, E> {
        OptimizerSpec::deserialize(StrDeserializer::new(name)).map(Optimizers::One)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Optimizers, A::Error> {
        let first = map.next_key_seed(Known(&KEYS))?;
        let Some(part) = first.filter(|key| !OptimizerSpec::NAMES.contains(key)) else {
            let one = MapAccessDeserializer::new(Begun { first, map });
            return OptimizerSpec::deserialize(one).map(Optimizers::One);
        };
        let mut read = BTreeMap::from([(part.to_string(), map.next_value()?)]);
        let names: Vec<&'static str> = parts().collect();
        while let Some(part) = map.next_key_seed(Known(&names))? {
            read.insert(part.to_string(), map.next_value()?);
        }
        Ok(Optimizers::Parts(read))
    }
}

/// One of these keys.
struct Known<'a>(&'a [&'static str]);

impl<'de> DeserializeSeed<'de> for Known<'_> {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'static str, D::Error> {
        let key = String::deserialize(deserializer)?;
        let known = self.0.iter().find(|known| **known == key);
        // serde's own sentence, whose names need not be there for ever.
        known.copied().ok_or_else(|| {
            let names: Vec<String> = self.0.iter().map(|name| format!("`{name}`")).collect();
            let names = names.join(", ");
            de::Error::custom(format!("unknown variant `{key}`, expected one of {names}"))
        })
    }
}

/// A table whose first key is read already.
struct Begun<A> {
    first: Option<&'static str>,
    map: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Begun<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        match self.first.take() {
            Some(key) => seed.deserialize(StrDeserializer::new(key)).map(Some),
            None => self.map.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

impl Serialize for Optimizers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Optimizers::One(one) => one.serialize(serializer),
            Optimizers::Parts(parts) => parts.serialize(serializer),
        }
    }
}

impl JsonSchema for Optimizers {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Optimizers".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<OptimizerSpec>();
        let of_part = |name: &str| (name.to_string(), one.clone().to_value());
        let properties: Map<String, Value> = parts().map(of_part).collect();
        json_schema!({ "anyOf": [one, {
            "type": "object",
            "description": "One for each part of a GAN.",
            "additionalProperties": false,
            "properties": properties,
        }] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Optimizers, String> {
        let read = serde_json::from_str(&json.replace('\'', "\""));
        read.map_err(|error| {
            let message = error.to_string();
            message
                .split(" at line")
                .next()
                .unwrap_or_default()
                .to_string()
        })
    }

    #[test]
    fn one_for_all_weights_or_one_for_each_part() {
        let adam: OptimizerSpec = serde_json::from_str(r#""adam""#).unwrap();
        let sgd: OptimizerSpec = serde_json::from_str(r#""sgd""#).unwrap();
        assert_eq!(read("'adam'"), Ok(Optimizers::One(adam)));
        assert_eq!(read("{'adam': {}}"), Ok(Optimizers::One(adam)));
        let both = read("{'discriminator': 'sgd', 'generator': {'adam': {}}}").unwrap();
        assert_eq!(both.of(Kind::Gan), [&adam, &sgd]);
        assert_eq!(both.check(Kind::Gan), []);
        let json = serde_json::to_string(&both).unwrap();
        assert_eq!(serde_json::from_str::<Optimizers>(&json).unwrap(), both);
    }

    #[test]
    fn errors_say_what_was_expected() {
        let message = |json: &str| read(json).unwrap_err();
        assert_eq!(
            message("{'adm': {}}"),
            "unknown variant `adm`, expected one of `adam`, `adamw`, `sgd`, `rmsprop`, `adagrad`, `generator`, `discriminator`"
        );
        assert_eq!(
            message("{'generator': 'adam', 'sgd': {}}"),
            "unknown variant `sgd`, expected one of `generator`, `discriminator`"
        );
        assert_eq!(
            message("{'adam': {}, 'generator': 'adam'}"),
            "expected an optimizer as the table's only key, found a second key `generator`"
        );
        assert_eq!(
            message("{}"),
            "expected an optimizer as the table's only key, found an empty table"
        );
        assert_eq!(
            message("{'generator': {'adam': {'learning_rate': 0}}}"),
            "invalid value: floating point `0.0`, expected a number above 0"
        );
    }

    #[test]
    fn parts_are_those_of_the_model() {
        let messages = |json: &str, kind| -> Vec<String> {
            let flaws = read(json).unwrap().check(kind).into_iter();
            flaws
                .map(|flaw| format!("{}: {}", flaw.key, flaw.message))
                .collect()
        };
        let half = "{'generator': 'adam'}";
        assert_eq!(
            messages(half, Kind::Gan),
            [": the discriminator has no optimizer"]
        );
        assert_eq!(
            messages(half, Kind::Classifier),
            [": a classifier has no `generator`"]
        );
        let wrong = "{'generator': {'sgd': {'nesterov': true}}, 'discriminator': 'adam'}";
        assert!(messages(wrong, Kind::Gan)[0].starts_with("generator.sgd.nesterov: "));
    }
}
