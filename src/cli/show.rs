//! The commands that only look: `check`, `explain`, `summary`, `list`.

use std::path::{Path, PathBuf};

use super::{catalogue, files, say};
use crate::config::{Completed, Origin, Overrides, Settings};
use crate::error::{Error, Place, Problem, Result, count};
use crate::network;
use crate::plan::{self, Plan, Run, check::planned};
use crate::record::runs_done;
use crate::run::ResultsFolder;
use crate::system_memory::gib;

/// Checks every file and shows all problems of all of them.
pub fn check(paths: Vec<PathBuf>, overrides: &Overrides) -> Result<()> {
    let paths = match paths.is_empty() {
        true => files::known()?,
        false => {
            let mut found = Vec::new();
            for path in &paths {
                match path.is_dir() && files::find_file(path).is_none() {
                    true => found.extend(files::all(path)?),
                    false => found.push(files::find(path)?),
                }
            }
            found
        }
    };
    if paths.is_empty() {
        return Err(Error::usage(
            Problem::new("there are no experiment files here")
                .hint("name a file, or let `burnlab new NAME` write a first one"),
        ));
    }
    let catalogue = catalogue();
    let mut worst: Option<Error> = None;
    let mut wrong = 0;
    for path in &paths {
        match Plan::make(path, overrides, &catalogue) {
            Ok(plan) => {
                say(&format!(
                    "ok {}: {}, {}, {}",
                    path.display(),
                    count(plan.variants().len(), "variant"),
                    count(plan.runs.len(), "run"),
                    count(plan.claims.len(), "claim")
                ));
                for note in &plan.notes {
                    say(&format!("   note: {note}"));
                }
                for dataset in &plan.absent {
                    say(&format!(
                        "   its dataset `{dataset}` is not on this machine: `burnlab data fetch {dataset}`"
                    ));
                }
            }
            Err(error) => {
                wrong += 1;
                match &mut worst {
                    Some(worst) => {
                        if error.kind.exit_code() < worst.kind.exit_code() {
                            worst.kind = error.kind;
                        }
                        worst.problems.extend(error.problems);
                        worst.more = worst.more.and(error.more);
                    }
                    None => worst = Some(error),
                }
            }
        }
    }
    match worst {
        None => Ok(()),
        Some(mut error) => {
            let found = error.problems.len() + error.more.count;
            if found > 1 {
                let least = if error.more.is_cut { "at least " } else { "" };
                let (found, files) = (count(found, "problem"), count(wrong, "file"));
                let shown = match std::mem::take(&mut error.more).count {
                    0 => String::new(),
                    _ => format!(", of which {} are shown", error.problems.len()),
                };
                error
                    .problems
                    .push(Problem::new(format!("{least}{found} in {files}{shown}")));
            }
            Err(error)
        }
    }
}

/// Prints every resolved value and where it came from.
pub fn explain(path: &Path, overrides: &Overrides, variant: Option<&str>) -> Result<()> {
    // A file with problems is shown with them, not explained.
    Plan::make(path, overrides, &catalogue())?;
    let resolved = plan::explain(path, overrides, variant)?;
    let completed = Completed::of(&resolved.json);
    let mut lines = Vec::new();
    let origin_of = |path: &[String]| match completed.is_default(path) {
        true => "the defaults".to_string(),
        false => match (resolved.origin(path), resolved.place(path)) {
            (Some(origin), Some(place)) => origin_text(origin, &place),
            _ => String::new(),
        },
    };
    leaves(&origin_of, &completed.values, &mut Vec::new(), &mut lines);
    let points = plan::explain_points(path, overrides)?.into_iter();
    lines.extend(
        points.map(|(line, origin)| (line, origin_text(&origin, &origin.place(&[], false)))),
    );
    let width = lines
        .iter()
        .map(|(value, _)| value.chars().count())
        .max()
        .unwrap_or(0)
        .min(70);
    for (value, origin) in lines {
        say(&format!("{value:width$}  # {origin}"));
    }
    Ok(())
}

/// Collects `key = value` and its origin for every value.
fn leaves(
    origin_of: &impl Fn(&[String]) -> String,
    value: &serde_json::Value,
    path: &mut Vec<String>,
    lines: &mut Vec<(String, String)>,
) {
    match value {
        serde_json::Value::Object(table) if !table.is_empty() => {
            for (key, value) in table {
                path.push(key.clone());
                leaves(origin_of, value, path, lines);
                path.pop();
            }
        }
        serde_json::Value::Array(items) if items.iter().any(serde_json::Value::is_object) => {
            for (index, value) in items.iter().enumerate() {
                path.push(index.to_string());
                match value {
                    serde_json::Value::Object(_) => leaves(origin_of, value, path, lines),
                    _ => lines.push(leaf(origin_of, value, path)),
                }
                path.pop();
            }
        }
        _ => lines.push(leaf(origin_of, value, path)),
    }
}

fn leaf(
    origin_of: &impl Fn(&[String]) -> String,
    value: &serde_json::Value,
    path: &[String],
) -> (String, String) {
    (format!("{} = {value}", path.join(".")), origin_of(path))
}

/// An origin with the line where its value stands, if a file holds it.
fn origin_text(origin: &Origin, place: &Place) -> String {
    match place {
        Place::File { line, .. } => format!("{}, line {line}", origin.name),
        _ => origin.name.clone(),
    }
}

/// Prints the network of a variant, or every different network of the experiment; `expand` shows the
/// layers inside blocks too.
pub fn summary(
    path: &Path,
    overrides: &Overrides,
    variant: Option<&str>,
    expand: bool,
) -> Result<()> {
    let catalogue = catalogue();
    let plan = Plan::make(path, overrides, &catalogue)?;
    let asked = |run: &&Run| variant.is_none_or(|variant| run.is_of(variant));
    let shown = networks(plan.runs.iter().filter(asked));
    if shown.is_empty() {
        return Err(plan.no_variant(variant.unwrap_or_default()));
    }
    for (index, (run, variants)) in shown.iter().enumerate() {
        if index > 0 {
            say("");
        }
        say(&format!("{}: {}", plan.name, variants.join(", ")));
        let (facts, _) = catalogue.check(&run.settings.data)?;
        let layers = planned(&run.settings, &catalogue)?;
        say(&network::summary_table(&layers, facts.shape, expand));
        let (settings, memory) = (&run.settings, gib(run.memory.peak()));
        let trained = settings.train.batch_size.get();
        let measured = settings.evaluation_batch(&layers);
        let parts = match settings.micro_batch(&layers, true) {
            part if part < trained => format!(" ({part} images at a time)"),
            _ => String::new(),
        };
        let more = match settings.measure.is_empty() {
            true => "",
            false => "; what `[measure]` asks for takes more",
        };
        say(&format!(
            "about {memory} of memory, trained in batches of {trained}{parts} and measured in batches of {measured}{more}"
        ));
    }
    for note in &plan.notes {
        say(&format!("note: {note}"));
    }
    Ok(())
}

/// A run of each different network, with the variants that have it.
fn networks<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<(&'a Run, Vec<&'a str>)> {
    let mut networks: Vec<(&Run, Vec<&str>)> = Vec::new();
    for run in runs {
        let same = networks
            .iter_mut()
            .find(|(known, _)| is_same_network(&known.settings, &run.settings));
        match same {
            Some((_, variants)) if variants.last() != Some(&run.variant.as_str()) => {
                variants.push(&run.variant);
            }
            Some(_) => {}
            None => networks.push((run, vec![&run.variant])),
        }
    }
    networks
}

/// Whether two networks look the same: the data gives them their input and their classes, and training may
/// leave layers as they are.
fn is_same_network(one: &Settings, other: &Settings) -> bool {
    let (train, others) = (&one.train, &other.train);
    one.model == other.model
        && one.data == other.data
        && train.freeze == others.freeze
        && train.train_only == others.train_only
}

/// Prints every experiment that a name stands for, with how many of its runs are done.
pub fn list(results: &Path) -> Result<()> {
    let catalogue = catalogue();
    let paths = files::known()?;
    let mut overrides = Overrides::from_environment();
    overrides.take_launch();
    let mut lines = Vec::new();
    for path in &paths {
        match Plan::make(path, &overrides, &catalogue) {
            Ok(plan) => {
                let state = how_far(&plan, &ResultsFolder::of(results, &plan.name));
                lines.push((plan.name, state, plan.title));
            }
            Err(_) => lines.push((
                path.display().to_string(),
                "has problems".to_string(),
                format!("see `burnlab check {}`", path.display()),
            )),
        }
    }
    let width =
        |of: fn(&(String, String, String)) -> usize| lines.iter().map(of).max().unwrap_or(0);
    let (names, states) = (width(|line| line.0.len()), width(|line| line.1.len()));
    for (name, state, title) in &lines {
        say(&format!("{name:names$}  {state:states$}  {title}"));
    }
    if lines.is_empty() {
        say(
            "no experiments, here or in a folder `experiments/`: `burnlab new NAME` writes a first one",
        );
    }
    Ok(())
}

/// How far an experiment is: `3 of 6 runs done, 1 failed, running`.
fn how_far(plan: &Plan, folder: &ResultsFolder) -> String {
    let rows = plan.runs.iter().filter_map(|run| folder.run(run).row());
    let mut text = runs_done(rows.map(|row| row.status), plan.runs.len());
    if folder.holder().is_some() {
        text += ", running";
    }
    text
}
