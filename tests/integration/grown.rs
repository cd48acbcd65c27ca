//! Experiments grown at random from the JSON schema: what `check` accepts must train.
//!
//! Each starts from a sound one and is changed again and again at random places, to random values of the schema; a
//! change that `check` refuses is taken back. What has grown becomes a variant of one experiment, which
//! is run. `BURNLAB_FUZZ=5000 BURNLAB_FUZZ_SEED=7` grows more of them, and others.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use burnlab::config::{Overrides, schema};
use burnlab::data::{Catalogue, Folders};
use burnlab::plan::Plan;

use crate::lab::Lab;

/// What is grown from: one experiment a kind of model, on few small images.
const STARTS: [&str; 5] = [
    r#"{ "model": { "classifier": { "layers": [
        { "conv2d": { "filters": 3, "kernel": 3, "activation": "relu" } }, "flatten",
        { "dense": { "units": "classes" } }] } } }"#,
    r#"{ "model": { "classifier": { "layers": ["flatten", { "reshape": { "shape": [9, 4] } }, "flatten",
        { "dense": { "units": 6 } }, { "dense": { "units": "classes" } }] } } }"#,
    r#"{ "model": { "autoencoder": {
        "encoder": ["flatten", { "dense": { "units": 4 } }],
        "decoder": [{ "dense": { "units": 36 } }, { "reshape": { "shape": [1, 6, 6] } }] } },
        "train": { "loss": "mse" } }"#,
    r#"{ "model": { "autoencoder": {
        "encoder": ["flatten", { "gaussian_code": { "units": 2 } }],
        "decoder": [{ "dense": { "units": 36 } }, { "reshape": { "shape": [1, 6, 6] } }] } },
        "train": { "loss": "mse" } }"#,
    r#"{ "model": { "gan": {
        "latent": 3,
        "generator": [{ "dense": { "units": 36 } }, { "reshape": { "shape": [1, 6, 6] } }],
        "discriminator": ["flatten", { "dense": { "units": 1, "activation": "sigmoid" } }] } },
        "train": { "loss": "binary_cross_entropy" } }"#,
];

/// Tables that are changed, the larger ones more often; the rest of a file is about several runs.
const CHANGED: [&str; 11] = [
    "model", "model", "model", "model", "model", "train", "train", "data", "augment", "measure",
    "pictures",
];

/// Changes that are tried of each experiment.
const CHANGES: usize = 60;

/// Values that are drawn beside the least and the largest that the schema allows.
const WHOLE: [i64; 8] = [1, 2, 3, 4, 5, 8, 0, 16];
const REAL: [f64; 9] = [0.5, 0.1, 1.0, 0.001, 0.9, 2.0, 0.0, -0.5, 1e-8];
const TEXTS: [&str; 8] = [
    "a",
    "conv2d",
    "dense",
    "*",
    "dense_1",
    "encoder.dense",
    "batch",
    "none",
];

/// What a variable says, or what is usual.
pub fn number(name: &str, usual: u64) -> u64 {
    let asked = std::env::var(name).ok();
    asked.map_or(usual, |text| text.parse().expect("a whole number"))
}

struct Grower {
    schema: Value,
    rng: ChaCha8Rng,
}

impl Grower {
    fn new(seed: u64) -> Self {
        Grower {
            schema: serde_json::to_value(schema()).expect("a schema is JSON"),
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// The schema without references and choices: those that a value fits, or all of them.
    fn plain(&self, schema: &Value, value: Option<&Value>) -> Vec<Value> {
        if let Some(name) = schema["$ref"].as_str() {
            let pointer = name.trim_start_matches('#');
            let found = self.schema.pointer(pointer);
            let found = found.unwrap_or_else(|| panic!("{name} is not in the schema"));
            return self.plain(found, value);
        }
        for key in ["anyOf", "oneOf", "allOf"] {
            if let Some(choices) = schema[key].as_array() {
                let plain = choices.iter().flat_map(|choice| self.plain(choice, value));
                return plain.collect();
            }
        }
        match value {
            Some(value) if !fits(schema, value) => Vec::new(),
            _ => vec![schema.clone()],
        }
    }

    /// A value of the schema.
    fn value(&mut self, schema: &Value, depth: usize) -> Value {
        let choices = self.plain(schema, None);
        let Some(schema) = choices.choose(&mut self.rng).cloned() else {
            return Value::Null;
        };
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(values) = schema["enum"].as_array() {
            return values.choose(&mut self.rng).cloned().unwrap_or_default();
        }
        match schema["type"].as_str().unwrap_or_default() {
            "boolean" => json!(self.rng.random_bool(0.5)),
            "integer" => self.whole(&schema),
            "number" => self.real(&schema),
            "string" => json!(TEXTS.choose(&mut self.rng)),
            "array" => self.list(&schema, depth),
            "object" => self.table(&schema, depth),
            _ => Value::Null,
        }
    }

    fn whole(&mut self, schema: &Value) -> Value {
        let least = schema["minimum"].as_f64().unwrap_or(0.0) as i64;
        let most = schema["maximum"].as_f64().map(|most| most as i64);
        let drawn = *WHOLE.choose(&mut self.rng).expect("there are numbers");
        json!(drawn.clamp(least, most.unwrap_or(i64::MAX)))
    }

    fn real(&mut self, schema: &Value) -> Value {
        let bound = |key: &str| schema[key].as_f64();
        let ends = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"];
        let ends: Vec<f64> = ends.into_iter().filter_map(bound).collect();
        let is_inside = |value: f64| {
            bound("minimum").is_none_or(|least| value >= least)
                && bound("maximum").is_none_or(|most| value <= most)
                && bound("exclusiveMinimum").is_none_or(|least| value > least)
                && bound("exclusiveMaximum").is_none_or(|most| value < most)
        };
        let drawn = REAL
            .iter()
            .chain(&ends)
            .copied()
            .filter(|&value| is_inside(value));
        let drawn: Vec<f64> = drawn.collect();
        json!(drawn.choose(&mut self.rng).copied().unwrap_or(0.5))
    }

    fn list(&mut self, schema: &Value, depth: usize) -> Value {
        let least = schema["minItems"].as_u64().unwrap_or(0);
        let most = schema["maxItems"]
            .as_u64()
            .unwrap_or(least + 2)
            .min(least + 2);
        let length = self.rng.random_range(least..=most.max(least));
        let items = (0..length).map(|_| self.value(&schema["items"], depth + 1));
        Value::Array(items.collect())
    }

    /// What a table must have, and a few of the others.
    fn table(&mut self, schema: &Value, depth: usize) -> Value {
        let required = names(&schema["required"]);
        let mut table = Map::new();
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            let rarely = 0.2 / (1 + depth) as f64;
            if required.contains(name) || self.rng.random_bool(rarely) {
                table.insert(name.clone(), self.value(inner, depth + 1));
            }
        }
        Value::Object(table)
    }

    /// Changes something at a random depth below a value of the schema.
    fn change(&mut self, value: &mut Value, schema: &Value) {
        let fitting = self.plain(schema, Some(value));
        let Some(own) = fitting.first().cloned() else {
            return;
        };
        let deeper = self.rng.random_bool(0.9);
        match value {
            Value::Object(table) if deeper || table.is_empty() => self.change_table(table, &own),
            Value::Array(items) if deeper => self.change_list(items, &own["items"]),
            _ => *value = self.value(schema, 1),
        }
    }

    fn change_table(&mut self, table: &mut Map<String, Value>, schema: &Value) {
        let Some(properties) = schema["properties"].as_object() else {
            return;
        };
        let keys: Vec<&String> = properties.keys().collect();
        let Some(key) = keys.choose(&mut self.rng).copied() else {
            return;
        };
        let is_there: Vec<&String> = keys
            .into_iter()
            .filter(|key| table.contains_key(*key))
            .collect();
        let key = match is_there.choose(&mut self.rng) {
            Some(known) if self.rng.random_bool(0.6) => *known,
            _ => key,
        };
        match table.get_mut(key) {
            Some(_) if self.rng.random_bool(0.05) => {
                table.remove(key);
            }
            Some(inner) => self.change(inner, &properties[key]),
            None => {
                let drawn = self.value(&properties[key], 1);
                table.insert(key.clone(), drawn);
            }
        }
    }

    fn change_list(&mut self, items: &mut Vec<Value>, schema: &Value) {
        let at = self.rng.random_range(0..=items.len());
        match self.rng.random_range(0..10) {
            0..5 => items.insert(at, self.value(schema, 1)),
            5..6 if at < items.len() => {
                items.remove(at);
            }
            _ if at < items.len() => self.change(&mut items[at], schema),
            _ => {}
        }
    }

    /// An experiment that `check` accepts and that trains in a moment, without its head.
    fn grow(&mut self, file: &Path, catalogue: &Catalogue) -> Value {
        let start = STARTS.choose(&mut self.rng).expect("there are starts");
        let mut grown = sound(start);
        let problem = refused(&grown, file, catalogue);
        assert_eq!(problem, None, "{grown:#}");
        for _ in 0..CHANGES {
            let mut changed = grown.clone();
            let section = CHANGED.choose(&mut self.rng).expect("there are tables");
            let schema = self.schema["properties"][*section].clone();
            match changed.get_mut(*section) {
                Some(table) => self.change(table, &schema),
                None => changed[*section] = self.value(&schema, 1),
            }
            if changed != grown && refused(&changed, file, catalogue).is_none() {
                grown = changed;
            }
        }
        grown
    }
}

/// A start with what all have.
fn sound(start: &str) -> Value {
    let mut experiment: Value = serde_json::from_str(start).expect("a start is JSON");
    let shape = json!({ "shape": [1, 6, 6], "classes": 3, "train": 12, "test": 6 });
    experiment["data"] = json!({ "dataset": { "fake": shape } });
    experiment["train"]["epochs"] = json!(1);
    experiment["train"]["batch_size"] = json!(5);
    experiment["train"]["seeds"] = json!([0]);
    experiment
}

/// Why an experiment is not one that trains in a moment.
fn refused(experiment: &Value, file: &Path, catalogue: &Catalogue) -> Option<String> {
    let Ok(text) = toml::to_string(experiment) else {
        return Some("TOML has no such value".to_string());
    };
    fs::write(file, text).expect("the experiment is written");
    let plan = match Plan::make(file, &Overrides::default(), catalogue) {
        Ok(plan) => plan,
        Err(error) => {
            assert_ne!(error.kind.exit_code(), 1, "{error}\n{experiment:#}");
            return Some(error.to_string());
        }
    };
    let run = &plan.runs[0];
    let needs_others = !run.earlier.is_empty() || !plan.before.is_empty();
    let is_fake = experiment["data"]["dataset"].get("fake").is_some();
    let is_small = plan.runs.len() == 1 && run.work < 2e7 && run.parameters < 100_000;
    (needs_others || !is_fake || !is_small).then(|| "too much".to_string())
}

fn names(list: &Value) -> BTreeSet<String> {
    let names = list.as_array().into_iter().flatten();
    names
        .filter_map(|name| name.as_str().map(String::from))
        .collect()
}

/// Whether a value has the form that a schema without choices asks for, one level deep.
fn fits(schema: &Value, value: &Value) -> bool {
    if let Some(known) = schema.get("const") {
        return known == value;
    }
    if let Some(known) = schema["enum"].as_array() {
        return known.contains(value);
    }
    match (schema["type"].as_str().unwrap_or_default(), value) {
        ("object", Value::Object(table)) => {
            let properties = schema["properties"].as_object();
            let is_known = |key: &String| properties.is_some_and(|known| known.contains_key(key));
            table.keys().all(is_known)
                && names(&schema["required"])
                    .iter()
                    .all(|key| table.contains_key(key))
        }
        ("array", Value::Array(_)) | ("string", Value::String(_)) => true,
        ("boolean", Value::Bool(_)) | ("number", Value::Number(_)) => true,
        ("integer", Value::Number(number)) => number.is_i64() || number.is_u64(),
        _ => false,
    }
}

#[test]
fn what_grows_from_the_schema_and_is_accepted_by_check_trains() {
    let (count, seed) = (number("BURNLAB_FUZZ", 300), number("BURNLAB_FUZZ_SEED", 0));
    let lab = Lab::new();
    let catalogue = Catalogue::new(Folders::only("data"));
    let mut grower = Grower::new(seed);
    let file = lab.path().join("one.toml");
    let mut variants = Map::new();
    for number in 0..count {
        let name = format!("grown-{number}");
        variants.insert(name, grower.grow(&file, &catalogue));
    }
    let all = lab.file(
        "grown.toml",
        &toml::to_string(&json!({ "variants": variants })).unwrap(),
    );
    let mut run = lab.start(&["run", all.to_str().unwrap(), "--quiet"]);
    let start = Instant::now();
    // Each takes a moment: only what hangs takes so long.
    let most = Duration::from_secs(600 + 2 * count);
    while run.try_wait().unwrap().is_none() {
        if start.elapsed() > most {
            run.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let table = lab.table("grown", "summary.csv");
    let [names, statuses, reasons] = ["variant", "status", "reason"].map(|name| table.column(name));
    assert_eq!(names.len(), count as usize);
    let failed = (0..names.len()).filter(|&at| !["done", "diverged"].contains(&statuses[at]));
    let failures = failed.map(|at| {
        let text = toml::to_string(&variants[names[at]]).unwrap();
        format!("{} is {}: {}\n{text}", names[at], statuses[at], reasons[at])
    });
    let failures: Vec<String> = failures.collect();
    assert!(
        failures.is_empty(),
        "{} of {count}\n{}",
        failures.len(),
        failures.join("\n")
    );
}
