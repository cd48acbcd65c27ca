//! `[blocks]`: lists of layers defined once and used many times, with values for their parameters.
//!
//! A use becomes a `sequential` layer before anything is read as layers; what became of what is kept, so
//! that errors still point at the file.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::error::{Flaw, did_you_mean, list, thousands};

/// The settings without `[blocks]`, every use of a block replaced by its layers.
#[derive(Debug)]
pub struct Expanded {
    /// The values with every use of a block replaced by layers.
    pub values: Value,
    /// Where parts of it came from: path there, path in the settings as written.
    moves: Vec<(Vec<String>, Vec<String>)>,
    /// Uses that cannot be; keys are paths in the settings as written.
    pub flaws: Vec<Flaw>,
}

impl Expanded {
    /// The path of the same value in the settings as written.
    pub fn written(&self, path: &[String]) -> Vec<String> {
        let from = self
            .moves
            .iter()
            .filter(|(to, _)| path.starts_with(to))
            .max_by_key(|(to, _)| to.len());
        match from {
            Some((to, from)) => from.iter().chain(&path[to.len()..]).cloned().collect(),
            None => path.to_vec(),
        }
    }
}

/// Replaces every use of a block below `model`.
pub fn expand(settings: &Value) -> Expanded {
    let mut expansion = Expansion {
        blocks: settings.get("blocks"),
        moves: Vec::new(),
        flaws: Vec::new(),
        inside: Vec::new(),
        uses: 0,
        values: 0,
    };
    expansion.check_definitions();
    let mut values = settings.clone();
    if let Some(table) = values.as_object_mut() {
        table.shift_remove("blocks");
    }
    if let Some(model) = values.get_mut("model") {
        let paths = KeyPaths::root("model");
        *model = expansion.value(model, &paths, None);
    }
    Expanded {
        values,
        moves: expansion.moves,
        flaws: expansion.flaws,
    }
}

/// Where a value stands after expansion, and where as written.
#[derive(Debug, Clone)]
struct KeyPaths {
    now: Vec<String>,
    written: Vec<String>,
}

impl KeyPaths {
    fn root(key: &str) -> Self {
        KeyPaths {
            now: vec![key.to_string()],
            written: vec![key.to_string()],
        }
    }

    fn below(&self, key: &str) -> Self {
        let with = |path: &[String]| path.iter().cloned().chain([key.to_string()]).collect();
        KeyPaths {
            now: with(&self.now),
            written: with(&self.written),
        }
    }
}

/// The values of a block's parameters in one use of it.
struct Arguments<'a> {
    block: &'a str,
    values: &'a Map<String, Value>,
    /// Where `values` are written.
    at: Vec<String>,
    defaults: Option<&'a Map<String, Value>>,
    /// Those of the block around the use.
    outer: Option<&'a Arguments<'a>>,
}

struct Expansion<'a> {
    blocks: Option<&'a Value>,
    moves: Vec<(Vec<String>, Vec<String>)>,
    flaws: Vec<Flaw>,
    /// Blocks that are being expanded, outermost first.
    inside: Vec<String>,
    /// Uses expanded so far.
    uses: usize,
    /// Parameters that got their values so far.
    values: usize,
}

/// Blocks that use blocks many times grow without end.
const MOST_USES: usize = 10_000;

/// So do lists of parameters that hold lists of such.
const MOST_VALUES: usize = 100_000;

impl<'a> Expansion<'a> {
    fn flaw(&mut self, at: &[String], message: String, hint: Option<String>) {
        let flaw = Flaw {
            key: at.join("."),
            message,
            hint,
        };
        if !self.flaws.contains(&flaw) {
            self.flaws.push(flaw);
        }
    }

    /// Looks at the definitions themselves, used or not.
    fn check_definitions(&mut self) {
        let Some(blocks) = self.blocks else { return };
        let root = ["blocks".to_string()];
        let Some(blocks) = blocks.as_object() else {
            return self.flaw(
                &root,
                "expected a table of blocks for `blocks`".to_string(),
                None,
            );
        };
        for (name, block) in blocks {
            let at = [root[0].clone(), name.clone()];
            let Some(fields) = block.as_object() else {
                self.flaw(
                    &at,
                    format!("expected a table for the block `{name}`"),
                    None,
                );
                continue;
            };
            let known = ["defaults", "layers"];
            for key in fields.keys().filter(|key| !known.contains(&key.as_str())) {
                let at = [root[0].clone(), name.clone(), key.clone()];
                let message = format!("unknown key `{key}` in the block `{name}`");
                self.flaw(&at, message, did_you_mean(key, &known));
            }
            if !fields.get("layers").is_some_and(Value::is_array) {
                let message = format!("the block `{name}` needs `layers`, a list");
                self.flaw(&at, message, None);
            }
            if fields
                .get("defaults")
                .is_some_and(|defaults| !defaults.is_object())
            {
                let at = [&at[..], &["defaults".to_string()]].concat();
                let message = format!("expected a table of values for `defaults` of `{name}`");
                self.flaw(&at, message, None);
            }
        }
    }

    fn value(&mut self, value: &Value, paths: &KeyPaths, arguments: Option<&Arguments>) -> Value {
        match value {
            Value::Object(table) => {
                if let (1, Some(Value::Object(fields))) = (table.len(), table.get("block")) {
                    return self.usage(fields, paths, arguments);
                }
                let inner = table.iter().map(|(key, value)| {
                    (key.clone(), self.value(value, &paths.below(key), arguments))
                });
                Value::Object(inner.collect())
            }
            Value::Array(items) => {
                let inner = items.iter().enumerate().map(|(index, value)| {
                    self.value(value, &paths.below(&index.to_string()), arguments)
                });
                Value::Array(inner.collect())
            }
            Value::String(text) if text.starts_with('$') => self.term(text, paths, arguments),
            other => other.clone(),
        }
    }

    /// One use: `{ block = { use = "bottleneck", filters = 64 } }`.
    fn usage(
        &mut self,
        fields: &Map<String, Value>,
        paths: &KeyPaths,
        outer: Option<&Arguments>,
    ) -> Value {
        // Something that no reader stumbles over, for a use that has its flaw already.
        let nothing = json!({ "sequential": { "layers": [] } });
        let written = paths.below("block").written;
        let name = match fields.get("use") {
            Some(Value::String(name)) => name.clone(),
            Some(_) => {
                let at = [&written[..], &["use".to_string()]].concat();
                self.flaw(
                    &at,
                    "expected the name of a block for `use`".to_string(),
                    None,
                );
                return nothing;
            }
            None => {
                let known = self.known();
                let hint = (!known.is_empty()).then(|| format!("use = \"{}\"", known[0]));
                self.flaw(&written, "`block` needs `use`".to_string(), hint);
                return nothing;
            }
        };
        let Some(block) = self.blocks.and_then(|blocks| blocks.get(&name)) else {
            let at = [&written[..], &["use".to_string()]].concat();
            let known = self.known();
            let hint = match known.is_empty() {
                true => Some(format!("define it: [blocks.{name}]")),
                false => did_you_mean(&name, &known),
            };
            self.flaw(&at, format!("there is no block `{name}`"), hint);
            return nothing;
        };
        if self.inside.contains(&name) {
            let chain: Vec<&String> = self.inside.iter().chain([&name]).collect();
            let chain: Vec<String> = chain.into_iter().map(|name| format!("`{name}`")).collect();
            let message = format!("a block uses itself: {}", chain.join(" -> "));
            self.flaw(&written, message, None);
            return nothing;
        }
        let Some(layers) = block.get("layers").filter(|layers| layers.is_array()) else {
            return nothing;
        };
        let arguments = Arguments {
            block: &name,
            values: fields,
            at: written.clone(),
            defaults: block.get("defaults").and_then(Value::as_object),
            outer,
        };
        self.uses += 1;
        if self.uses > MOST_USES {
            let message = format!("blocks are used more than {} times", thousands(MOST_USES));
            self.flaw(&written, message, None);
            return nothing;
        }
        self.check_arguments(&arguments, layers);
        self.inside.push(name.clone());
        let now = paths.below("sequential").now;
        self.moves.push((now.clone(), written.clone()));
        let paths = KeyPaths {
            now: [&now[..], &["layers".to_string()]].concat(),
            written: ["blocks", &name, "layers"].map(String::from).to_vec(),
        };
        self.moves.push((paths.now.clone(), paths.written.clone()));
        let layers = self.value(layers, &paths, Some(&arguments));
        self.inside.pop();
        let mut sequential = Map::new();
        if let Some(given) = fields.get("name") {
            sequential.insert("name".to_string(), given.clone());
        }
        sequential.insert("made_of".to_string(), name.into());
        sequential.insert("layers".to_string(), layers);
        json!({ "sequential": sequential })
    }

    fn known(&self) -> Vec<String> {
        let blocks = self.blocks.and_then(Value::as_object);
        blocks.into_iter().flat_map(Map::keys).cloned().collect()
    }

    /// Values for parameters that the block does not have, and parameters without a value.
    fn check_arguments(&mut self, arguments: &Arguments, layers: &Value) {
        let mut named = BTreeSet::new();
        parameters(layers, &mut named);
        let block = arguments.block;
        for key in arguments.values.keys() {
            if !["use", "name"].contains(&key.as_str()) && !named.contains(key) {
                let at = [&arguments.at[..], std::slice::from_ref(key)].concat();
                let message = format!("the block `{block}` has no parameter `{key}`");
                let known: Vec<&String> = named.iter().collect();
                self.flaw(&at, message, did_you_mean(key, &known));
            }
        }
        let missing: Vec<String> = named
            .into_iter()
            .filter(|name| {
                let default = arguments.defaults.and_then(|defaults| defaults.get(name));
                !arguments.values.contains_key(name) && default.is_none()
            })
            .collect();
        if !missing.is_empty() {
            let message = format!("the block `{block}` needs {}", list(&missing));
            self.flaw(&arguments.at.clone(), message, None);
        }
    }

    /// `$filters`, or a sum, difference, product or quotient such as `$filters * 4`.
    fn term(&mut self, text: &str, paths: &KeyPaths, arguments: Option<&Arguments>) -> Value {
        let Some(arguments) = arguments else {
            let message = match paths.written.first().is_some_and(|table| table == "blocks") {
                true => format!("`{text}` stands in `defaults`, whose values hold no parameters"),
                false => format!("`{text}` stands outside of `[blocks]`"),
            };
            self.flaw(&paths.written, message, None);
            return Value::from(1);
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            [word] if is_name(&word[1..]) => self.argument(&word[1..], paths, arguments),
            [left, sign, right] => {
                let mut number = |word: &str| match word.strip_prefix('$') {
                    Some(name) => self.argument(name, paths, arguments),
                    None => word.parse::<i64>().map_or(Value::Null, Value::from),
                };
                let (left, right) = (number(left), number(right));
                // The expression stands in the block, not where its parts come from.
                self.moves.retain(|(now, _)| *now != paths.now);
                match arithmetic(&left, sign, &right) {
                    Ok(value) => value,
                    Err(why) => {
                        self.flaw(&paths.written, format!("`{text}` {why}"), None);
                        Value::from(1)
                    }
                }
            }
            _ => {
                let message = format!("`{text}` is no parameter");
                let hint = "`$NAME`, or one calculation such as `$NAME * 4`".to_string();
                self.flaw(&paths.written, message, Some(hint));
                Value::from(1)
            }
        }
    }

    /// The value of a parameter, noted as coming from where it is written.
    fn argument(&mut self, name: &str, paths: &KeyPaths, arguments: &Arguments) -> Value {
        let (value, written, outer) = match arguments.values.get(name) {
            Some(value) => {
                let at = [&arguments.at[..], &[name.to_string()]].concat();
                (value, at, arguments.outer)
            }
            None => match arguments.defaults.and_then(|defaults| defaults.get(name)) {
                Some(value) => {
                    let at = ["blocks", arguments.block, "defaults", name];
                    (value, at.map(String::from).to_vec(), None)
                }
                // Told already, once for the use.
                None => return Value::from(1),
            },
        };
        self.values += 1;
        if self.values > MOST_VALUES {
            let most = thousands(MOST_VALUES);
            let message = format!("blocks have more than {most} values of parameters");
            self.flaw(&["blocks".to_string()], message, None);
            return Value::from(1);
        }
        self.moves.push((paths.now.clone(), written.clone()));
        let paths = KeyPaths {
            now: paths.now.clone(),
            written,
        };
        self.value(value, &paths, outer)
    }
}

/// The names after `$` in all texts.
fn parameters(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(table) => table.values().for_each(|value| parameters(value, names)),
        Value::Array(items) => items.iter().for_each(|value| parameters(value, names)),
        Value::String(text) if text.starts_with('$') => {
            let words = text.split_whitespace();
            let named = words.filter_map(|word| word.strip_prefix('$'));
            names.extend(named.filter(|name| is_name(name)).map(String::from));
        }
        _ => {}
    }
}

fn is_name(word: &str) -> bool {
    !word.is_empty()
        && word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn arithmetic(left: &Value, sign: &str, right: &Value) -> Result<Value, String> {
    let (Some(left), Some(right)) = (left.as_i64(), right.as_i64()) else {
        return Err("calculates with something else than whole numbers".to_string());
    };
    let result = match sign {
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        "/" if left.checked_rem(right) != Some(0) => {
            return Err(format!("does not come out even: {left} / {right}"));
        }
        "/" => left.checked_div(right),
        _ => {
            return Err(format!(
                "has an unknown sign `{sign}`: use `+`, `-`, `*` or `/`"
            ));
        }
    };
    result
        .map(Value::from)
        .ok_or_else(|| "is too large".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Value {
        serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap()
    }

    const UNIT: &str = "
        [blocks.unit]
        defaults = { stride = 1 }
        layers = [{ conv2d = { filters = '$filters', stride = '$stride' } }, { conv2d = { filters = '$filters * 4' } }]
        [model.classifier]
        layers = ['flatten', USE]";

    fn expanded(usage: &str) -> Expanded {
        expand(&settings(&UNIT.replace("USE", usage)))
    }

    fn flaws(usage: &str) -> Vec<String> {
        let message = |flaw: Flaw| format!("{}: {}", flaw.key, flaw.message);
        expanded(usage).flaws.into_iter().map(message).collect()
    }

    #[test]
    fn lists_of_parameters_do_not_grow_without_end() {
        let list = ["'$x'"; 9].join(", ");
        let block = |number: usize| {
            let next = number + 1;
            format!(
                "[blocks.b{number}]\nlayers = [{{ block = {{ use = 'b{next}', x = [{list}] }} }}]\n"
            )
        };
        let blocks: String = (0..12).map(block).collect();
        let text = format!(
            "{blocks}[blocks.b12]\nlayers = [{{ reshape = {{ shape = '$x' }} }}]\n\
             [model.classifier]\nlayers = [{{ block = {{ use = 'b0', x = [1] }} }}]\n"
        );
        let flaws = expand(&settings(&text)).flaws;
        let message = "blocks have more than 100,000 values of parameters";
        assert!(
            flaws.iter().any(|flaw| flaw.message == message),
            "{flaws:?}"
        );
    }

    fn path(dotted: &str) -> Vec<String> {
        dotted.split('.').map(String::from).collect()
    }

    #[test]
    fn a_use_becomes_the_blocks_layers_with_its_values() {
        let expanded = expanded("{ block = { use = 'unit', filters = 8 } }");
        assert_eq!(expanded.flaws, []);
        assert_eq!(expanded.values.get("blocks"), None);
        assert_eq!(
            expanded.values["model"]["classifier"]["layers"][1],
            json!({ "sequential": { "made_of": "unit", "layers": [
                { "conv2d": { "filters": 8, "stride": 1 } }, { "conv2d": { "filters": 32 } }
            ] } })
        );
    }

    #[test]
    fn every_part_knows_where_it_is_written() {
        let expanded = expanded("{ block = { use = 'unit', filters = 8 } }");
        let layers = "model.classifier.layers.1.sequential.layers";
        let written = |below: &str| {
            expanded
                .written(&path(&format!("{layers}{below}")))
                .join(".")
        };
        assert_eq!(written(".0.conv2d"), "blocks.unit.layers.0.conv2d");
        assert_eq!(
            written(".0.conv2d.filters"),
            "model.classifier.layers.1.block.filters"
        );
        assert_eq!(written(".0.conv2d.stride"), "blocks.unit.defaults.stride");
        assert_eq!(
            written(".1.conv2d.filters"),
            "blocks.unit.layers.1.conv2d.filters"
        );
        let name = path("model.classifier.layers.1.sequential.name");
        assert_eq!(
            expanded.written(&name).join("."),
            "model.classifier.layers.1.block.name"
        );
    }

    #[test]
    fn blocks_use_blocks_and_take_lists() {
        let expanded = expand(&settings(
            "[blocks.inner]
            layers = [{ residual = { layers = '$body' } }]
            [blocks.outer]
            layers = [{ block = { use = 'inner', body = [{ dense = { units = '$units' } }] } }]
            [model.classifier]
            layers = [{ block = { use = 'outer', units = 7 } }]",
        ));
        assert_eq!(expanded.flaws, []);
        let text = expanded.values.to_string();
        assert!(
            text.contains(r#"{"residual":{"layers":[{"dense":{"units":7}}]}}"#),
            "{text}"
        );
        let units = "model.classifier.layers.0.sequential.layers.0.sequential.layers.0.residual.layers.0.dense.units";
        assert_eq!(
            expanded.written(&path(units)).join("."),
            "model.classifier.layers.0.block.units"
        );
    }

    #[test]
    fn wrong_uses_are_reported_where_they_stand() {
        let at = "model.classifier.layers.1.block";
        assert_eq!(
            flaws("{ block = { use = 'unti', filters = 8 } }"),
            [format!("{at}.use: there is no block `unti`")]
        );
        assert_eq!(
            flaws("{ block = { use = 'unit', filtres = 8 } }"),
            [
                format!("{at}.filtres: the block `unit` has no parameter `filtres`"),
                format!("{at}: the block `unit` needs `filters`"),
            ]
        );
        assert_eq!(
            flaws("{ block = { use = 'unit', filters = 'many' } }"),
            [
                "blocks.unit.layers.1.conv2d.filters: `$filters * 4` calculates with something else than whole numbers"
            ]
        );
        assert_eq!(
            flaws("{ dense = { units = '$units' } }"),
            ["model.classifier.layers.1.dense.units: `$units` stands outside of `[blocks]`"]
        );
        let circle = expand(&settings(
            "[blocks.a]\nlayers = [{ block = { use = 'b' } }]\n[blocks.b]\nlayers = [{ block = { use = 'a' } }]
            [model.classifier]\nlayers = [{ block = { use = 'a' } }]",
        ));
        assert_eq!(
            circle.flaws[0].message,
            "a block uses itself: `a` -> `b` -> `a`"
        );
    }
}
