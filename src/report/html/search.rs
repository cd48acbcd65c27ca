//! What a search has found: its points by their score, and which of the drawn keys mattered.

use maud::{Markup, html};

use crate::error::{Result, thousands};
use crate::report::search::{EXPLAINED, about, by_score, what_mattered};
use crate::report::subject::Subject;
use crate::report::view::MOST_ROWS;
use crate::table::{Record, Records};

/// Nothing where there was no search.
///
/// # Errors
/// Epochs of runs are damaged.
pub(super) fn section(subject: &Subject) -> Result<Markup> {
    let Some(search) = &subject.search else {
        return Ok(html! {});
    };
    let results = subject.results()?;
    let (header, points) = by_score(&subject.swept, search, &results.rows, false);
    let all = points.len();
    let (mattered_header, mattered) = what_mattered(&subject.swept, search, &results);
    Ok(html! {
        section aria-labelledby="search" {
            h2 id="search" { "Search" }
            p.quiet { "The points by " (search.metric.name()) "; those that were given up stand below those that went on." }
            (table("The points of the search by their score", &header, points.into_iter().take(MOST_ROWS).collect()))
            @if all > MOST_ROWS { p.quiet { "and " (thousands(all - MOST_ROWS)) " others; search.csv has them all." } }
            @if !mattered.is_empty() {
                h3 { "What mattered" }
                p.quiet { "For " (about(search)) ". " (EXPLAINED.join(" ")) "." }
                (table("Which keys mattered", &mattered_header, mattered))
            }
        }
    })
}

fn table(label: &str, header: &Record, records: Records) -> Markup {
    html! {
        div.scroll role="region" tabindex="0" aria-label=(label) { table {
            thead { tr { @for (number, title) in header.iter().enumerate() {
                th.number[number > 0] scope="col" { (title) }
            } } }
            tbody { @for record in &records { tr {
                @for (number, cell) in record.iter().enumerate() {
                    @if number == 0 { th scope="row" { (cell) } } @else { td.number { (cell) } }
                }
            } } }
        } }
    }
}
