//! `burnlab reproduce`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command};

use super::articles::{ArticleExperiment, Size, experiments};
use super::launch::{LaunchArgument, Workers};
use super::run::{carry_out_all, check_data, exit_code, note_left_out};
use super::signals::stop_flag;
use super::{DevicesArgument, JobsArgument, ResultsArgument, catalogue, note, say};
use crate::config::Overrides;
use crate::error::{Error, Kind, Result, count};
use crate::plan::Plan;
use crate::record::{RunRow, Status, write_atomically};
use crate::report::reproduction::{
    Reproduction, reproduction_line, reproduction_markdown, reproduction_table,
};
use crate::report::{check_claims, failures};
use crate::run::{Options, ResultsFolder};

/// The page's file among the results.
const PAGE: &str = "reproduction.md";

#[derive(Debug, Args)]
pub struct ReproduceArguments {
    /// Rows of the articles, such as a3, or a letter for a whole article [default: all]
    rows: Vec<String>,
    /// Train at the articles' own size in place of the quick one
    #[arg(long)]
    full: bool,
    /// Train nothing: show what has been run
    #[arg(long)]
    no_train: bool,
    #[command(flatten)]
    jobs: JobsArgument,
    #[command(flatten)]
    device: DevicesArgument,
    #[command(flatten)]
    launch: LaunchArgument,
    #[command(flatten)]
    results: ResultsArgument,
    /// Print no progress and no table, but how many claims hold
    #[arg(long, short)]
    quiet: bool,
}

impl ReproduceArguments {
    /// Whether experiments of a size are asked for; the others are shown as far as they have been run.
    fn wants(&self, size: Size) -> bool {
        match size {
            Size::Full => self.full,
            Size::Quick => !self.full,
            Size::Only => true,
        }
    }
}

/// Refuses options about the training where nothing is trained. A conflict of clap's would refuse variables of the
/// environment, too, which hold for all commands.
///
/// # Errors
/// There is such an option.
pub(super) fn check(matches: &ArgMatches, command: &mut Command) -> Result<(), clap::Error> {
    let Some(("reproduce", matches)) = matches.subcommand() else {
        return Ok(());
    };
    let is_given = |option: &&&str| matches.value_source(option) == Some(ValueSource::CommandLine);
    let Some(command) = command.find_subcommand_mut("reproduce") else {
        return Ok(());
    };
    let idle = ["device", "jobs", "launch"];
    match idle.iter().find(is_given) {
        Some(option) if matches.get_flag("no_train") => {
            let message = format!("the argument '--no-train' cannot be used with '--{option}'");
            Err(command.error(ErrorKind::ArgumentConflict, message))
        }
        _ => Ok(()),
    }
}

/// An experiment of an article and its plan.
struct Planned {
    experiment: ArticleExperiment,
    plan: Plan,
    /// What trains it, if it is to be trained.
    workers: Option<Workers>,
}

/// Trains the experiments of articles as far as they are not done yet, and shows all their claims on one page.
pub fn reproduce(arguments: ReproduceArguments) -> Result<ExitCode> {
    let planned = planned(&arguments)?;
    let stop = stop_flag()?;
    let mut stopped = false;
    for one in &planned {
        stopped |= train(&arguments, one, &stop)?;
        if stopped {
            break;
        }
    }
    let reproductions = reproductions(&arguments, &planned);
    let page = arguments.results.folder.join(PAGE);
    // A page of some rows is not to replace that of all.
    if arguments.rows.is_empty() {
        write_page(&page, &reproductions)?;
    }
    tell(&arguments, &reproductions, &page);
    let rows = reproductions.iter().flat_map(|one| &one.runs);
    let claims = reproductions.iter().flat_map(|one| &one.claims);
    Ok(exit_code(rows, stopped, claims))
}

/// A plan for each experiment; the data of those that are to be trained is there, and what trains them.
fn planned(arguments: &ReproduceArguments) -> Result<Vec<Planned>> {
    let (mut overrides, catalogue) = (Overrides::from_environment(), catalogue());
    let of_launch = overrides.take_launch();
    let workers = |path: &Path| {
        Workers::by(
            &arguments.launch,
            path,
            &of_launch,
            &arguments.device.device,
        )
    };
    let plan = |experiment: ArticleExperiment| -> Result<Planned> {
        let plan = Plan::make(&experiment.path, &overrides, &catalogue)?;
        let is_to_train = arguments.wants(experiment.size) && !arguments.no_train;
        let workers = match is_to_train {
            true => {
                check_data(&plan, plan.runs.iter())?;
                Some(workers(&experiment.path)?)
            }
            false => None,
        };
        Ok(Planned {
            experiment,
            plan,
            workers,
        })
    };
    experiments(&arguments.rows)?
        .into_iter()
        .map(plan)
        .collect()
}

/// Trains what is to be done of an experiment; whether it was stopped.
fn train(arguments: &ReproduceArguments, planned: &Planned, stop: &AtomicBool) -> Result<bool> {
    let Some(workers) = &planned.workers else {
        return Ok(false);
    };
    let options = Options {
        results: arguments.results.folder.clone(),
        jobs: workers.jobs(&arguments.jobs),
        threads: workers.threads(),
        fresh: false,
        fail_fast: false,
    };
    if !arguments.quiet {
        let (rows, plan) = (planned.experiment.rows, &planned.plan);
        note(format!("\n{rows}: {} ({})", plan.title, plan.name));
        note_left_out(workers);
    }
    let ended = carry_out_all(&planned.plan, &options, arguments.quiet, workers, stop)?;
    Ok(ended.stopped)
}

/// What the page shows, by the runs on disk.
fn reproductions(arguments: &ReproduceArguments, planned: &[Planned]) -> Vec<Reproduction> {
    let of = |one: &Planned| {
        let plan = &one.plan;
        let folder = ResultsFolder::of(&arguments.results.folder, &plan.name);
        let runs: Vec<RunRow> = plan.runs.iter().map(|run| folder.row(run)).collect();
        let has_begun = runs.iter().any(|row| row.status != Status::Unfinished);
        let is_shown = has_begun || arguments.wants(one.experiment.size);
        is_shown.then(|| Reproduction {
            article: article(plan),
            rows: one.experiment.rows.to_string(),
            size: one.experiment.size.name(),
            experiment: name(plan),
            claims: check_claims(&plan.claims, &runs),
            runs,
        })
    };
    planned.iter().filter_map(of).collect()
}

fn write_page(page: &Path, reproductions: &[Reproduction]) -> Result<()> {
    if let Some(folder) = page.parent() {
        fs::create_dir_all(folder)
            .map_err(|error| Error::io(Kind::Data, "make a folder", folder, &error))?;
    }
    write_atomically(page, reproduction_markdown(reproductions).as_bytes())
}

/// The source without what is remarked on it.
fn article(plan: &Plan) -> String {
    let source = plan.source.as_deref().unwrap_or(&plan.title);
    let article = source.split(';').next().unwrap_or_default();
    article.trim().to_string()
}

/// The experiment's name without its folder.
fn name(plan: &Plan) -> String {
    let name = Path::new(&plan.name).file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn tell(arguments: &ReproduceArguments, reproductions: &[Reproduction], page: &Path) {
    if arguments.quiet {
        say(&reproduction_line(reproductions));
    } else {
        say(&format!("\n{}", reproduction_table(reproductions)));
    }
    if arguments.rows.is_empty() && !arguments.quiet {
        say(&format!("page: {}", page.display()));
    }
    let lines = reproductions.iter().flat_map(|one| {
        let failed = failures(&one.runs).into_iter();
        failed.map(move |line| format!("  {}: {line}", one.experiment))
    });
    let lines: Vec<String> = lines.collect();
    if !lines.is_empty() {
        note(format!(
            "\n{} without a result:\n{}",
            count(lines.len(), "run"),
            lines.join("\n")
        ));
    }
}
