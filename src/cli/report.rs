//! `burnlab report`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use walkdir::WalkDir;

use super::{ResultsArgument, Set, catalogue, files, note, say};
use crate::config::Overrides;
use crate::error::{Error, Kind, Problem, Result};
use crate::plan::Plan;
use crate::record::write_atomically;
use crate::report::Subject;
use crate::report::html::{IndexEntry, index, page};
use crate::run::{ResultsFolder, twin_on_other_data};

/// The page in an experiment's results folder.
const REPORT: &str = "report.html";

#[derive(Debug, Args)]
pub struct ReportArguments {
    /// The experiment, as a path or its name under experiments/, or its folder of results
    #[arg(required_unless_present = "all")]
    file: Option<PathBuf>,
    /// Write the report of every experiment that has results, and index.html over them
    #[arg(long, conflicts_with_all = ["file", "reference", "set"])]
    all: bool,
    /// The variant that others are compared with [default: the first one]
    #[arg(long, value_name = "VARIANT")]
    reference: Option<String>,
    #[command(flatten)]
    results: ResultsArgument,
    #[command(flatten)]
    set: Set,
}

/// Writes a page about what has been run.
pub fn report(arguments: ReportArguments) -> Result<ExitCode> {
    let reference = arguments.reference.as_deref();
    let Some(file) = &arguments.file else {
        return report_all(&arguments.results.folder);
    };
    let written = match file.join("summary.csv").is_file() {
        true => {
            let (subject, commands) = of_folder(file, None, reference, &arguments.set)?;
            write(&subject, reference, &commands, file)?
        }
        false => {
            let path = files::find(file)?;
            let plan = Plan::make(&path, &arguments.set.clone().overrides(), &catalogue())?;
            let subject = of_plan(&plan, &arguments.results.folder)?;
            let commands = commands(&path, reference, &arguments.set);
            let folder = ResultsFolder::of(&arguments.results.folder, &plan.name);
            write(&subject, reference, &commands, folder.path())?
        }
    };
    say(&format!("report: {}", written.display()));
    Ok(ExitCode::SUCCESS)
}

/// Writes the report of an experiment that has just been run.
pub(super) fn report_run(plan: &Plan, results: &Path, set: &Set) -> Result<PathBuf> {
    let subject = of_plan(plan, results)?;
    write(
        &subject,
        None,
        &commands(&plan.path, None, set),
        ResultsFolder::of(results, &plan.name).path(),
    )
}

/// The runs of a plan, if some have ended.
pub(super) fn of_plan(plan: &Plan, results: &Path) -> Result<Subject> {
    let subject = Subject::of_plan(plan, results)?;
    match subject.has_results() {
        true => Ok(subject),
        false => {
            let problem = Problem::new(format!("no run of `{}` is done", plan.name));
            let run = format!("burnlab run {}", plan.path.display());
            let folder = ResultsFolder::of(results, &plan.name);
            let has_begun = plan.runs.iter().any(|run| folder.run(run).path().is_dir());
            let others = folder.runs();
            let hint = if let Some(holder) = folder.holder() {
                format!("{} is training its runs", holder.text())
            } else if has_begun {
                format!("its runs have not ended; {run} goes on with them")
            } else if plan
                .runs
                .iter()
                .any(|run| twin_on_other_data(run, &others).is_some())
            {
                format!("the images have changed since its runs were trained; {run}")
            } else if !others.is_empty() {
                let folder = folder.path().display();
                format!("{run}; `{folder}` has runs with other settings")
            } else {
                run
            };
            Err(Error::data(problem.hint(hint)))
        }
    }
}

fn write(
    subject: &Subject,
    reference: Option<&str>,
    commands: &[String],
    folder: &Path,
) -> Result<PathBuf> {
    let path = folder.join(REPORT);
    let page = page(subject, reference, commands)?;
    write_atomically(&path, page.as_bytes())?;
    Ok(path)
}

/// What makes an experiment's numbers and its page again.
fn commands(path: &Path, reference: Option<&str>, set: &Set) -> Vec<String> {
    vec![
        command(&["run"], path, None, set),
        command(&["report"], path, reference, set),
    ]
}

/// A command line as a shell takes it, with the variables of the environment that change settings.
pub(super) fn command(words: &[&str], path: &Path, reference: Option<&str>, set: &Set) -> String {
    let path = path.to_string_lossy();
    let mut all = vec!["burnlab"];
    all.extend(words);
    all.push(&path);
    for value in &set.set {
        all.extend(["--set", value]);
    }
    if let Some(reference) = reference {
        all.extend(["--reference", reference]);
    }
    let words = shlex::try_join(all.iter().copied()).unwrap_or_else(|_| all.join(" "));
    let mut overrides = Overrides::from_environment();
    // Where numbers are made does not change them.
    overrides.take_launch();
    let variables = overrides.variables.iter().map(|(name, value)| {
        let value = shlex::try_quote(value).unwrap_or(value.into());
        format!("{name}={value}")
    });
    Vec::from_iter(variables.chain([words])).join(" ")
}

/// Reports of all experiments below a results folder, and the index; those that are damaged keep theirs.
fn report_all(results: &Path) -> Result<ExitCode> {
    let names = names(results);
    if names.is_empty() {
        let problem = Problem::new("there are no results of experiments in here").at_file(results);
        return Err(Error::data(problem.hint("`burnlab run` leaves some")));
    }
    let mut entries = Vec::new();
    let mut damaged = Vec::new();
    for name in &names {
        match report_one(name, results) {
            Ok(entry) => entries.push(entry),
            Err(error) => {
                let message = error.message_and_file();
                entries.push(IndexEntry::without_report(name, message));
                damaged.extend(error.problems);
            }
        }
    }
    let path = results.join("index.html");
    write_atomically(&path, index(&entries).as_bytes())?;
    say(&format!("index: {}", path.display()));
    match damaged.is_empty() {
        true => Ok(ExitCode::SUCCESS),
        false => Err(Error::new(Kind::Data, damaged)),
    }
}

/// The experiments below a results folder that have a table and runs, in the order of their names.
fn names(results: &Path) -> Vec<String> {
    let inner = |name: &str| ["runs", "tensorboard"].contains(&name);
    let entries = WalkDir::new(results)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !entry.file_name().to_str().is_some_and(inner));
    let folders = entries
        .filter_map(std::result::Result::ok)
        .filter(|entry| entry.file_type().is_dir());
    let has_results =
        |path: &Path| path.join("summary.csv").is_file() && path.join("runs").is_dir();
    folders
        .filter(|entry| has_results(entry.path()))
        .filter_map(|entry| {
            let parts = entry.path().strip_prefix(results).ok()?.iter();
            let parts: Option<Vec<&str>> = parts.map(|part| part.to_str()).collect();
            Some(parts?.join("/")).filter(|name| !name.is_empty())
        })
        .collect()
}

/// Writes the report of one of them.
fn report_one(name: &str, results: &Path) -> Result<IndexEntry> {
    let folder = results.join(name);
    let usual = Path::new("experiments").join(format!("{name}.toml"));
    let (subject, commands) = of_folder(&folder, Some(usual), None, &Set::default())?;
    let written = write(&subject, None, &commands, &folder)?;
    note(format!("report: {}", written.display()));
    IndexEntry::of(name, &subject)
}

/// The runs in an experiment's folder of results, and the commands that make their page again: by its file, if that is there
/// and still describes what was run; else by the folder alone.
fn of_folder(
    folder: &Path,
    usual: Option<PathBuf>,
    reference: Option<&str>,
    set: &Set,
) -> Result<(Subject, Vec<String>)> {
    if let Some((plan, results)) = plan_of(folder, usual, set) {
        let subject = Subject::of_plan(&plan, &results)?;
        if subject.has_results() {
            return Ok((subject, commands(&plan.path, reference, set)));
        }
    }
    let mut subject = Subject::of_folder(folder)?;
    let lost = "The experiment's file is not there, or asks for other runs: its title and its claims are not known here.";
    subject.notes.push(lost.to_string());
    Ok((
        subject,
        vec![command(&["report"], folder, reference, &Set::default())],
    ))
}

/// The plan of the file that results are of, and the folder that theirs is in. The file is the one that was noted there, or
/// the usual one if none was.
fn plan_of(folder: &Path, usual: Option<PathBuf>, set: &Set) -> Option<(Plan, PathBuf)> {
    let noted = ResultsFolder::of(folder, "").file();
    let path = noted.map(|path| from_here(&path)).or(usual)?;
    if !path.is_file() {
        return None;
    }
    let plan = Plan::make(&path, &set.clone().overrides(), &catalogue()).ok()?;
    let depth = Path::new(&plan.name).components().count();
    let results = folder.ancestors().nth(depth)?.to_path_buf();
    (results.join(&plan.name) == folder).then_some((plan, results))
}

/// A path as it is called from the working folder, if it is below that.
fn from_here(path: &Path) -> PathBuf {
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    let below = here.ok().and_then(|here| path.strip_prefix(here).ok());
    below.unwrap_or(path).to_path_buf()
}
