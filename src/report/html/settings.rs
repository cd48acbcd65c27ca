//! The resolved settings: what differs between variants, and all of the reference's.

use std::collections::BTreeSet;

use maud::{Markup, html};
use serde_json::Value;

use super::variant_name;
use crate::error::Result;
use crate::report::view::{MOST_VARIANTS, View};

/// Dotted keys with their values, as texts.
type Leaves = Vec<(String, String)>;

/// The tables of what differs and of all settings.
///
/// # Errors
/// The settings of a run cannot be read.
pub fn section(view: &View) -> Result<Markup> {
    let mut settings: Vec<(&str, Value)> = Vec::new();
    for group in view.chosen(MOST_VARIANTS) {
        if let Some(own) = view.subject.settings(group.variant)? {
            settings.push((group.variant, own));
        }
    }
    if settings.is_empty() {
        return Ok(html! {});
    }
    let reference = view.reference().variant;
    let whole = uneven(&settings);
    let mut all: Vec<(&str, Leaves)> = settings
        .iter()
        .map(|(name, value)| (*name, leaves(value, &whole)))
        .collect();
    for path in &whole {
        leave_out_shared(&mut all, path);
    }
    let full = settings
        .iter()
        .find(|(name, _)| *name == reference)
        .or(settings.first());
    let full = full.map(|(name, value)| (*name, leaves(value, &BTreeSet::new())));
    Ok(html! {
        section aria-labelledby="settings" {
            h2 id="settings" { "Settings" }
            @if all.len() > 1 { (differing(&all, !whole.is_empty())) }
            @if let Some(text) = view.left_out(MOST_VARIANTS) { p.quiet { (text) } }
            @if let Some((name, leaves)) = full {
                details {
                    summary { "All resolved settings of " (name) ", as its first run kept them" }
                    div.scroll role="region" tabindex="0" aria-label={ "Settings of " (name) } {
                        table {
                            thead { tr { th scope="col" { "key" } th scope="col" { "value" } } }
                            tbody { @for (key, value) in leaves { tr {
                                th scope="row" { code { (key) } }
                                td.value { code { (value) } }
                            } } }
                        }
                    }
                }
            }
        }
    })
}

fn differing(all: &[(&str, Leaves)], has_lists: bool) -> Markup {
    let mut keys: Vec<&String> = Vec::new();
    for (key, _) in all.iter().flat_map(|(_, leaves)| leaves) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let of = |leaves: &Leaves, key: &str| -> Option<String> {
        let found = leaves.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.clone())
    };
    let first = &all[0].1;
    keys.retain(|key| {
        all.iter()
            .any(|(_, leaves)| of(leaves, key) != of(first, key))
    });
    html! {
        h3 { "What differs" }
        @if keys.is_empty() {
            p { "Nothing: these variants have the same settings." }
        } @else {
            @if has_lists { p.quiet { "Of lists that are not equally long, the items that not all variants have." } }
            div.scroll role="region" tabindex="0" aria-label="Settings that differ between variants" {
                table {
                    thead { tr {
                        th scope="col" { "key" }
                        @for (name, _) in all { th scope="col" { (variant_name(name)) } }
                    } }
                    tbody { @for key in keys { tr {
                        th scope="row" { code { (key) } }
                        @for (_, leaves) in all { td.value { code { (of(leaves, key).unwrap_or("-".to_string())) } } }
                    } } }
                }
            }
        }
    }
}

/// Leaves out of a list, an item a line, what stands in that of every variant.
fn leave_out_shared(all: &mut [(&str, Leaves)], path: &str) {
    let mut lists: Vec<&mut String> = all
        .iter_mut()
        .filter_map(|(_, leaves)| Some(&mut leaves.iter_mut().find(|(key, _)| key == path)?.1))
        .collect();
    let Some(first) = lists.first().map(|list| list.to_string()) else {
        return;
    };
    for item in first.lines() {
        let places: Option<Vec<usize>> = lists
            .iter()
            .map(|list| list.lines().position(|line| line == item))
            .collect();
        for (list, place) in lists.iter_mut().zip(places.unwrap_or_default()) {
            let mut lines: Vec<&str> = list.lines().collect();
            lines.remove(place);
            **list = lines.join("\n");
        }
    }
    for list in lists {
        let others = if list.is_empty() { "[]" } else { "" };
        list.push_str(others);
    }
}

/// The paths of lists that are not equally long in all variants: item by item they cannot be compared.
fn uneven(settings: &[(&str, Value)]) -> BTreeSet<String> {
    let mut lengths: BTreeSet<(String, usize)> = BTreeSet::new();
    for (_, value) in settings {
        list_lengths(value, String::new(), &mut lengths);
    }
    let paths: Vec<String> = lengths.into_iter().map(|(path, _)| path).collect();
    // Sorted: the same path with another length stands next to it.
    let twice = paths.windows(2).filter(|pair| pair[0] == pair[1]);
    twice.map(|pair| pair[0].clone()).collect()
}

fn list_lengths(value: &Value, path: String, found: &mut BTreeSet<(String, usize)>) {
    for (path, inner) in inside(value, &path) {
        list_lengths(inner, path, found);
    }
    if let Value::Array(items) = value {
        found.insert((path, items.len()));
    }
}

/// The values in a table or a list, with their paths; a layer is known by its name if it has one.
fn inside<'a>(value: &'a Value, path: &str) -> Vec<(String, &'a Value)> {
    let below = |key: &str| match path {
        "" => key.to_string(),
        path => format!("{path}.{key}"),
    };
    match value {
        Value::Object(table) => table
            .iter()
            .map(|(key, value)| (below(key), value))
            .collect(),
        Value::Array(items) => {
            let item = |(index, item): (usize, &'a Value)| {
                let fields = item.as_object().and_then(|table| table.values().next());
                let name = fields
                    .and_then(|fields| fields.get("name"))
                    .and_then(Value::as_str);
                (below(name.unwrap_or(&index.to_string())), item)
            };
            items.iter().enumerate().map(item).collect()
        }
        _ => Vec::new(),
    }
}

/// Every value with its key; lists of plain values, and those named, are one value each.
fn leaves(value: &Value, whole: &BTreeSet<String>) -> Leaves {
    let mut found = Vec::new();
    add_leaves(value, String::new(), whole, &mut found);
    found
}

fn add_leaves(value: &Value, path: String, whole: &BTreeSet<String>, found: &mut Leaves) {
    let is_one = match value {
        Value::Object(table) => is_name(table),
        Value::Array(items) => whole.contains(&path) || !items.iter().any(Value::is_object),
        _ => true,
    };
    if is_one {
        found.push((path, text(value)));
        return;
    }
    for (path, inner) in inside(value, &path) {
        add_leaves(inner, path, whole, found);
    }
}

/// Whether a table is a mere name: `{ relu = {} }`.
fn is_name(table: &serde_json::Map<String, Value>) -> bool {
    let is_empty = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty);
    table.is_empty() || table.len() == 1 && table.values().all(is_empty)
}

/// As a file could write it; an item of a list a line.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(table) if is_name(table) => {
            table.keys().next().cloned().unwrap_or("{}".to_string())
        }
        Value::Object(table) => {
            let fields: Vec<String> = table
                .iter()
                .map(|(key, value)| format!("{key} = {}", text(value)))
                .collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items.iter().map(text).collect::<Vec<_>>().join("\n")
        }
        Value::Array(items) => format!(
            "[{}]",
            items.iter().map(text).collect::<Vec<_>>().join(", ")
        ),
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Value {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn settings_are_listed_by_key_and_layers_by_name() {
        let settings = table(
            "data.scale = [0.0, 1.0]\naugment.copies = []\n[model.classifier]\n\
             layers = [{ dense = { name = 'big', units = 8, activation = { relu = {} } } }, { flatten = {} }]",
        );
        let found = leaves(&settings, &BTreeSet::new());
        let lines: Vec<String> = found
            .iter()
            .map(|(key, value)| format!("{key}: {value}"))
            .collect();
        assert_eq!(
            lines,
            [
                "data.scale: [0.0, 1.0]",
                "augment.copies: []",
                "model.classifier.layers.big.dense.name: big",
                "model.classifier.layers.big.dense.units: 8",
                "model.classifier.layers.big.dense.activation: relu",
                "model.classifier.layers.1: flatten",
            ]
        );
    }

    #[test]
    fn lists_of_other_lengths_are_compared_as_wholes() {
        let one = table("augment.copies = [{ rotate = { degrees = 10 } }]");
        let two =
            table("augment.copies = [{ rotate = { degrees = 10 } }, { zoom = { factor = 0.8 } }]");
        let whole = uneven(&[("one", one), ("two", two.clone())]);
        assert_eq!(
            leaves(&two, &whole),
            [(
                "augment.copies".to_string(),
                "{ rotate = { degrees = 10 } }\n{ zoom = { factor = 0.8 } }".to_string()
            )]
        );
    }

    #[test]
    fn of_uneven_lists_the_shared_items_are_left_out() {
        let leaves = |lines: &str| vec![("layers".to_string(), lines.to_string())];
        let mut all = [
            ("one", leaves("conv\npool\nconv\ndense")),
            ("two", leaves("conv\ndense")),
        ];
        leave_out_shared(&mut all, "layers");
        assert_eq!(all, [("one", leaves("pool\nconv")), ("two", leaves("[]"))]);
    }
}
