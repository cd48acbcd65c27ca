//! The types of a file in the words of their JSON schema.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map, Value};

use super::table;
use crate::measure::RUN_COLUMNS;
use crate::record::EPOCH_COLUMNS;

/// The schema's types, each of which is told once: where it is first spoken of.
pub struct Types<'a> {
    schema: &'a Value,
    definitions: &'a Map<String, Value>,
    /// The types that chapters begin with, and the chapters' titles.
    chapters: BTreeMap<&'static str, &'static str>,
    /// Those that have their place.
    placed: BTreeSet<String>,
    /// Those that are spoken of in the chapter at hand and are to be told in it.
    next: VecDeque<String>,
}

/// What a definition is made of.
enum Form<'a> {
    /// A table of fields.
    Fields(&'a Value),
    /// Something short, or a table of fields in its place.
    FieldsOr(&'a [Value]),
    /// One of several things by its key: what stands for each; or something else.
    OneKey(&'a [Value]),
    /// One of several words, with what each means.
    Words(Vec<(&'a str, &'a str)>),
    /// Anything else, which is said where it is used.
    Plain,
}

impl<'a> Types<'a> {
    /// Of the schema of a file; chapters have a title, and a type that they begin with.
    pub fn new(schema: &'a Value, chapters: &[(&'static str, &'static str)]) -> Self {
        let chapters = chapters.iter().map(|&(title, root)| (root, title));
        Types {
            schema,
            definitions: schema["definitions"]
                .as_object()
                .expect("a schema of types"),
            chapters: chapters.collect(),
            placed: BTreeSet::new(),
            next: VecDeque::new(),
        }
    }

    /// The keys at the top of a file.
    pub fn file(&mut self) -> String {
        let mut text = self.fields(self.schema);
        for key in ["blocks", "grid"] {
            let schema = &self.schema["properties"][key];
            let inner = match key {
                "blocks" => &schema["additionalProperties"],
                _ => schema,
            };
            text += &format!("\n### `[{key}]`\n\n{}\n\n", description(schema));
            text += &self.fields(inner);
        }
        text
    }

    /// A type and all that it speaks of.
    pub fn chapter(&mut self, root: &str) -> String {
        let mut text = self.told(root);
        while let Some(name) = self.next.pop_front() {
            let title = self.title(&name);
            text += &format!("\n{}### {title}\n\n{}", anchor(&name), self.told(&name));
        }
        text
    }

    /// `EarlyStopping` as `Early stopping`; a number is left out that tells types of one name apart.
    fn title(&self, name: &str) -> String {
        let alone = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let name = match self.definitions.contains_key(alone) {
            true => alone,
            false => name,
        };
        let mut words = String::new();
        for letter in name.chars() {
            match letter.is_uppercase() && !words.is_empty() {
                true => words.extend([' ', letter.to_ascii_lowercase()]),
                false => words.push(letter),
            }
        }
        words
    }

    fn form(&self, name: &str) -> Form<'a> {
        form(&self.definitions[name])
    }

    /// What a type says of itself.
    fn told(&mut self, name: &str) -> String {
        let definition = &self.definitions[name];
        let about = match description(definition) {
            about if about.is_empty() => about,
            about => format!("{about}\n\n"),
        };
        about
            + &match form(definition) {
                Form::Fields(table) => self.fields(table),
                Form::FieldsOr(several) => self.fields_or(several),
                Form::OneKey(several) => self.things(several),
                Form::Words(words) => {
                    let rows = words.into_iter();
                    let rows =
                        rows.map(|(word, doc)| vec![format!("`\"{word}\"`"), doc.to_string()]);
                    table(&["word", "what it means"], rows)
                }
                Form::Plain => self.value(definition) + "\n",
            }
    }

    /// Something short, or a table.
    fn fields_or(&mut self, several: &[Value]) -> String {
        let (tables, others): (Vec<&Value>, Vec<&Value>) =
            several.iter().partition(|one| has_fields(one));
        let others = or(others
            .into_iter()
            .flat_map(|one| self.alternatives(one))
            .collect());
        let tables = tables.into_iter().map(|table| self.fields(table));
        let tables: String = tables.collect();
        format!("{}, or a table:\n\n{tables}", capital(&others))
    }

    /// Things by their keys: a list of all, then the fields of each.
    fn things(&mut self, several: &[Value]) -> String {
        let (mut rows, mut sections) = (Vec::new(), String::new());
        let mut keys: Vec<&str> = Vec::new();
        for thing in several {
            let Some((key, of)) = one_key(thing) else {
                continue;
            };
            keys.push(key);
            let about = match description(thing) {
                about if about.is_empty() => {
                    reference_of(of).map_or(about, |name| description(&self.definitions[name]))
                }
                about => about,
            };
            let tells = |form| {
                matches!(form, Form::Fields(table) if has_fields(table))
                    || matches!(form, Form::FieldsOr(_))
            };
            let Some(name) = reference_of(of).filter(|name| tells(self.form(name))) else {
                let value = match reference_of(of) {
                    Some(_) => String::new(),
                    None => format!(" {}.", capital(&self.value(of))),
                };
                rows.push(vec![format!("`{key}`"), about + &value]);
                continue;
            };
            rows.push(vec![format!("[`{key}`](#{})", slug(name)), about]);
            if self.placed.insert(name.to_string()) {
                let told = self.told(name);
                sections += &format!("\n{}#### `{key}`\n\n{told}", anchor(name));
            }
        }
        let alone = several.iter().filter(|one| one_key(one).is_none());
        let alone = alone.flat_map(|one| self.alternatives(one));
        // The names of things that need no fields are listed above.
        let is_thing = |word: &String| keys.iter().any(|key| *word == format!("`\"{key}\"`"));
        let others = or(alone.filter(|word| !is_thing(word)).collect());
        let others = match others.is_empty() {
            true => others,
            false => format!("{}, or one of these:\n\n", capital(&others)),
        };
        others + &table(&["name", "what it is"], rows) + &sections
    }

    fn fields(&mut self, definition: &Value) -> String {
        let none = Map::new();
        let fields = definition["properties"].as_object().unwrap_or(&none);
        let required = definition["required"].as_array();
        let is_required =
            |key: &str| required.is_some_and(|keys| keys.iter().any(|one| one == key));
        let mut rows: Vec<Vec<String>> = fields
            .iter()
            .map(|(key, field)| {
                let name = match is_required(key) {
                    true => format!("**`{key}`**"),
                    false => format!("`{key}`"),
                };
                vec![name, self.value(field), about_field(field)]
            })
            .collect();
        let others = &definition["additionalProperties"];
        if others.is_object() {
            let name = "any dotted key".to_string();
            rows.push(vec![name, self.value(others), about_field(others)]);
        }
        match rows.is_empty() {
            true => "It has no fields.\n".to_string(),
            false => table(&["field", "value", "what it says"], rows),
        }
    }

    /// What may stand for a value, in a phrase.
    fn value(&mut self, schema: &Value) -> String {
        or(self.alternatives(schema))
    }

    fn alternatives(&mut self, schema: &Value) -> Vec<String> {
        if let Some(name) = reference_of(schema) {
            return self.mention(name);
        }
        if let Some(word) = schema.get("const") {
            return vec![code(word)];
        }
        if let Some(words) = schema["enum"].as_array() {
            return words.iter().map(code).collect();
        }
        if let Some(several) = alternatives_of(schema) {
            if several.iter().all(is_column) {
                return vec!["the name of a [column](#columns)".to_string()];
            }
            return several
                .iter()
                .flat_map(|one| self.alternatives(one))
                .collect();
        }
        let kinds = match &schema["type"] {
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            kind => Vec::from_iter(kind.as_str()),
        };
        let kinds = kinds.into_iter().filter(|kind| *kind != "null");
        kinds.map(|kind| self.value_of(kind, schema)).collect()
    }

    fn value_of(&mut self, kind: &str, schema: &Value) -> String {
        match kind {
            "string" => "a text".to_string(),
            "boolean" => "`true` or `false`".to_string(),
            "integer" => format!("a whole number{}", range(schema)),
            "number" => format!("a number{}", range(schema)),
            "array" => {
                let (least, most) = (&schema["minItems"], &schema["maxItems"]);
                let length = least.as_u64().filter(|_| least == most);
                let length = length.map_or(String::new(), |length| format!(" of {length}"));
                match self.value(&schema["items"]) {
                    each if each.is_empty() => format!("a list{length}"),
                    each => format!("a list{length}, each {each}"),
                }
            }
            _ => match schema["properties"].as_object() {
                Some(fields) => {
                    let fields = fields.iter();
                    let fields =
                        fields.map(|(key, field)| format!("`{key}`: {}", self.value(field)));
                    format!("a table ({})", fields.collect::<Vec<_>>().join("; "))
                }
                None => "a table".to_string(),
            },
        }
    }

    /// A type where it is spoken of: in place if that is soon said, else by its name.
    fn mention(&mut self, name: &str) -> Vec<String> {
        if let Some(chapter) = self.chapters.get(name) {
            let chapter = format!("[{chapter}](#{})", chapter.to_lowercase());
            return vec![chapter];
        }
        match self.form(name) {
            Form::Plain => self.alternatives(&self.definitions[name]),
            Form::Fields(table) if !has_fields(table) => vec!["an empty table".to_string()],
            _ => {
                if self.placed.insert(name.to_string()) {
                    self.next.push_back(name.to_string());
                }
                let title = self.title(name).to_lowercase();
                vec![format!("[{title}](#{})", slug(name))]
            }
        }
    }
}

fn form(definition: &Value) -> Form<'_> {
    if definition.get("properties").is_some() {
        return Form::Fields(definition);
    }
    let Some(several) = alternatives_of(definition) else {
        return Form::Plain;
    };
    if several.iter().any(|one| one_key(one).is_some()) {
        return Form::OneKey(several);
    }
    if several.iter().any(has_fields) {
        return Form::FieldsOr(several);
    }
    match several.iter().map(word).collect() {
        Some(words) => Form::Words(words),
        None => Form::Plain,
    }
}

fn alternatives_of(schema: &Value) -> Option<&[Value]> {
    let several = schema["oneOf"].as_array().or(schema["anyOf"].as_array())?;
    Some(several)
}

/// Whether it is a table whose fields say what they are.
fn has_fields(schema: &Value) -> bool {
    let fields = schema["properties"].as_object();
    fields.is_some_and(|fields| fields.values().any(|field| !description(field).is_empty()))
}

/// The key of a thing that goes by one, and what stands for it.
fn one_key(thing: &Value) -> Option<(&str, &Value)> {
    let keys = thing["properties"].as_object()?;
    let required = thing["required"].as_array()?;
    let (key, of) = keys.iter().next()?;
    (keys.len() == 1 && required.len() == 1).then_some((key.as_str(), of))
}

/// A word of several, with what it means.
fn word(one: &Value) -> Option<(&str, &str)> {
    Some((one["const"].as_str()?, one["description"].as_str()?))
}

fn reference_of(schema: &Value) -> Option<&str> {
    let schema = match schema["allOf"].as_array().map(Vec::as_slice) {
        Some([one]) => one,
        _ => schema,
    };
    schema["$ref"].as_str()?.strip_prefix("#/definitions/")
}

fn is_column(word: &Value) -> bool {
    let name = word["const"].as_str();
    name.is_some_and(|name| {
        EPOCH_COLUMNS.iter().any(|column| column.name == name)
            || RUN_COLUMNS.iter().any(|column| column.name == name)
    })
}

fn description(schema: &Value) -> String {
    schema["description"]
        .as_str()
        .unwrap_or_default()
        .to_string()
}

/// What a field says, and its default where the sentence leaves that out.
fn about_field(field: &Value) -> String {
    let about = description(field);
    match field.get("default") {
        Some(default) if !about.to_lowercase().contains("default") => {
            format!("{about} Default {}.", code(default))
        }
        _ => about,
    }
}

fn range(schema: &Value) -> String {
    let bound = |key: &str, word: &str| Some(format!("{word} {}", number(schema.get(key)?)));
    let least = bound("minimum", "from").or_else(|| bound("exclusiveMinimum", "above"));
    let most = bound("maximum", "to").or_else(|| bound("exclusiveMaximum", "below"));
    let words: Vec<String> = least.into_iter().chain(most).collect();
    match words.is_empty() {
        true => String::new(),
        false => format!(" {}", words.join(" ")),
    }
}

fn number(value: &Value) -> String {
    value
        .as_f64()
        .map_or(value.to_string(), |number| number.to_string())
}

fn capital(phrase: &str) -> String {
    let mut letters = phrase.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn code(value: &Value) -> String {
    format!("`{value}`")
}

fn or(phrases: Vec<String>) -> String {
    let mut all: Vec<String> = Vec::new();
    for phrase in phrases {
        if !phrase.is_empty() && !all.contains(&phrase) {
            all.push(phrase);
        }
    }
    match all.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

fn slug(name: &str) -> String {
    format!("type-{}", name.to_lowercase())
}

fn anchor(name: &str) -> String {
    format!("<a id=\"{}\"></a>\n\n", slug(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_said_in_a_phrase() {
        let schema = serde_json::json!({ "definitions": {
            "Fit": { "oneOf": [{ "const": "crop", "description": "Cut." }, { "const": "pad", "description": "Fill." }] },
            "Word": { "type": "string", "enum": ["same", "valid"] },
            "Train": { "type": "object", "properties": {} },
        } });
        let mut types = Types::new(&schema, &[("Training", "Train")]);
        let mut value = |json: &str| types.value(&serde_json::from_str(json).unwrap());
        assert_eq!(
            value(r#"{"type": ["integer", "null"], "minimum": 1}"#),
            "a whole number from 1"
        );
        assert_eq!(
            value(r#"{"type": "number", "exclusiveMinimum": 0.0, "maximum": 1.0}"#),
            "a number above 0 to 1"
        );
        assert_eq!(
            value(
                r##"{"anyOf": [{"$ref": "#/definitions/Word"}, {"const": "none"}, {"type": "null"}]}"##
            ),
            "`\"same\"`, `\"valid\"` or `\"none\"`"
        );
        let pair = r#"{"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 2, "maxItems": 2}"#;
        assert_eq!(value(pair), "a list of 2, each a whole number from 1");
        assert_eq!(
            value(r##"{"allOf": [{"$ref": "#/definitions/Fit"}]}"##),
            "[fit](#type-fit)"
        );
        assert_eq!(
            value(r##"{"$ref": "#/definitions/Train"}"##),
            "[Training](#training)"
        );
        let told = types.chapter("Word");
        assert!(told.contains("| `\"crop\"` | Cut. |"), "{told}");
    }

    #[test]
    fn things_are_listed_and_then_told_once() {
        let named = |key: &str| serde_json::json!({ "properties": { key: { "$ref": format!("#/definitions/{key}") } }, "required": [key], "description": "One." });
        let schema = serde_json::json!({ "definitions": {
            "Layer": { "oneOf": [named("Dense"), named("Flatten"), { "type": "string", "enum": ["Flatten", "none"] }] },
            "Dense": { "type": "object", "required": ["units"], "properties": {
                "units": { "type": "integer", "description": "How many." },
                "bias": { "type": "boolean", "default": true, "description": "Whether." },
            } },
            "Flatten": { "type": "object", "properties": {} },
        } });
        let told = Types::new(&schema, &[]).chapter("Layer");
        let expected = "`\"none\"`, or one of these:\n\n\
            | name | what it is |\n| --- | --- |\n| [`Dense`](#type-dense) | One. |\n| `Flatten` | One. |\n\n\
            <a id=\"type-dense\"></a>\n\n#### `Dense`\n\n\
            | field | value | what it says |\n| --- | --- | --- |\n\
            | **`units`** | a whole number | How many. |\n\
            | `bias` | `true` or `false` | Whether. Default `true`. |\n";
        assert_eq!(told, expected);
    }

    #[test]
    fn types_are_called_as_people_write() {
        let schema =
            serde_json::json!({ "definitions": { "Scale": {}, "Scale2": {}, "Conv2d": {} } });
        let types = Types::new(&schema, &[]);
        assert_eq!(types.title("EarlyStopping"), "Early stopping");
        assert_eq!(types.title("Scale2"), "Scale");
        assert_eq!(types.title("PrecisionAt10"), "Precision at10");
        assert_eq!(types.title("Conv2d"), "Conv2d");
    }
}
