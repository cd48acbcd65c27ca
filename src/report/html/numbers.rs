//! The tables of metrics by variant, and how far each variant is from the reference.

use maud::{Markup, html};

use super::{column_name, variant_name};
use crate::report::difference::{CONFIDENCE, Difference, OF_SHARED_SEEDS, Outcome, POWER, signed};
use crate::report::statistics::{Group, Spread};
use crate::report::tables::cell;
use crate::report::view::{Beside, MOST_ROWS, NamedMetric, View};
use crate::table::fixed;

/// The table of all metrics, and a table of differences for each.
pub fn section(view: &View) -> Markup {
    let compared: Vec<&NamedMetric> = view
        .metrics
        .iter()
        .filter(|(_, metric)| metric.decimals > 0)
        .collect();
    let main = view.main.map(|(name, _)| name);
    html! {
        section aria-labelledby="numbers" {
            h2 id="numbers" { "Numbers" }
            (overview(view))
            @if view.groups.len() > 1 {
                h3 { "Differences from " code { (view.reference().variant) } }
                (explanation(view))
                @for metric in view.main.iter() { (differences(view, metric)) }
                @for metric in compared.into_iter().filter(|(name, _)| Some(*name) != main) {
                    details { summary { (metric.0) } (differences(view, metric)) }
                }
            }
            @if let Some(text) = view.left_out(MOST_ROWS) { p.quiet { (text) } }
        }
    }
}

/// Whether tables of all variants are scrolled through.
fn is_long(view: &View) -> bool {
    view.groups.len() > 20
}

fn overview(view: &View) -> Markup {
    html! {
        div.scroll.long[is_long(view)] role="region" tabindex="0" aria-label="Means of all metrics by variant" {
            table {
                caption { "Mean ± sample standard deviation over seeds" }
                thead { tr {
                    th scope="col" { "variant" }
                    th.number scope="col" { "runs" }
                    @for (name, metric) in &view.metrics { th.number scope="col" title=(metric.doc) { (column_name(name)) } }
                } }
                tbody { @for group in view.chosen(MOST_ROWS) { tr {
                    th scope="row" { (variant_name(group.variant)) }
                    td.number { (runs(group)) }
                    @for (name, metric) in &view.metrics { td.number { (cell(group, name, metric)) } }
                } } }
            }
        }
    }
}

fn runs(group: &Group) -> String {
    match (group.done(), group.rows.len()) {
        (done, all) if done == all => all.to_string(),
        (done, all) => format!("{done} of {all}"),
    }
}

fn explanation(view: &View) -> Markup {
    let percent = (100.0 * CONFIDENCE).round();
    let chance = (100.0 * POWER).round();
    html! {
        p {
            "Variants are compared seed by seed where they share at least two seeds (Student's paired test), else as independent "
            "samples (Welch). The interval holds the true difference with " (percent) " % confidence; where it leaves out zero, the "
            "seeds settle which is larger. “More seeds” is how many further ones would settle a difference as large as the one found, "
            "with a probability of " (chance) " %."
        }
        @if view.groups.len() > 2 {
            p.quiet {
                "Every row stands alone: of twenty variants that are in truth equal to the reference, one looks settled by chance."
            }
        }
    }
}

fn differences(view: &View, &(name, metric): &NamedMetric) -> Markup {
    let decimals = view.decimals_of_differences((name, metric));
    let rows = view.chosen(MOST_ROWS).into_iter();
    let rows: Vec<(&Group, Beside)> = rows
        .map(|group| (group, view.beside(group, (name, metric))))
        .collect();
    let row = |group: &Group, beside: &Beside| {
        let spread = group.spread(name);
        html! {
            tr {
                th scope="row" { (variant_name(group.variant)) }
                td.number { (spread.map_or(0, |spread| spread.runs)) }
                td.number { (spread.map_or("-".to_string(), |spread| fixed(spread.mean, decimals))) }
                td.number { (deviation(spread, decimals)) }
                @match beside {
                    Beside::Apart(found) => (difference(found, decimals)),
                    other => td colspan="5" { (other.text()) },
                }
            }
        }
    };
    html! {
        div.scroll.long[is_long(view)] role="region" tabindex="0" aria-label={ "Differences of " (name) } {
            table {
                caption { (name) ": " (metric.doc) @if let Some(unit) = metric.unit { " (" (unit) ")" } }
                thead { tr {
                    th scope="col" { "variant" }
                    @for title in ["n", "mean", "standard deviation", "difference", "95 % interval", "p", "test"] {
                        th.number scope="col" { (title) }
                    }
                    th scope="col" { "more seeds" }
                } }
                tbody { @for (group, beside) in &rows { (row(group, beside)) } }
            }
        }
        @if rows.iter().any(|(_, beside)| beside.is_of_shared_seeds()) { p.quiet { (OF_SHARED_SEEDS) } }
    }
}

fn deviation(spread: Option<Spread>, decimals: usize) -> String {
    let deviation = spread.and_then(|spread| spread.deviation);
    deviation.map_or("-".to_string(), |deviation| fixed(deviation, decimals))
}

fn difference(found: &Difference, decimals: usize) -> Markup {
    html! {
        td.number { (signed(found.mean, decimals)) }
        td.number { (found.interval_text(decimals)) }
        td.number { (found.p_text()) }
        td.number { (found.test_text()) }
        td.outcome { (outcome(found)) }
    }
}

fn outcome(found: &Difference) -> Markup {
    let class = match found.outcome {
        Outcome::Settled => "good",
        Outcome::Same => "",
        _ => "open",
    };
    html! { span class=(class) { (found.outcome_text()) } }
}
