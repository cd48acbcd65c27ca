//! The list of all reports of a results folder.

use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Subject, document};
use crate::error::{Result, count};
use crate::record::runs_done;
use crate::report::verdict::Verdict;
use crate::report::view::View;

/// What stands as it is in a part of an address.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// An experiment's line.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexEntry {
    /// Its name, which is its folder below the results.
    pub name: String,
    /// What it asks.
    pub title: String,
    /// `12 of 12 runs done`.
    pub runs: String,
    /// The best variant and its number; empty where none is better than others.
    pub best: String,
    /// Claims that hold, and all; `None` where the experiment's file is not known.
    pub claims: Option<(usize, usize)>,
    /// Why there is no report.
    pub problem: Option<String>,
}

impl IndexEntry {
    /// The line of an experiment whose results are whole.
    ///
    /// # Errors
    /// None that a subject with runs has.
    pub fn of(name: &str, subject: &Subject) -> Result<Self> {
        let view = View::new(subject, None)?;
        let best = view.best().and_then(|group| {
            let (metric, facts) = view.main?;
            let text = view.main_spread(group)?.told(facts);
            Some(format!("{}: {metric} {text}", group.variant))
        });
        let held = subject
            .claims
            .iter()
            .filter(|claim| claim.verdict == Verdict::Holds)
            .count();
        Ok(IndexEntry {
            name: name.to_string(),
            title: subject.title.clone(),
            runs: runs_done(
                subject.rows.iter().map(|row| row.status),
                subject.rows.len(),
            ),
            best: best.unwrap_or_default(),
            claims: subject
                .file
                .is_some()
                .then_some((held, subject.claims.len())),
            problem: None,
        })
    }

    /// The line of one that has no report, and why.
    pub fn without_report(name: &str, problem: String) -> Self {
        IndexEntry {
            name: name.to_string(),
            title: String::new(),
            runs: String::new(),
            best: String::new(),
            claims: None,
            problem: Some(problem),
        }
    }
}

/// The page that lists the reports of a results folder, in which it lies.
pub fn index(entries: &[IndexEntry]) -> String {
    let body = html! {
        main {
            h1 { "Results" }
            p { (count(entries.len(), "experiment")) }
            div.scroll role="region" tabindex="0" aria-label="Experiments" { table {
                thead { tr {
                    th scope="col" { "experiment" }
                    th scope="col" { "question" }
                    th scope="col" { "runs" }
                    th scope="col" { "best variant" }
                    th scope="col" { "claims" }
                } }
                tbody { @for entry in entries { (line(entry)) } }
            } }
        }
    };
    document("Results", &body)
}

fn line(entry: &IndexEntry) -> Markup {
    let parts: Vec<String> = entry
        .name
        .split('/')
        .map(|part| utf8_percent_encode(part, PLAIN).to_string())
        .collect();
    let address = format!("./{}/report.html", parts.join("/"));
    html! {
        tr {
            @match &entry.problem {
                Some(problem) => {
                    th scope="row" { (entry.name) }
                    td colspan="4" { span.bad { "no report: " } (problem) }
                }
                None => {
                    th scope="row" { a href=(address) { (entry.name) } }
                    td { (entry.title) }
                    td { (entry.runs) }
                    td { (entry.best) }
                    td { @match entry.claims {
                        None => span.quiet { "not known" },
                        Some((_, 0)) => span.quiet { "none" },
                        Some((held, all)) => span class=(if held == all { "good" } else { "bad" }) { (held) " of " (all) " hold" },
                    } }
                }
            }
        }
    }
}
