//! Whether the claims hold. What was not measured never holds.

use crate::config::Condition;
use crate::measure::column_metric;
use crate::plan::Claim;
use crate::record::metrics::MOST_DECIMALS;
use crate::record::{RunRow, Status};
use crate::table::fixed;

use super::statistics::{Group, Spread, groups};

/// One claim, held against the numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimResult {
    /// The claim in words.
    pub claim: String,
    /// The variant that it is about.
    pub variant: String,
    /// The metric that it is about.
    pub metric: String,
    /// What must be true, in words: `0.9188 within 0.015`.
    pub condition: String,
    /// The article's number, if the claim states one.
    pub article: Option<f64>,
    /// Mean and deviation over the seeds; none without measured runs.
    pub measured: Option<Spread>,
    /// The variant that it is compared with, and that one's spread.
    pub compared: Option<(String, Spread)>,
    /// The numbers on one side of which the mean decides.
    pub bounds: Vec<f64>,
    /// Whether it holds.
    pub verdict: Verdict,
    /// Why it does not, as the file says it.
    pub why: Option<String>,
}

impl ClaimResult {
    /// What was measured, as tables show the metric; with more digits where the rounded number would be on the other side of
    /// what decides.
    pub fn measured_text(&self) -> Option<String> {
        let spread = self.measured?;
        let metric = column_metric(&self.metric)?;
        let usual = metric.decimals_of(spread.mean);
        let is_faithful = |decimals: &usize| {
            let shown = fixed(spread.mean, *decimals).parse().unwrap_or(spread.mean);
            let side = |number: f64, bound: f64| is_above(number, bound, spread.mean);
            self.bounds.iter().all(|&bound| {
                side(shown, bound) == side(spread.mean, bound)
                    && side(bound, shown) == side(bound, spread.mean)
            })
        };
        // No number of digits tells apart what is equal.
        let is_tie = self.bounds.contains(&spread.mean);
        let enough = (usual..=MOST_DECIMALS)
            .find(is_faithful)
            .filter(|_| !is_tie);
        Some(match enough {
            Some(decimals) if decimals > usual => spread.text(decimals),
            _ => spread.told(metric),
        })
    }

    /// The verdict as tables write it, with the reason that the file gives for a claim that fails.
    pub fn outcome(&self) -> String {
        match (&self.verdict, &self.why) {
            (Verdict::Fails, Some(why)) => format!("{}: {why}", self.verdict.text()),
            _ => self.verdict.text(),
        }
    }
}

/// How a claim came out.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The condition is true of the mean.
    Holds,
    /// It is not.
    Fails,
    /// Why there is no number.
    NotMeasured(String),
}

impl Verdict {
    /// As tables write it.
    pub fn text(&self) -> String {
        match self {
            Verdict::Holds => "holds".to_string(),
            Verdict::Fails => "DOES NOT HOLD".to_string(),
            Verdict::NotMeasured(reason) => format!("NOT MEASURED: {reason}"),
        }
    }
}

/// Holds every claim against the rows of all runs.
pub fn check_claims(claims: &[Claim], rows: &[RunRow]) -> Vec<ClaimResult> {
    let groups = groups(rows);
    claims
        .iter()
        .map(|claim| check_claim(claim, &groups))
        .collect()
}

fn check_claim(claim: &Claim, groups: &[Group]) -> ClaimResult {
    let metric = &claim.expect.metric;
    let measured = measure(&claim.expect.variant, metric, groups);
    let verdict = match &measured {
        Err(reason) => Verdict::NotMeasured(reason.clone()),
        Ok(spread) => decide(&claim.condition, spread.mean, metric, groups),
    };
    ClaimResult {
        claim: claim.expect.claim.clone(),
        variant: claim.expect.variant.clone(),
        metric: metric.clone(),
        condition: words(&claim.condition),
        article: claim.expect.article.map(|article| article.get()),
        measured: measured.ok(),
        compared: compared(&claim.condition, metric, groups),
        bounds: bounds(&claim.condition, metric, groups),
        verdict,
        why: claim.expect.why.clone(),
    }
}

fn compared(condition: &Condition, metric: &str, groups: &[Group]) -> Option<(String, Spread)> {
    match condition {
        Condition::GreaterThan { variant, .. } => {
            let spread = measure(variant, metric, groups).ok()?;
            Some((variant.clone(), spread))
        }
        _ => None,
    }
}

fn bounds(condition: &Condition, metric: &str, groups: &[Group]) -> Vec<f64> {
    match condition {
        Condition::Within { article, distance } => vec![article - distance, article + distance],
        Condition::AtLeast(bound) | Condition::AtMost(bound) => vec![*bound],
        Condition::GreaterThan { variant, by } => {
            let other = measure(variant, metric, groups).ok();
            other.map(|other| other.mean + by).into_iter().collect()
        }
    }
}

fn decide(condition: &Condition, mean: f64, metric: &str, groups: &[Group]) -> Verdict {
    let holds = match condition {
        Condition::Within { article, distance } => {
            !is_above((mean - article).abs(), *distance, mean)
        }
        Condition::AtLeast(least) => !is_above(*least, mean, mean),
        Condition::AtMost(most) => !is_above(mean, *most, mean),
        Condition::GreaterThan { variant, by } => match measure(variant, metric, groups) {
            Ok(other) => is_above(mean - other.mean, *by, mean),
            Err(reason) => return Verdict::NotMeasured(reason),
        },
    };
    match holds {
        true => Verdict::Holds,
        false => Verdict::Fails,
    }
}

/// Whether one number is above another by more than what binary floats make of decimal ones of that size: the mean of
/// 0.2, 0.7 and 0.3 is a little below 0.4.
fn is_above(one: f64, other: f64, size: f64) -> bool {
    one - other > 1e-9 * size.abs()
}

/// A variant's spread, if all its runs are done and measured the metric.
fn measure(variant: &str, metric: &str, groups: &[Group]) -> Result<Spread, String> {
    let group = groups
        .iter()
        .find(|group| group.variant == variant)
        .ok_or_else(|| format!("no run of `{variant}`"))?;
    let (done, all) = (group.done(), group.rows.len());
    if done < all {
        let bad = group.rows.iter().find(|row| row.status != Status::Done);
        let status = bad.map_or("unfinished", |row| row.status.name());
        return Err(format!(
            "{} of {all} runs of `{variant}` {status}",
            all - done
        ));
    }
    match group.spread(metric) {
        Some(spread) if spread.runs == all => Ok(spread),
        _ => Err(format!("`{variant}` has no `{metric}`")),
    }
}

fn words(condition: &Condition) -> String {
    match condition {
        Condition::Within { article, distance } => format!("{article} within {distance}"),
        Condition::AtLeast(least) => format!("at least {least}"),
        Condition::AtMost(most) => format!("at most {most}"),
        Condition::GreaterThan { variant, by } if *by > 0.0 => format!("above `{variant}` by {by}"),
        Condition::GreaterThan { variant, .. } => format!("above `{variant}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Expect;
    use crate::record::{Measured, Score};

    fn row(variant: &str, seed: u64, accuracy: Option<f64>) -> RunRow {
        let mut row = RunRow::unfinished(variant, seed, "id", Vec::new());
        if let Some(accuracy) = accuracy {
            row.status = Status::Done;
            row.measured = Some(Measured {
                test: Score {
                    loss: 0.5,
                    accuracy: Some(accuracy),
                    ..Score::default()
                },
                ..Measured::default()
            });
        }
        row
    }

    fn claim(text: &str) -> Claim {
        let expect: Expect = toml::from_str(text).unwrap();
        let condition = expect.condition().unwrap();
        Claim { expect, condition }
    }

    fn verdict(text: &str, rows: &[RunRow]) -> Verdict {
        check_claims(&[claim(text)], rows).remove(0).verdict
    }

    #[test]
    fn claims_hold_or_fail_by_the_mean() {
        let rows = [
            row("a", 0, Some(0.9)),
            row("a", 1, Some(0.92)),
            row("b", 0, Some(0.8)),
        ];
        let near = "claim = 'x'\nvariant = 'a'\narticle = 0.92\nwithin = 0.011";
        assert_eq!(verdict(near, &rows), Verdict::Holds);
        let nearer = "claim = 'x'\nvariant = 'a'\narticle = 0.92\nwithin = 0.009";
        assert_eq!(verdict(nearer, &rows), Verdict::Fails);
        let above = "claim = 'x'\nvariant = 'a'\ngreater_than = 'b'\nby = 0.1";
        assert_eq!(verdict(above, &rows), Verdict::Holds);
        let below = "claim = 'x'\nvariant = 'a'\nat_most = 0.9";
        assert_eq!(verdict(below, &rows), Verdict::Fails);
    }

    #[test]
    fn a_bound_that_is_met_exactly_is_met_whatever_its_binary_digits() {
        let rows = [
            row("a", 0, Some(0.2)),
            row("a", 1, Some(0.7)),
            row("a", 2, Some(0.3)),
            row("b", 0, Some(0.604)),
            row("c", 0, Some(0.5705)),
        ];
        let of = |variant: &str, condition: &str| {
            let text = format!("claim = 'x'\nvariant = '{variant}'\n{condition}");
            verdict(&text, &rows)
        };
        assert_eq!(of("a", "at_least = 0.4"), Verdict::Holds);
        assert_eq!(of("a", "at_most = 0.4"), Verdict::Holds);
        assert_eq!(of("a", "at_least = 0.4001"), Verdict::Fails);
        assert_eq!(of("b", "article = 0.594\nwithin = 0.01"), Verdict::Holds);
        // Above by more than that: the difference is exactly 0.0335.
        assert_eq!(of("b", "greater_than = 'c'\nby = 0.0335"), Verdict::Fails);
        assert_eq!(of("b", "greater_than = 'c'\nby = 0.0334"), Verdict::Holds);
        assert_eq!(of("b", "greater_than = 'b'"), Verdict::Fails);
    }

    #[test]
    fn what_was_measured_is_shown_on_the_side_where_it_is() {
        let shown = |accuracy, condition: &str| {
            let rows = [row("a", 0, Some(accuracy))];
            let claim = claim(&format!("claim = 'x'\nvariant = 'a'\n{condition}"));
            check_claims(&[claim], &rows)
                .remove(0)
                .measured_text()
                .unwrap()
        };
        assert_eq!(shown(0.912_34, "at_least = 0.9"), "0.9123");
        assert_eq!(shown(0.912_34, "at_most = 0.9123"), "0.91234");
        assert_eq!(shown(0.563_138_7, "at_most = 0.5631"), "0.56314");
        assert_eq!(shown(0.9, "at_most = 0.9"), "0.9000");
        assert_eq!(shown(0.910_04, "article = 0.9\nwithin = 0.01"), "0.91004");
    }

    #[test]
    fn a_reason_stands_beside_a_claim_that_fails_and_no_other() {
        let rows = [row("a", 0, Some(0.9)), row("b", 0, Some(0.8))];
        let outcome = |condition: &str| {
            let text = format!("claim = 'x'\nvariant = 'b'\nwhy = 'too few'\n{condition}");
            check_claims(&[claim(&text)], &rows).remove(0).outcome()
        };
        assert_eq!(outcome("at_least = 0.9"), "DOES NOT HOLD: too few");
        assert_eq!(outcome("at_least = 0.7"), "holds");
        assert_eq!(
            outcome("metric = 'best_test_accuracy'\nat_least = 0.7"),
            "NOT MEASURED: `b` has no `best_test_accuracy`"
        );
    }

    #[test]
    fn a_comparison_tells_both_spreads() {
        let rows = [row("a", 0, Some(0.9)), row("b", 0, Some(0.8))];
        let text = "claim = 'x'\nvariant = 'a'\ngreater_than = 'b'";
        let result = check_claims(&[claim(text)], &rows).remove(0);
        let (other, spread) = result.compared.expect("b is measured");
        assert_eq!((other.as_str(), spread.mean), ("b", 0.8));
    }

    #[test]
    fn what_is_not_measured_never_holds() {
        let rows = [row("a", 0, Some(0.9)), row("a", 1, None)];
        let low = "claim = 'x'\nvariant = 'a'\nat_least = 0.0";
        assert_eq!(
            verdict(low, &rows),
            Verdict::NotMeasured("1 of 2 runs of `a` unfinished".to_string())
        );
        let absent = "claim = 'x'\nvariant = 'a'\nmetric = 'best_test_accuracy'\nat_least = 0.0";
        assert_eq!(
            verdict(absent, &rows[..1]),
            Verdict::NotMeasured("`a` has no `best_test_accuracy`".to_string())
        );
        let other = "claim = 'x'\nvariant = 'c'\nat_least = 0.0";
        assert_eq!(
            verdict(other, &rows),
            Verdict::NotMeasured("no run of `c`".to_string())
        );
    }
}
