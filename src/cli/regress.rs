//! `burnlab regress`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::launch::Workers;
use super::run::{carry_out_all, check_data, note_left_out};
use super::signals::stop_flag;
use super::{JobsArgument, Set, catalogue, files, note, say};
use crate::backend::{BURN_VERSION, Devices};
use crate::error::{Error, Kind, Problem, Result, count};
use crate::plan::Plan;
use crate::record::{Status, write_atomically};
use crate::report::regression::{
    Comparison, Entry, Origin, Reference, Rule, RunKey, changes, compare, junit,
    regression_markdown, regression_table, rule, rule_text, summary_line,
};
use crate::run::Options;

/// The experiments that are run where none are named.
const EXPERIMENTS: &str = "experiments/regression";

#[derive(Debug, Args)]
pub struct RegressArguments {
    /// Experiments or folders of them, as paths or names under experiments/ [default: experiments/regression]
    files: Vec<PathBuf>,
    /// The table to compare with
    #[arg(
        long,
        value_name = "FILE",
        default_value = "results/reference/regression.csv"
    )]
    reference: PathBuf,
    /// auto: equal numbers where the reference was made on the CPU by this version and this is the CPU, else the interval
    #[arg(long, value_enum, default_value = "auto")]
    tolerance: Tolerance,
    /// Write the reference anew and print what changed
    #[arg(long, conflicts_with_all = ["tolerance", "set"])]
    accept: bool,
    /// Write the comparison as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    #[command(flatten)]
    jobs: JobsArgument,
    /// auto, cpu, cuda, vulkan or ndarray; cuda stands for all GPUs of the first one's model, cuda:1 for one, cuda:0,cuda:2 for some
    #[arg(long, default_value = "cpu", env = "BURNLAB_DEVICE")]
    device: String,
    /// Print no progress, and no table unless something fell
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    set: Set,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tolerance {
    Auto,
    Interval,
}

/// What the runs came to.
struct Outcome {
    entries: Vec<Entry>,
    /// Runs without numbers, with their reason.
    failed: Vec<(RunKey, String)>,
    /// Ctrl-C came.
    stopped: bool,
}

/// Trains the experiments anew, in a folder that is removed afterwards, and compares or accepts their numbers.
pub fn regress(arguments: RegressArguments) -> Result<ExitCode> {
    let plans = plans(&arguments)?;
    let devices = Devices::parse(&arguments.device)?;
    let origin = Origin {
        burnlab: env!("CARGO_PKG_VERSION").to_string(),
        burn: BURN_VERSION.to_string(),
        device: devices.first().to_string(),
        date: today(),
    };
    if arguments.accept {
        return accept(&arguments, &plans, &devices, &origin);
    }
    let reference = Reference::read(&arguments.reference)?;
    let rule = match arguments.tolerance {
        Tolerance::Auto => {
            let names: Vec<&str> = plans.iter().map(|plan| plan.name.as_str()).collect();
            rule(&reference, &names, &origin)
        }
        Tolerance::Interval => Rule::Interval,
    };
    reference.check(&planned(&plans), rule, arguments.files.is_empty())?;
    check_writable(arguments.junit.as_deref())?;
    let outcome = run_all(&arguments, &plans, &devices, &origin)?;
    if outcome.stopped {
        return Ok(ExitCode::from(130));
    }
    let comparisons = compare(&reference, &outcome.entries, rule);
    tell(&arguments, &comparisons, &outcome.failed, rule, &devices)?;
    Ok(exit_code(&comparisons, &outcome.failed))
}

fn accept(
    arguments: &RegressArguments,
    plans: &[Plan],
    devices: &Devices,
    origin: &Origin,
) -> Result<ExitCode> {
    let old = Reference::read_if_there(&arguments.reference)?;
    let outcome = run_all(arguments, plans, devices, origin)?;
    if outcome.stopped {
        return Ok(ExitCode::from(130));
    }
    if !outcome.failed.is_empty() {
        tell_failed(&outcome.failed);
        note("the reference stays as it is");
        return Ok(ExitCode::from(Kind::Run.exit_code()));
    }
    let known = old.unwrap_or_else(|| Reference::new(&arguments.reference, Vec::new()));
    let comparisons = compare(&known, &outcome.entries, Rule::Equal);
    let new = match arguments.files.is_empty() {
        true => known.only(outcome.entries),
        false => known.with(outcome.entries),
    };
    new.write()?;
    match changes(&comparisons) {
        None => say("nothing changed"),
        Some(table) => say(&format!("{table}\n{}", summary_line(&comparisons))),
    }
    say(&format!("reference: {}", arguments.reference.display()));
    Ok(ExitCode::SUCCESS)
}

/// A plan for each experiment, in the order of their names.
fn plans(arguments: &RegressArguments) -> Result<Vec<Plan>> {
    let overrides = arguments.set.clone().overrides();
    let catalogue = catalogue();
    let mut plans: Vec<Plan> = Vec::new();
    for path in paths(&arguments.files)? {
        let plan = Plan::make(&path, &overrides, &catalogue)?;
        check_data(&plan, plan.runs.iter())?;
        if !plans.iter().any(|other| other.name == plan.name) {
            plans.push(plan);
        }
    }
    plans.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(plans)
}

fn paths(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let usual = [PathBuf::from(EXPERIMENTS)];
    let named = if named.is_empty() { &usual } else { named };
    let mut found = Vec::new();
    for path in named {
        let below = Path::new("experiments").join(path);
        match [path, &below].into_iter().find(|folder| folder.is_dir()) {
            None if path == &usual[0] => return Err(no_experiments(path)),
            None => found.push(files::find(path)?),
            Some(folder) => {
                let all = files::all(folder)?;
                if all.is_empty() {
                    return Err(no_experiments(folder));
                }
                found.extend(all);
            }
        }
    }
    Ok(found)
}

fn no_experiments(folder: &Path) -> Error {
    let problem = Problem::new("there are no experiments to run here").at_file(folder);
    Error::usage(problem.hint("name experiment files, or a folder of them"))
}

fn planned(plans: &[Plan]) -> Vec<(RunKey, String)> {
    let runs = |plan: &Plan| -> Vec<(RunKey, String)> {
        let runs = plan.runs.iter();
        runs.map(|run| (key(plan, &run.variant, run.seed), run.id.clone()))
            .collect()
    };
    plans.iter().flat_map(runs).collect()
}

fn key(plan: &Plan, variant: &str, seed: u64) -> RunKey {
    RunKey {
        experiment: plan.name.clone(),
        variant: variant.to_string(),
        seed,
    }
}

/// The day in UTC, `2026-11-26`.
fn today() -> String {
    let now = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    now.date().to_string()
}

/// Sees that a report can be written before hours are spent on what it says.
fn check_writable(report: Option<&Path>) -> Result<()> {
    let folder = report.and_then(Path::parent);
    match folder.filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        None => Ok(()),
        Some(folder) => {
            let problem = Problem::new("there is no such folder to write the JUnit report in");
            Err(Error::usage(problem.at_file(folder)))
        }
    }
}

/// Trains all runs anew: what an earlier program left is not what this one gives.
fn run_all(
    arguments: &RegressArguments,
    plans: &[Plan],
    devices: &Devices,
    origin: &Origin,
) -> Result<Outcome> {
    let folder = tempfile::tempdir()
        .map_err(|error| Error::io(Kind::Data, "make a folder", &std::env::temp_dir(), &error))?;
    let options = Options {
        results: folder.path().to_path_buf(),
        jobs: arguments.jobs.on(devices),
        threads: None,
        fresh: true,
        fail_fast: false,
    };
    let (workers, stop) = (Workers::here(devices), stop_flag()?);
    if !arguments.quiet {
        note_left_out(&workers);
    }
    let mut outcome = Outcome {
        entries: Vec::new(),
        failed: Vec::new(),
        stopped: false,
    };
    for plan in plans {
        let ended = carry_out_all(plan, &options, arguments.quiet, &workers, &stop)?;
        outcome.stopped = ended.stopped;
        if outcome.stopped {
            break;
        }
        outcome.add(plan, &ended.results.rows, origin);
    }
    Ok(outcome)
}

impl Outcome {
    fn add(&mut self, plan: &Plan, rows: &[crate::record::RunRow], origin: &Origin) {
        for row in rows {
            if row.status == Status::Done {
                self.entries.push(Entry::of(&plan.name, row, origin));
                continue;
            }
            let reason = row.reason.as_deref().unwrap_or("no reason is known");
            let reason = format!("{}: {reason}", row.status.name());
            let key = key(plan, &row.variant, row.seed);
            self.failed.push((key, reason));
        }
    }
}

/// Prints the comparison and writes the reports that are asked for.
fn tell(
    arguments: &RegressArguments,
    comparisons: &[Comparison],
    failed: &[(RunKey, String)],
    rule: Rule,
    devices: &Devices,
) -> Result<()> {
    let is_bad = comparisons.iter().any(|c| c.verdict.is_failure());
    if !arguments.quiet || is_bad {
        say(&regression_table(comparisons));
        let kernels = devices
            .first()
            .kernels()
            .map(|set| format!(", kernels `{set}`"));
        say(&format!(
            "\n{}\ndevice `{devices}`{}, burnlab {}, Burn {BURN_VERSION}",
            rule_text(rule),
            kernels.unwrap_or_default(),
            env!("CARGO_PKG_VERSION"),
        ));
        say(&summary_line(comparisons));
    }
    tell_failed(failed);
    if is_bad {
        note(format!(
            "error: the numbers are not those of the reference\n  {}\n  \
             hint: if they are meant to change, `burnlab regress --accept` writes the reference anew",
            arguments.reference.display()
        ));
    }
    if let Some(path) = &arguments.junit {
        write_atomically(path, &junit(comparisons, failed)?)?;
    }
    append_summary(comparisons, failed, rule)
}

fn tell_failed(failed: &[(RunKey, String)]) {
    if !failed.is_empty() {
        note(format!(
            "\n{} without a result:",
            count(failed.len(), "run")
        ));
    }
    for (key, reason) in failed {
        note(format!("  {key} {reason}"));
    }
}

/// Adds a page to the file that GitHub shows beside a job, where there is one.
fn append_summary(
    comparisons: &[Comparison],
    failed: &[(RunKey, String)],
    rule: Rule,
) -> Result<()> {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let path = PathBuf::from(path);
    let lines: Vec<String> = failed
        .iter()
        .map(|(key, reason)| format!("{key} {reason}"))
        .collect();
    let page = regression_markdown(comparisons, &lines, rule);
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(page.as_bytes()))
        .map_err(|error| Error::io(Kind::Data, "add to the step summary", &path, &error))
}

fn exit_code(comparisons: &[Comparison], failed: &[(RunKey, String)]) -> ExitCode {
    let is_bad = comparisons.iter().any(|c| c.verdict.is_failure());
    match (failed.is_empty(), is_bad) {
        (false, _) => ExitCode::from(Kind::Run.exit_code()),
        (true, true) => ExitCode::from(Kind::Claim.exit_code()),
        (true, false) => ExitCode::SUCCESS,
    }
}
