//! The runs that runs need, of this or of other experiments: found, and put in order.
//!
//! Ids follow from it: a run's covers those of the runs that it needs, or the bytes of a file that it
//! starts from. Whether what is found serves its purpose is looked into key by key.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::identity::run_id;
use super::label::at_same_point;
use super::{Plan, Run, experiment_name, note};
use crate::config::{
    Dependency, FEATURE_CLASSIFIER, GENERATOR, GENERATORS, LABELER, Overrides, Resolved, START,
    Settings, canonical,
};
use crate::data::Catalogue;
use crate::error::{Error, Flaw, Kind, Problem, Result, did_you_mean, list};
use crate::network::{TensorShape, WeightFile};
use crate::run_name::RunName;

/// A run that is trained before another one, which needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// Where the other one's settings name it.
    pub key: &'static str,
    /// The plan that has it: one of [`Plan::before`] by its number, or the run's own.
    pub plan: Option<usize>,
    /// Its number there.
    pub run: usize,
}

/// Runs of one point of the grid that need something, and the values they were made of.
pub(super) struct Dependent {
    pub runs: Range<usize>,
    pub resolved: Resolved,
    /// Number of classes of their data.
    pub classes: usize,
}

/// Where runs may look for what they need.
pub(super) struct Lookup<'a> {
    /// The experiment's file.
    pub path: &'a Path,
    /// Those of the environment hold for other experiments too.
    pub overrides: &'a Overrides,
    pub catalogue: &'a Catalogue,
    /// Files whose runs need this one's, the first one first.
    pub trail: &'a [PathBuf],
    /// Whether the runs are all there are: otherwise missing ones are no problem of their own.
    pub whole: bool,
}

/// Finds what every run needs and gives the runs their ids. Gives the plans of other experiments that
/// have such runs.
///
/// # Errors
/// Data is missing or damaged. What is wrong with the file is added to `problems`.
pub(super) fn connect(
    runs: &mut [Run],
    dependents: &[Dependent],
    lookup: &Lookup,
    problems: &mut Vec<Problem>,
) -> Result<Vec<Plan>> {
    let mut connector = Connector {
        lookup,
        problems,
        others: Vec::new(),
        files: HashMap::new(),
        tensors: HashMap::new(),
    };
    for dependent in dependents {
        connector.connect(runs, dependent)?;
    }
    connector.identify(runs, dependents);
    let others = connector.others.into_iter();
    Ok(others.filter_map(|(_, plan)| plan).collect())
}

pub(super) struct Connector<'a> {
    pub lookup: &'a Lookup<'a>,
    problems: &'a mut Vec<Problem>,
    /// Other experiments by their files; none for one that has problems itself.
    others: Vec<(PathBuf, Option<Plan>)>,
    pub files: HashMap<PathBuf, Option<Rc<WeightFile>>>,
    /// By model and data.
    pub tensors: HashMap<String, Rc<Vec<TensorShape>>>,
}

impl Connector<'_> {
    fn connect(&mut self, runs: &mut [Run], dependent: &Dependent) -> Result<()> {
        let settings = Rc::new(runs[dependent.runs.start].settings.as_ref().clone());
        let weights = settings.start.as_ref();
        if let Some((start, path)) = weights.and_then(|start| Some((start, start.file()?))) {
            let sum = self.connect_to_file(dependent, &settings, start, path)?;
            for run in &mut runs[dependent.runs.clone()] {
                run.weights.clone_from(&sum);
            }
        }
        for need in settings.needs(dependent.classes) {
            self.connect_to_runs(runs, dependent, &need)?;
        }
        Ok(())
    }

    pub fn report(&mut self, dependent: &Dependent, flaw: Flaw) {
        let key = flaw.key.clone();
        let path: Vec<String> = key.split('.').map(String::from).collect();
        let problem = match dependent.resolved.place(&path) {
            Some(place) => Problem::new(flaw.message).at(place),
            None => Problem::new(flaw.message).at_file(self.lookup.path),
        };
        note(self.problems, problem.maybe_hint(flaw.hint));
    }

    fn connect_to_runs(
        &mut self,
        runs: &mut [Run],
        dependent: &Dependent,
        need: &Dependency,
    ) -> Result<()> {
        let Some(plan) = self.experiment(dependent, need)? else {
            return Ok(());
        };
        let mut examined: Option<Settings> = None;
        for index in dependent.runs.clone() {
            let there = match plan {
                None => &*runs,
                Some(other) => match &self.others[other].1 {
                    Some(other) => &other.runs,
                    None => return Ok(()),
                },
            };
            let run = match find(there, &runs[index], &need.run, plan.is_none()) {
                Ok(run) => run,
                Err(flaw) => {
                    if self.lookup.whole || plan.is_some() {
                        self.report(dependent, flaw.under(need.key));
                    }
                    return Ok(());
                }
            };
            let found = there[run].clone();
            let name = match plan.and_then(|plan| self.others[plan].1.as_ref()) {
                None => format!("`{}`", found.variant),
                Some(other) => format!("`{}` of `{}`", found.variant, other.name),
            };
            let key = need.key;
            runs[index].earlier.push(Earlier { key, plan, run });
            if examined.as_ref() != Some(&found.settings) {
                let settings = runs[index].settings.as_ref().clone();
                self.examine(dependent, need, &settings, (&found, &name))?;
                examined = Some(found.settings.as_ref().clone());
            }
        }
        Ok(())
    }

    /// Reports what keeps a run that was found, and what it is called, from being what another one needs.
    fn examine(
        &mut self,
        dependent: &Dependent,
        need: &Dependency,
        settings: &Settings,
        found: (&Run, &str),
    ) -> Result<()> {
        match need.key {
            START => self.compare_with_run(dependent, settings, found.0),
            GENERATOR | GENERATORS => self.examine_generator(dependent, need.key, settings, found),
            LABELER => self.examine_labeler(dependent, settings, found),
            FEATURE_CLASSIFIER => self.examine_feature_classifier(dependent, settings, found),
            _ => Ok(()),
        }
    }

    /// The experiment that has the run: `Some(None)` for this one.
    fn experiment(
        &mut self,
        dependent: &Dependent,
        need: &Dependency,
    ) -> Result<Option<Option<usize>>> {
        let Some(name) = &need.run.experiment else {
            return Ok(Some(None));
        };
        let key = format!("{}.experiment", need.key);
        let path: Vec<String> = key.split('.').map(String::from).collect();
        let origin = dependent.resolved.origin(&path);
        let from = origin.and_then(|origin| origin.document.as_ref()?.path.parent());
        let from = from.unwrap_or(Path::new(""));
        let Some(path) = find_experiment(name, from) else {
            let flaw = Flaw::new(key, format!("there is no experiment `{name}`"));
            let hint = "its name under `experiments/`, or a path from this file's folder";
            self.report(dependent, flaw.hint(hint));
            return Ok(None);
        };
        let path_there = canonical(&path);
        if path_there == canonical(self.lookup.path) {
            return Ok(Some(None));
        }
        let mut known = self.others.iter();
        if let Some(known) = known.position(|(known, _)| *known == path_there) {
            return Ok(Some(Some(known)));
        }
        if self.lookup.trail.contains(&path_there) {
            let trail = self.lookup.trail.iter().map(PathBuf::as_path);
            let names = trail.chain([self.lookup.path, path.as_path()]);
            let names: Vec<String> = names.map(experiment_name).collect();
            let message = format!("experiments need each other: `{}`", names.join("` -> `"));
            let hint = "put what both need into a file of its own";
            self.report(dependent, Flaw::new(key, message).hint(hint));
            return Ok(None);
        }
        let plan = self.plan(&path)?;
        self.others.push((path_there, plan));
        Ok(Some(Some(self.others.len() - 1)))
    }

    /// The plan of another experiment, unless it has problems, which are reported as they are.
    fn plan(&mut self, path: &Path) -> Result<Option<Plan>> {
        let overrides = self.lookup.overrides.for_others();
        let here = [canonical(self.lookup.path)];
        let trail: Vec<PathBuf> = self.lookup.trail.iter().chain(&here).cloned().collect();
        match Plan::make_for(path, &overrides, self.lookup.catalogue, &trail) {
            Ok(plan) => Ok(Some(plan)),
            Err(Error {
                kind: Kind::Usage,
                problems,
                ..
            }) => {
                for problem in problems {
                    note(self.problems, problem);
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Gives ids to runs that need something, those after what they need.
    fn identify(&mut self, runs: &mut [Run], dependents: &[Dependent]) {
        let mut known = vec![false; runs.len()];
        for dependent in dependents {
            for index in dependent.runs.clone() {
                if let Err(flaw) = self.identify_one(runs, index, &mut known, &mut Vec::new()) {
                    self.report(dependent, flaw);
                }
            }
        }
    }

    /// Gives a run its id, after those that it needs; `path` leads to it.
    fn identify_one(
        &self,
        runs: &mut [Run],
        index: usize,
        known: &mut [bool],
        path: &mut Vec<usize>,
    ) -> Result<(), Flaw> {
        if path.contains(&index) {
            return Err(circle(runs, path, index));
        }
        if known[index] {
            return Ok(());
        }
        path.push(index);
        known[index] = true;
        let mut from = Vec::new();
        if let Some(sum) = &runs[index].weights {
            from.push(("start.weights", sum.clone()));
        }
        for earlier in runs[index].earlier.clone() {
            let id = match earlier.plan {
                None => {
                    let inner = self.identify_one(runs, earlier.run, known, path);
                    inner.map_err(|flaw| {
                        Flaw::new(earlier.key, flaw.message).maybe_hint(flaw.hint)
                    })?;
                    &runs[earlier.run].id
                }
                Some(plan) => match &self.others[plan].1 {
                    Some(plan) => &plan.runs[earlier.run].id,
                    None => continue,
                },
            };
            from.push((earlier.key, id.clone()));
        }
        path.pop();
        if !from.is_empty() {
            let run = &runs[index];
            runs[index].id = run_id(&run.settings, run.digest.as_deref(), run.seed, &from);
        }
        Ok(())
    }
}

/// The run of `runs` that another one names; keys are below the one that names it.
fn find(runs: &[Run], asking: &Run, wanted: &RunName, is_here: bool) -> Result<usize, Flaw> {
    let mut labels: Vec<&str> = runs.iter().map(|run| run.variant.as_str()).collect();
    labels.dedup();
    let label = match (&wanted.variant, labels.as_slice()) {
        (Some(variant), _) => {
            // In one file the variant is meant as it is at the same point of the grid.
            let beside = at_same_point(&asking.variant, variant);
            let beside = beside.filter(|label| is_here && labels.contains(&label.as_str()));
            beside.unwrap_or_else(|| variant.clone())
        }
        (None, [only]) if !is_here => only.to_string(),
        (None, labels) => {
            let flaw = Flaw::new("", "no `variant` is named");
            return Err(flaw.hint(format!("variant = one of {}", list(labels))));
        }
    };
    let of_label = runs
        .iter()
        .enumerate()
        .filter(|(_, run)| run.variant == label);
    let seeds: Vec<(usize, u64)> = of_label.map(|(index, run)| (index, run.seed)).collect();
    if seeds.is_empty() {
        let flaw = Flaw::new("variant", format!("there is no variant `{label}`"));
        return Err(flaw.maybe_hint(did_you_mean(&label, &labels)));
    }
    let seed = wanted.seed.unwrap_or(asking.seed);
    let found = seeds.iter().find(|(_, known)| *known == seed);
    found.map(|(index, _)| *index).ok_or_else(|| {
        let known: Vec<String> = seeds.iter().map(|(_, seed)| seed.to_string()).collect();
        let key = wanted.seed.map_or("", |_| "seed");
        let flaw = Flaw::new(key, format!("`{label}` has no run with seed {seed}"));
        flaw.hint(format!("its seeds: {}", known.join(", ")))
    })
}

/// The flaw of runs that need each other; `path` leads to `again`, which is in it.
fn circle(runs: &[Run], path: &[usize], again: usize) -> Flaw {
    let circle = path.iter().skip_while(|&&run| run != again).chain([&again]);
    let names: Vec<&str> = circle.map(|&run| runs[run].variant.as_str()).collect();
    match names.as_slice() {
        [one, _] => {
            let flaw = Flaw::new("", format!("`{one}` needs itself"));
            flaw.hint("what stands at the top of the file is every variant's; say it in `[variants.NAME]`")
        }
        names => Flaw::new(
            "",
            format!("runs need each other: `{}`", names.join("` -> `")),
        ),
    }
}

/// The file of an experiment: a path from a folder, or a name under `experiments/`.
fn find_experiment(name: &str, from: &Path) -> Option<PathBuf> {
    let is_root = |folder: &&Path| folder.file_name().is_some_and(|name| name == "experiments");
    let root = from
        .ancestors()
        .find(is_root)
        .unwrap_or(Path::new("experiments"));
    let file = format!("{name}.toml");
    let candidates = [from.join(name), from.join(&file), root.join(&file)];
    candidates.into_iter().find(|path| path.is_file())
}
