//! The JSON schema of an experiment file, made from the types that read it.
//!
//! Editors' TOML servers read it (draft 7 is the newest they know) to complete and check.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::expect::Expect;
use super::search::{Distribution, SearchFields};
use super::settings::Settings;
use super::stack::is_layer_list;
use crate::models::Kind;

/// The schema of a whole file.
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft07().into_generator();
    generator.subschema_for::<Settings>();
    let expect = generator.subschema_for::<Expect>();
    let search = generator.subschema_for::<SearchFields>();
    let drawn = generator.subschema_for::<Distribution>();
    let mut definitions: Map<String, Value> =
        generator.take_definitions(true).into_iter().collect();

    // A file may leave to defaults or to the file it extends what a run cannot do without.
    for table in [
        "Settings",
        "DataFields",
        "Augment",
        "Train",
        "Recording",
        "Pictures",
        "SearchFields",
    ] {
        optional(&mut definitions, table);
    }
    if let Some(Value::Object(fields)) = definitions.get_mut("SearchFields") {
        let drawn = json!({
            "description": "What its values are drawn from.",
            "allOf": [drawn]
        });
        fields.insert("additionalProperties".into(), drawn);
    }
    // A variant may also change layers by their names.
    let mut changes = Map::new();
    for (key, table) in Kind::ALL.iter().map(|kind| (kind.key(), kind.type_name())) {
        let change = change_of_model(definitions.get(table).cloned().unwrap_or_default());
        definitions.insert(format!("{table}Change"), change);
        changes.insert(
            key.into(),
            json!({ "$ref": format!("#/definitions/{table}Change") }),
        );
    }
    let mut change = definitions.get("Settings").cloned().unwrap_or_default();
    if let Some(model) = change.pointer_mut("/properties/model") {
        *model = json!({
            "type": "object",
            "description": "Changes to the network.",
            "additionalProperties": false,
            "properties": changes
        });
    }
    if let Some(Value::Object(tables)) = change.pointer_mut("/properties") {
        tables.insert("blocks".into(), blocks());
    }
    definitions.insert("Change".to_string(), change);

    let mut properties = Map::new();
    properties.insert(
        "title".into(),
        json!({ "type": "string", "description": "What the experiment asks, in a line." }),
    );
    properties.insert(
        "source".into(),
        json!({ "type": "string", "description": "Where the claims come from." }),
    );
    properties.insert("extends".into(), json!({ "type": "string", "description": "A file beside this one whose values are taken first." }));
    if let Some(Value::Object(tables)) = definitions
        .get("Settings")
        .and_then(|s| s.get("properties"))
    {
        properties.extend(tables.clone());
    }
    properties.insert(
        "variants".into(),
        json!({
            "type": "object",
            "description": "Named settings; each overrides any key of the file.",
            "additionalProperties": { "$ref": "#/definitions/Change" }
        }),
    );
    properties.insert("blocks".into(), blocks());
    properties.insert("grid".into(), grid());
    properties.insert("search".into(), json!(search));
    properties.insert(
        "expect".into(),
        json!({
            "type": "array",
            "description": "Claims: what the numbers will be.",
            "items": expect
        }),
    );
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "burnlab experiment",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "definitions": definitions,
    })
}

/// The table of a kind of model as a variant writes it: nothing is required, and a list of layers may be a
/// table of changes.
fn change_of_model(mut table: Value) -> Value {
    if let Some(fields) = table.get_mut("properties").and_then(Value::as_object_mut) {
        for (key, field) in fields {
            if is_layer_list(key) {
                let list = field.take();
                *field = json!({ "anyOf": [list, {
                    "type": "object",
                    "description": "Fields to change, by the layer's name.",
                    "additionalProperties": { "type": "object" }
                }] });
            }
        }
    }
    if let Some(table) = table.as_object_mut() {
        table.remove("required");
    }
    table
}

/// Inside a block any value may be a parameter, so little can be said of its layers; a file or a variant
/// may change a part of one that another file has.
fn blocks() -> Value {
    json!({
        "type": "object",
        "description": "Lists of layers that `{ block = { use = NAME } }` uses.",
        "additionalProperties": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "defaults": {
                    "type": "object",
                    "description": "Values of parameters that a use does not give."
                },
                "layers": {
                    "type": ["array", "object"],
                    "description": "`$NAME`, or a calculation such as `$NAME * 4`, stands for a parameter.",
                    "items": { "type": ["object", "string"] }
                }
            }
        }
    })
}

fn grid() -> Value {
    let axes = json!({
        "type": "array", "minItems": 1,
        "description": "The values this key takes."
    });
    json!({
        "type": "object",
        "description": "Every combination of the values of these dotted keys, times variants, times seeds.",
        "properties": {
            "zip": {
                "type": "array",
                "description": "Keys that move together: tables of lists of one length.",
                "items": { "type": "object", "additionalProperties": axes }
            },
            "skip": {
                "type": "array",
                "description": "Points left out: tables of keys (and `variant`) with a value each.",
                "items": { "type": "object" }
            }
        },
        "additionalProperties": axes
    })
}

fn optional(definitions: &mut Map<String, Value>, table: &str) {
    if let Some(Value::Object(definition)) = definitions.get_mut(table) {
        definition.remove("required");
    }
}
