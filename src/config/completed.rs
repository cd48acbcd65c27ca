//! What tables have by default, put beside what files say, for people to see.
//!
//! Only the types of layers, operations and optimizers know: settings are read, and written anew with all fields.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::blocks::{Expanded, expand};
use super::read::{inner_mut, read};
use super::settings::Settings;

/// Settings as written, with what their tables have by default.
#[derive(Debug)]
pub struct Completed {
    /// In every table what is written, then what it has by default.
    pub values: Value,
    /// The paths of the latter.
    defaults: BTreeSet<Vec<String>>,
}

impl Completed {
    /// Of settings as written; those that cannot be read stay as they are.
    pub fn of(written: &Value) -> Self {
        let mut completed = Completed {
            values: written.clone(),
            defaults: BTreeSet::new(),
        };
        let expanded = expand(written);
        if let Ok(settings) = read::<Settings>(&expanded.values) {
            let whole = serde_json::to_value(settings).expect("settings are plain values");
            completed.add_all(&whole, &mut Vec::new(), &expanded);
        }
        completed
    }

    /// Whether no file says the value at a path, nor the table around it.
    pub fn is_default(&self, path: &[String]) -> bool {
        (1..=path.len()).any(|end| self.defaults.contains(&path[..end]))
    }

    /// Adds what is missing of a table or list, and of all inside; `path` is where it stands once blocks are expanded.
    fn add_all(&mut self, whole: &Value, path: &mut Vec<String>, expanded: &Expanded) {
        let inner: Vec<(String, &Value)> = match whole {
            Value::Object(table) => table.iter().map(|(key, v)| (key.clone(), v)).collect(),
            Value::Array(items) => {
                let items = items.iter().enumerate();
                items.map(|(index, v)| (index.to_string(), v)).collect()
            }
            _ => return,
        };
        for (key, value) in inner {
            path.push(key);
            if !self.add(expanded.written(path), value) {
                self.add_all(value, path, expanded);
            }
            path.pop();
        }
    }

    /// Adds a value if it is missing where it would be written; whether it was added.
    fn add(&mut self, path: Vec<String>, value: &Value) -> bool {
        let Some((key, outer)) = path.split_last() else {
            return false;
        };
        let mut keys = outer.iter();
        let place = keys.try_fold(&mut self.values, |place, key| inner_mut(place, key));
        match place {
            // A bare name, of something that has fields.
            Some(place)
                if place.as_str() == Some(key)
                    && value.as_object().is_some_and(|fields| !fields.is_empty()) =>
            {
                let named = Map::from_iter([(key.clone(), Value::Object(Map::new()))]);
                *place = Value::Object(named);
                false
            }
            // What a block is used for is not written where its layers are.
            Some(Value::Object(table))
                if !table.contains_key(key) && !table.contains_key("use") =>
            {
                table.insert(key.clone(), shortest(value));
                self.defaults.insert(path)
            }
            _ => false,
        }
    }
}

/// A choice without fields as its bare name.
fn shortest(value: &Value) -> Value {
    let table = value.as_object().filter(|table| table.len() == 1);
    let only = table.and_then(|table| table.iter().next());
    match only {
        Some((name, Value::Object(fields))) if fields.is_empty() => name.clone().into(),
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Chain, Overrides};
    use super::*;

    #[test]
    fn tables_are_shown_with_what_they_have_by_default() {
        let text = r#"
            data.dataset = "mnist"
            train.optimizer = "sgd"
            blocks.small.layers = [{ conv2d = { filters = "$filters", kernel = 3, stride = 2 } }]
            [model.classifier]
            layers = [
              { block = { use = "small", filters = 4 } },
              "flatten",
              "batch_normalization",
              { dense = { units = "classes", activation = "relu" } },
            ]
        "#;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let chain = Chain::read(file.path(), &Overrides::default()).unwrap();
        let resolved = chain.finish(chain.stack().unwrap()).unwrap();
        let completed = Completed::of(&resolved.json);
        let path = |dotted: &str| dotted.split('.').map(String::from).collect::<Vec<_>>();
        let at = |dotted: &str| {
            let value = completed
                .values
                .pointer(&format!("/{}", dotted.replace('.', "/")));
            let value = value.unwrap_or(&Value::Null).to_string();
            (value, completed.is_default(&path(dotted)))
        };
        let layers = "model.classifier.layers";
        for (key, value, is_default) in [
            (
                "blocks.small.layers.0.conv2d.filters",
                "\"$filters\"",
                false,
            ),
            ("blocks.small.layers.0.conv2d.stride", "2", false),
            ("blocks.small.layers.0.conv2d.padding", "\"same\"", true),
            (
                &format!("{layers}.0"),
                r#"{"block":{"filters":4,"use":"small"}}"#,
                false,
            ),
            (&format!("{layers}.1"), "\"flatten\"", false),
            (
                &format!("{layers}.2.batch_normalization.momentum"),
                "0.99",
                true,
            ),
            (&format!("{layers}.3.dense.activation"), "\"relu\"", false),
            (&format!("{layers}.3.dense.bias_init"), "\"zeros\"", true),
            ("train.optimizer.sgd.nesterov", "false", true),
        ] {
            assert_eq!(at(key), (value.to_string(), is_default), "{key}");
        }
    }

    #[test]
    fn settings_that_cannot_be_read_stay_as_they_are() {
        let written = serde_json::json!({ "train": { "epochs": "ten" } });
        assert_eq!(Completed::of(&written).values, written);
    }
}
