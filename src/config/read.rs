//! From values to types, finding every problem instead of the first.
//!
//! serde stops at the first value that it cannot read. So that value is noted, cut out, and
//! the reading starts again, until nothing is left to stumble over.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use serde_path_to_error::{Segment, Track};

use super::stack::is_layer_list;
use super::tables::{SETTINGS, key_in_a_table};
use crate::augment::batch::BatchOperation;
use crate::error::{called_here, did_you_mean, list, nearest, one_of};
use crate::models::Kind;

/// Something that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Keys and indices down to it, as the values stood at first.
    pub path: Vec<String>,
    /// Whether the key is at fault rather than its value.
    pub is_key: bool,
    /// What is wrong, in a sentence.
    pub message: String,
    /// How to mend it, if that is known.
    pub hint: Option<String>,
    /// The key that the table lacks, if that is wrong.
    pub lacks: Option<String>,
}

/// Problems that are looked for: each costs another reading, and nobody reads more of them.
const MOST_PROBLEMS: usize = 100;

/// Reads a type from values, or finds everything that keeps it from being read, the first hundred at least.
pub fn read<T: DeserializeOwned>(values: &Value) -> Result<T, Vec<Unreadable>> {
    let first = match attempt(values) {
        Ok(read) => return Ok(read),
        Err(failure) => failure,
    };
    let original = values;
    let mut values = values.clone();
    let mut cuts = Cuts::default();
    let mut found: Vec<Unreadable> = Vec::new();
    let mut failure = first;
    // Every pass cuts something out, so this ends.
    for _ in 0..2 * MOST_PROBLEMS {
        let path = cuts.as_first(&failure.path);
        let elsewhere = tagged_elsewhere(original, &path, &failure);
        if elsewhere.is_some() {
            // What is in the table is written otherwise, too.
            found.retain(|earlier| !earlier.path.starts_with(&path));
        }
        let mut fault = elsewhere.unwrap_or_else(|| failure.explain(&path));
        fault.hint = fault.hint.or_else(|| table_of::<T>(&values, &failure));
        let own_fault = !found.iter().any(|earlier| {
            earlier.path.len() > path.len()
                && earlier.path.starts_with(&path)
                && match failure.missing() {
                    Some(key) => key == earlier.path[path.len()],
                    // What was cut out of a list is why it is short.
                    None => failure.is_empty || is_list(&values, &failure.path),
                }
        });
        if own_fault {
            found.push(Unreadable {
                path: path.into_iter().chain(fault.key.clone()).collect(),
                is_key: fault.key.is_some(),
                message: fault.message,
                hint: fault.hint,
                lacks: failure.missing(),
            });
        }
        let here: Vec<String> = failure.path.iter().cloned().chain(fault.key).collect();
        if !cuts.cut(&mut values, &here) {
            break;
        }
        match attempt::<T>(&values) {
            _ if found.len() > MOST_PROBLEMS => break,
            Ok(_) => break,
            Err(next) => failure = next,
        }
    }
    let own = found.iter().filter(|fault| !fault.is_misspelt(&found));
    Err(own.cloned().collect())
}

fn is_list(values: &Value, path: &[String]) -> bool {
    let value = path.iter().try_fold(values, |value, key| inner(value, key));
    value.is_some_and(Value::is_array)
}

impl Unreadable {
    /// Whether what the table lacks, or a table around it, is there under nearly its name.
    fn is_misspelt(&self, found: &[Unreadable]) -> bool {
        let lacking: Vec<&String> = self.path.iter().chain(&self.lacks).collect();
        self.lacks.is_some()
            && found.iter().filter(|other| other.is_key).any(|other| {
                let (name, table) = other.path.split_last().expect("a key has a name");
                let is_around = lacking.iter().zip(table).all(|(a, b)| *a == b);
                let meant = lacking.get(table.len()).filter(|_| is_around);
                meant.is_some_and(|meant| nearest(name, &[meant]).is_some())
            })
    }
}

/// Keys by which other programs say what a table is.
const TAGS: &[&str] = &["type", "name", "kind", "class_name", "_target_", "layer"];

/// Of a table that names what it chooses as other programs do, `{ type = "dense", units = 3 }`: how that is written here.
///
/// `path` leads to the table in what was written.
fn tagged_elsewhere(written: &Value, path: &[String], failure: &ReadFailure) -> Option<Fault> {
    failure.unknown_choice()?;
    let table = path
        .iter()
        .try_fold(written, |value, key| inner(value, key))?;
    let mut fields = table.as_object()?.clone();
    let known = failure.known();
    let (tag, name) = TAGS.iter().find_map(|tag| {
        let named = fields.get(*tag)?.as_str()?.rsplit('.').next()?;
        Some((tag, nearest(named, &known)?))
    })?;
    fields.remove(*tag);
    let fields: Map<String, Value> = fields
        .into_iter()
        .map(|(key, value)| (called_here(&key).to_string(), value))
        .collect();
    let fields = toml::Value::try_from(fields).ok()?;
    let what = what_is_chosen(path);
    Some(Fault {
        message: format!("`{tag}` names no {what} here"),
        hint: Some(match fields.as_table().is_some_and(toml::Table::is_empty) {
            true => format!("write \"{name}\""),
            false => format!("write {{ {name} = {fields} }}"),
        }),
        key: None,
    })
}

/// Of a value that stands in the place of a table: that table, with the value under the key that it needs, or under the first
/// that takes it.
fn table_of<T: DeserializeOwned>(values: &Value, failure: &ReadFailure) -> Option<String> {
    let (_, expected) = failure.text.split_once(", expected ")?;
    let name = failure
        .path
        .last()
        .filter(|name| name.parse::<usize>().is_err())?;
    let value = failure
        .path
        .iter()
        .try_fold(values, |value, key| inner(value, key))?;
    if !(value.is_number() || value.is_string()) {
        return None;
    }
    let expected = plain_expected(expected);
    if expected != "a list" && expected != "a table" && !expected.contains(" as a table") {
        return None;
    }
    let with = |table: Value| {
        let mut values = values.clone();
        let mut keys = failure.path.iter();
        let place = keys.try_fold(&mut values, |value, key| inner_mut(value, key))?;
        *place = table;
        Some(attempt::<T>(&values).err())
    };
    if expected == "a list" {
        let next = with(json!([value]))?;
        let is_read = next.is_none_or(|next| !next.path.starts_with(&failure.path));
        return is_read.then(|| format!("{name} = [{value}]"));
    }
    let is_here = |failure_within: &ReadFailure| failure_within.path == failure.path;
    let needed = with(json!({}))?.and_then(|needed| needed.missing().filter(|_| is_here(&needed)));
    let keys = match needed {
        Some(key) => vec![key],
        // What is in the table is told by what is not.
        None => with(json!({ "": value }))?.filter(is_here)?.known(),
    };
    keys.iter().find_map(|key| {
        let next = with(json!({ key: value }))?;
        let next = next.filter(|next| next.path.starts_with(&failure.path));
        let more = match next {
            None => String::new(),
            Some(next) => format!(", {} = ...", next.missing().filter(|_| is_here(&next))?),
        };
        Some(format!("{name} = {{ {key} = {value}{more} }}"))
    })
}

/// What was probably meant by an unknown key: of those that are known where it stands, or one of another table of settings.
fn meant(key: &str, known: &[String], path: &[String]) -> Option<String> {
    let elsewhere = || match path {
        [table] if SETTINGS.contains(&table.as_str()) => {
            let meant = key_in_a_table(key, SETTINGS)?;
            Some(format!("did you mean `{meant}`?"))
        }
        _ => None,
    };
    match nearest(key, known) {
        Some(_) => did_you_mean(key, known),
        None => elsewhere().or_else(|| did_you_mean(key, known)),
    }
}

/// The value that serde could not read.
struct ReadFailure {
    /// As the values stand now.
    path: Vec<String>,
    /// serde's words.
    text: String,
    /// The value, if it is a text: a bare name.
    name: Option<String>,
    /// Keys of the value, if it is a table.
    keys: Vec<String>,
    /// Whether the value is a table with nothing in it.
    is_empty: bool,
}

/// What is wrong, in our words.
struct Fault {
    message: String,
    hint: Option<String>,
    /// The key at fault, if it is not the value.
    key: Option<String>,
}

fn attempt<T: DeserializeOwned>(values: &Value) -> Result<T, ReadFailure> {
    let mut track = Track::new();
    let deserializer = serde_path_to_error::Deserializer::new(values.clone(), &mut track);
    T::deserialize(deserializer).map_err(|error| {
        let path = track.path();
        let keys = path.iter().filter_map(|segment| match segment {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { variant } => Some(variant.clone()),
            Segment::Unknown => None,
        });
        ReadFailure::at(keys.collect(), error.to_string(), values)
    })
}

impl ReadFailure {
    /// serde names an unknown key before it refuses it: the path goes no further than the table.
    fn at(mut path: Vec<String>, text: String, values: &Value) -> Self {
        let mut failure = ReadFailure {
            path: Vec::new(),
            text,
            name: None,
            keys: Vec::new(),
            is_empty: false,
        };
        let refused = failure.unknown().or_else(|| failure.unknown_choice());
        if refused.is_some() && path.last() == refused.as_ref() {
            path.pop();
        }
        let mut here = values;
        for key in path {
            match inner(here, &key) {
                Some(value) => here = value,
                None => break,
            }
            failure.path.push(key);
        }
        failure.name = here.as_str().map(String::from);
        if let Value::Object(table) = here {
            failure.keys = table.keys().cloned().collect();
            failure.is_empty = table.is_empty();
        }
        failure
    }

    fn quoted_after(&self, start: &str) -> Option<String> {
        let rest = self.text.strip_prefix(start)?;
        Some(rest.strip_prefix('`')?.split('`').next()?.to_string())
    }

    fn unknown(&self) -> Option<String> {
        self.quoted_after("unknown field ")
    }

    fn missing(&self) -> Option<String> {
        self.quoted_after("missing field ")
    }

    /// The names after `expected` in serde's text.
    fn known(&self) -> Vec<String> {
        let Some((_, names)) = self.text.split_once(", expected ") else {
            return Vec::new();
        };
        names
            .split('`')
            .skip(1)
            .step_by(2)
            .map(String::from)
            .collect()
    }

    fn unknown_choice(&self) -> Option<String> {
        self.quoted_after("unknown variant ")
    }

    fn explain(&self, path: &[String]) -> Fault {
        let owner = self.name.as_ref().or_else(|| key_above(path));
        if let Some(key) = self.unknown() {
            let place = owner
                .map(|owner| format!(" in `{owner}`"))
                .unwrap_or_default();
            return Fault {
                message: format!("unknown key `{key}`{place}"),
                hint: meant(&key, &self.known(), path),
                key: Some(key),
            };
        }
        if let Some(name) = self.unknown_choice() {
            return Fault {
                message: format!("unknown {} `{name}`", what_is_chosen(path)),
                hint: chosen_elsewhere(&name, path).or_else(|| did_you_mean(&name, &self.known())),
                key: self.keys.contains(&name).then_some(name),
            };
        }
        if self.text.contains("map with a single key") && self.keys.len() != 1 {
            let owner = key_above(path).map(String::as_str).unwrap_or_default();
            let kinds = Kind::ALL
                .iter()
                .map(|kind| format!("[{owner}.{}]", kind.key()));
            let hint = format!("name one: {}", one_of(&kinds.collect::<Vec<String>>()));
            return Fault {
                message: format!(
                    "expected one kind of model as the only key of `{owner}`, found {}",
                    list(&self.keys)
                ),
                hint: Some(hint),
                key: None,
            };
        }
        let message = match self.missing() {
            Some(key) => match owner {
                Some(owner) => format!("`{owner}` needs `{key}`"),
                None => format!("the experiment needs `{key}`"),
            },
            None => self.expected(key_above(path)),
        };
        Fault {
            message,
            hint: None,
            key: None,
        }
    }

    /// Expected and received, in the house's words.
    fn expected(&self, owner: Option<&String>) -> String {
        let name = owner
            .map(|owner| format!(" for `{owner}`"))
            .unwrap_or_default();
        for start in ["invalid type: ", "invalid value: ", "invalid length "] {
            if let Some(rest) = self.text.strip_prefix(start)
                && let Some((received, expected)) = rest.split_once(", expected ")
            {
                let received = match start {
                    "invalid length " => {
                        crate::error::count(received.parse().unwrap_or(0), "value")
                    }
                    _ => plain_received(received),
                };
                return format!(
                    "expected {}{name}, found {received}",
                    plain_expected(expected)
                );
            }
        }
        self.text.clone()
    }
}

fn inner<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(table) => table.get(key),
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    }
}

pub(super) fn inner_mut<'a>(value: &'a mut Value, key: &str) -> Option<&'a mut Value> {
    match value {
        Value::Object(table) => table.get_mut(key),
        Value::Array(items) => items.get_mut(key.parse::<usize>().ok()?),
        _ => None,
    }
}

/// The nearest key that is a name, not an index: what an error calls the value.
fn key_above(path: &[String]) -> Option<&String> {
    path.iter().rev().find(|key| key.parse::<usize>().is_err())
}

/// Where what was chosen is known, if not here.
fn chosen_elsewhere(name: &str, path: &[String]) -> Option<String> {
    match key_above(path).map(String::as_str) {
        Some("copies" | "random") => mirror(name).or_else(|| {
            let mixing = nearest(name, BatchOperation::NAMES)?;
            Some(format!(
                "it mixes a batch: `batch = [\"{mixing}\"]` under `[augment]`"
            ))
        }),
        Some("dataset") if name.contains(['/', '\\']) || name.starts_with('~') => Some(format!(
            "`dataset = {{ folder = \"{name}\" }}` is a folder of images, `{{ idx = ... }}` one of IDX files"
        )),
        _ => None,
    }
}

/// A mirror image, which other programs make of every second image.
fn mirror(name: &str) -> Option<String> {
    let other = |direction: &str| format!("{{ flip = {{ {direction}probability = 0.5 }} }}");
    match nearest(
        name,
        &[
            "random_flip",
            "random_horizontal_flip",
            "random_vertical_flip",
        ],
    )? {
        "random_vertical_flip" => Some(other("direction = \"vertical\", ")),
        _ => Some(other("")),
    }
}

/// What a choice at this path is called.
fn what_is_chosen(path: &[String]) -> &'static str {
    match key_above(path).map(String::as_str) {
        Some(key) if is_layer_list(key) => "layer",
        Some("copies" | "random") => "operation",
        Some("optimizer") => "optimizer",
        Some("loss") => "loss",
        Some("schedule") => "schedule",
        Some("clip") => "way of clipping",
        Some("average") => "average",
        Some("batch") => "batch operation",
        Some("metric") => "metric",
        Some("activation" | "function") => "activation function",
        Some("init" | "bias_init") => "initializer",
        Some("dataset") => "dataset",
        Some("model") => "kind of model",
        _ => "value",
    }
}

fn plain_received(received: &str) -> String {
    let backticked = received.split('`').nth(1);
    match received {
        "map" => "a table".to_string(),
        "sequence" => "a list".to_string(),
        "null" | "unit" | "unit value" => "nothing".to_string(),
        text if text.starts_with("string ") => text["string ".len()..].to_string(),
        text => backticked.map_or_else(|| text.to_string(), |value| format!("`{value}`")),
    }
}

fn plain_expected(expected: &str) -> String {
    match expected {
        "usize" | "u64" | "u32" => "a whole number of at least 0",
        "i64" => "a whole number",
        "f64" | "f32" => "a number",
        "a boolean" => "`true` or `false`",
        "a string" => "a text",
        "a sequence" => "a list",
        "a map" => "a table",
        text if text.starts_with("struct ") => "a table",
        text => text,
    }
    .to_string()
}

/// What was cut out of lists, so that indices can be reported as they are in the file.
#[derive(Default)]
struct Cuts(Vec<(Vec<String>, usize)>);

impl Cuts {
    fn as_first(&self, path: &[String]) -> Vec<String> {
        let mut first: Vec<String> = Vec::new();
        for key in path {
            let mut key = key.clone();
            if let Ok(mut index) = key.parse::<usize>() {
                let mut gone: Vec<usize> = self
                    .0
                    .iter()
                    .filter(|(list, _)| *list == first)
                    .map(|(_, index)| *index)
                    .collect();
                gone.sort_unstable();
                for gone in gone {
                    if gone <= index {
                        index += 1;
                    }
                }
                key = index.to_string();
            }
            first.push(key);
        }
        first
    }

    /// Removes the value at the path; false if there is none.
    fn cut(&mut self, values: &mut Value, path: &[String]) -> bool {
        let first = self.as_first(path);
        let (Some((last, outer)), Some((first_last, first_outer))) =
            (path.split_last(), first.split_last())
        else {
            return false;
        };
        let mut here = values;
        for key in outer {
            let inner = match here {
                Value::Object(table) => table.get_mut(key),
                Value::Array(items) => key.parse().ok().and_then(|i: usize| items.get_mut(i)),
                _ => None,
            };
            let Some(inner) = inner else { return false };
            here = inner;
        }
        match here {
            Value::Object(table) => table.shift_remove(last).is_some(),
            Value::Array(items) => match (last.parse::<usize>(), first_last.parse()) {
                (Ok(index), Ok(first_index)) if index < items.len() => {
                    items.remove(index);
                    self.0.push((first_outer.to_vec(), first_index));
                    true
                }
                _ => false,
            },
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Positive, Rate};
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Layer {
        units: Positive,
        #[serde(default)]
        rate: Option<Rate>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Whole {
        layers: Vec<Layer>,
        epochs: Positive,
    }

    #[test]
    fn every_problem_is_found_at_its_own_place() {
        let values = json!({
            "layers": [{ "units": 0 }, { "units": 3, "rat": 0.5 }, { "rate": 2 }, { "units": 1 }, "x"],
            "epochs": "ten",
            "batch": 5,
        });
        let found: Vec<String> = read::<Whole>(&values)
            .unwrap_err()
            .into_iter()
            .map(|problem| format!("{}: {}", problem.path.join("."), problem.message))
            .collect();
        assert_eq!(
            found,
            [
                "layers.0.units: expected a whole number of at least 1 for `units`, found `0`",
                "layers.1.rat: unknown key `rat` in `layers`",
                "layers.2.rate: expected a number from 0 to below 1 for `rate`, found `2.0`",
                "layers.2: `layers` needs `units`",
                "layers.4: expected a table for `layers`, found \"x\"",
                "epochs: expected a whole number of at least 1 for `epochs`, found \"ten\"",
                "batch: unknown key `batch`",
            ]
        );
    }

    #[test]
    fn a_misspelt_key_is_one_problem() {
        let wrong = |values: Value| -> Vec<String> {
            let found = read::<Whole>(&values).unwrap_err().into_iter();
            found.map(|problem| problem.message).collect()
        };
        let layers = json!([{ "units": 1 }]);
        assert_eq!(
            wrong(json!({ "layres": layers, "epochs": 3 })),
            ["unknown key `layres`"]
        );
        assert_eq!(
            wrong(json!({ "layers": [{ "unit": 1 }, { "rat": 0.5 }], "epohcs": 3 })),
            [
                "unknown key `unit` in `layers`",
                "unknown key `rat` in `layers`",
                "`layers` needs `units`",
                "unknown key `epohcs`",
            ]
        );
    }

    #[test]
    fn good_values_are_read() {
        let values = json!({ "layers": [{ "units": 2 }], "epochs": 1 });
        assert_eq!(read::<Whole>(&values).unwrap().layers[0].units, Positive(2));
    }

    #[test]
    fn a_value_in_the_place_of_a_table_is_offered_as_its_needed_key() {
        #[derive(Debug, Deserialize)]
        struct Holder {
            #[allow(dead_code)]
            layer: Layer,
        }
        let hint = |value: Value| {
            let mut problems = read::<Holder>(&json!({ "layer": value })).unwrap_err();
            problems.remove(0).hint
        };
        assert_eq!(hint(json!(3)).as_deref(), Some("layer = { units = 3 }"));
        // No units.
        assert_eq!(
            [hint(json!(0)), hint(json!("x")), hint(json!(true))],
            [None, None, None]
        );
    }
}
