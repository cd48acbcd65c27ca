//! `summary.csv`, `epochs.csv`, `table.md`, and the same tables on a terminal.

use super::difference::{OF_SHARED_SEEDS, signed};
use super::losses::Losses;
use super::search::{by_score, found, what_mattered};
use super::statistics::{Group, groups};
use super::verdict::{ClaimResult, Verdict};
use super::view::{Beside, MOST_ROWS, View, shown};
use super::warnings::warnings;
use crate::error::{Result, thousands, visible};
use crate::measure::RUN_COLUMNS;
use crate::plan::Plan;
use crate::record::{EPOCH_COLUMNS, EpochRow, Metric, RunRow, Status, csv, write_atomically};
use crate::run::{Results, ResultsFolder, RunState};
use crate::table::{Record, Records, draw, fixed};

/// Writes all tables of an experiment.
pub fn write_tables(
    folder: &ResultsFolder,
    plan: &Plan,
    results: &Results,
    claim_results: &[ClaimResult],
) -> Result<()> {
    let file = |name: &str| folder.path().join(name);
    let summary = csv("`summary.csv`", summary(plan, &results.rows))?;
    write_atomically(&file("summary.csv"), &summary)?;
    let epochs = csv("`epochs.csv`", epochs(results))?;
    write_atomically(&file("epochs.csv"), &epochs)?;
    if let Some(search) = &plan.search {
        let (header, records) = by_score(&plan.swept, search, &results.rows, true);
        let rows = std::iter::once(header).chain(records);
        write_atomically(&file("search.csv"), &csv("`search.csv`", rows)?)?;
    }
    let page = markdown(plan, results, claim_results);
    write_atomically(&file("table.md"), page.as_bytes())
}

/// A row a run. The swept keys stand after the seed.
fn summary(plan: &Plan, rows: &[RunRow]) -> impl Iterator<Item = Record> {
    let (first, rest) = RUN_COLUMNS.split_at(2);
    let header = first
        .iter()
        .map(|column| column.name.clone())
        .chain(plan.swept.iter().cloned())
        .chain(rest.iter().map(|column| column.name.clone()))
        .collect();
    let record = move |row: &RunRow| {
        let swept = plan
            .swept
            .iter()
            .map(|key| row.swept_value(key).to_string());
        let first = first.iter().map(|column| column.cell(row).text());
        let rest = rest.iter().map(|column| column.cell(row).text());
        first.chain(swept).chain(rest).collect()
    };
    std::iter::once(header).chain(rows.iter().map(record))
}

/// A row an epoch of every run.
fn epochs(results: &Results) -> impl Iterator<Item = Record> {
    let header = ["variant", "seed"]
        .into_iter()
        .chain(EPOCH_COLUMNS.iter().map(|column| column.name.as_str()))
        .map(String::from)
        .collect();
    let record = |run: &RunRow, epoch: &EpochRow| {
        let label = [run.variant.clone(), run.seed.to_string()];
        let cells = EPOCH_COLUMNS.iter().map(|column| column.cell(epoch).text());
        label.into_iter().chain(cells).collect()
    };
    let runs = results.rows.iter().zip(&results.epochs);
    let records =
        runs.flat_map(move |(run, epochs)| epochs.iter().map(move |epoch| record(run, epoch)));
    std::iter::once(header).chain(records)
}

/// Header and rows of the table by variant.
fn by_variant(rows: &[RunRow]) -> (Vec<String>, Records) {
    let groups = groups(rows);
    let shown = shown(&groups);
    let header = ["variant", "runs"]
        .into_iter()
        .chain(shown.iter().map(|(name, _)| *name))
        .map(String::from)
        .collect();
    let records = groups.iter().map(|group| {
        let label = [group.variant.to_string(), runs_text(group)];
        let cells = shown.iter().map(|(name, metric)| cell(group, name, metric));
        label.into_iter().chain(cells).collect()
    });
    (header, records.collect())
}

/// A variant's mean of a metric as tables show it.
pub(super) fn cell(group: &Group, name: &str, metric: &Metric) -> String {
    let spread = group.spread(name);
    spread.map_or("-".to_string(), |spread| spread.told(metric))
}

/// `3`, or `2 of 3` when some are not done.
fn runs_text(group: &Group) -> String {
    match (group.done(), group.rows.len()) {
        (done, all) if done == all => all.to_string(),
        (done, all) => format!("{done} of {all}"),
    }
}

fn verdicts(claim_results: &[ClaimResult]) -> (Vec<String>, Records) {
    let header = [
        "claim", "variant", "metric", "must be", "measured", "verdict",
    ];
    let records = claim_results.iter().map(|claim_result| {
        let measured = claim_result.measured_text();
        vec![
            claim_result.claim.clone(),
            claim_result.variant.clone(),
            claim_result.metric.clone(),
            claim_result.condition.clone(),
            measured.unwrap_or_else(|| "-".to_string()),
            claim_result.outcome(),
        ]
    });
    (header.map(String::from).to_vec(), records.collect())
}

/// What has come of an experiment, for a terminal: the points of its search, or the table by variant; and the verdict.
pub fn outcome(plan: &Plan, results: &Results, claim_results: &[ClaimResult]) -> String {
    let rows = &results.rows;
    let text = match &plan.search {
        Some(search) => found(&plan.swept, search, results),
        None => variants(rows),
    };
    with_verdict(text, warnings(rows, &Losses::of_plan(plan)), claim_results)
}

/// The same of what lies on disk: the points of a search, or the table by variant; and the verdict.
///
/// # Errors
/// Epochs of runs are damaged.
pub fn comparison(view: &View) -> Result<String> {
    let subject = view.subject;
    let lines = view.warnings();
    let text = match &subject.search {
        Some(search) => found(&subject.swept, search, &subject.results()?),
        None => variants(&subject.rows),
    };
    Ok(with_verdict(text, lines, &subject.claims))
}

/// The table by variant, for a terminal.
fn variants(rows: &[RunRow]) -> String {
    let (header, records) = by_variant(rows);
    draw(&header, &records, 1)
}

fn with_verdict(mut text: String, warnings: Vec<String>, claim_results: &[ClaimResult]) -> String {
    for line in warnings {
        text += &format!("\nwarning: {line}");
    }
    if !claim_results.is_empty() {
        let (header, records) = verdicts(claim_results);
        text += "\n\n";
        text += &draw(&header, &records, usize::MAX);
        let held = claim_results
            .iter()
            .filter(|j| j.verdict == Verdict::Holds)
            .count();
        text += &format!("\n{held} of {} claims hold", claim_results.len());
    }
    text
}

/// How far each variant is from the reference in the main metric, for a terminal; `None` where there is nothing
/// to compare.
pub fn differences(view: &View) -> Option<String> {
    let (name, metric) = view.main.filter(|_| view.groups.len() > 1)?;
    let decimals = view.decimals_of_differences((name, metric));
    let header = [
        "variant",
        "n",
        "mean",
        "difference",
        "95 % interval",
        "p",
        "test",
        "more seeds",
    ];
    let record = |(group, beside): &(&Group, Beside)| -> Record {
        let spread = group.spread(name);
        let mean = spread.map_or("-".to_string(), |spread| fixed(spread.mean, decimals));
        let runs = spread.map_or(0, |spread| spread.runs).to_string();
        let texts = match beside {
            Beside::Reference => [beside.text(), "", "", "", ""].map(String::from),
            Beside::NotMeasured | Beside::OtherLoss => {
                ["-", "", "", "", beside.text()].map(String::from)
            }
            Beside::Apart(found) => [
                signed(found.mean, decimals),
                found.interval_text(decimals),
                found.p_text(),
                found.test_text(),
                found.outcome_text(),
            ],
        };
        [group.variant.to_string(), runs, mean]
            .into_iter()
            .chain(texts)
            .collect()
    };
    let chosen = view.chosen(MOST_ROWS).into_iter();
    let chosen: Vec<(&Group, Beside)> = chosen
        .map(|group| (group, view.beside(group, (name, metric))))
        .collect();
    let records: Records = chosen.iter().map(record).collect();
    let mut table = draw(&header, &records, 1);
    let notes = [
        chosen
            .iter()
            .any(|(_, beside)| beside.is_of_shared_seeds())
            .then(|| OF_SHARED_SEEDS.to_string()),
        view.left_out(MOST_ROWS),
    ];
    for note in notes.into_iter().flatten() {
        table += &format!("\n{note}");
    }
    Some(format!(
        "{name}, difference from `{}`:\n\n{table}",
        view.reference().variant
    ))
}

/// `table.md`.
fn markdown(plan: &Plan, results: &Results, claim_results: &[ClaimResult]) -> String {
    let rows = &results.rows;
    let (header, records) = by_variant(rows);
    let mut page = format!("# {}\n\n", in_a_line(&plan.title));
    if let Some(source) = &plan.source {
        page += &format!("Source: {}\n\n", in_a_line(source));
    }
    page += "Mean ± sample standard deviation over seeds.\n\n";
    if let Some(search) = &plan.search {
        let (header, records) = by_score(&plan.swept, search, rows, false);
        page += &format!("{}\n", markdown_table(&header, &records));
        let (header, records) = what_mattered(&plan.swept, search, results);
        if !records.is_empty() {
            page += "## What mattered\n\n";
            page += &format!("{}\n## By variant\n\n", markdown_table(&header, &records));
        }
    }
    page += &markdown_table(&header, &records);
    for line in warnings(rows, &Losses::of_plan(plan)) {
        page += &format!("\nWarning: {line}.\n");
    }
    if !claim_results.is_empty() {
        let (header, records) = verdicts(claim_results);
        page += "\n## Claims\n\n";
        page += &markdown_table(&header, &records);
    }
    let failed = failures(rows);
    if !failed.is_empty() {
        page += "\n## Runs without a result\n\n";
        for line in failed {
            page += &format!("- {}\n", in_a_line(&line));
        }
    }
    page
}

/// A text without breaks, which would end a row of a table, and without what steers a terminal.
pub(super) fn in_a_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    visible(&lines.collect::<Vec<_>>().join(" ")).into_owned()
}

pub(super) fn markdown_table(header: &[String], records: &Records) -> String {
    let line = |cells: &[String]| {
        let cells = cells.iter().map(|cell| in_a_line(cell).replace('|', "\\|"));
        let cells: Vec<String> = cells.collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let rule = vec!["---".to_string(); header.len()];
    let rows = records.iter().map(|record| line(record));
    std::iter::once(line(header))
        .chain([line(&rule)])
        .chain(rows)
        .collect()
}

/// A line for every run that failed or diverged.
pub fn failures<'a>(rows: impl IntoIterator<Item = &'a RunRow>) -> Vec<String> {
    rows.into_iter()
        .filter(|row| matches!(row.status, Status::Failed | Status::Diverged))
        .map(|row| {
            let reason = row.reason.as_deref().unwrap_or("no reason is known");
            format!(
                "{}, seed {} {}: {reason}",
                row.variant,
                row.seed,
                row.status.name()
            )
        })
        .collect()
}

/// The plan as `run --dry-run` prints it.
pub fn plan_table(plan: &Plan, states: &[RunState]) -> String {
    let header = [
        "variant",
        "seed",
        "epochs",
        "images",
        "steps",
        "parameters",
        "id",
        "state",
    ];
    let header: Vec<String> = header.map(String::from).to_vec();
    let records: Records = plan
        .runs
        .iter()
        .zip(states)
        .map(|(run, state)| {
            let train = &run.settings.train;
            let training_plan = train.training_plan(run.images);
            let steps = training_plan.interval(training_plan.intervals()).steps_done;
            let state = match state {
                RunState::Finished(row) => row.status.name().to_string(),
                RunState::ToDo { epochs_done: 0 } => "to train".to_string(),
                RunState::ToDo { epochs_done } => {
                    format!("to resume after {}", run.point(*epochs_done))
                }
                RunState::LeftOut => "left out".to_string(),
            };
            vec![
                run.variant.clone(),
                run.seed.to_string(),
                rounded(training_plan.passes()),
                thousands(run.images),
                thousands(steps),
                thousands(run.parameters),
                run.id.clone(),
                state,
            ]
        })
        .collect();
    draw(&header, &records, 1)
}

/// With a decimal if there is one, and as many digits as it takes to tell a part of an epoch from none.
fn rounded(epochs: f64) -> String {
    let mut tens = 10.0;
    while epochs > 0.0 && (epochs * tens).round() < 1.0 {
        tens *= 10.0;
    }
    ((epochs * tens).round() / tens).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_an_epoch_is_not_none() {
        let told = [0.0, 3.0, 4.525, 1.0 / 39.0, 0.04, 0.96].map(rounded);
        assert_eq!(told, ["0", "3", "4.5", "0.03", "0.04", "1"]);
    }

    #[test]
    fn a_cell_with_breaks_and_bars_stays_a_cell() {
        let cells = ["a | b\n\n  c\r\nd \u{1b}[31m", "1"]
            .map(String::from)
            .to_vec();
        let header = ["claim", "x"].map(String::from);
        assert_eq!(
            markdown_table(&header, &vec![cells]),
            "| claim | x |\n| --- | --- |\n| a \\| b c d \u{241b}[31m | 1 |\n"
        );
    }
}
