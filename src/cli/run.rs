//! `burnlab run`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;
use glob::Pattern;
use serde_json::json;

use super::detach::{Detached, Supervision};
use super::launch::{LaunchArgument, Workers};
use super::report::report_run;
use super::signals::stop_flag;
use super::{
    DevicesArgument, JobsArgument, ResultsArgument, Set, catalogue, files, note, print, say,
};
use crate::backend::Devices;
use crate::config::Expect;
use crate::data::DatasetSpec;
use crate::error::{Error, Kind, Problem, Result, count, list};
use crate::plan::{Plan, Run, own_name, together_note};
use crate::record::{Event, RunRow, Status};
use crate::report::{
    ClaimResult, Verdict, check_claims, failures, outcome, plan_table, write_tables,
};
use crate::run::{
    Bars, Ended, Lines, Only, Options, Output, Part, Progress, Quiet, ResultsFolder, RunState,
    Share, WorkerCounts, on_other_data, parts, supervise,
};

/// How far tables may lag behind the runs.
const TABLES_LAG: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub struct RunArguments {
    /// The experiment, as a path or its name under experiments/
    file: PathBuf,
    #[command(flatten)]
    jobs: JobsArgument,
    #[command(flatten)]
    device: DevicesArgument,
    #[command(flatten)]
    launch: LaunchArgument,
    /// Submit the supervisor, too, as a job of the cluster, and return; the same command later shows how it is getting on
    #[arg(long)]
    detach: bool,
    /// Only this variant, or those of a pattern such as 'wide*' or '*,batch_size=50', and what they need; may be repeated
    #[arg(long, value_name = "VARIANT")]
    only: Vec<String>,
    /// Train everything anew, whatever was done before; other experiments that runs need are kept
    #[arg(long)]
    fresh: bool,
    /// Stop at the first run that fails
    #[arg(long)]
    fail_fast: bool,
    /// Print the plan as a table, and the command that starts a worker elsewhere, and stop
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    results: ResultsArgument,
    /// Print nothing but errors
    #[arg(long, short, conflicts_with = "json")]
    quiet: bool,
    /// Print progress and results as JSON, a line each
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    set: Set,
}

/// Runs an experiment, after what is missing of the runs of other experiments that its runs need.
pub fn run(mut arguments: RunArguments) -> Result<ExitCode> {
    let path = files::find(&arguments.file)?;
    let mut overrides = arguments.set.clone().overrides();
    let of_launch = overrides.take_launch();
    // The commands that make the results again are not about where they were made.
    arguments.set = Set {
        set: overrides.set.clone(),
    };
    let plan = Plan::make(&path, &overrides, &catalogue())?;
    let only = chosen(&plan, &arguments.only)?;
    check_results(&arguments.results.folder)?;
    let wanted = plan
        .runs
        .iter()
        .filter(|run| only.is_empty() || only.iter().any(|name| run.is_of(name)));
    check_data(&plan, wanted)?;
    let device = &arguments.device.device;
    let workers = Workers::by(&arguments.launch, &path, &of_launch, device)?;
    let only = match only.is_empty() {
        true => Only::All,
        false => Only::Variants(only),
    };
    let options = Options {
        results: arguments.results.folder.clone(),
        jobs: workers.jobs(&arguments.jobs),
        threads: workers.threads(),
        fresh: arguments.fresh,
        fail_fast: arguments.fail_fast,
    };
    let parts = parts(&plan, only, &options);
    if !arguments.quiet {
        note_left_out(&workers);
        for part in &parts {
            tell_of_data(part, &options.results, &workers);
        }
    }
    if arguments.dry_run && arguments.json {
        for part in &parts {
            Json::default().begin(part.plan, &part.states, &part.share);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.dry_run {
        print_plans(&parts);
        return print_command(&parts, &options, &workers);
    }
    for part in &parts {
        prepare(part, arguments.quiet || arguments.json)?;
    }
    let stop = stop_flag()?;
    if arguments.detach
        && let Some(code) = detached(&plan, &parts, &options, &workers, &stop)?
    {
        return Ok(code);
    }
    let mut code = ExitCode::SUCCESS;
    for part in &parts {
        if let Some(devices) = workers.devices() {
            note_other_devices(part, devices);
        }
        let ended = carry_out(part, &options, progress(&arguments), &workers, &stop)?;
        let rows = &ended.results.rows;
        let claim_results = claims_asked_for(part, rows);
        let report = written_report(part, rows, &arguments);
        if ended.stopped || std::ptr::eq(part.plan, &plan) {
            let folder = ResultsFolder::of(&options.results, &part.plan.name);
            tell(&arguments, part, &folder, &ended, &claim_results);
            if let Some(path) = report.filter(|_| !arguments.quiet && !arguments.json) {
                say(&format!("report: {}", path.display()));
            }
            let rows = asked_for(part, rows);
            code = exit_code(rows.into_iter(), ended.stopped, claim_results.iter());
        }
        if ended.stopped {
            break;
        }
    }
    Ok(code)
}

/// What becomes of a command that is detached; `None` if there is nothing to do but to show the results.
fn detached(
    plan: &Plan,
    parts: &[Part],
    options: &Options,
    workers: &Workers,
    stop: &AtomicBool,
) -> Result<Option<ExitCode>> {
    let (launch, slurm) = workers.slurm()?;
    let folder = ResultsFolder::of(&options.results, &plan.name);
    let supervision = Supervision::new(&folder, &plan.name, launch, slurm);
    let mut states = parts.iter().flat_map(|part| &part.states);
    Ok(
        match supervision.carry_out(states.any(RunState::is_to_do), stop)? {
            Detached::Submitted => Some(ExitCode::SUCCESS),
            Detached::NothingToDo => None,
            Detached::Left => Some(ExitCode::from(130)),
            // What the job said of the results was shown.
            Detached::Over => {
                let part = parts.last().expect("what is asked for is a part");
                let row = |run: &Run| folder.row(run);
                let rows: Vec<RunRow> = plan.runs.iter().map(row).collect();
                let asked_for = asked_for(part, &rows);
                let is_left = |row: &&RunRow| row.status == Status::Unfinished;
                let stopped = asked_for.iter().any(is_left);
                let claims = claims_asked_for(part, &rows);
                Some(exit_code(asked_for.into_iter(), stopped, claims.iter()))
            }
        },
    )
}

/// The page of what has been run, if it can be written: the tables are there without it.
fn written_report(part: &Part, rows: &[RunRow], arguments: &RunArguments) -> Option<PathBuf> {
    if rows.iter().all(|row| row.status == Status::Unfinished) {
        return None;
    }
    // Other experiments are trained as their files say.
    let set = match part.is_asked_for() {
        true => arguments.set.clone(),
        false => Set::default(),
    };
    let written = report_run(part.plan, &arguments.results.folder, &set);
    written
        .map_err(|error| {
            note(format!(
                "note: the report is not written: {}",
                error.message_and_file()
            ))
        })
        .ok()
}

/// Sees that the datasets of some runs of a plan are there.
pub(super) fn check_data<'a>(plan: &Plan, runs: impl Iterator<Item = &'a Run>) -> Result<()> {
    let mut datasets = runs.map(|run| &run.settings.data.dataset);
    match datasets.find(|dataset| plan.absent.contains(dataset)) {
        // Says where was looked and how to get it.
        Some(dataset) => catalogue().describe(dataset).map(|_| ()),
        None => Ok(()),
    }
}

fn print_plans(parts: &[Part]) {
    for (index, part) in parts.iter().enumerate() {
        let is_last = index + 1 == parts.len();
        if parts.len() > 1 {
            say(&format!("{}:", part.plan.name));
        }
        say(&plan_table(part.plan, &part.states));
        if !is_last {
            say("");
        }
    }
}

/// The command that starts a worker on another machine.
fn print_command(parts: &[Part], options: &Options, workers: &Workers) -> Result<ExitCode> {
    let part = parts.last().expect("what is asked for is a part");
    let folder = ResultsFolder::of(&options.results, &part.plan.name);
    let launcher = workers.launcher(&part.plan.name, &folder, part.share.threads)?;
    if launcher.silence().is_some() {
        let words = launcher.command(0).into_iter().map(quoted);
        say(&format!(
            "\na worker: {}",
            words.collect::<Vec<String>>().join(" ")
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// A word as a shell takes it.
fn quoted(word: String) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=+:,./@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word,
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// Trains all of an experiment, after what its runs need of others; what became of it, or of that one at which it was stopped.
pub(super) fn carry_out_all(
    plan: &Plan,
    options: &Options,
    quiet: bool,
    workers: &Workers,
    stop: &AtomicBool,
) -> Result<Ended> {
    let mut parts = parts(plan, Only::All, options).into_iter();
    loop {
        let part = parts.next().expect("what is asked for is the last part");
        prepare(&part, quiet)?;
        let ended = carry_out(&part, options, shown(quiet), workers, stop)?;
        if ended.stopped || std::ptr::eq(part.plan, plan) {
            return Ok(ended);
        }
    }
}

/// Trains what is to be done of one experiment, and keeps its tables current.
pub(super) fn carry_out(
    part: &Part,
    options: &Options,
    mut progress: Box<dyn Progress>,
    workers: &Workers,
    stop: &AtomicBool,
) -> Result<Ended> {
    let folder = ResultsFolder::of(&options.results, &part.plan.name);
    let mut launcher = workers.launcher(&part.plan.name, &folder, part.share.threads)?;
    launcher.check()?;
    let output = Output {
        progress: progress.as_mut(),
        tables: &mut |results| {
            let claim_results = claims_with_numbers(part, &results.rows);
            write_tables(&folder, part.plan, results, &claim_results)
        },
        lag: TABLES_LAG,
    };
    supervise(part, options, launcher.as_mut(), stop, output)
}

/// Says which GPUs are not used, and why.
pub(super) fn note_left_out(workers: &Workers) {
    let left_out = workers.devices().map_or(&[][..], Devices::left_out);
    for (device, reason) in left_out {
        note(format!("note: `{device}` is left out: {reason}"));
    }
}

fn tell_of_data(part: &Part, results: &Path, workers: &Workers) {
    for text in &part.plan.notes {
        note(format!("note: {text}"));
    }
    let to_do = part.plan.runs.iter().zip(&part.states);
    let to_do = to_do.filter(|(_, state)| state.is_to_do());
    let largest = to_do
        .map(|(run, _)| &run.memory)
        .max_by(|one, other| one.peak().total_cmp(&other.peak()));
    let largest = largest.filter(|_| workers.devices().is_some());
    if let Some(text) = largest.and_then(|memory| together_note(part.share.jobs, memory)) {
        note(format!("note: {text}"));
    }
    let changed = on_other_data(part.plan, results, &part.states);
    if changed > 0 {
        let (was, is) = match changed {
            1 => ("was", "it is"),
            _ => ("were", "they are"),
        };
        note(format!(
            "note: the images have changed since {} {was} trained on them; {is} trained anew",
            count(changed, "run")
        ));
    }
}

/// Reads what is to be trained on, so that damage ends the command before it removes or trains anything; large folders are decoded
/// once for all workers.
pub(super) fn prepare(part: &Part, quiet: bool) -> Result<()> {
    let catalogue = catalogue();
    let to_do = part.plan.runs.iter().zip(&part.states);
    let to_do = to_do.filter(|(_, state)| state.is_to_do());
    let mut datasets: Vec<&DatasetSpec> = Vec::new();
    for (run, _) in to_do {
        let dataset = &run.settings.data.dataset;
        if !datasets.contains(&dataset) {
            datasets.push(dataset);
        }
    }
    for dataset in datasets {
        super::data::prepare(&catalogue, dataset, quiet)?;
    }
    Ok(())
}

fn note_other_devices(part: &Part, devices: &Devices) {
    let elsewhere = part.states.iter().find_map(|state| match state {
        RunState::Finished(row) => row
            .device
            .clone()
            .filter(|known| !devices.are_such_as(known)),
        _ => None,
    });
    if let Some(known) = elsewhere {
        note(format!(
            "note: some runs were done on `{known}` before and are kept; `--fresh` does them on `{}`",
            devices.first()
        ));
    }
}

/// The runs that are asked for and those that they needed: the others do not tell whether the command did what it should.
fn asked_for<'a>(part: &Part, rows: &'a [RunRow]) -> Vec<&'a RunRow> {
    let rows = rows.iter().zip(&part.states);
    rows.filter(|(_, state)| state.is_wanted())
        .map(|(row, _)| row)
        .collect()
}

/// The claims about runs that are asked for.
fn claims_asked_for(part: &Part, rows: &[RunRow]) -> Vec<ClaimResult> {
    let is_left_out = |_: &RunRow, state: &RunState| !state.is_wanted();
    claims_without(part, rows, is_left_out)
}

/// The claims about runs that are asked for or have been trained before.
fn claims_with_numbers(part: &Part, rows: &[RunRow]) -> Vec<ClaimResult> {
    let is_left_out =
        |row: &RunRow, state: &RunState| !state.is_wanted() && row.status == Status::Unfinished;
    claims_without(part, rows, is_left_out)
}

/// The claims about no variant of which runs are left out.
fn claims_without(
    part: &Part,
    rows: &[RunRow],
    is_left_out: impl Fn(&RunRow, &RunState) -> bool,
) -> Vec<ClaimResult> {
    let plan = part.plan;
    let left_out = |variant: &str| {
        let mut runs = rows.iter().zip(&part.states);
        runs.any(|(row, state)| row.variant == variant && is_left_out(row, state))
    };
    let concerns = |claim: &&crate::plan::Claim| {
        let other = claim.expect.greater_than.as_deref();
        !left_out(&claim.expect.variant) && !other.is_some_and(left_out)
    };
    let claims: Vec<_> = plan.claims.iter().filter(concerns).cloned().collect();
    check_claims(&claims, rows)
}

/// Workers receive folders as texts.
fn check_results(results: &Path) -> Result<()> {
    let whole = std::path::absolute(results).unwrap_or_else(|_| results.to_path_buf());
    match whole.to_str() {
        Some(_) => Ok(()),
        None => {
            let problem = Problem::new("the path of the results folder is not UTF-8");
            let hint = "write elsewhere with `--results DIR`";
            Err(Error::usage(problem.at_file(whole).hint(hint)))
        }
    }
}

/// The variants, with or without their points, that names and patterns stand for.
fn chosen(plan: &Plan, only: &[String]) -> Result<Vec<String>> {
    let mut chosen = Vec::new();
    for asked in only {
        if plan.runs.iter().any(|run| run.is_of(asked)) {
            chosen.push(asked.clone());
            continue;
        }
        let found = matching(plan, asked);
        if found.is_empty() {
            return Err(plan.no_variant(asked));
        }
        chosen.extend(found);
    }
    Ok(chosen)
}

/// The variants of a pattern, or else the points of one.
fn matching(plan: &Plan, pattern: &str) -> Vec<String> {
    // Labels have lists of values in brackets.
    let Ok(pattern) = Pattern::new(&pattern.replace('[', "[[]")) else {
        return Vec::new();
    };
    let labels = plan.variants();
    let matching = |names: Vec<&str>| -> Vec<String> {
        let names = names.into_iter().filter(|name| pattern.matches(name));
        names.map(String::from).collect()
    };
    let mut names: Vec<&str> = labels.iter().map(|label| own_name(label)).collect();
    names.dedup();
    names.retain(|name| !name.is_empty());
    let variants = matching(names);
    match variants.is_empty() {
        true => matching(labels),
        false => variants,
    }
}

fn progress(arguments: &RunArguments) -> Box<dyn Progress> {
    match arguments.json {
        true => Box::new(Json::default()),
        false => shown(arguments.quiet),
    }
}

/// Progress for people.
pub(super) fn shown(quiet: bool) -> Box<dyn Progress> {
    if quiet {
        Box::new(Quiet)
    } else if std::io::stderr().is_terminal() && can_move_its_cursor() {
        Box::new(Bars::default())
    } else {
        Box::new(Lines::default())
    }
}

/// Bars are drawn over each other, which an editor's shell cannot show.
fn can_move_its_cursor() -> bool {
    cfg!(windows) || std::env::var("TERM").is_ok_and(|terminal| terminal != "dumb")
}

fn tell(
    arguments: &RunArguments,
    part: &Part,
    folder: &ResultsFolder,
    ended: &Ended,
    claim_results: &[ClaimResult],
) {
    let (plan, results) = (part.plan, &ended.results);
    if arguments.json {
        for claim_result in claim_results {
            say_json(&json!({
                "claim": claim_result.claim,
                "variant": claim_result.variant,
                "metric": claim_result.metric,
                "condition": claim_result.condition,
                "article": claim_result.article,
                "mean": claim_result.measured.map(|spread| spread.mean),
                "standard_deviation": claim_result.measured.and_then(|spread| spread.deviation),
                "runs": claim_result.measured.map(|spread| spread.runs),
                "holds": claim_result.verdict == Verdict::Holds,
                "verdict": claim_result.verdict.text(),
                "why": claim_result.why,
            }));
        }
        return;
    }
    let failed = failures(asked_for(part, &results.rows));
    if !arguments.quiet {
        say(&format!("\n{}\n", plan.title));
        say(&outcome(plan, results, claim_results));
        say(&format!("\ntables and logs: {}", folder.path().display()));
        let others = not_judged(plan, claim_results);
        if !others.is_empty() {
            note(format!(
                "note: not judged, for runs that were not asked for: {}",
                list(&others)
            ));
        }
    }
    if !failed.is_empty() {
        note(format!(
            "\n{} without a result:",
            count(failed.len(), "run")
        ));
        for line in failed {
            note(format!("  {line}"));
        }
    }
    if ended.stopped && !arguments.quiet {
        let command = match arguments.fresh {
            true => "the command without `--fresh`",
            false => "the same command",
        };
        note(format!("\nstopped: {command} goes on from here"));
    }
    let unheld: Vec<&str> = claim_results
        .iter()
        .filter(|claim_result| claim_result.verdict != Verdict::Holds)
        .map(|claim_result| claim_result.claim.as_str())
        .collect();
    if arguments.quiet && !unheld.is_empty() {
        note(format!(
            "error: these claims do not hold: {}",
            list(&unheld)
        ));
    }
}

/// The claims that nothing is said of, for they are about other runs, too.
fn not_judged<'a>(plan: &'a Plan, claim_results: &[ClaimResult]) -> Vec<&'a str> {
    let claims = plan.claims.iter().map(|claim| &claim.expect);
    let is_judged = |claim: &Expect| {
        let mut results = claim_results.iter();
        results.any(|result| result.claim == claim.claim && result.variant == claim.variant)
    };
    let others = claims.filter(|claim| !is_judged(claim));
    others.map(|claim| claim.claim.as_str()).collect()
}

/// 130 when stopped from outside, as shells have it; 4 where a run failed, 5 where a claim does not hold.
pub(super) fn exit_code<'a>(
    mut rows: impl Iterator<Item = &'a RunRow>,
    stopped: bool,
    mut claims: impl Iterator<Item = &'a ClaimResult>,
) -> ExitCode {
    let bad = rows.any(|row| matches!(row.status, Status::Failed | Status::Diverged));
    let unheld = claims.any(|claim| claim.verdict != Verdict::Holds);
    match (bad, stopped, unheld) {
        (true, _, _) => ExitCode::from(Kind::Run.exit_code()),
        (_, true, _) => ExitCode::from(130),
        (_, _, true) => ExitCode::from(Kind::Claim.exit_code()),
        _ => ExitCode::SUCCESS,
    }
}

/// A line of JSON.
fn say_json(value: &serde_json::Value) {
    print(format!("{value}\n").as_bytes());
}

/// Progress for programs: a JSON object a line on standard output. First the experiment, then each run that counts: one to be
/// trained with the epochs that it has, one that ended before with its row; events tell of a run by its number among those.
#[derive(Default)]
struct Json {
    /// As they were last told of.
    workers: Option<WorkerCounts>,
}

impl Progress for Json {
    fn begin(&mut self, plan: &Plan, states: &[RunState], share: &Share) {
        let to_do = states.iter().filter(|state| state.is_to_do()).count();
        say_json(
            &json!({ "experiment": plan.name, "runs": plan.runs.len(), "to_train": to_do, "jobs": share.jobs }),
        );
        for (number, (run, state)) in plan.runs.iter().zip(states).enumerate() {
            match state {
                RunState::Finished(row) => say_json(&json!({ "run": number, "before": row })),
                RunState::ToDo { epochs_done } => say_json(&json!({
                    "run": number,
                    "variant": run.variant,
                    "seed": run.seed,
                    "id": run.id,
                    "epochs_done": epochs_done,
                })),
                RunState::LeftOut => {}
            }
        }
    }

    fn event(&mut self, run: usize, event: &Event) {
        if !matches!(event, Event::Progress { .. }) {
            say_json(&json!({ "run": run, "event": event }));
        }
    }

    fn workers(&mut self, counts: &WorkerCounts) {
        if self.workers.as_ref() != Some(counts) {
            self.workers = Some(counts.clone());
            say_json(&json!({ "workers": counts }));
        }
    }

    fn ended(&mut self, run: usize, row: &RunRow) {
        say_json(&json!({ "run": run, "ended": row }));
    }

    fn note(&mut self, text: &str) {
        say_json(&json!({ "note": text }));
    }

    fn end(&mut self) {}
}
