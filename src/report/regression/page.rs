//! The comparison as people read it: a table on a terminal, and a page of Markdown for a summary of CI.

use super::{Comparison, RegressionVerdict, Rule};
use crate::error::count;
use crate::report::difference::signed;
use crate::report::statistics::Spread;
use crate::report::tables::markdown_table;
use crate::table::draw;

const HEADER: [&str; 8] = [
    "experiment",
    "variant",
    "metric",
    "reference",
    "now",
    "difference",
    "interval",
    "verdict",
];

fn records(comparisons: &[Comparison]) -> Vec<Vec<String>> {
    let dash = || "-".to_string();
    let record = |comparison: &Comparison| {
        let decimals = comparison.decimals;
        let spread = |spread: &Option<Spread>| {
            spread.map_or_else(dash, |spread| spread.told_by_name(&comparison.metric))
        };
        let difference = comparison.difference();
        vec![
            comparison.experiment.clone(),
            comparison.variant.clone(),
            comparison.metric.clone(),
            spread(&comparison.reference),
            spread(&comparison.now),
            difference.map_or_else(dash, |difference| signed(difference, decimals)),
            comparison
                .half_width
                .map_or_else(dash, |half| format!("± {half:.decimals$}")),
            comparison.verdict_text(),
        ]
    };
    comparisons.iter().map(record).collect()
}

/// The table for a terminal.
pub fn regression_table(comparisons: &[Comparison]) -> String {
    draw(&HEADER, &records(comparisons), 3)
}

/// The rule in a sentence, and where the numbers come from.
pub fn rule_text(rule: Rule) -> &'static str {
    match rule {
        Rule::Equal => "rule: equal to the reference's last printed digit, run by run",
        Rule::Interval => "rule: a mean within the interval that the reference's seeds predict",
    }
}

/// What it comes to, in a line.
pub fn summary_line(comparisons: &[Comparison]) -> String {
    let all = count(comparisons.len(), "metric");
    let of = |wanted: RegressionVerdict| {
        let found = comparisons.iter().filter(|c| c.verdict == wanted).count();
        (found > 0).then(|| format!("{found} {}", wanted.text()))
    };
    use RegressionVerdict as V;
    let parts: Vec<String> = [
        V::Fell,
        V::Differs,
        V::NotMeasured,
        V::NotInReference,
        V::Rose,
        V::Moved,
        V::Within,
        V::Equal,
    ]
    .into_iter()
    .filter_map(of)
    .collect();
    format!("{all}: {}", parts.join(", "))
}

/// What is no longer as the reference has it, for a terminal; `None` where nothing is.
pub fn changes(comparisons: &[Comparison]) -> Option<String> {
    let is_changed = |c: &&Comparison| c.verdict != RegressionVerdict::Equal;
    let changed: Vec<Comparison> = comparisons.iter().filter(is_changed).cloned().collect();
    (!changed.is_empty()).then(|| regression_table(&changed))
}

/// A page for GitHub's step summary: what failed, then all of it.
pub fn regression_markdown(comparisons: &[Comparison], failed: &[String], rule: Rule) -> String {
    let header = HEADER.map(String::from);
    let (bad, other): (Vec<Comparison>, Vec<Comparison>) = comparisons
        .iter()
        .cloned()
        .partition(|comparison| comparison.verdict.is_failure());
    let mark = match bad.is_empty() && failed.is_empty() {
        true => "✅",
        false => "❌",
    };
    let mut page = format!("## {mark} burnlab regress\n\n");
    page += &format!("{}; {}\n\n", summary_line(comparisons), rule_text(rule));
    for line in failed {
        page += &format!("- {}\n", line.replace(['\n', '\r'], " "));
    }
    if !bad.is_empty() {
        page += &markdown_table(&header, &records(&bad));
    }
    if !other.is_empty() {
        let table = markdown_table(&header, &records(&other));
        page += &format!("\n<details><summary>the others</summary>\n\n{table}\n</details>\n");
    }
    page
}
