//! Everything about one point of the grid that can be known before training.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{Document, Resolved, Settings, Unreadable, expand, read};
use crate::data::{Catalogue, DatasetSpec, Facts, Validation};
use crate::error::{Error, Flaw, Kind, Place, Problem, Result};
use crate::models::ModelFacts;
use crate::network::{self, TensorShape};
use crate::pictures::PictureContext;
use crate::shape::ImageShape;

use super::memory::Memory;
use super::search::whole_hint;
use super::{limits, note, training};

/// Settings that nothing is wrong with, and what follows from them.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The settings.
    pub settings: Settings,
    /// What is known of the model.
    pub facts: Arc<ModelFacts>,
    /// Whether images are left for validation.
    pub has_validation: bool,
    /// Number of classes.
    pub classes: usize,
    /// Training images of one epoch, generated ones and augmented copies included.
    pub images: usize,
    /// Whether the dataset is not on this machine.
    pub absent: bool,
    /// The SHA-256 of a dataset that people fill.
    pub digest: Option<String>,
    /// What is worth knowing of the data, a sentence each.
    pub notes: Vec<String>,
    /// Trained numbers of the network.
    pub parameters: usize,
    /// For one image, forward.
    pub multiply_adds: usize,
    /// What training takes.
    pub memory: Memory,
}

/// Checks point after point, each `[data]` table once.
pub struct Checker<'a> {
    catalogue: &'a Catalogue,
    data: HashMap<String, (Facts, Vec<Flaw>)>,
}

impl<'a> Checker<'a> {
    /// A checker that takes datasets from a catalogue.
    pub fn new(catalogue: &'a Catalogue) -> Self {
        Checker {
            catalogue,
            data: HashMap::new(),
        }
    }

    /// The settings of a point if nothing is wrong with them; what is wrong is added to `problems`.
    ///
    /// # Errors
    /// Data is missing or damaged.
    pub fn check(
        &mut self,
        resolved: &Resolved,
        file: &Document,
        problems: &mut Vec<Problem>,
    ) -> Result<Option<Checked>> {
        let expanded = expand(&resolved.json);
        let blocks_are_sound = expanded.flaws.is_empty();
        let mut at = Located {
            resolved,
            file,
            problems,
        };
        at.flaws(expanded.flaws.clone(), |path| path);
        let model = expanded.values.get("model");
        if let Some(flaw) = model.and_then(limits::layers_flaw) {
            at.flaws([flaw.under("model")], |_| vec!["model".to_string()]);
            return Ok(None);
        }
        let mut settings: Settings = match read(&expanded.values) {
            Ok(settings) => settings,
            Err(unreadable) => {
                for thing in unreadable {
                    let path = expanded.written(&thing.path);
                    at.unreadable(thing, path);
                }
                return Ok(None);
            }
        };
        if !blocks_are_sound {
            return Ok(None);
        }
        let misplaced = look_up_files(&mut settings, resolved);
        if !misplaced.is_empty() {
            at.flaws(misplaced, |path| path);
            return Ok(None);
        }
        let at_dataset = |error| of_dataset(error, resolved);
        let unknown = self.catalogue.name_classes(&mut settings.data);
        let unknown = unknown.map_err(at_dataset)?;
        if !unknown.is_empty() {
            let unknown = unknown.into_iter().map(|flaw| flaw.under("data"));
            at.flaws(unknown, |path| expanded.written(&path));
            return Ok(None);
        }
        let (checked, flaws) = self.examine(settings).map_err(at_dataset)?;
        let sound = flaws.is_empty();
        at.flaws(flaws, |path| expanded.written(&path));
        Ok(sound.then_some(checked))
    }

    fn data(&mut self, settings: &Settings) -> Result<(Facts, Vec<Flaw>)> {
        let key = serde_json::to_string(&settings.data).expect("fields are plain values");
        if let Some(known) = self.data.get(&key) {
            return Ok(known.clone());
        }
        let found = self.catalogue.check(&settings.data)?;
        self.data.insert(key, found.clone());
        Ok(found)
    }

    fn examine(&mut self, settings: Settings) -> Result<(Checked, Vec<Flaw>)> {
        let (facts, data_flaws) = self.data(&settings)?;
        let mut flaws: Vec<Flaw> = data_flaws
            .into_iter()
            .map(|flaw| flaw.under("data"))
            .collect();
        let augment = settings.augment.check(facts.shape);
        flaws.extend(augment.into_iter().map(|flaw| flaw.under("augment")));
        let (plan, network) = settings.network(facts.shape, facts.classes.len());
        let cost = plan.cost();
        if let (Some(start), true) = (settings.start.as_ref(), network.is_empty()) {
            let start = start.flaws(&plan.names()).into_iter();
            flaws.extend(start.map(|flaw| flaw.under("start")));
        }
        let (shape, classes) = (facts.shape, facts.classes.len());
        let blueprint = settings.blueprint_of(plan, shape, classes, facts.test);
        let model = blueprint.facts;
        let is_sound = network.is_empty();
        if is_sound {
            let measure = settings.measure.flaws(&model).into_iter();
            flaws.extend(measure.map(|flaw| flaw.under("measure")));
            let pictures = settings.pictures.check(&PictureContext {
                model: &model,
                layers: &blueprint.plan.layers,
                augment: &settings.augment,
            });
            flaws.extend(pictures.into_iter().map(|flaw| flaw.under("pictures")));
        }
        flaws.extend(network);
        let optimizer = settings.train.optimizer.check(settings.model.kind());
        flaws.extend(
            optimizer
                .into_iter()
                .map(|flaw| flaw.under("train.optimizer")),
        );
        let training = training::flaws(&settings, &facts, &model, is_sound, self.catalogue)?;
        flaws.extend(training);
        flaws.extend(settings.micro_batch_flaw(&blueprint.plan));
        flaws.extend(seed_flaws(&settings.train.seeds));
        let whole = match facts.absent {
            true => facts.train + facts.test,
            false => {
                let whole = self.catalogue.describe(&settings.data.dataset)?;
                whole.train + whole.test
            }
        };
        let fold_note = fold_note(settings.data.validation, &settings.train.seeds);
        let checked = Checked {
            memory: Memory::of(&settings, &blueprint.plan, (&facts, whole), cost.parameters),
            facts: Arc::new(model),
            has_validation: facts.validation > 0,
            absent: facts.absent,
            digest: self.catalogue.digest(&settings.data.dataset)?,
            notes: (facts.notes.into_iter())
                .chain(settings.augment.notes())
                .chain(fold_note)
                .collect(),
            classes: facts.classes.len(),
            images: facts.train * settings.augment.images_per_image(),
            parameters: cost.parameters,
            multiply_adds: cost.multiply_adds,
            settings,
        };
        Ok((checked, flaws))
    }
}

/// Files and folders are named from the folder of the file that names them; `~` is the user's own. A run's own
/// settings name its data from the root, wherever it is asked from later. Paths are written into tables and messages
/// of JSON, so they are texts.
fn look_up_files(settings: &mut Settings, resolved: &Resolved) -> Vec<Flaw> {
    let start = settings.start.0.as_mut();
    let weights = start.and_then(|start| start.weights.as_mut());
    let weights = weights.and_then(|path| look_up(path, "start.weights", resolved));
    let folder = look_up_dataset(&mut settings.data.dataset, resolved);
    weights.into_iter().chain(folder).collect()
}

fn look_up_dataset(dataset: &mut DatasetSpec, resolved: &Resolved) -> Option<Flaw> {
    let (key, path) = match dataset {
        DatasetSpec::Folder(fields) => match fields.is_path() {
            true => ("data.dataset.folder", &mut fields.path),
            false => ("data.dataset.folder.path", &mut fields.path),
        },
        DatasetSpec::Idx(fields) => match fields.is_path() {
            true => ("data.dataset.idx", &mut fields.path),
            false => ("data.dataset.idx.path", &mut fields.path),
        },
        DatasetSpec::Named(_) | DatasetSpec::Fake(_) => return None,
    };
    let flaw = look_up(path, key, resolved);
    *path = std::path::absolute(&*path).unwrap_or(path.clone());
    flaw
}

/// Makes the path of a key one from where the program runs.
fn look_up(path: &mut PathBuf, key: &str, resolved: &Resolved) -> Option<Flaw> {
    let keys: Vec<String> = key.split('.').map(String::from).collect();
    let origin = resolved.origin(&keys);
    let beside = origin.and_then(|origin| origin.document.as_ref()?.path.parent());
    *path = meant(path, beside.unwrap_or(Path::new("")));
    path.to_str().is_none().then(|| {
        let shown = path.display();
        let flaw = Flaw::new(key, format!("the path `{shown}` is not UTF-8"));
        flaw.hint("give the folder another name")
    })
}

/// The dataset of a point, whatever else its settings say; what is wrong with that is added to `problems`.
pub fn dataset(
    resolved: &Resolved,
    file: &Document,
    problems: &mut Vec<Problem>,
) -> Option<DatasetSpec> {
    let below = |path: &[String]| -> Vec<String> {
        let start = ["data", "dataset"].map(String::from);
        start.into_iter().chain(path.iter().cloned()).collect()
    };
    let written = resolved.json.pointer("/data/dataset");
    let Some(written) = written else {
        let problem = Problem::new("the experiment names no dataset");
        note(
            problems,
            problem.at_file(&file.path).hint("`dataset` in `[data]`"),
        );
        return None;
    };
    match read::<DatasetSpec>(written) {
        Ok(mut dataset) => match look_up_dataset(&mut dataset, resolved) {
            None => Some(dataset),
            Some(flaw) => {
                let place = resolved.place(&below(&[]));
                note(problems, located(flaw, place, file));
                None
            }
        },
        Err(unreadable) => {
            for thing in unreadable {
                let path = below(&thing.path);
                let place = match thing.is_key {
                    true => resolved.place_of_key(&path),
                    false => resolved.place(&path),
                };
                let flaw = Flaw::new("", thing.message).maybe_hint(thing.hint);
                note(problems, located(flaw, place, file));
            }
            None
        }
    }
}

/// What a path means that is written in a file of a folder.
fn meant(path: &Path, folder: &Path) -> PathBuf {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => folder.join(path),
    }
}

/// What is wrong with data, reported where the file names the dataset.
fn of_dataset(mut error: Error, resolved: &Resolved) -> Error {
    let keys = ["data", "dataset"].map(String::from);
    let (Kind::Data, Some(place)) = (error.kind, resolved.place(&keys)) else {
        return error;
    };
    for problem in &mut error.problems {
        if let Some(Place::WholeFile(path)) = problem.place.as_deref() {
            let path = path.display().to_string();
            if !problem.message.contains(&path) {
                problem.message += &format!(" (`{path}`)");
            }
        }
        if !matches!(problem.place.as_deref(), Some(Place::File { .. })) {
            problem.place = Some(Box::new(place.clone()));
        }
    }
    error
}

/// Where problems of one point of the settings stand.
struct Located<'a> {
    resolved: &'a Resolved,
    file: &'a Document,
    problems: &'a mut Vec<Problem>,
}

impl Located<'_> {
    /// Adds flaws; `written` leads from a flaw's path to that of what the file has.
    fn flaws(
        &mut self,
        flaws: impl IntoIterator<Item = Flaw>,
        written: impl Fn(Vec<String>) -> Vec<String>,
    ) {
        for flaw in flaws {
            let path = flaw.key.split('.').map(String::from).collect();
            let place = self.resolved.place(&written(path));
            note(self.problems, located(flaw, place, self.file));
        }
    }

    /// Adds something that cannot be read.
    fn unreadable(&mut self, thing: Unreadable, path: Vec<String>) {
        let place = match thing.is_key {
            true => self.resolved.place_of_key(&path),
            false => self.resolved.place(&path),
        };
        // What is missing altogether is missing from the file.
        let is_missing = thing.lacks.is_some()
            && place
                .as_ref()
                .is_none_or(|place| place.position().is_none());
        let problem = match place {
            Some(place) if !is_missing && !thing.path.is_empty() => {
                Problem::new(thing.message).at(place)
            }
            _ => Problem::new(thing.message).at_file(&self.file.path),
        };
        let whole = || whole_hint(&problem.message, self.resolved.origin(&path));
        let list = || list_hint(problem.place.as_deref()?);
        let hint = thing.hint.or_else(whole).or_else(list);
        note(self.problems, problem.maybe_hint(hint));
    }
}

/// What helps where several values of a setting from outside stand without brackets.
fn list_hint(place: &Place) -> Option<String> {
    let Place::Setting(text) = place else {
        return None;
    };
    let (_, value) = text.split_once('=')?;
    let is_list = value.contains(',') && !value.contains(['[', '{', '"', '\'']);
    is_list.then(|| format!("a list stands in brackets: [{}]", value.trim()))
}

/// A flaw of the settings as a problem of the file.
fn located(flaw: Flaw, place: Option<Place>, file: &Document) -> Problem {
    let problem = match place {
        Some(place) => Problem::new(flaw.message).at(place),
        None => Problem::new(flaw.message).at_file(&file.path),
    };
    problem.maybe_hint(flaw.hint)
}

/// That some folds of a cross-validation are held out by no seed, or by more seeds than others.
fn fold_note(validation: Validation, seeds: &[u64]) -> Option<String> {
    let Validation::Folds(folds) = validation else {
        return None;
    };
    let mut seeds_of = vec![0; folds];
    for seed in seeds {
        seeds_of[(seed % folds as u64) as usize] += 1;
    }
    let held = seeds_of.iter().filter(|seeds| **seeds > 0).count();
    let what = if held < folds {
        format!("{held} of the {folds} folds of `data.validation`")
    } else if seeds_of.iter().any(|seeds| *seeds != seeds_of[0]) {
        format!(
            "some of the {folds} folds of `data.validation` more often than others, which means weigh more"
        )
    } else {
        return None;
    };
    Some(format!(
        "`train.seeds` holds out {what}: the seeds 0 to {} hold out each once",
        folds - 1
    ))
}

fn seed_flaws(seeds: &[u64]) -> Option<Flaw> {
    if seeds.is_empty() {
        return Some(
            Flaw::new("train.seeds", "`seeds` is empty: there would be no runs")
                .hint("seeds = [0]"),
        );
    }
    let mut seen = HashSet::new();
    let repeated = seeds.iter().position(|seed| !seen.insert(seed))?;
    let message = format!("the seed `{}` is listed twice", seeds[repeated]);
    Some(Flaw::new(format!("train.seeds.{repeated}"), message))
}

/// The network's layers for one run's settings.
///
/// # Errors
/// The settings have flaws; a plan's settings have none.
pub fn planned(settings: &Settings, catalogue: &Catalogue) -> Result<network::Plan> {
    let (facts, _) = catalogue.check(&settings.data)?;
    planned_for(settings, facts.shape, facts.classes.len())
}

/// The same where the data need not be there.
///
/// # Errors
/// As [`planned`].
pub fn planned_for(
    settings: &Settings,
    images: ImageShape,
    classes: usize,
) -> Result<network::Plan> {
    let (planned, flaws) = settings.network(images, classes);
    match flaws.first() {
        None => Ok(planned),
        Some(flaw) => Err(Error::new(Kind::Bug, vec![Problem::new(&flaw.message)])),
    }
}

/// All tensors of the network for one run's settings.
///
/// # Errors
/// As [`planned`].
pub fn tensors(settings: &Settings, catalogue: &Catalogue) -> Result<Vec<TensorShape>> {
    let (facts, _) = catalogue.check(&settings.data)?;
    Ok(planned(settings, catalogue)?.tensors(facts.classes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_values_from_outside_are_told_their_brackets() {
        let hint = |text: &str| list_hint(&Place::Setting(text.to_string()));
        assert_eq!(
            hint("--set train.seeds=0,1, 2").as_deref(),
            Some("a list stands in brackets: [0,1, 2]")
        );
        assert_eq!(hint("--set train.seeds=[0, 'x']"), None);
        assert_eq!(hint("--set train.epochs=x"), None);
    }
}
