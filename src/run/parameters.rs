//! A run's settings as a flat list of names and values, and which names have values of several types.

use std::collections::BTreeMap;
use std::mem::{Discriminant, discriminant};
use std::sync::Arc;

use serde_json::Value;

use crate::config::Settings;
use crate::plan::Plan;

/// Every setting but the layers, as `train.batch_size`; lists are texts.
pub fn parameters(settings: &Settings) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let values = serde_json::to_value(settings).unwrap_or_default();
    for section in ["data", "augment", "train"] {
        if let Some(value) = values.get(section) {
            flatten(section, value, &mut found);
        }
    }
    found.retain(|(name, _)| name != "train.seeds");
    found
}

fn flatten(name: &str, value: &Value, found: &mut Vec<(String, Value)>) {
    let value = match value {
        Value::Null => return,
        Value::Object(table) => {
            for (key, value) in table {
                flatten(&format!("{name}.{key}"), value, found);
            }
            return;
        }
        Value::Array(_) => Value::String(value.to_string()),
        plain => plain.clone(),
    };
    found.push((name.to_string(), value));
}

/// Names that are a number in one run of the plan and a text in another, such as `data.train = [16, "all"]`: whoever
/// makes columns of them needs one type.
pub fn of_several_types(plan: &Plan) -> Vec<String> {
    let mut types: BTreeMap<String, (Discriminant<Value>, bool)> = BTreeMap::new();
    let mut last: Option<&Arc<Settings>> = None;
    for run in &plan.runs {
        // The seeds of a variant share their settings.
        if last.is_some_and(|last| Arc::ptr_eq(last, &run.settings)) {
            continue;
        }
        last = Some(&run.settings);
        for (name, value) in parameters(&run.settings) {
            let own = discriminant(&value);
            let known = types.entry(name).or_insert((own, false));
            known.1 |= known.0 != own;
        }
    }
    let several = types.into_iter().filter(|(_, (_, differ))| *differ);
    several.map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::super::script::ScriptedExperiments;
    use super::*;

    #[test]
    fn a_count_beside_all_makes_a_setting_one_of_several_types() {
        let scripted = ScriptedExperiments::default();
        let swept = "[grid]\n'data.train' = [16, 'all', 32]\n'train.batch_size' = [1, 2]\n";
        let plan = scripted.plan("types", swept);
        assert_eq!(of_several_types(&plan), ["data.train"]);
        let plan = scripted.plan("type", "[grid]\n'data.train' = [16, 32]\n");
        assert!(of_several_types(&plan).is_empty());
    }
}
