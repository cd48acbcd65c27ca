//! What runs start from: files and other runs, found, and compared with the layers they are to fill.
//!
//! Ids follow from it: a run's covers that of the run it starts from, or the file's bytes.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{Plan, Run, check, experiment_name, note, run_id};
use crate::data::{Catalogue, Validation};
use crate::error::{Error, Flaw, Kind, Problem, Result, did_you_mean, list};
use crate::network::{TensorShape, WeightFile, misfit};
use crate::spec::{Overrides, Resolved, Settings, Start, StartRun};

/// A run that is trained before another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earlier {
    /// The plan that has it: one of [`Plan::before`] by its number, or the run's own.
    pub plan: Option<usize>,
    /// Its number there.
    pub run: usize,
}

/// Runs of one point of the grid that start from something, and the values they were made of.
pub(super) struct Starter {
    pub runs: Range<usize>,
    pub resolved: Resolved,
}

/// Where runs may look for what they start from.
pub(super) struct Around<'a> {
    /// The experiment's file.
    pub path: &'a Path,
    /// Those of the environment hold for other experiments too.
    pub overrides: &'a Overrides,
    pub catalogue: &'a Catalogue,
    /// Files whose runs start from this one's, the first one first.
    pub trail: &'a [PathBuf],
    /// Whether the runs are all there are: otherwise missing ones are no problem of their own.
    pub whole: bool,
}

/// Finds what every run starts from and gives the runs their ids. Gives the plans of other experiments
/// that runs start from.
///
/// # Errors
/// Data is missing or damaged. What is wrong with the file is added to `problems`.
pub(super) fn connect(
    runs: &mut [Run],
    starters: &[Starter],
    around: &Around,
    problems: &mut Vec<Problem>,
) -> Result<Vec<Plan>> {
    let mut connector = Connector {
        around,
        problems,
        others: Vec::new(),
        files: HashMap::new(),
        tensors: HashMap::new(),
    };
    for starter in starters {
        connector.connect(runs, starter)?;
    }
    connector.identify(runs, starters);
    let others = connector.others.into_iter();
    Ok(others.filter_map(|(_, plan)| plan).collect())
}

struct Connector<'a> {
    around: &'a Around<'a>,
    problems: &'a mut Vec<Problem>,
    /// Other experiments by their files; none for one that has problems itself.
    others: Vec<(PathBuf, Option<Plan>)>,
    files: HashMap<PathBuf, Option<Rc<WeightFile>>>,
    /// By model and data.
    tensors: HashMap<String, Rc<Vec<TensorShape>>>,
}

impl Connector<'_> {
    fn connect(&mut self, runs: &mut [Run], starter: &Starter) -> Result<()> {
        let settings = Rc::new(runs[starter.runs.start].settings.as_ref().clone());
        let Some(start) = &settings.start else {
            return Ok(());
        };
        match (&start.weights, &start.run) {
            (Some(path), None) => self.connect_to_file(runs, starter, &settings, start, path),
            (None, Some(wanted)) => self.connect_to_runs(runs, starter, start, wanted),
            // Told where the settings are checked.
            _ => Ok(()),
        }
    }

    fn tell(&mut self, starter: &Starter, flaw: Flaw) {
        let key = flaw.key.clone();
        let path: Vec<String> = key.split('.').map(String::from).collect();
        let problem = match starter.resolved.place(&path) {
            Some(place) => Problem::new(flaw.message).at(place),
            None => Problem::new(flaw.message).at_file(self.around.path),
        };
        note(self.problems, problem.maybe_hint(flaw.hint));
    }

    fn connect_to_file(
        &mut self,
        runs: &mut [Run],
        starter: &Starter,
        settings: &Settings,
        start: &Start,
        path: &Path,
    ) -> Result<()> {
        let Some(file) = self.file(starter, start, path) else {
            return Ok(());
        };
        self.compare(starter, settings, "start.weights", &|tensor| {
            file.shape(tensor)
        })?;
        for run in &mut runs[starter.runs.clone()] {
            run.id = run_id(&run.settings, run.seed, Some(file.sha256()));
        }
        Ok(())
    }

    fn file(&mut self, starter: &Starter, start: &Start, path: &Path) -> Option<Rc<WeightFile>> {
        // One file is hardly ever read in two layouts; it is read again then.
        let key = path.join(format!("{:?}", start.layout));
        if let Some(known) = self.files.get(&key) {
            return known.clone();
        }
        let file = match path.is_file() {
            true => WeightFile::read(path, start.layout).map_err(|error| {
                let told = error.problems.into_iter().next();
                let told = told.map(|problem| problem.message).unwrap_or_default();
                let reason = told.rsplit(": ").next().unwrap_or(&told);
                let message = format!("`{}` holds no weights: {reason}", path.display());
                Flaw::new("start.weights", message).hint("files of the safetensors format are read")
            }),
            false => {
                let message = format!("`weights` names `{}`, which is not there", path.display());
                let hint = "the name is looked up beside the file that says it";
                Err(Flaw::new("start.weights", message).hint(hint))
            }
        };
        let file = match file {
            Ok(file) => Some(Rc::new(file)),
            Err(flaw) => {
                self.tell(starter, flaw);
                None
            }
        };
        self.files.insert(key, file.clone());
        file
    }

    /// Tells of layers that are to take weights of other shapes.
    fn compare(
        &mut self,
        starter: &Starter,
        settings: &Settings,
        key: &str,
        there: &dyn Fn(&TensorShape) -> Option<Vec<usize>>,
    ) -> Result<()> {
        let Some(start) = &settings.start else {
            return Ok(());
        };
        let tensors = self.tensors(settings)?;
        let wanted = tensors.iter().filter(|tensor| start.takes(&tensor.layer));
        if let Some(misfit) = misfit(&wanted.collect::<Vec<_>>(), there) {
            let hint = "layers named in `start.exclude` start fresh";
            self.tell(starter, Flaw::new(key, misfit).hint(hint));
        }
        Ok(())
    }

    fn tensors(&mut self, settings: &Settings) -> Result<Rc<Vec<TensorShape>>> {
        let key = serde_json::to_string(&(&settings.model, &settings.data));
        let key = key.expect("settings are plain values");
        if let Some(known) = self.tensors.get(&key) {
            return Ok(Rc::clone(known));
        }
        let tensors = Rc::new(check::tensors(settings, self.around.catalogue)?);
        self.tensors.insert(key, Rc::clone(&tensors));
        Ok(tensors)
    }

    fn connect_to_runs(
        &mut self,
        runs: &mut [Run],
        starter: &Starter,
        start: &Start,
        wanted: &StartRun,
    ) -> Result<()> {
        let Some(plan) = self.experiment(starter, wanted)? else {
            return Ok(());
        };
        let mut compared: Option<Settings> = None;
        for index in starter.runs.clone() {
            let there = match plan {
                None => &*runs,
                Some(other) => match &self.others[other].1 {
                    Some(other) => &other.runs,
                    None => return Ok(()),
                },
            };
            let run = match find(there, &runs[index], wanted, plan.is_none()) {
                Ok(run) => run,
                Err(flaw) => {
                    if self.around.whole || plan.is_some() {
                        self.tell(starter, flaw.under("start.run"));
                    }
                    return Ok(());
                }
            };
            let earlier = there[run].settings.as_ref().clone();
            let name = there[run].variant.clone();
            runs[index].earlier = Some(Earlier { plan, run });
            if compared.as_ref() != Some(&earlier) {
                let settings = runs[index].settings.as_ref().clone();
                self.compare_with_run(starter, start, &settings, &earlier, &name)?;
                compared = Some(earlier);
            }
        }
        Ok(())
    }

    fn compare_with_run(
        &mut self,
        starter: &Starter,
        start: &Start,
        settings: &Settings,
        earlier: &Settings,
        name: &str,
    ) -> Result<()> {
        let without = earlier.data.validation == Validation::Count(0);
        if start.best && without && earlier.train.best_metric().needs_validation() {
            let message = format!("`{name}` keeps no best weights: it has no validation set");
            let flaw = Flaw::new("start.best", message);
            self.tell(
                starter,
                flaw.hint("leave `best` out, or give it `data.validation`"),
            );
        }
        let tensors = self.tensors(earlier)?;
        self.compare(starter, settings, "start.run", &|wanted| {
            let same =
                |tensor: &&TensorShape| tensor.layer == wanted.layer && tensor.role == wanted.role;
            tensors.iter().find(same).map(|tensor| tensor.shape.clone())
        })
    }

    /// The experiment that has the run: `Some(None)` for this one.
    fn experiment(
        &mut self,
        starter: &Starter,
        wanted: &StartRun,
    ) -> Result<Option<Option<usize>>> {
        let Some(name) = &wanted.experiment else {
            return Ok(Some(None));
        };
        let key = ["start", "run", "experiment"].map(String::from);
        let origin = starter.resolved.origin(&key);
        let from = origin.and_then(|origin| origin.document.as_ref()?.path.parent());
        let from = from.unwrap_or(Path::new(""));
        let Some(path) = find_experiment(name, from) else {
            let message = format!("there is no experiment `{name}`");
            let hint = "its name under `experiments/`, or a path from this file's folder";
            self.tell(
                starter,
                Flaw::new("start.run.experiment", message).hint(hint),
            );
            return Ok(None);
        };
        let path_there = canonical(&path);
        if path_there == canonical(self.around.path) {
            return Ok(Some(None));
        }
        if let Some(known) = self
            .others
            .iter()
            .position(|(known, _)| *known == path_there)
        {
            return Ok(Some(Some(known)));
        }
        if self.around.trail.contains(&path_there) {
            let trail = self.around.trail.iter().map(PathBuf::as_path);
            let names = trail.chain([self.around.path, path.as_path()]);
            let names: Vec<String> = names.map(experiment_name).collect();
            let names = names.join("` -> `");
            let message = format!("experiments start from each other: `{names}`");
            let flaw = Flaw::new("start.run.experiment", message);
            self.tell(
                starter,
                flaw.hint("put what both start from into a file of its own"),
            );
            return Ok(None);
        }
        let plan = self.plan(&path)?;
        self.others.push((path_there, plan));
        Ok(Some(Some(self.others.len() - 1)))
    }

    /// The plan of another experiment, unless it has problems, which are told as they are.
    fn plan(&mut self, path: &Path) -> Result<Option<Plan>> {
        let overrides = Overrides {
            set: Vec::new(),
            ..self.around.overrides.clone()
        };
        let here = [canonical(self.around.path)];
        let trail: Vec<PathBuf> = self.around.trail.iter().chain(&here).cloned().collect();
        match Plan::make_for(path, &overrides, self.around.catalogue, &trail) {
            Ok(plan) => Ok(Some(plan)),
            Err(Error {
                kind: Kind::Usage,
                problems,
            }) => {
                for problem in problems {
                    note(self.problems, problem);
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Gives ids to runs that start from runs, those after those they start from.
    fn identify(&mut self, runs: &mut [Run], starters: &[Starter]) {
        let mut identified = vec![false; runs.len()];
        for starter in starters {
            for index in starter.runs.clone() {
                let mut path = Vec::new();
                let mut next = Some(index).filter(|&index| !identified[index]);
                while let Some(run) = next {
                    if path.contains(&run) {
                        self.tell(starter, circle(runs, &path, run));
                        break;
                    }
                    path.push(run);
                    next = match runs[run].earlier {
                        Some(Earlier { plan: None, run }) if !identified[run] => Some(run),
                        _ => None,
                    };
                }
                for run in path.into_iter().rev() {
                    self.identify_one(runs, run);
                    identified[run] = true;
                }
            }
        }
    }

    fn identify_one(&self, runs: &mut [Run], index: usize) {
        let Some(earlier) = runs[index].earlier else {
            return;
        };
        let there = match earlier.plan {
            None => Some(&*runs),
            Some(plan) => self.others[plan]
                .1
                .as_ref()
                .map(|plan| plan.runs.as_slice()),
        };
        if let Some(there) = there {
            let run = &runs[index];
            let best = run.settings.start.as_ref().is_some_and(|start| start.best);
            let from = format!("{} {best}", there[earlier.run].id);
            runs[index].id = run_id(&run.settings, run.seed, Some(&from));
        }
    }
}

/// The run of `runs` that another one starts from; keys are below `start.run`.
fn find(runs: &[Run], asking: &Run, wanted: &StartRun, is_here: bool) -> Result<usize, Flaw> {
    let mut labels: Vec<&str> = runs.iter().map(|run| run.variant.as_str()).collect();
    labels.dedup();
    let label = match (&wanted.variant, labels.as_slice()) {
        (Some(variant), _) => {
            // In one file the variant is meant as it is at the same point of the grid.
            let point = asking.variant.split_once(',').map(|(_, point)| point);
            let beside = point.map(|point| format!("{variant},{point}"));
            let beside = beside.filter(|label| is_here && labels.contains(&label.as_str()));
            beside.unwrap_or_else(|| variant.clone())
        }
        (None, [only]) if !is_here => only.to_string(),
        (None, labels) => {
            let flaw = Flaw::new("", "`run` does not say which variant to start from");
            return Err(flaw.hint(format!("variant = one of {}", list(labels))));
        }
    };
    let of_label = runs
        .iter()
        .enumerate()
        .filter(|(_, run)| run.variant == label);
    let seeds: Vec<(usize, u64)> = of_label.map(|(index, run)| (index, run.seed)).collect();
    if seeds.is_empty() {
        let flaw = Flaw::new(
            "variant",
            format!("there is no variant `{label}` to start from"),
        );
        return Err(flaw.maybe_hint(did_you_mean(&label, &labels)));
    }
    let seed = wanted.seed.unwrap_or(asking.seed);
    let found = seeds.iter().find(|(_, known)| *known == seed);
    found.map(|(index, _)| *index).ok_or_else(|| {
        let known: Vec<String> = seeds.iter().map(|(_, seed)| seed.to_string()).collect();
        let key = wanted.seed.map_or("", |_| "seed");
        let flaw = Flaw::new(
            key,
            format!("`{label}` has no run with seed {seed} to start from"),
        );
        flaw.hint(format!("its seeds: {}", known.join(", ")))
    })
}

/// The flaw of runs that start from each other; `path` leads to `again`, which is in it.
fn circle(runs: &[Run], path: &[usize], again: usize) -> Flaw {
    let circle = path.iter().skip_while(|&&run| run != again).chain([&again]);
    let names: Vec<&str> = circle.map(|&run| runs[run].variant.as_str()).collect();
    match names.as_slice() {
        [one, _] => {
            let flaw = Flaw::new("start.run", format!("`{one}` starts from itself"));
            flaw.hint("a `[start]` of the file is every variant's; write `[variants.NAME.start]`")
        }
        names => {
            let names = names.join("` -> `");
            Flaw::new(
                "start.run",
                format!("runs start from each other: `{names}`"),
            )
        }
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

fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}
