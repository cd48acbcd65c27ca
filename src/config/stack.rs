//! Values laid over each other, each remembering where it came from.
//!
//! figment merges them and keeps a tag on every value. What this adds: a choice such as
//! `optimizer = { sgd = ... }` replaces another choice instead of standing beside it, and a table
//! laid over a list of layers changes the layers it names.

use std::rc::Rc;

use figment::value::{Dict, Empty, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::document::Document;
use super::optimizers::parts;
use crate::error::{Place, Problem, did_you_mean, list, nearest};
use crate::models::Kind;

/// Where a set of values came from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// As `explain` shows it: `the defaults`, `experiments/x.toml`, `--set train.epochs=3`.
    pub name: String,
    /// The file that holds them, if one does.
    pub document: Option<Rc<Document>>,
    /// Where in the settings they were put: empty for a file, a grid key's parts for a grid point.
    pub base: Vec<String>,
    /// What stands in the file instead of `base`: `variants.NAME`, `grid.KEY.INDEX`.
    pub written: Vec<String>,
}

impl Origin {
    /// That of values which no document holds.
    pub fn outside(name: String) -> Self {
        Origin {
            name,
            document: None,
            base: Vec::new(),
            written: Vec::new(),
        }
    }

    /// The place of the setting at `path`, or of its key.
    pub fn place(&self, path: &[String], of_key: bool) -> Place {
        self.place_by_names(path, &[], of_key)
    }

    /// The same, where layers may have been named: `names` has the names of layers at the places of their indices.
    fn place_by_names(&self, path: &[String], names: &[Option<String>], of_key: bool) -> Place {
        let show = path.join(".");
        match &self.document {
            None => Place::Setting(self.name.clone()),
            Some(document) => {
                let inner = path.get(self.base.len()..).unwrap_or_default();
                if of_key && inner.is_empty() && !self.base.is_empty() {
                    // A grid's key is written once for all its values.
                    let key = &self.written[..self.written.len() - 1];
                    return document.place_of_key(key, &key.join("."));
                }
                let keys: Vec<String> = self.written.iter().chain(inner).cloned().collect();
                let unnamed = self.written.iter().map(|_| None);
                let inner = names.get(self.base.len()..).unwrap_or_default();
                let names: Vec<_> = unnamed.chain(inner.iter().cloned()).collect();
                document.place_by_names(&keys, &names, &show, of_key)
            }
        }
    }
}

/// Tables where only one key may stand: the one laid on top wins. Of the optimizer's they may be parts of a model, which
/// stand beside each other, each with a choice of its own.
const CHOICES: &[&[&str]] = &[
    &["model"],
    &["data", "dataset"],
    &["train", "optimizer"],
    &["train", "loss"],
    &["train", "schedule"],
    &["train", "clip"],
    &["train", "average"],
];

/// Keys of a table that do not stand beside others, which they take the place of where they are laid on top.
const RIVALS: &[(&[&str], &str, &[&str])] = &[
    (&["train", "warm_up"], "epochs", &["steps"]),
    (&["train", "warm_up"], "steps", &["epochs"]),
    (
        &["start"],
        "run",
        &["weights", "map", "rename", "layout", "strip"],
    ),
    (&["start"], "weights", &["run", "best"]),
    (&["start"], "map", &["rename"]),
    (&["start"], "rename", &["map"]),
    (&["data", "generated"], "run", &["runs"]),
    (&["data", "generated"], "runs", &["run"]),
];

/// What stands in lists by names.
const LAYER: &str = "layer";

/// Lists within a layer, and what stands in them.
const INNER: &[(&str, &str)] = &[
    ("layers", LAYER),
    ("projection", LAYER),
    ("branches", "branch"),
];

/// What a layer lacks that is to be changed.
const NAMELESS: &str = "give the layer a `name` in the file to change it from here";

/// Whether this is the key of a list of layers, whose layers a table laid over it changes by their names.
pub fn is_layer_list(key: &str) -> bool {
    Kind::ALL.iter().any(|kind| kind.lists().contains(&key))
}

/// Values over values.
#[derive(Debug, Clone)]
pub struct Stack {
    figment: Figment,
    origins: Vec<Rc<Origin>>,
}

struct Given {
    dict: Dict,
    index: usize,
}

impl Provider for Given {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.index.to_string())
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.dict.clone()))
    }
}

impl Default for Stack {
    fn default() -> Self {
        Self::new()
    }
}

impl Stack {
    /// A stack without any values.
    pub fn new() -> Self {
        Stack {
            figment: Figment::new(),
            origins: Vec::new(),
        }
    }

    /// Lays values on top.
    ///
    /// # Errors
    /// Something else than a table is laid over a whole section, or a table laid over a list of layers
    /// names a layer that is not there.
    pub fn push(&mut self, origin: Origin, values: &toml::Table) -> Result<(), Problem> {
        let mut dict = to_dict(values);
        let below = self.tree();
        let mut path = Vec::new();
        adapt(&below, &mut dict, &mut path, &origin)?;
        let index = self.origins.len();
        self.origins.push(Rc::new(origin));
        let figment = std::mem::replace(&mut self.figment, Figment::new());
        self.figment = figment.merge(Given { dict, index });
        Ok(())
    }

    fn tree(&self) -> Dict {
        let data = self.figment.data().unwrap_or_default();
        data.into_values().next().unwrap_or_default()
    }

    /// Everything as it stands now.
    pub fn resolve(&self) -> Resolved {
        let tree = self.tree();
        Resolved {
            json: to_json(&Value::from(tree.clone())).unwrap_or_default(),
            tree: Value::from(tree),
            figment: self.figment.clone(),
            origins: self.origins.clone(),
        }
    }
}

/// Values with nothing more to come, and where each came from.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// All values as one table.
    pub json: serde_json::Value,
    tree: Value,
    figment: Figment,
    origins: Vec<Rc<Origin>>,
}

impl Resolved {
    /// Who set the value at `path`, or the nearest table around it.
    pub fn origin(&self, path: &[String]) -> Option<&Origin> {
        let mut value = &self.tree;
        let mut tag = value.tag();
        for key in path {
            let inner = match value {
                Value::Dict(_, dict) => dict.get(key),
                Value::Array(_, items) => key.parse().ok().and_then(|i: usize| items.get(i)),
                _ => None,
            };
            match inner {
                Some(inner) => value = inner,
                None => break,
            }
            tag = value.tag();
        }
        let metadata = self.figment.get_metadata(tag)?;
        let index: usize = metadata.name.parse().ok()?;
        self.origins.get(index).map(Rc::as_ref)
    }

    /// The place of the value at `path`.
    pub fn place(&self, path: &[String]) -> Option<Place> {
        let names = self.names(path);
        Some(self.origin(path)?.place_by_names(path, &names, false))
    }

    /// The place of the key at `path`.
    pub fn place_of_key(&self, path: &[String]) -> Option<Place> {
        let names = self.names(path);
        Some(self.origin(path)?.place_by_names(path, &names, true))
    }

    /// The names of the layers along a path, at the places of their indices: a table that changes a layer has it under its
    /// name.
    fn names(&self, path: &[String]) -> Vec<Option<String>> {
        let mut value = Some(&self.tree);
        let step = |key: &String| {
            let (inner, name) = match value {
                Some(Value::Dict(_, dict)) => (dict.get(key), None),
                Some(Value::Array(_, items)) => {
                    let item = key.parse().ok().and_then(|index: usize| items.get(index));
                    (item, item.and_then(|item| name_of(item, LAYER)))
                }
                _ => (None, None),
            };
            value = inner;
            name
        };
        path.iter().map(step).collect()
    }
}

fn to_dict(table: &toml::Table) -> Dict {
    table
        .iter()
        .map(|(key, value)| (key.clone(), to_value(value)))
        .collect()
}

fn to_value(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text.clone()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::from(*number),
        toml::Value::Boolean(truth) => Value::from(*truth),
        toml::Value::Datetime(time) => Value::from(time.to_string()),
        toml::Value::Array(items) => Value::from(items.iter().map(to_value).collect::<Vec<_>>()),
        toml::Value::Table(table) => Value::from(to_dict(table)),
    }
}

/// The tree as JSON, without what was emptied.
fn to_json(value: &Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::Empty(..) => return None,
        Value::String(_, text) => text.clone().into(),
        Value::Char(_, letter) => letter.to_string().into(),
        Value::Bool(_, truth) => (*truth).into(),
        Value::Num(_, number) => match number.to_i128() {
            Some(whole) => i64::try_from(whole).ok()?.into(),
            None => number.to_f64().into(),
        },
        Value::Dict(_, dict) => dict
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), to_json(value)?)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(_, items) => items.iter().filter_map(to_json).collect::<Vec<_>>().into(),
    })
}

/// Whether one of several keys is chosen in the table at `path`.
fn is_choice(path: &[String]) -> bool {
    CHOICES.iter().any(|choice| path == *choice)
        || matches!(path, [train, optimizer, part] if train == "train" && optimizer == "optimizer" && is_part(part))
}

/// Whether an optimizer may be for this part of a model.
fn is_part(key: &str) -> bool {
    parts().any(|part| part == key)
}

/// Makes `dict` ready to be merged over `below`: choices replace, tables over lists change elements.
fn adapt(
    below: &Dict,
    dict: &mut Dict,
    path: &mut Vec<String>,
    origin: &Origin,
) -> Result<(), Problem> {
    if is_choice(path) && !dict.is_empty() {
        let are_parts = dict.keys().all(|key| is_part(key));
        let others: Vec<String> = below
            .keys()
            .filter(|key| !(dict.contains_key(*key) || are_parts && is_part(key)))
            .cloned()
            .collect();
        for other in others {
            dict.insert(other, Value::from(Empty::Unit));
        }
    }
    let rivals = RIVALS.iter().filter(|(table, ..)| path == table);
    let rivals = rivals.filter(|(_, key, _)| dict.contains_key(*key));
    let replaced: Vec<&str> = rivals.flat_map(|(.., others)| *others).copied().collect();
    for other in replaced.into_iter().filter(|key| below.contains_key(*key)) {
        let none = || Value::from(Empty::Unit);
        dict.entry(other.to_string()).or_insert_with(none);
    }
    for (key, value) in dict.iter_mut() {
        path.push(key.clone());
        let is_section = path.len() == 1 && matches!(below.get(key), Some(Value::Dict(..)));
        let is_text = ["model", "start"].contains(&key.as_str());
        if is_section && !matches!(value, Value::Dict(..)) && !is_text {
            let problem = Problem::new(format!("expected a table for `{key}`"));
            return Err(problem.at(origin.place(path, false)));
        }
        let changed = match (below.get(key), &mut *value) {
            (Some(Value::Dict(_, below)), Value::Dict(_, dict)) => {
                adapt(below, dict, path, origin)?;
                None
            }
            (Some(Value::Array(_, below)), Value::Dict(_, changes)) if is_layer_list(key) => {
                Some(change_named(below, LAYER, changes, path, origin)?)
            }
            _ => None,
        };
        if let Some(changed) = changed {
            *value = changed;
        }
        path.pop();
    }
    Ok(())
}

/// A list of layers, or of branches, with those named in `changes` changed.
fn change_named(
    layers: &[Value],
    what: &str,
    changes: &Dict,
    path: &[String],
    origin: &Origin,
) -> Result<Value, Problem> {
    let mut layers = layers.to_vec();
    let names: Vec<Option<String>> = layers.iter().map(|layer| name_of(layer, what)).collect();
    for (name, change) in changes {
        let Some(index) = names.iter().position(|known| known.as_ref() == Some(name)) else {
            let known: Vec<&String> = names.iter().flatten().collect();
            let at: Vec<String> = path.iter().chain([name]).cloned().collect();
            let problem = Problem::new(format!(
                "no {what} of `{}` is called `{name}`",
                path.join(".")
            ))
            .at(origin.place(&at, true))
            .maybe_hint(match nearest(name, &known) {
                Some(_) => did_you_mean(name, &known),
                None if known.is_empty() => Some(NAMELESS.to_string()),
                None => Some(format!("known here: {}; {NAMELESS}", list(&known))),
            });
            return Err(problem);
        };
        let Value::Dict(_, change) = change else {
            let at: Vec<String> = path.iter().chain([name]).cloned().collect();
            return Err(Problem::new(format!(
                "expected a table of fields for the {what} `{name}`"
            ))
            .at(origin.place(&at, false))
            .hint(format!("name one field, such as `{}.FIELD`", at.join("."))));
        };
        if let Some(fields) = fields_of(&mut layers[index], what) {
            for (key, value) in change {
                let value = match (fields.get(key), value, stands_in(key)) {
                    (Some(Value::Array(_, below)), Value::Dict(_, inner), Some(what)) => {
                        let at: Vec<String> = path.iter().chain([name, key]).cloned().collect();
                        change_named(below, what, inner, &at, origin)?
                    }
                    (Some(Value::Dict(tag, below)), Value::Dict(_, inner), _)
                        if *key == "activity" =>
                    {
                        Value::Dict(*tag, over(below, inner))
                    }
                    _ => value.clone(),
                };
                fields.insert(key.clone(), value);
            }
        }
    }
    Ok(Value::from(layers))
}

/// Tables within a field, merged key by key; other fields that are tables are choices of one.
fn over(below: &Dict, dict: &Dict) -> Dict {
    let mut merged = below.clone();
    for (key, value) in dict {
        let value = match (merged.get(key), value) {
            (Some(Value::Dict(tag, below)), Value::Dict(_, dict)) => {
                Value::Dict(*tag, over(below, dict))
            }
            _ => value.clone(),
        };
        merged.insert(key.clone(), value);
    }
    merged
}

fn name_of(named: &Value, what: &str) -> Option<String> {
    let mut fields = named.as_dict()?;
    if what == LAYER {
        fields = fields.values().next()?.as_dict()?;
    }
    fields.get("name")?.as_str().map(String::from)
}

/// The fields of a layer, `{ dense = { ... } }`, or those of a branch, which has no key of its own.
fn fields_of<'a>(named: &'a mut Value, what: &str) -> Option<&'a mut Dict> {
    let dict = |value: &'a mut Value| match value {
        Value::Dict(_, dict) => Some(dict),
        _ => None,
    };
    let fields = dict(named)?;
    match what {
        LAYER => dict(fields.values_mut().next()?),
        _ => Some(fields),
    }
}

/// What stands by names in a list within a layer, if this is the key of one.
fn stands_in(list: &str) -> Option<&'static str> {
    let inner = INNER.iter().find(|(key, _)| *key == list);
    inner.map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(layers: &[&str]) -> Result<Resolved, Problem> {
        let mut stack = Stack::new();
        for (index, text) in layers.iter().enumerate() {
            let origin = Origin::outside(format!("layer {index}"));
            stack.push(origin, &toml::from_str(text).unwrap())?;
        }
        Ok(stack.resolve())
    }

    fn keys(dotted: &str) -> Vec<String> {
        dotted.split('.').map(String::from).collect()
    }

    #[test]
    fn later_values_win_and_every_value_knows_its_origin() {
        let resolved = stack(&[
            "train = { epochs = 10, batch_size = 100 }",
            "train.epochs = 3",
        ])
        .unwrap();
        assert_eq!(resolved.json["train"]["epochs"], 3);
        assert_eq!(
            resolved.origin(&keys("train.epochs")).unwrap().name,
            "layer 1"
        );
        assert_eq!(
            resolved.origin(&keys("train.batch_size")).unwrap().name,
            "layer 0"
        );
    }

    #[test]
    fn another_choice_replaces_the_first_and_the_same_one_is_merged() {
        let adam = "train.optimizer.adam = { learning_rate = 1e-3, beta_1 = 0.5 }";
        let replaced = stack(&[adam, "train.optimizer.sgd.momentum = 0.9"]).unwrap();
        assert_eq!(
            replaced.json["train"]["optimizer"].to_string(),
            r#"{"sgd":{"momentum":0.9}}"#
        );
        let merged = stack(&[adam, "train.optimizer.adam.beta_1 = 0.9"]).unwrap();
        assert_eq!(
            merged.json["train"]["optimizer"]["adam"].to_string(),
            r#"{"beta_1":0.9,"learning_rate":0.001}"#
        );
        let parts = "train.optimizer = { generator = { adam = { learning_rate = 0.1 } }, discriminator = 'adam' }";
        let faster = "train.optimizer.generator.adam.learning_rate = 0.5";
        let other = "train.optimizer.generator.sgd = {}";
        let optimizer = |layers: &[&str]| stack(layers).unwrap().json["train"]["optimizer"].clone();
        assert_eq!(
            optimizer(&[adam, parts, faster]),
            serde_json::json!({ "discriminator": "adam", "generator": { "adam": { "learning_rate": 0.5 } } })
        );
        assert_eq!(
            optimizer(&[parts, other]),
            serde_json::json!({ "discriminator": "adam", "generator": { "sgd": {} } })
        );
        assert_eq!(
            optimizer(&[parts, "train.optimizer.sgd = {}"]),
            serde_json::json!({ "sgd": {} })
        );
        let back = stack(&[adam, "train.optimizer.sgd = {}", adam]).unwrap();
        assert!(back.json["train"]["optimizer"].get("sgd").is_none());
    }

    #[test]
    fn of_keys_that_exclude_each_other_the_one_on_top_stands() {
        let section = |layers: &[&str], name: &str| stack(layers).unwrap().json[name].clone();
        let warm_up = "train.warm_up = { epochs = 1, start = 0.1 }";
        assert_eq!(
            section(&[warm_up, "train.warm_up.steps = 10"], "train"),
            serde_json::json!({ "warm_up": { "start": 0.1, "steps": 10 } })
        );
        let start = "start = { run = { experiment = 'a' }, exclude = ['b'] }";
        assert_eq!(
            section(&[start, "start.weights = 'c'"], "start"),
            serde_json::json!({ "weights": "c", "exclude": ["b"] })
        );
        let file = "start = { weights = 'c', map = 'torchvision', exclude = ['b'] }";
        assert_eq!(
            section(&[file, "start.rename = { a = 'd' }"], "start"),
            serde_json::json!({ "weights": "c", "rename": { "a": "d" }, "exclude": ["b"] })
        );
        assert_eq!(
            section(&[file, "start.run = { experiment = 'a' }"], "start"),
            serde_json::json!({ "run": { "experiment": "a" }, "exclude": ["b"] })
        );
        assert_eq!(section(&[start, "start = 'none'"], "start"), "none");
        // Both in one place are told of where they are read.
        let both = section(&["start = { run = {}, weights = 'c' }"], "start");
        assert_eq!(both.as_object().unwrap().len(), 2);
    }

    #[test]
    fn branches_and_what_is_beside_them_are_reached_by_name() {
        let list = "layers = [
            { parallel = { name = 'par', branches = [
                { name = 'left', layers = [{ dense = { name = 'c', units = 4 } }] }, { layers = [] }] } },
            { residual = { name = 'res', layers = [], projection = [{ dense = { name = 'p', units = 4 } }] } },
        ]";
        let changed =
            |change: &str| stack(&[list, change]).map(|resolved| resolved.json["layers"].clone());
        let left = changed("layers.par.branches.left.layers.c.units = 9").unwrap();
        assert_eq!(
            left[0]["parallel"]["branches"][0]["layers"][0]["dense"]["units"],
            9
        );
        let aside = changed("layers.res.projection.p.units = 9").unwrap();
        assert_eq!(aside[1]["residual"]["projection"][0]["dense"]["units"], 9);
        let problem = changed("layers.par.branches.lift.layers.c.units = 9").unwrap_err();
        assert_eq!(
            problem.message,
            "no branch of `layers.par.branches` is called `lift`"
        );
    }

    #[test]
    fn a_section_stays_a_table() {
        let problem = stack(&["train = { epochs = 10 }", "train = 3"]).unwrap_err();
        assert_eq!(problem.message, "expected a table for `train`");
    }

    #[test]
    fn a_table_over_a_list_changes_the_layer_it_names() {
        let list = "layers = [{ dense = { units = 3 } }, { dense = { name = 'deep', units = 4 } }]";
        let resolved = stack(&[list, "layers.deep.units = 9"]).unwrap();
        assert_eq!(resolved.json["layers"][1]["dense"]["units"], 9);
        assert_eq!(
            resolved.origin(&keys("layers.1.dense.units")).unwrap().name,
            "layer 1"
        );
        assert_eq!(
            resolved.origin(&keys("layers.0.dense.units")).unwrap().name,
            "layer 0"
        );
        let nested = "layers = [{ repeat = { name = 'stage', times = 2, layers = [{ dense = { name = 'deep', units = 4 } }] } }]";
        let resolved = stack(&[nested, "layers.stage.layers.deep.units = 9"]).unwrap();
        assert_eq!(
            resolved.json["layers"][0]["repeat"]["layers"][0]["dense"]["units"],
            9
        );
        let sparse = "layers = [{ dense = { name = 'deep', activity = { l1 = 0.5, kl = { target = 0.1, weight = 2 } } } }]";
        let resolved = stack(&[sparse, "layers.deep.activity.kl.weight = 9"]).unwrap();
        let activity = &resolved.json["layers"][0]["dense"]["activity"];
        assert_eq!(activity["kl"]["weight"], 9);
        assert_eq!(
            (&activity["kl"]["target"], &activity["l1"]),
            (&0.1.into(), &0.5.into())
        );
        let problem = stack(&[list, "layers.depe.units = 9"]).unwrap_err();
        assert_eq!(problem.message, "no layer of `layers` is called `depe`");
        assert_eq!(problem.hint.as_deref(), Some("did you mean `deep`?"));
    }
}
