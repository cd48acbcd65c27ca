//! One page of what the articles claim beside what was measured: on a terminal, and as Markdown.

use std::collections::BTreeSet;

use super::statistics::groups;
use super::tables::{in_a_line, markdown_table};
use super::verdict::{ClaimResult, Verdict};
use crate::error::count;
use crate::record::RunRow;
use crate::table::draw;

const HEADER: [&str; 9] = [
    "row",
    "size",
    "experiment",
    "claim",
    "published",
    "measured",
    "n",
    "device",
    "verdict",
];

/// What stands above the tables.
const LEGEND: &str = "Mean ± sample standard deviation over n seeds; where variants are compared, both. \
    Size: `full` is the article's setting, `quick` a small one for two cores; where an article gives no setting there is one size.";

/// An experiment on the page.
#[derive(Debug, Clone)]
pub struct Reproduction {
    /// The article, as the file's source names it.
    pub article: String,
    /// Rows of the article, such as `A1-A3`.
    pub rows: String,
    /// Its size, if it has more than one.
    pub size: Option<&'static str>,
    /// Its name.
    pub experiment: String,
    /// Its claims, held against the runs.
    pub claims: Vec<ClaimResult>,
    /// Its runs.
    pub runs: Vec<RunRow>,
}

impl Reproduction {
    /// The devices that the runs of a variant were trained on.
    fn devices(&self, variant: &str) -> String {
        let groups = groups(&self.runs);
        let devices: BTreeSet<String> = groups
            .iter()
            .filter(|group| group.variant == variant)
            .flat_map(|group| group.devices())
            .collect();
        Vec::from_iter(devices).join(", ")
    }

    fn record(&self, claim: &ClaimResult) -> Vec<String> {
        let dash = || "-".to_string();
        let compared = claim.compared.as_ref();
        let compared = compared.map(|(name, spread)| {
            let spread = spread.told_by_name(&claim.metric);
            format!(", `{name}` {spread}")
        });
        let measured = claim.measured_text();
        let measured = measured.map(|text| text + &compared.unwrap_or_default());
        vec![
            self.rows.clone(),
            self.size.map_or_else(dash, String::from),
            self.experiment.clone(),
            claim.claim.clone(),
            claim
                .article
                .map_or_else(dash, |article| article.to_string()),
            measured.unwrap_or_else(dash),
            claim
                .measured
                .map_or_else(dash, |spread| spread.runs.to_string()),
            self.devices(&claim.variant),
            claim.outcome(),
        ]
    }
}

/// The experiments of each article, in the order they come.
fn by_article(reproductions: &[Reproduction]) -> Vec<(&str, Vec<Vec<String>>)> {
    let mut articles: Vec<(&str, Vec<Vec<String>>)> = Vec::new();
    for reproduction in reproductions {
        let claims = reproduction.claims.iter();
        let records = claims.map(|claim| reproduction.record(claim));
        match articles.last_mut() {
            Some((article, known)) if *article == reproduction.article => known.extend(records),
            _ => articles.push((&reproduction.article, records.collect())),
        }
    }
    articles
}

/// How many claims hold, in a line.
pub fn reproduction_line(reproductions: &[Reproduction]) -> String {
    let claims = || reproductions.iter().flat_map(|one| &one.claims);
    let of = |is_so: fn(&Verdict) -> bool| claims().filter(|claim| is_so(&claim.verdict)).count();
    let held = of(|verdict| *verdict == Verdict::Holds);
    let unmeasured = of(|verdict| matches!(verdict, Verdict::NotMeasured(_)));
    let line = format!("{held} of {} hold", count(claims().count(), "claim"));
    match unmeasured {
        0 => line,
        number => format!("{line}, {number} not measured"),
    }
}

/// The page for a terminal.
pub fn reproduction_table(reproductions: &[Reproduction]) -> String {
    let tables = by_article(reproductions).into_iter();
    let tables = tables.map(|(article, records)| {
        format!(
            "{}\n{}\n\n",
            in_a_line(article),
            draw(&HEADER, &records, usize::MAX)
        )
    });
    tables.collect::<String>() + &reproduction_line(reproductions)
}

/// The page as Markdown.
pub fn reproduction_markdown(reproductions: &[Reproduction]) -> String {
    let header = HEADER.map(String::from);
    let mut page = format!("# The articles, reproduced\n\n{LEGEND}\n\n");
    page += &format!("{}.\n", reproduction_line(reproductions));
    for (article, records) in by_article(reproductions) {
        page += &format!("\n## {}\n\n", in_a_line(article));
        page += &markdown_table(&header, &records);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Status;
    use crate::report::statistics::spread;

    fn claim(name: &str, verdict: Verdict) -> ClaimResult {
        ClaimResult {
            claim: name.to_string(),
            variant: "plain".to_string(),
            metric: "test_accuracy".to_string(),
            condition: String::new(),
            article: None,
            measured: spread(&[0.9, 0.92]),
            compared: None,
            bounds: Vec::new(),
            verdict,
            why: None,
        }
    }

    fn reproduction(article: &str, rows: &str, claims: Vec<ClaimResult>) -> Reproduction {
        let run = |seed, device: &str| RunRow {
            status: Status::Done,
            device: Some(device.to_string()),
            ..RunRow::unfinished("plain", seed, "id", Vec::new())
        };
        Reproduction {
            article: article.to_string(),
            rows: rows.to_string(),
            size: Some("quick"),
            experiment: format!("articles/{rows}"),
            claims,
            runs: vec![run(0, "cpu"), run(1, "cpu")],
        }
    }

    #[test]
    fn the_page_tells_each_claim_with_its_figure_its_measure_and_its_verdict() {
        let published = ClaimResult {
            article: Some(0.9188),
            ..claim("it reads", Verdict::Holds)
        };
        let failed = ClaimResult {
            compared: Some(("other".to_string(), spread(&[0.95]).unwrap())),
            bounds: Vec::new(),
            why: Some("too few | digits".to_string()),
            ..claim("it reads better", Verdict::Fails)
        };
        let missing = ClaimResult {
            measured: None,
            ..claim(
                "more",
                Verdict::NotMeasured("no run of `plain`".to_string()),
            )
        };
        let page = reproduction_markdown(&[
            reproduction("First", "A1", vec![published, failed]),
            reproduction("Second", "B1", vec![missing]),
        ]);
        let tables = page.split_once("\n\n").unwrap().1;
        let tables = tables.split_once("\n\n").unwrap().1;
        let header = "| row | size | experiment | claim | published | measured | n | device | verdict |\n\
            | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n";
        assert_eq!(
            tables,
            format!(
                "1 of 3 claims hold, 1 not measured.\n\n## First\n\n{header}\
                 | A1 | quick | articles/A1 | it reads | 0.9188 | 0.9100 ± 0.0141 | 2 | cpu | holds |\n\
                 | A1 | quick | articles/A1 | it reads better | - | 0.9100 ± 0.0141, `other` 0.9500 | 2 | cpu \
                 | DOES NOT HOLD: too few \\| digits |\n\n## Second\n\n{header}\
                 | B1 | quick | articles/B1 | more | - | - | - | cpu | NOT MEASURED: no run of `plain` |\n"
            )
        );
    }
}
