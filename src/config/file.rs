//! An experiment file with all it extends, split into what its tables are for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::document::Document;
use super::search::{Distribution, SearchFields};
use super::stack::{Origin, Resolved, Stack};
use crate::error::{Error, Kind, Place, Problem, Result, did_you_mean, nearest};

/// The table of `burnlab.toml` that says where workers run; no part of any run.
pub(super) const LAUNCH: &str = "launch";

/// The tables that make up a run's settings; the other keys are the file's own.
pub const SETTINGS: &[&str] = &[
    "data", "augment", "blocks", "model", "start", "train", "measure", "record", "pictures",
];

/// The tables that say which points of the settings are tried.
const POINTS: &[&str] = &["grid", "search"];

/// The keys of a file besides its settings and its points.
const OWN: &[&str] = &["title", "source", "extends", "variants", "expect"];

/// Variables of the environment that are no keys of a file, without the `BURNLAB_` before them.
const VARIABLES: &[&str] = &[
    "data", "mirror", "results", "jobs", "device", "launch", "simd",
];

/// What a file says nothing of, with comments.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// Values from outside the files, weakest first: variables, then `--set`.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `BURNLAB_TRAIN__EPOCHS=3`, as found in the environment.
    pub variables: Vec<(String, String)>,
    /// `train.epochs=3`, as given on the command line.
    pub set: Vec<String>,
    /// Variables of the environment whose names or values are not UTF-8.
    pub unreadable: Vec<String>,
    /// Names of variables of the environment without the two underscores that stand between keys.
    pub undivided: Vec<String>,
}

impl Overrides {
    /// The `BURNLAB_SECTION__KEY` variables of this process.
    pub fn from_environment() -> Self {
        Overrides::from_variables(std::env::vars_os())
    }

    fn from_variables(all: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let mut overrides = Overrides::default();
        for (name, value) in all {
            let shown = name.to_string_lossy();
            if !shown.starts_with("BURNLAB_") {
                continue;
            }
            if !shown.contains("__") {
                overrides.undivided.push(shown.into_owned());
                continue;
            }
            match (name.to_str(), value.to_str()) {
                (Some(name), Some(value)) => {
                    let variable = (name.to_string(), value.to_string());
                    overrides.variables.push(variable);
                }
                _ => {
                    let variable = format!("{shown}={}", value.to_string_lossy());
                    overrides.unreadable.push(variable);
                }
            }
        }
        overrides.variables.sort();
        overrides.unreadable.sort();
        overrides.undivided.sort();
        overrides
    }

    /// Those that hold for other experiments which an experiment needs: of the environment, without its points.
    pub fn for_others(&self) -> Self {
        let is_of_points = |name: &str| {
            let key = variable_key(name);
            POINTS
                .iter()
                .any(|table| key.starts_with(&format!("{table}.")))
        };
        let variables = self.variables.iter();
        Overrides {
            variables: variables
                .filter(|(name, _)| !is_of_points(name))
                .cloned()
                .collect(),
            set: Vec::new(),
            unreadable: self.unreadable.clone(),
            undivided: self.undivided.clone(),
        }
    }

    /// Those of launchers, taken away from those of experiments.
    pub fn take_launch(&mut self) -> Self {
        let is_of_launch = |key: &str| key.trim_start().starts_with("launch.");
        let (variables, others) = std::mem::take(&mut self.variables)
            .into_iter()
            .partition(|(name, _)| name.starts_with("BURNLAB_LAUNCH__"));
        self.variables = others;
        let (set, others) = std::mem::take(&mut self.set)
            .into_iter()
            .partition(|set| is_of_launch(set));
        self.set = others;
        Overrides {
            variables,
            set,
            unreadable: Vec::new(),
            undivided: self.undivided.clone(),
        }
    }

    /// The values as they are laid over each other; `known` are the tables that they may be of.
    pub(super) fn layers(&self, known: &[&str]) -> Result<Vec<(Origin, toml::Table)>> {
        if !self.unreadable.is_empty() {
            let problem = |variable: &String| {
                let place = Place::Setting(variable.clone());
                Problem::new("the variable of the environment is not UTF-8").at(place)
            };
            let problems = self.unreadable.iter().map(problem).collect();
            return Err(Error::new(Kind::Usage, problems));
        }
        let undivided: Vec<Problem> = self
            .undivided
            .iter()
            .filter_map(|name| undivided(name, known))
            .collect();
        if !undivided.is_empty() {
            return Err(Error::new(Kind::Usage, undivided));
        }
        let variables = self
            .variables
            .iter()
            .map(|(name, value)| (format!("{name}={value}"), variable_key(name), value.clone()));
        let set = self.set.iter().map(|text| {
            let (key, value) = text.split_once('=').unwrap_or((text, ""));
            (
                format!("--set {text}"),
                key.trim().to_string(),
                value.trim().to_string(),
            )
        });
        variables
            .chain(set)
            .map(|(name, key, value)| {
                let parts = parts_of(&key);
                let wrong = |message: String, hint: Option<String>| {
                    Error::usage(
                        Problem::new(message)
                            .at(Place::Setting(name.clone()))
                            .maybe_hint(hint),
                    )
                };
                if name.starts_with("--set") && !name.contains('=') {
                    return Err(wrong(
                        format!("expected `key=value`, found `{key}`"),
                        Some("for example `--set train.epochs=3`".to_string()),
                    ));
                }
                if !known.contains(&parts[0].as_str()) {
                    return Err(wrong(
                        format!("unknown key `{key}`"),
                        meant_at_top(&parts[0], known),
                    ));
                }
                if parts.len() < 2 {
                    return Err(wrong(
                        format!("`{key}` is a table: name one of its keys"),
                        None,
                    ));
                }
                Ok((outside(name.clone()), nested(&parts, parse_value(&value))))
            })
            .collect()
    }
}

/// What is wrong with a variable that has nowhere two underscores, and is near to one that means something: a key of one of
/// these tables, or an argument of commands.
fn undivided(name: &str, known: &[&str]) -> Option<Problem> {
    let own = name.trim_start_matches("BURNLAB_").to_lowercase();
    if VARIABLES.contains(&own.as_str()) {
        return None;
    }
    let called = |key: &str| format!("`BURNLAB_{}`", key.to_uppercase().replace('.', "__"));
    let table = own
        .split_once('_')
        .filter(|(table, key)| known.contains(table) && !key.is_empty());
    let hint = match (table, table_with(&own, known), nearest(&own, VARIABLES)) {
        (Some((table, key)), ..) => {
            let key = called(&format!("{table}.{key}"));
            format!("two underscores stand between keys: {key}")
        }
        (None, Some(table), _) => format!("did you mean {}?", called(&format!("{table}.{own}"))),
        (None, None, Some(variable)) => format!("did you mean {}?", called(variable)),
        (None, None, None) => return None,
    };
    Some(Problem::new(format!("unknown variable of the environment `{name}`")).hint(hint))
}

/// The table of these that has a key of this name by default.
fn table_with(key: &str, known: &[&str]) -> Option<String> {
    let tables: toml::Table = DEFAULTS.parse().unwrap_or_default();
    let has_it = |(table, inner): &(&String, &toml::Value)| {
        known.contains(&table.as_str()) && inner.get(key).is_some()
    };
    let found = tables.iter().find(has_it);
    found.map(|(table, _)| table.clone())
}

/// The key that a variable of the environment names: `train.epochs` of `BURNLAB_TRAIN__EPOCHS`.
fn variable_key(name: &str) -> String {
    let name = name.trim_start_matches("BURNLAB_");
    name.to_lowercase().replace("__", ".")
}

/// The keys down to a value from outside. The dots of a swept key are its own: `grid.train.epochs` is `grid."train.epochs"`.
fn parts_of(key: &str) -> Vec<String> {
    let parts = quoted_parts(key).unwrap_or_else(|| key.split('.').map(String::from).collect());
    let (table, rest) = (parts[0].as_str(), &parts[1..]);
    let own: usize = match (table, rest) {
        (_, []) => return parts,
        ("grid", [only]) if ["zip", "skip"].contains(&only.as_str()) => return parts,
        ("search", [first, ..]) if SearchFields::NAMES.contains(&first.as_str()) => return parts,
        // What it is drawn from may follow the key.
        ("search", [_, .., last]) if Distribution::NAMES.contains(&last.as_str()) => rest.len() - 1,
        ("grid" | "search", _) => rest.len(),
        _ => return parts,
    };
    let swept = rest[..own].join(".");
    [&[table.to_string(), swept], &rest[own..]].concat()
}

/// The parts of a dotted key by the rules of TOML; `None` where it breaks them.
fn quoted_parts(key: &str) -> Option<Vec<String>> {
    let mut table = toml::from_str::<toml::Table>(&format!("{key} = 0")).ok()?;
    let mut parts = Vec::new();
    loop {
        let (part, value) = std::mem::take(&mut table).into_iter().next()?;
        parts.push(part);
        match value {
            toml::Value::Table(inner) => table = inner,
            _ => return Some(parts),
        }
    }
}

/// A value as TOML, or as a plain text where it is no TOML.
fn parse_value(text: &str) -> toml::Value {
    toml::from_str::<toml::Table>(&format!("value = {text}"))
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(text.to_string()))
}

/// `{ a = { b = value } }` for the keys `a`, `b`.
pub fn nested(keys: &[String], value: toml::Value) -> toml::Table {
    let mut table = toml::Table::new();
    match keys {
        [] => {}
        [last] => {
            table.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            table.insert(first.clone(), toml::Value::Table(nested(rest, value)));
        }
    }
    table
}

fn outside(name: String) -> Origin {
    Origin {
        name,
        document: None,
        base: Vec::new(),
        written: Vec::new(),
    }
}

/// A file after the files it extends, the furthest ancestor first.
#[derive(Debug)]
pub struct Chain {
    /// The files, the furthest ancestor first.
    pub documents: Vec<Rc<Document>>,
    /// What settings from outside say of the grid and the search, weakest first.
    points: Vec<Rc<Document>>,
    /// See [`folder_settings`].
    folder: Option<Rc<Document>>,
    overrides: Vec<(Origin, toml::Table)>,
    /// The unknown keys at the top of the files. What was probably meant by one is read as that, so that all else is
    /// checked, too, and nothing is missing that is there.
    pub unknown: Vec<Problem>,
}

impl Chain {
    /// Reads a file, all it extends, and the `burnlab.toml` that goes for it.
    ///
    /// # Errors
    /// A file cannot be read or parsed; `extends` names a missing file or leads in a circle; an override is wrong.
    pub fn read(path: &Path, overrides: &Overrides) -> Result<Self> {
        let mut documents: Vec<Rc<Document>> = Vec::new();
        let mut seen: Vec<PathBuf> = Vec::new();
        let mut unknown = Vec::new();
        let mut next = Some(path.to_path_buf());
        while let Some(path) = next {
            let mut document = Document::read(&path)?;
            unknown.extend(unknown_keys(&mut document, true));
            seen.push(canonical(&path));
            next = match extended(&document, &seen) {
                Ok(next) => next,
                Err(error) => {
                    unknown.extend(error.problems);
                    return Err(Error::new(Kind::Usage, unknown));
                }
            };
            documents.insert(0, Rc::new(document));
        }
        let folder = folder_settings(path)?;
        let mut folder = folder.filter(|found| canonical(&found.path) != canonical(path));
        if let Some(document) = &mut folder {
            unknown.extend(unknown_keys(document, false));
        }
        let is_of_points =
            |(_, table): &(Origin, toml::Table)| POINTS.iter().any(|key| table.contains_key(*key));
        let overrides = overrides.layers(&[SETTINGS, POINTS].concat())?.into_iter();
        let (points, overrides): (Vec<_>, Vec<_>) = overrides.partition(is_of_points);
        let outside = |(origin, table): (Origin, _)| Rc::new(Document::outside(origin.name, table));
        Ok(Chain {
            documents,
            points: points.into_iter().map(outside).collect(),
            folder: folder.map(Rc::new),
            overrides,
            unknown,
        })
    }

    /// The file that was asked for.
    pub fn document(&self) -> &Rc<Document> {
        self.documents
            .last()
            .expect("a chain ends with the file itself")
    }

    /// What the files of the chain, and settings from outside after them, say under a top-level key.
    pub fn all_with(
        &self,
        key: &str,
    ) -> impl DoubleEndedIterator<Item = (&Rc<Document>, &toml::Value)> {
        let documents = self.documents.iter().chain(&self.points);
        documents.filter_map(move |document| Some((document, document.table.get(key)?)))
    }

    /// The last of [`all_with`](Self::all_with).
    pub fn last_with(&self, key: &str) -> Option<(&Rc<Document>, &toml::Value)> {
        self.all_with(key).next_back()
    }

    /// Whether settings from outside say which points are tried.
    pub fn has_other_points(&self) -> bool {
        !self.points.is_empty()
    }

    /// Defaults, `burnlab.toml`, and the settings of every file of the chain.
    pub fn stack(&self) -> Result<Stack, Problem> {
        let mut stack = Stack::new();
        let defaults: toml::Table = toml::from_str(DEFAULTS).expect("the defaults are TOML");
        stack.push(outside("the defaults".to_string()), &defaults)?;
        for document in self.folder.iter().chain(&self.documents) {
            let origin = Origin {
                name: document.path.display().to_string(),
                document: Some(Rc::clone(document)),
                base: Vec::new(),
                written: Vec::new(),
            };
            stack.push(origin, &settings_of(&document.table))?;
        }
        Ok(stack)
    }

    /// Lays a variant's values on top, from every file of the chain that has it.
    pub fn push_variant(&self, stack: &mut Stack, name: &str) -> Result<(), Problem> {
        for document in &self.documents {
            let variant = document
                .table
                .get("variants")
                .and_then(|variants| variants.get(name))
                .and_then(toml::Value::as_table);
            if let Some(values) = variant {
                let origin = Origin {
                    name: format!("{}, variant `{name}`", document.path.display()),
                    document: Some(Rc::clone(document)),
                    base: Vec::new(),
                    written: vec!["variants".to_string(), name.to_string()],
                };
                stack.push(origin, values)?;
            }
        }
        Ok(())
    }

    /// Lays the environment's and the command line's values on top, and ends.
    pub fn finish(&self, mut stack: Stack) -> Result<Resolved, Problem> {
        for (origin, values) in &self.overrides {
            stack.push(origin.clone(), values)?;
        }
        Ok(stack.resolve())
    }
}

/// The `burnlab.toml` that goes for a file: the one beside it, or else that of the nearest folder above that has one.
///
/// # Errors
/// It cannot be read or parsed.
pub(super) fn folder_settings(path: &Path) -> Result<Option<Document>> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let folders = path.ancestors().skip(1);
    let mut candidates = folders.map(|folder| folder.join("burnlab.toml"));
    let Some(found) = candidates.find(|candidate| candidate.is_file()) else {
        return Ok(None);
    };
    // As short as a person would write it.
    let here = std::env::current_dir().unwrap_or_default();
    let shown = found.strip_prefix(&here).unwrap_or(&found);
    Document::read(shown).map(Some)
}

/// The file that a path leads to, by its one name; the path itself where there is none.
pub fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

fn settings_of(table: &toml::Table) -> toml::Table {
    table
        .iter()
        .filter(|(key, _)| SETTINGS.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// The path that `extends` names, if the file has one.
fn extended(document: &Document, seen: &[PathBuf]) -> Result<Option<PathBuf>> {
    let Some(value) = document.table.get("extends") else {
        return Ok(None);
    };
    let place = document.place(&["extends".to_string()], "extends");
    let Some(name) = value.as_str() else {
        let problem = Problem::new("expected a file's name for `extends`").at(place);
        return Err(Error::usage(problem));
    };
    let path = document.path.with_file_name(name);
    if !path.is_file() {
        let problem = Problem::new(format!("`extends` names `{name}`, which is not there"))
            .at(place)
            .hint(format!(
                "the name is looked up beside the file: `{}`",
                path.display()
            ));
        return Err(Error::usage(problem));
    }
    if path.extension().is_none_or(|ending| ending != "toml") {
        let problem = Problem::new(format!(
            "`extends` names `{name}`, which is no experiment file"
        ));
        let problem = problem
            .at(place)
            .hint("experiment files are called `NAME.toml`");
        return Err(Error::usage(problem));
    }
    if seen.contains(&canonical(&path)) {
        let names: Vec<String> = seen
            .iter()
            .chain([&canonical(&path)])
            .map(|path| {
                path.file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        let problem = Problem::new(format!(
            "`extends` leads in a circle: {}",
            names.join(" -> ")
        ))
        .at(place);
        return Err(Error::usage(problem));
    }
    Ok(Some(path))
}

/// What was probably meant by an unknown key where tables of settings stand, beside these others.
pub fn meant_at_top(key: &str, known: &[&str]) -> Option<String> {
    let is_known = |table: &str| known.contains(&table);
    if key
        .split_once('.')
        .is_some_and(|(table, _)| is_known(table))
    {
        return Some(format!("a key with dots stands without quotes: `{key}`"));
    }
    if nearest(key, known).is_some() {
        return did_you_mean(key, known);
    }
    if let Some(table) = table_with(key, known) {
        return Some(format!("did you mean `{table}.{key}`?"));
    }
    let tables: toml::Table = DEFAULTS.parse().unwrap_or_default();
    let mut tables = tables.iter().filter(|(table, _)| is_known(table));
    let inner = tables.find_map(|(table, inner)| {
        let inner: Vec<&String> = inner.as_table()?.keys().collect();
        let name = nearest(key, &inner)?;
        Some(format!("did you mean `{table}.{name}`?"))
    });
    inner.or_else(|| did_you_mean(key, known))
}

/// What is wrong with the keys at the top; one that is near to a known one, which the file lacks, is that from here on.
fn unknown_keys(document: &mut Document, is_experiment: bool) -> Vec<Problem> {
    let known: Vec<&str> = match is_experiment {
        true => [SETTINGS, OWN, POINTS].concat(),
        false => SETTINGS.iter().copied().chain([LAUNCH]).collect(),
    };
    let keys = document.table.keys().cloned();
    let unknown: Vec<String> = keys.filter(|key| !known.contains(&key.as_str())).collect();
    let mut problems = Vec::new();
    for key in &unknown {
        let place = document.place_of_key(std::slice::from_ref(key), key);
        let problem = Problem::new(format!("unknown key `{key}`")).at(place);
        problems.push(problem.maybe_hint(meant_at_top(key, &known)));
        let meant = nearest(key, &known).filter(|name| !document.table.contains_key(*name));
        if let Some(name) = meant {
            document.read_as(key, name);
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dots_of_a_swept_key_are_its_own() {
        let parts = |key: &str| parts_of(key).join("|");
        assert_eq!(parts("train.epochs"), "train|epochs");
        assert_eq!(parts("train"), "train");
        assert_eq!(parts("augment.random.0 1"), "augment|random|0 1");
        for key in [
            "grid.train.epochs",
            "grid.\"train.epochs\"",
            "grid.'train.epochs'",
        ] {
            assert_eq!(parts(key), "grid|train.epochs", "{key}");
        }
        assert_eq!(parts("grid.zip"), "grid|zip");
        assert_eq!(parts("search.points"), "search|points");
        assert_eq!(parts("search.halving.factor"), "search|halving|factor");
        assert_eq!(parts("search.train.epochs"), "search|train.epochs");
        assert_eq!(parts("search.train.epochs.int"), "search|train.epochs|int");
        let quoted = "search.\"model.classifier.layers.drop.rate\".uniform";
        assert_eq!(
            parts(quoted),
            "search|model.classifier.layers.drop.rate|uniform"
        );
    }

    #[test]
    fn variables_with_one_underscore_between_keys_are_no_secret() {
        let of = |names: &[&str]| {
            let variables = names.iter().map(|name| (name.into(), "3".into()));
            Overrides::from_variables(variables)
        };
        let sound = of(&[
            "BURNLAB_DATA",
            "BURNLAB_JOBS",
            "BURNLAB_TEST_DEVICE",
            "BURNLAB_BLESS",
        ]);
        assert!(sound.layers(&["data", "train"]).unwrap().is_empty());
        let hints = of(&[
            "BURNLAB_DEVISE",
            "BURNLAB_EPOCHS",
            "BURNLAB_JOB",
            "BURNLAB_RESULT",
        ]);
        let error = hints.layers(&["data", "train"]).unwrap_err();
        let hints: Vec<&str> = error
            .problems
            .iter()
            .filter_map(|p| p.hint.as_deref())
            .collect();
        assert_eq!(
            hints,
            [
                "did you mean `BURNLAB_DEVICE`?",
                "did you mean `BURNLAB_TRAIN__EPOCHS`?",
                "did you mean `BURNLAB_JOBS`?",
                "did you mean `BURNLAB_RESULTS`?"
            ]
        );
        let overrides = of(&["BURNLAB_TRAIN_EPOCHS"]);
        assert_eq!(
            overrides
                .layers(&["data", "train"])
                .unwrap_err()
                .to_string(),
            "error: unknown variable of the environment `BURNLAB_TRAIN_EPOCHS`\n  \
             hint: two underscores stand between keys: `BURNLAB_TRAIN__EPOCHS`"
        );
        assert!(overrides.layers(&["launch"]).unwrap().is_empty());
    }

    #[test]
    fn points_from_outside_are_not_those_of_other_experiments() {
        let variables = [
            ("BURNLAB_TRAIN__EPOCHS", "3"),
            ("BURNLAB_GRID__TRAIN__EPOCHS", "[1, 2]"),
            ("BURNLAB_SEARCH__POINTS", "5"),
        ];
        let overrides = Overrides {
            set: vec!["train.epochs=4".to_string()],
            ..Overrides::from_variables(variables.map(|(a, b)| (a.into(), b.into())).into_iter())
        };
        let others = overrides.for_others();
        let names = others.variables.iter().map(|(name, _)| name.as_str());
        assert_eq!(names.collect::<Vec<_>>(), ["BURNLAB_TRAIN__EPOCHS"]);
        assert!(others.set.is_empty());
    }
}
