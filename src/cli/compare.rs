//! `burnlab compare`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::output_path::PAGE;
use super::report::{command, of_plan};
use super::{ResultsArgument, Set, catalogue, files, say};
use crate::error::{Error, Kind, Place, Problem, Result, did_you_mean};
use crate::plan::{Plan, file_name, is_of};
use crate::record::{RunRow, write_atomically};
use crate::report::html::page;
use crate::report::{Subject, Verdict, View, comparison, differences};

/// The folder of pages that compare, below that of results.
const COMPARISONS: &str = "comparisons";

#[derive(Debug, Args)]
pub struct CompareArguments {
    /// The experiment, as a path or its name under experiments/, or its folder of results, or a run's
    file: PathBuf,
    /// What to compare it with: both may be experiments, folders of results or of runs, EXPERIMENT:VARIANT or
    /// EXPERIMENT:VARIANT:SEED
    other: Option<PathBuf>,
    /// The variant that others are compared with [default: the first one]
    #[arg(long, value_name = "VARIANT")]
    reference: Option<String>,
    /// Where the page of two goes [default: comparisons/ in the results]
    #[arg(long, short, value_name = "FILE", requires = "other", value_parser = PAGE.path())]
    output: Option<PathBuf>,
    #[command(flatten)]
    results: ResultsArgument,
    #[command(flatten)]
    set: Set,
}

/// Prints the tables of what has been run: of one experiment with its claims, of two sides with a page.
pub fn compare(arguments: CompareArguments) -> Result<ExitCode> {
    match &arguments.other {
        None => compare_one(&arguments),
        Some(other) => compare_two(&arguments, other),
    }
}

/// Of an experiment's results folder the runs of its table are shown, without its file and its claims.
fn compare_one(arguments: &CompareArguments) -> Result<ExitCode> {
    let subject = experiment(&arguments.file, arguments)?;
    tell(&subject, arguments.reference.as_deref())?;
    let held = subject
        .claims
        .iter()
        .all(|claim| claim.verdict == Verdict::Holds);
    Ok(match held {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(Kind::Claim.exit_code()),
    })
}

fn compare_two(arguments: &CompareArguments, other: &Path) -> Result<ExitCode> {
    let subject = side(&arguments.file, arguments)?.beside(side(other, arguments)?);
    let reference = arguments.reference.as_deref();
    let path = match &arguments.output {
        Some(path) => path.clone(),
        None => {
            let name = format!("{}--{}", arguments.file.display(), other.display());
            arguments
                .results
                .folder
                .join(COMPARISONS)
                .join(format!("{}.html", file_name(&name)))
        }
    };
    let words = ["compare", &arguments.file.to_string_lossy()];
    let page = page(
        &subject,
        reference,
        &[command(&words, other, reference, &arguments.set)],
    )?;
    tell(&subject, reference)?;
    if let Some(folder) = path.parent().filter(|_| arguments.output.is_none()) {
        fs::create_dir_all(folder)
            .map_err(|error| Error::io(Kind::Data, "make the folder", folder, &error))?;
    }
    write_atomically(&path, page.as_bytes())?;
    say(&format!("\npage: {}", path.display()));
    Ok(ExitCode::SUCCESS)
}

fn tell(subject: &Subject, reference: Option<&str>) -> Result<()> {
    let view = View::new(subject, reference)?;
    say(&format!("{}\n", subject.title));
    say(&comparison(&view)?);
    if let Some(table) = differences(&view) {
        say(&format!("\n{table}"));
    }
    Ok(())
}

/// The runs of an experiment or of its results folder, or the one of a run's folder.
fn experiment(file: &Path, arguments: &CompareArguments) -> Result<Subject> {
    if file.join("run.json").is_file() {
        return Subject::of_run(file);
    }
    if file.join("summary.csv").is_file() {
        return Subject::of_folder(file);
    }
    let path = files::find(file)?;
    let plan = Plan::make(&path, &arguments.set.clone().overrides(), &catalogue())?;
    of_plan(&plan, &arguments.results.folder)
}

/// One of two that are compared.
fn side(name: &Path, arguments: &CompareArguments) -> Result<Subject> {
    match parted(name) {
        None => experiment(name, arguments),
        Some((file, which)) => {
            let whole = experiment(Path::new(file), arguments)?;
            part(whole, which, name)
        }
    }
}

/// An experiment and what of it, parted by the first colon that leaves an experiment before it; `None` of a
/// name that is one as it stands.
fn parted(name: &Path) -> Option<(&str, &str)> {
    let is_folder = |path: &Path| {
        ["summary.csv", "run.json"]
            .iter()
            .any(|file| path.join(file).is_file())
    };
    let is_known = |path: &Path| is_folder(path) || files::find(path).is_ok();
    let text = name.to_str().filter(|_| !is_known(name))?;
    let colons = text.match_indices(':').map(|(at, _)| at);
    let parts = colons.map(|at| (&text[..at], &text[at + 1..]));
    parts
        .into_iter()
        .find(|(file, _)| is_known(Path::new(file)))
}

/// The runs of `VARIANT` or `VARIANT:SEED`.
fn part(whole: Subject, which: &str, name: &Path) -> Result<Subject> {
    let label = format!("{}: {which}", whole.name);
    if whole.rows.iter().any(|row| is_of(&row.variant, which)) {
        return Ok(whole.only(label, |row| is_of(&row.variant, which)));
    }
    let of_seed = which
        .rsplit_once(':')
        .and_then(|(variant, seed)| Some((variant, seed.parse::<u64>().ok()?)));
    if let Some((variant, seed)) = of_seed {
        let is_meant = |row: &RunRow| is_of(&row.variant, variant) && row.seed == seed;
        if whole.rows.iter().any(is_meant) {
            let mut run = whole.only(label, is_meant);
            for row in &mut run.rows {
                row.variant = format!("{}, seed {seed}", row.variant);
            }
            return Ok(run);
        }
    }
    let mut known: Vec<&str> = whole.rows.iter().map(|row| &*row.variant).collect();
    known.dedup();
    let problem = Problem::new(format!("`{}` has no variant or run `{which}`", whole.name));
    let asked = of_seed.map_or(which, |(variant, _)| variant);
    let hint = match known.contains(&asked) {
        true => Some("no run of the variant has that seed".to_string()),
        false => did_you_mean(asked, &known),
    };
    Err(Error::usage(
        problem
            .at(Place::Setting(name.display().to_string()))
            .maybe_hint(hint),
    ))
}
