//! Where the numbers come from, and the commands that make them again.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::error::{Result, count, thousands};
use crate::record::{Provenance, Status};
use crate::report::view::View;

/// Runs whose provenance is read.
const MOST_RUNS: usize = 500;

/// Values of a fact that are listed.
const MOST_VALUES: usize = 8;

/// What all runs say of themselves, each different value once, and the commands.
///
/// # Errors
/// The provenance of a run cannot be read.
pub fn section(view: &View, commands: &[String]) -> Result<Markup> {
    let subject = view.subject;
    let ended = subject
        .rows
        .iter()
        .zip(&subject.folders)
        .filter(|(row, _)| row.status != Status::Unfinished);
    let mut found = Vec::new();
    let mut more = 0;
    for (_, folder) in ended {
        match found.len() < MOST_RUNS {
            true => found.extend(folder.checked_provenance()?),
            false => more += 1,
        }
    }
    let facts: Vec<(&str, Vec<String>)> = facts(&found)
        .into_iter()
        .filter(|(_, values)| !values.is_empty())
        .collect();
    Ok(html! {
        section aria-labelledby="provenance" {
            h2 id="provenance" { "Provenance" }
            @if facts.is_empty() { p { "The runs left no word of where they come from." } }
            @else {
                div.scroll role="region" tabindex="0" aria-label="Where the numbers come from" { table {
                    tbody { @for (name, values) in &facts { tr {
                        th scope="row" { (name) }
                        td.value { @for value in values.iter().take(MOST_VALUES) { div { (value) } }
                            @if values.len() > MOST_VALUES { div.quiet { "and " (values.len() - MOST_VALUES) " others" } } }
                    } } }
                } }
            }
            @if more > 0 { p.quiet { "Of the first " (MOST_RUNS) " runs; " (thousands(more)) " more are not read for this." } }
            @if !commands.is_empty() {
                h3 id="again" { "Make it again" }
                pre { code { @for (number, command) in commands.iter().enumerate() { @if number > 0 { "\n" } (command) } } }
                p.quiet { "On the CPU, the same version gives the same numbers to the last digit." }
            }
        }
    })
}

fn facts(found: &[Provenance]) -> Vec<(&'static str, Vec<String>)> {
    let each = |of: &dyn Fn(&Provenance) -> Option<String>| -> Vec<String> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for value in found.iter().filter_map(of) {
            *counts.entry(value).or_default() += 1;
        }
        let is_one = counts.len() == 1;
        let line = |(value, runs): (String, usize)| match is_one {
            true => value,
            false => format!("{value} ({})", count(runs, "run")),
        };
        counts.into_iter().map(line).collect()
    };
    let commit = |run: &Provenance| {
        let dirty = run
            .git_dirty
            .filter(|dirty| *dirty)
            .map_or("", |_| ", with changes that are not committed");
        Some(format!("{}{dirty}", run.git_commit.as_ref()?))
    };
    let mut files: Vec<String> = Vec::new();
    for (name, digest) in found.iter().flat_map(|run| &run.dataset) {
        let line = format!("{name} {digest}");
        if !files.contains(&line) && files.len() <= 2 * MOST_VALUES {
            files.push(line);
        }
    }
    let start = found.iter().map(|run| run.start.as_str()).min();
    let end = found.iter().filter_map(|run| run.end.as_deref()).max();
    let span = start.map(|start| format!("from {start} to {}", end.unwrap_or("?")));
    vec![
        (
            "burnlab",
            each(&|run| Some(format!("{}, on Burn {}", run.burnlab, run.burn))),
        ),
        ("commit", each(&commit)),
        ("device", each(&|run| Some(run.device.clone()))),
        ("kernels", each(&|run| run.kernels.clone())),
        (
            "precision of products and convolutions",
            each(&|run| run.precisions.as_ref().map(ToString::to_string)),
        ),
        (
            "cores of the machine, threads of a run",
            each(&|run| Some(format!("{}, {}", run.cores, run.threads))),
        ),
        ("trained", span.into_iter().collect()),
        ("dataset's files, SHA-256", files),
    ]
}
