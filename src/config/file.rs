//! An experiment file with all it extends, split into what its tables are for.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::document::Document;
use super::overrides::Overrides;
use super::stack::{Origin, Resolved, Stack};
use super::tables::{DEFAULTS, LAUNCH, OWN, POINTS, SETTINGS, meant_at_top};
use crate::error::{Error, Kind, Problem, Result, nearest};

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
            if document.table.is_empty() {
                return Err(empty(&path));
            }
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
        stack.push(Origin::outside("the defaults".to_string()), &defaults)?;
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

fn empty(path: &Path) -> Error {
    let message = "the file is empty: an experiment needs at least `[data]` and `[model]`";
    let problem = Problem::new(message).at_file(path);
    Error::usage(problem.hint("start from a file under `experiments/`"))
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
        let with_ending = format!("{name}.toml");
        let hint = match document.path.with_file_name(&with_ending).is_file() {
            true => format!("did you mean `{with_ending}`?"),
            false => {
                let path = path.display();
                format!("the name is looked up beside the file: `{path}`")
            }
        };
        let problem = Problem::new(format!("`extends` names `{name}`, which is not there"));
        return Err(Error::usage(problem.at(place).hint(hint)));
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
