//! From an experiment to every run: resolved, named, hashed and checked before anything starts.
//!
//! All problems of the whole grid are found here, each reported once, at its place in the file.

pub mod check;
mod claims;
mod feature_classifier;
mod generated;
mod grid;
mod identity;
mod label;
mod limits;
mod memory;
mod metrics;
mod needs;
mod search;
mod start;
mod training;
mod variants;

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use check::Checked;
pub use claims::Claim;
use grid::{Grid, Setting};
use identity::identity;
use label::label;
pub use label::{file_name, is_of, own_name, short_keys};
pub use memory::{Memory, together_note};
use needs::Dependent;
pub use needs::Earlier;
use search::Draws;
pub use search::Search;
use variants::variant_names;

use crate::config::{Chain, Origin, Overrides, Resolved, Settings, nested};
use crate::data::{Catalogue, DatasetSpec};
use crate::error::{
    Error, Kind, Place, Problem, Result, count, did_you_mean, list_first, thousands,
};
use crate::models::ModelFacts;
use crate::pictures::{Augmentation, Drawing};
use crate::record::RunRow;

/// Every run of an experiment, and what it claims.
#[derive(Debug)]
pub struct Plan {
    /// Its path below `experiments/`, without `.toml`: names its folder under `results/`.
    pub name: String,
    /// The experiment's file.
    pub path: PathBuf,
    /// What it asks, in a line.
    pub title: String,
    /// Where its claims come from.
    pub source: Option<String>,
    /// Keys of the grid and of the search.
    pub swept: Vec<String>,
    /// What is done with the points of a search.
    pub search: Option<Search>,
    /// By variant, then by grid point, then by the search's point, then by seed.
    pub runs: Vec<Run>,
    /// What its numbers are compared with.
    pub claims: Vec<Claim>,
    /// Datasets of its runs that are not on this machine.
    pub absent: Vec<DatasetSpec>,
    /// What is worth knowing of the data, a sentence each.
    pub notes: Vec<String>,
    /// Other experiments that have runs which these ones need.
    pub before: Vec<Plan>,
}

/// One variant with one seed.
#[derive(Debug, Clone)]
pub struct Run {
    /// The variant's name, with the grid point's values: `plain,batch_size=50`.
    pub variant: String,
    /// The seed of everything that is random in it.
    pub seed: u64,
    /// Hash of the settings, the seed, the data and what it needs, 12 hexadecimal digits.
    pub id: String,
    /// The runs that it needs, in the order of [`Settings::needs`].
    pub earlier: Vec<Earlier>,
    /// Its settings, all resolved.
    pub settings: Arc<Settings>,
    /// The SHA-256 of its data, where people fill the dataset.
    pub digest: Option<String>,
    /// The SHA-256 of the file of weights that it starts from, if it does.
    pub weights: Option<String>,
    /// What measures know of the model beforehand.
    pub facts: Arc<ModelFacts>,
    /// Whether its epochs are measured on images that are not trained on.
    pub has_validation: bool,
    /// Each swept key with this run's value.
    pub swept: Vec<(String, String)>,
    /// Training images of one epoch, generated ones and augmented copies included.
    pub images: usize,
    /// Trained numbers of the network.
    pub parameters: usize,
    /// Multiply-adds of the whole training, forward only: what estimates of time go by.
    pub work: f64,
    /// What its training takes.
    pub memory: Memory,
}

impl Run {
    /// Its row before it has any numbers.
    pub fn unfinished(&self) -> RunRow {
        RunRow::unfinished(&self.variant, self.seed, &self.id, self.swept.clone())
    }

    /// Whether it is of a variant, which is named with or without its point of the grid.
    pub fn is_of(&self, variant: &str) -> bool {
        is_of(&self.variant, variant)
    }

    /// What the last of so many rows of `epochs.csv`, one at least, stands at: `epoch 4`, or `step 200` where training is
    /// counted in steps.
    pub fn point(&self, rows: usize) -> String {
        let train = &self.settings.train;
        train.point(&train.training_plan(self.images), rows)
    }

    /// The run's folder below `runs/`.
    pub fn folder(&self) -> String {
        format!(
            "{}-seed-{}-{}",
            file_name(&self.variant),
            self.seed,
            self.id
        )
    }
}

impl Plan {
    /// Reads a file and plans all its runs.
    ///
    /// # Errors
    /// Everything that is wrong with the file, in the order of its lines; or data is missing.
    pub fn make(path: &Path, overrides: &Overrides, catalogue: &Catalogue) -> Result<Plan> {
        Plan::make_for(path, overrides, catalogue, &[])
    }

    /// The same for files whose runs need this one's.
    fn make_for(
        path: &Path,
        overrides: &Overrides,
        catalogue: &Catalogue,
        trail: &[PathBuf],
    ) -> Result<Plan> {
        let chain = Chain::read(path, overrides)?;
        let mut problems = chain.unknown.clone();
        let title = head(&chain, "title", &mut problems);
        let source = head(&chain, "source", &mut problems);
        let variants = variant_names(&chain, &mut problems);
        let grid = Grid::read(&chain, &variants, &mut problems);
        let draws = Draws::read(&chain, &grid, &mut problems);
        let drawn = match &draws {
            Some(draws) => draws.points(&mut problems),
            None => vec![Vec::new()],
        };
        let mut gathered = Gathered::default();
        let mut checker = check::Checker::new(catalogue);
        let mut surplus = limits::Surplus::default();
        for variant in &variants {
            for point in points(&grid, &drawn, variant.as_deref()) {
                surplus.take(&mut problems);
                if surplus.is_over() || gathered.runs.len() > limits::MOST_RUNS {
                    break;
                }
                let resolved = match resolve(&chain, variant.as_deref(), &point) {
                    Ok(resolved) => resolved,
                    Err(problem) => {
                        note(&mut problems, problem);
                        continue;
                    }
                };
                let checked = match checker.check(&resolved, chain.document(), &mut problems) {
                    // What is wrong with the file is told as well.
                    Err(error) if error.kind == Kind::Data && !problems.is_empty() => {
                        problems.extend(error.problems);
                        return Err(in_order(problems, surplus));
                    }
                    checked => checked?,
                };
                if let Some(checked) = checked {
                    let label = label(variant.as_deref(), &point);
                    gathered.add(&label, &point, resolved, checked);
                }
            }
        }
        let Gathered {
            mut runs,
            mut dependents,
            absent,
            mut notes,
            largest,
        } = gathered;
        if let Some(draws) = &draws {
            draws.keep_first(&mut problems);
        }
        if runs.len() > limits::MOST_RUNS {
            let most = thousands(limits::MOST_RUNS);
            let problem = Problem::new(format!("the experiment has more than {most} runs"));
            problems.push(problem.at_file(path));
            runs.clear();
            dependents.clear();
        }
        let lookup = needs::Lookup {
            path,
            overrides,
            catalogue,
            trail,
            whole: problems.is_empty(),
        };
        let before = needs::connect(&mut runs, &dependents, &lookup, &mut problems)?;
        note_twins(&runs, &mut problems);
        if let Some(draws) = draws.as_ref().filter(|_| problems.is_empty()) {
            draws.check_runs(&runs, &mut problems);
        }
        let whole = problems.is_empty();
        let claims = claims::read_claims(&chain, &runs, whole, &mut problems, &mut notes);
        if !problems.is_empty() {
            return Err(in_order(problems, surplus));
        }
        if runs.is_empty() {
            let place = Grid::place_of_skips(&chain);
            let problem = Problem::new("the grid leaves no runs: `skip` names them all");
            return Err(Error::usage(problem.at(place)));
        }
        notes.extend(same_variants(&runs));
        notes.extend(without_recipe(&runs));
        notes.extend(memory::note(&largest.0, &largest.1));
        Ok(Plan {
            name: experiment_name(path),
            path: path.to_path_buf(),
            title: title.unwrap_or_else(|| experiment_name(path)),
            source,
            swept: match &draws {
                None => grid.keys(),
                Some(draws) => [grid.keys(), draws.search().keys].concat(),
            },
            search: draws.as_ref().map(Draws::search),
            runs,
            claims,
            absent,
            notes,
            before,
        })
    }

    /// A run that one of this plan's needs, and the plan that has it.
    pub fn earlier(&self, earlier: &Earlier) -> (&Plan, &Run) {
        let plan = match earlier.plan {
            None => self,
            Some(number) => &self.before[number],
        };
        (plan, &plan.runs[earlier.run])
    }

    /// The error of who asks for a variant that is not there.
    pub fn no_variant(&self, asked: &str) -> Error {
        no_variant(&self.path, asked, &self.variants())
    }

    /// The variants' labels in order, each once.
    pub fn variants(&self) -> Vec<&str> {
        let mut labels: Vec<&str> = self.runs.iter().map(|run| run.variant.as_str()).collect();
        labels.dedup();
        labels
    }
}

/// What the points of an experiment come to.
#[derive(Default)]
struct Gathered {
    runs: Vec<Run>,
    /// Those that need others.
    dependents: Vec<Dependent>,
    absent: Vec<DatasetSpec>,
    notes: Vec<String>,
    /// The point that takes the most memory.
    largest: (String, Memory),
}

impl Gathered {
    fn add(&mut self, label: &str, point: &[Setting], resolved: Resolved, checked: Checked) {
        let dataset = &checked.settings.data.dataset;
        if checked.absent && !self.absent.contains(dataset) {
            self.absent.push(dataset.clone());
        }
        for text in &checked.notes {
            if !self.notes.contains(text) {
                self.notes.push(text.clone());
            }
        }
        if checked.memory.peak() > self.largest.1.peak() {
            self.largest = (label.to_string(), checked.memory);
        }
        let (first, needs) = (self.runs.len(), checked.settings.needs_something());
        let classes = checked.classes;
        self.runs.extend(runs_of(label, point, checked));
        let runs = first..self.runs.len();
        self.dependents.extend(needs.then_some(Dependent {
            runs,
            resolved,
            classes,
        }));
    }
}

/// Tells of points of the grid that have the same settings, because a later source overrides a swept key.
fn note_twins(runs: &[Run], problems: &mut Vec<Problem>) {
    let mut seen: HashMap<(&str, &str), &Run> = HashMap::new();
    for run in runs.iter().filter(|run| !run.swept.is_empty()) {
        if let Some(twin) = seen.insert((own_name(&run.variant), &run.id), run) {
            let (one, other) = (&twin.variant, &run.variant);
            let problem = Problem::new(format!("`{one}` and `{other}` come to the same settings"));
            note(
                problems,
                problem.hint(
                    "is a swept key overridden by `--set` or a `BURNLAB_` variable? \
                     `--set grid.KEY=[...]` gives it other values",
                ),
            );
            return;
        }
    }
}

/// A note on the variants that are asked for a picture of their augmentation and have none.
fn without_recipe(runs: &[Run]) -> Option<String> {
    let lacks = |run: &&Run| {
        let is_asked = |drawing: &Drawing| matches!(drawing, Drawing::Augmentation(_));
        let settings = &run.settings;
        settings.pictures.draw.iter().any(is_asked)
            && Augmentation::shows_nothing(&settings.augment)
    };
    let mut names: Vec<&str> = runs.iter().filter(lacks).map(|run| &*run.variant).collect();
    names.dedup();
    (!names.is_empty()).then(|| {
        let names = list_first(&names, 3);
        format!(
            "`augmentation` is not drawn of {names}: the recipe has neither `copies` nor `random`"
        )
    })
}

/// A note on each two variants whose runs are the same, be it at some points of the grid.
fn same_variants(runs: &[Run]) -> Vec<String> {
    let mut first: HashMap<&str, &str> = HashMap::new();
    let mut pairs: Vec<((&str, &str), usize)> = Vec::new();
    for run in runs {
        let variant = own_name(&run.variant);
        let other = *first.entry(&run.id).or_insert(variant);
        if other == variant {
            continue;
        }
        match pairs.iter_mut().find(|(pair, _)| *pair == (other, variant)) {
            Some((_, number)) => *number += 1,
            None => pairs.push(((other, variant), 1)),
        }
    }
    let text = |((one, other), number): ((&str, &str), usize)| {
        format!(
            "variants `{one}` and `{other}` come to the same settings in {}; both are trained",
            count(number, "run")
        )
    };
    pairs.into_iter().map(text).collect()
}

/// The datasets that a file's variants name, with all their keys, each once; nothing else of the file is looked into.
///
/// # Errors
/// The file cannot be read, or something is wrong with what it says of a dataset.
pub fn datasets(path: &Path, overrides: &Overrides) -> Result<Vec<DatasetSpec>> {
    let chain = Chain::read(path, overrides)?;
    let (mut datasets, mut problems) = (Vec::new(), chain.unknown.clone());
    let variants = variant_names(&chain, &mut problems);
    let grid = Grid::read(&chain, &variants, &mut problems);
    let is_swept = |key: &String| key == "data.dataset" || key.starts_with("data.dataset.");
    let is_one = !grid.keys().iter().any(is_swept);
    for variant in &variants {
        let mut points = grid.points(variant.as_deref().unwrap_or_default());
        points.truncate(if is_one { 1 } else { points.len() });
        for point in points {
            match resolve(&chain, variant.as_deref(), &point) {
                Err(problem) => note(&mut problems, problem),
                Ok(resolved) => {
                    let found = check::dataset(&resolved, chain.document(), &mut problems);
                    datasets.extend(found.filter(|dataset| !datasets.contains(dataset)));
                }
            }
        }
    }
    match problems.is_empty() {
        true => Ok(datasets),
        false => Err(Error::new(Kind::Usage, problems)),
    }
}

/// What the grid and the search say, as a file writes it, each with its origin.
///
/// # Errors
/// The file cannot be read; what is wrong with the two is left to [`Plan::make`].
pub fn explain_points(path: &Path, overrides: &Overrides) -> Result<Vec<(String, Origin)>> {
    let chain = Chain::read(path, overrides)?;
    let mut problems = Vec::new();
    let variants = variant_names(&chain, &mut problems);
    let grid = Grid::read(&chain, &variants, &mut problems);
    let draws = Draws::read(&chain, &grid, &mut problems);
    let drawn = draws.map_or(Vec::new(), |draws| draws.lines());
    Ok([grid.lines(&chain), drawn].concat())
}

/// Variants and points that a hint names.
const MOST_KNOWN: usize = 20;

/// The settings of one variant, of one point of it as tables name it, or of the file as it stands, with every value's origin.
///
/// # Errors
/// The file has problems, or no such variant.
pub fn explain(path: &Path, overrides: &Overrides, variant: Option<&str>) -> Result<Resolved> {
    let chain = Chain::read(path, overrides)?;
    let mut problems = Vec::new();
    let names = variant_names(&chain, &mut problems);
    let Some(asked) = variant else {
        return resolve(&chain, None, &[]).map_err(Error::usage);
    };
    let mut known: Vec<String> = names.iter().flatten().cloned().collect();
    if known.iter().any(|name| name == asked) {
        return resolve(&chain, variant, &[]).map_err(Error::usage);
    }
    let grid = Grid::read(&chain, &names, &mut problems);
    let draws = Draws::read(&chain, &grid, &mut problems);
    let drawn = draws.map_or(vec![Vec::new()], |draws| draws.points(&mut problems));
    for name in &names {
        for point in points(&grid, &drawn, name.as_deref()) {
            let label = label(name.as_deref(), &point);
            if label == asked {
                return resolve(&chain, name.as_deref(), &point).map_err(Error::usage);
            }
            // Without points it is the variant's name.
            if name.as_ref() != Some(&label) {
                known.push(label);
            }
        }
    }
    known.truncate(MOST_KNOWN);
    Err(no_variant(path, asked, &known))
}

fn no_variant<T: AsRef<str>>(file: &Path, asked: &str, known: &[T]) -> Error {
    let problem = Problem::new(format!("`{}` has no variant `{asked}`", file.display()));
    Error::usage(problem.maybe_hint(did_you_mean(asked, known)))
}

/// The points of a variant: each of the grid with each that is drawn.
fn points<'a>(
    grid: &Grid,
    drawn: &'a [Vec<Setting>],
    variant: Option<&str>,
) -> impl Iterator<Item = Vec<Setting>> + use<'a> {
    let points = grid.points(variant.unwrap_or_default()).into_iter();
    points.flat_map(move |point| {
        let drawn = drawn.iter();
        drawn.map(move |drawn| [point.as_slice(), drawn.as_slice()].concat())
    })
}

/// Adds a problem that is not known yet.
fn note(problems: &mut Vec<Problem>, problem: Problem) {
    if !problems.contains(&problem) {
        problems.push(problem);
    }
}

/// The first problems by their places, and how many there are besides.
fn in_order(mut problems: Vec<Problem>, mut surplus: limits::Surplus) -> Error {
    surplus.take(&mut problems);
    problems.sort_by_key(|problem| match problem.place.as_deref() {
        Some(Place::File {
            path, line, column, ..
        }) => (path.clone(), *line, *column),
        _ => (PathBuf::new(), 0, 0),
    });
    Error {
        more: surplus.more(),
        ..Error::new(Kind::Usage, problems)
    }
}

/// A text at the top of the file.
fn head(chain: &Chain, key: &str, problems: &mut Vec<Problem>) -> Option<String> {
    let (document, value) = chain.last_with(key)?;
    let text = value.as_str().map(String::from);
    if text.is_none() {
        let place = document.place(&[key.to_string()], key);
        problems.push(Problem::new(format!("expected a text for `{key}`")).at(place));
    }
    text
}

fn resolve(
    chain: &Chain,
    variant: Option<&str>,
    point: &[Setting],
) -> std::result::Result<Resolved, Problem> {
    let mut stack = chain.stack()?;
    if let Some(variant) = variant {
        chain.push_variant(&mut stack, variant)?;
    }
    for setting in point {
        let values = nested(&setting.origin.base, setting.value.clone());
        stack.push(setting.origin.clone(), &values)?;
    }
    chain.finish(stack)
}

fn runs_of(label: &str, point: &[Setting], checked: Checked) -> Vec<Run> {
    let swept: Vec<(String, String)> = point
        .iter()
        .map(|setting| (setting.key.clone(), setting.shown.text.clone()))
        .collect();
    let settings = Arc::new(checked.settings);
    let passes = settings.train.training_plan(checked.images).passes();
    let identity = identity(&settings, checked.digest.as_deref(), &[]);
    let run = |&seed: &u64| Run {
        variant: label.to_string(),
        seed,
        id: identity.of(seed),
        earlier: Vec::new(),
        settings: Arc::clone(&settings),
        digest: checked.digest.clone(),
        weights: None,
        facts: Arc::clone(&checked.facts),
        has_validation: checked.has_validation,
        swept: swept.clone(),
        images: checked.images,
        parameters: checked.parameters,
        memory: checked.memory,
        work: passes * checked.images as f64 * checked.multiply_adds as f64,
    };
    settings.train.seeds.iter().map(run).collect()
}

/// The path below the last `experiments` folder, without `.toml`; elsewhere the file's name alone.
fn experiment_name(path: &Path) -> String {
    let stem = path.with_extension("");
    let parts: Vec<String> = stem
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
            _ => None,
        })
        .collect();
    let last = parts.len().saturating_sub(1);
    let folders = &parts[..last];
    let climbs = stem.components().any(|part| part == Component::ParentDir);
    let from = match folders.iter().rposition(|part| part == "experiments") {
        Some(at) if !climbs => at + 1,
        _ => last,
    };
    parts[from..].join("/")
}
