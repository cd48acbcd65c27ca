//! Reports as pages: one file each, that needs no network and no server, and the list of them.
//!
//! Texts of files are escaped where they are put in; the page's own policy forbids any script but the two that are
//! compiled in here. Of big experiments a page shows a part, and says which. Knows nothing of the command line.

mod chart;
mod confusion;
mod curves;
mod grid;
mod index;
mod numbers;
mod pictures;
mod provenance;
mod search;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

pub use index::{IndexEntry, index};

use super::subject::Subject;
use super::tables::failures;
use super::verdict::Verdict;
use super::view::View;
use crate::error::{Result, count, thousands};
use crate::record::runs_done;
use chart::Charts;

const STYLE: &str = include_str!("page.css");
const ECHARTS: &str = include_str!("echarts/echarts.min.js");
const SCRIPT: &str = include_str!("page.js");

/// Runs without a result that are named.
const MOST_FAILURES: usize = 50;

/// Nothing is loaded from anywhere, and no script runs but those with these sums.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let sum = |script: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script)));
    format!(
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {} {}; base-uri 'none'; form-action 'none'",
        sum(ECHARTS),
        sum(SCRIPT)
    )
});

/// The report of a subject. `reference` is the variant that others are compared with, by default the first; `commands`
/// are those that make the numbers and the page again.
///
/// # Errors
/// There is no such variant, or files of runs cannot be read.
pub fn page(subject: &Subject, reference: Option<&str>, commands: &[String]) -> Result<String> {
    let view = View::new(subject, reference)?;
    let mut charts = Charts::default();
    let claims = claims(subject);
    let numbers = numbers::section(&view);
    let grid = grid::section(&view, &mut charts);
    let curves = curves::section(&view, &mut charts)?;
    let sections = [
        ("claims", "Claims", claims),
        ("search", "Search", search::section(subject)?),
        ("numbers", "Numbers", numbers),
        ("grid", "Over the grid", grid),
        ("curves", "Learning curves", curves),
        ("confusion", "Confusion matrices", confusion::section(&view)),
        ("pictures", "Pictures", pictures::section(&view)),
        ("failures", "Runs without a result", without_result(subject)),
        ("settings", "Settings", settings::section(&view)?),
        (
            "provenance",
            "Provenance",
            provenance::section(&view, commands)?,
        ),
    ];
    let sections = sections
        .into_iter()
        .filter(|(_, _, section)| !section.0.is_empty());
    let sections: Vec<(&str, &str, Markup)> = sections.collect();
    let body = html! {
        a.skip href="#main" { "To the content" }
        header {
            (head(&view))
            nav aria-label="Sections" { ul {
                @for (id, title, _) in &sections { li { a href={ "#" (id) } { (title) } } }
            } }
        }
        main id="main" {
            noscript { p.open { "The charts need JavaScript; the tables say the same." } }
            @for (_, _, section) in &sections { (section) }
        }
        (charts.data())
        script { (PreEscaped(ECHARTS)) }
        script { (PreEscaped(SCRIPT)) }
    };
    Ok(document(&subject.title, &body))
}

/// A variant's name, which may be broken between the keys of the grid.
fn variant_name(name: &str) -> Markup {
    breakable(name, ',')
}

/// A name of a column that may be broken between its words.
fn column_name(name: &str) -> Markup {
    breakable(name, '_')
}

/// What a run's points are counted in.
fn unit(in_steps: bool) -> &'static str {
    if in_steps { "step" } else { "epoch" }
}

fn breakable(name: &str, after: char) -> Markup {
    html! { @for (number, part) in name.split_inclusive(after).enumerate() { @if number > 0 { wbr; } (part) } }
}

fn document(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(*POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content={ "burnlab " (env!("CARGO_PKG_VERSION")) };
                title { (title) " · burnlab" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (body)
                footer { p.quiet {
                    "Written by burnlab " (env!("CARGO_PKG_VERSION")) ". Charts by Apache ECharts (Apache License 2.0)."
                } }
            }
        }
    };
    page.into_string()
}

fn head(view: &View) -> Markup {
    let subject = view.subject;
    let runs = runs_done(
        subject.rows.iter().map(|row| row.status),
        subject.rows.len(),
    );
    let variants = subject.groups().len();
    let held = subject
        .claims
        .iter()
        .filter(|claim| claim.verdict == Verdict::Holds)
        .count();
    html! {
        h1 { (subject.title) }
        @if let Some(source) = &subject.source { p { "Source: " (source) } }
        p {
            @if subject.name != subject.title { code { (subject.name) } ": " }
            (count(variants, "variant")) ", " (runs)
            @if !subject.claims.is_empty() {
                ", "
                span class=(if held == subject.claims.len() { "good" } else { "bad" }) {
                    (held) " of " (count(subject.claims.len(), "claim")) " hold"
                }
            }
        }
        @for note in &subject.notes { p.open { (note) } }
        @for line in view.warnings() { p.open { "Warning: " (line) "." } }
    }
}

fn claims(subject: &Subject) -> Markup {
    if subject.claims.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="claims" {
            h2 id="claims" { "Claims" }
            div.scroll role="region" tabindex="0" aria-label="Claims and whether they hold" { table.claims {
                thead { tr {
                    @for title in ["claim", "verdict", "variant", "metric", "must be"] { th scope="col" { (title) } }
                    th.number scope="col" { "measured" }
                } }
                tbody { @for claim in &subject.claims { tr {
                    th scope="row" { (claim.claim) }
                    td { span class=(match claim.verdict { Verdict::Holds => "good", Verdict::Fails => "bad", _ => "open" }) {
                        (claim.outcome())
                    } }
                    td { (claim.variant) }
                    td { (claim.metric) }
                    td { (claim.condition) }
                    td.number { (claim.measured_text().unwrap_or_else(|| "-".to_string())) }
                } } }
            } }
        }
    }
}

fn without_result(subject: &Subject) -> Markup {
    let lines = failures(&subject.rows);
    if lines.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="failures" {
            h2 id="failures" { "Runs without a result" }
            ul { @for line in lines.iter().take(MOST_FAILURES) { li { (line) } } }
            @if lines.len() > MOST_FAILURES { p.quiet { "and " (thousands(lines.len() - MOST_FAILURES)) " others; summary.csv names them." } }
        }
    }
}
