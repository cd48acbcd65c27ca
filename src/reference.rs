//! What PyTorch makes of small networks, losses and optimizers: the answers that those are held to.
//!
//! The cases and their answers are committed; the script beside them makes the answers anew. Knows how
//! they are kept and what must have a case, and nothing of the things compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::{Path, PathBuf};

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use burn_store::{ModuleStore, SafetensorsStore};
use schemars::Schema;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use toml::Value;

use crate::backend::testing::tolerance_factor;

/// Fields without a say in what a layer computes once it has its weights.
const FIRST_VALUES: &[&str] = &["name", "init", "bias_init", "gamma_init", "recurrent_init"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/torch")
}

/// All cases: kind, name, fields.
fn all_cases() -> BTreeMap<String, BTreeMap<String, Value>> {
    let text = std::fs::read_to_string(folder().join("cases.toml")).unwrap();
    toml::from_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// All cases of a kind, by name.
pub fn cases<T: DeserializeOwned>(kind: &str) -> BTreeMap<String, T> {
    let cases = all_cases().remove(kind).unwrap().into_iter();
    let read = |(name, case): (String, Value)| match case.try_into() {
        Ok(case) => (name, case),
        Err(error) => panic!("{kind}.{name}: {error}"),
    };
    cases.map(read).collect()
}

/// What PyTorch answers to one case: tensors by name.
pub struct Answers {
    path: PathBuf,
    tensors: BTreeMap<String, TensorData>,
}

impl Answers {
    /// The committed answers of a case; `kind` is the folder.
    pub fn new(kind: &str, name: &str) -> Self {
        let path = folder().join(format!("answers/{kind}.{name}.safetensors"));
        let mut store = SafetensorsStore::from_file(&path);
        let found = store.get_all_snapshots();
        let found = found.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let read = |(name, tensor): (&String, &burn_store::TensorSnapshot)| {
            (name.clone(), tensor.to_data().unwrap())
        };
        let tensors = found.iter().map(read).collect();
        Answers { path, tensors }
    }

    /// The file, whose tensors are called as a network's own.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The rest of all names that start so.
    pub fn names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        let names = self.tensors.keys();
        names.filter_map(move |name| name.strip_prefix(prefix))
    }

    fn data(&self, name: &str) -> TensorData {
        let found = self.tensors.get(name);
        let found = found.unwrap_or_else(|| panic!("{}: no {name}", self.path.display()));
        found.clone()
    }

    /// The numbers of a tensor.
    pub fn values(&self, name: &str) -> Vec<f32> {
        self.data(name).convert::<f32>().into_vec().unwrap()
    }

    /// A tensor on a device.
    pub fn tensor<B: Backend, const D: usize>(
        &self,
        name: &str,
        device: &B::Device,
    ) -> Tensor<B, D> {
        Tensor::from_data(self.data(name).convert::<f32>(), device)
    }

    /// The true classes, `[batch]`.
    pub fn targets<B: Backend>(&self, device: &B::Device) -> Tensor<B, 1, Int> {
        Tensor::from_data(self.data("targets").convert::<i32>(), device)
    }
}

/// Where what is received and what is expected part, if they do.
///
/// `tolerance` is allowed to small values, and to large ones that share of themselves; more on a device that rounds
/// what it multiplies.
pub fn difference(
    what: impl Display,
    received: &[f32],
    expected: &[f32],
    tolerance: f32,
) -> Option<String> {
    if received.len() != expected.len() {
        let (received, expected) = (received.len(), expected.len());
        return Some(format!("{what}: {received} values, expected {expected}"));
    }
    let tolerance = tolerance * tolerance_factor();
    let agrees = |(r, e): (&f32, &f32)| (r - e).abs() <= tolerance * e.abs().max(1.0);
    let first = received
        .iter()
        .zip(expected)
        .position(|pair| !agrees(pair))?;
    let (r, e) = (received[first], expected[first]);
    Some(format!("{what}: value {first} is {r}, expected {e}"))
}

/// # Panics
/// If there are differences.
pub fn assert_none(differences: Vec<String>) {
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The key and the fields of a table with one key, or of a bare name.
pub fn one(table: &Value) -> (&str, impl Iterator<Item = (&String, &Value)>) {
    let (key, fields) = match table {
        Value::Table(table) => table.iter().next().map_or(("", None), |(key, fields)| {
            (key.as_str(), fields.as_table())
        }),
        name => (name.as_str().unwrap_or_default(), None),
    };
    (key, fields.into_iter().flatten())
}

/// The words of a table with one key: its key, and `KEY.FIELD` for each of its fields.
pub fn words(table: &Value) -> BTreeSet<String> {
    let (key, fields) = one(table);
    let fields = fields.map(|(field, _)| format!("{key}.{field}"));
    fields.chain([key.to_string()]).collect()
}

/// Every key of a registry and every field of its schema is used by a case.
///
/// `names` are the registry's keys, `used` the words of its cases.
pub fn check_cover(names: &[&str], schema: &Schema, used: &BTreeSet<String>) {
    let keys = names.iter().map(|name| name.to_string());
    // The schema may hold more than the registry: what is replaced before it is read.
    let own = |field: &String| names.contains(&field.split('.').next().unwrap_or_default());
    let known: BTreeSet<String> = keys.chain(fields(schema).into_iter().filter(own)).collect();
    let idle = |word: &&String| {
        let field = word.split_once('.').map(|(_, field)| field);
        field.is_some_and(|field| FIRST_VALUES.contains(&field))
    };
    let uncovered: Vec<&String> = known.difference(used).filter(|word| !idle(word)).collect();
    assert!(uncovered.is_empty(), "without a case: {uncovered:?}");
}

/// Those names that no case uses.
pub fn without_case<'a>(names: &[&'a str], used: &BTreeSet<String>) -> Vec<&'a str> {
    let missing = names.iter().filter(|name| !used.contains(**name));
    missing.copied().collect()
}

/// `KEY.FIELD` of everything that the schema of a registry lets a file write.
fn fields(schema: &Schema) -> BTreeSet<String> {
    let schema = schema.as_value();
    let resolved = |part: &Json| -> Json {
        let pointer = part["$ref"]
            .as_str()
            .and_then(|path| path.strip_prefix('#'));
        pointer
            .and_then(|path| schema.pointer(path))
            .unwrap_or(part)
            .clone()
    };
    let mut fields = BTreeSet::new();
    for table in ["oneOf", "anyOf"]
        .iter()
        .flat_map(|list| schema[list].as_array())
        .flatten()
    {
        for (key, table) in table["properties"].as_object().into_iter().flatten() {
            let table = resolved(table);
            let properties = table["properties"].as_object().into_iter().flatten();
            fields.extend(properties.map(|(field, _)| format!("{key}.{field}")));
        }
    }
    fields
}

#[allow(dead_code)]
#[derive(schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Trick {
    Bark(Bark),
    Sit,
}

#[allow(dead_code)]
#[derive(schemars::JsonSchema)]
struct Bark {
    name: String,
    times: u8,
}

#[test]
fn a_registry_with_a_case_for_all_is_covered() {
    let used = ["bark", "bark.times", "sit"].map(String::from);
    let schema = schemars::schema_for!(Trick);
    check_cover(&["bark", "sit"], &schema, &BTreeSet::from(used));
}

#[test]
#[should_panic(expected = r#"without a case: ["bark.times", "sit"]"#)]
fn a_key_or_a_field_without_a_case_is_reported() {
    let used = BTreeSet::from(["bark".to_string()]);
    check_cover(&["bark", "sit"], &schemars::schema_for!(Trick), &used);
}

#[test]
fn values_that_are_off_or_not_there_or_not_numbers_differ() {
    let differs = |received: &[f32]| difference("x", received, &[1.0, 20.0], 0.01);
    assert_eq!(differs(&[1.009, 20.19]), None);
    assert_eq!(
        differs(&[1.0, 19.7]).unwrap(),
        "x: value 1 is 19.7, expected 20"
    );
    assert_eq!(
        differs(&[f32::NAN, 20.0]).unwrap(),
        "x: value 0 is NaN, expected 1"
    );
    assert_eq!(differs(&[1.0]).unwrap(), "x: 1 values, expected 2");
}

#[test]
fn every_answer_has_its_case() {
    let kinds = all_cases();
    let of_kind = |(kind, cases): (&String, &BTreeMap<String, Value>)| {
        let names = cases.keys();
        names
            .map(|name| format!("{kind}.{name}.safetensors"))
            .collect::<Vec<String>>()
    };
    let expected: BTreeSet<String> = kinds.iter().flat_map(of_kind).collect();
    let files = std::fs::read_dir(folder().join("answers")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let names: BTreeSet<String> = names.collect();
    let alone: Vec<&String> = names.symmetric_difference(&expected).collect();
    assert!(alone.is_empty(), "only a case or only answers: {alone:?}");
}
