//! The regression gate: every metric of some runs held against a reference of earlier ones.
//!
//! Where the kernels promise the same bits, numbers must equal the reference to the last printed digit; elsewhere
//! a mean must lie in the interval that the spread of the reference's seeds predicts for it. Knows numbers and
//! files of them, and neither training nor Burn.

mod entry;
mod interval;
mod junit;
mod page;
mod reference;

pub use entry::{Entry, Origin, RunKey};
pub use junit::junit;
pub use page::{changes, regression_markdown, regression_table, rule_text, summary_line};
pub use reference::Reference;

use std::collections::{BTreeMap, BTreeSet};

use self::entry::{METRICS, MetricColumn};
use super::statistics::{Spread, spread};
use crate::record::Better;

/// How numbers are held against the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Equal to the last printed digit, run by run.
    Equal,
    /// The mean over the runs in the interval that the reference's runs predict.
    Interval,
}

/// How a metric of a variant came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegressionVerdict {
    /// To the last printed digit, in every run.
    Equal,
    /// Not equal, but in the interval.
    Within,
    /// Not equal though it should be.
    Differs,
    /// Outside the interval, on the worse side.
    Fell,
    /// Outside the interval, on the better side.
    Rose,
    /// Outside the interval, of a metric of which no value is better than another.
    Moved,
    /// In the reference and not measured, be it in some of the runs.
    NotMeasured,
    /// Measured, and not in the reference, be it for some of the runs.
    NotInReference,
}

impl RegressionVerdict {
    /// As tables write it; failures in capitals.
    pub fn text(self) -> &'static str {
        match self {
            RegressionVerdict::Equal => "equal",
            RegressionVerdict::Within => "within",
            RegressionVerdict::Differs => "DIFFERS",
            RegressionVerdict::Fell => "FELL",
            RegressionVerdict::Rose => "rose",
            RegressionVerdict::Moved => "moved",
            RegressionVerdict::NotMeasured => "NOT MEASURED",
            RegressionVerdict::NotInReference => "NOT IN THE REFERENCE",
        }
    }

    /// Whether the gate is red by it.
    pub fn is_failure(self) -> bool {
        use RegressionVerdict as V;
        matches!(
            self,
            V::Differs | V::Fell | V::NotMeasured | V::NotInReference
        )
    }
}

/// One metric of one variant, now and in the reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The experiment's name.
    pub experiment: String,
    /// The variant, with its point of the grid.
    pub variant: String,
    /// Its column.
    pub metric: String,
    /// Behind the point, in tables that people read.
    pub decimals: usize,
    /// Over the reference's seeds that have it; `None` if none does.
    pub reference: Option<Spread>,
    /// Over the seeds of this time in which it was measured; `None` if it was in none.
    pub now: Option<Spread>,
    /// How far the mean may be from the reference's; `None` where the reference has no two runs.
    pub half_width: Option<f64>,
    /// What the comparison says.
    pub verdict: RegressionVerdict,
    /// The first run with other digits than the reference's; `None` if all are equal.
    pub changed: Option<ChangedDigits>,
}

/// A number of one run as the reference prints it, and as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedDigits {
    /// The run's seed.
    pub seed: u64,
    /// `None` where the reference has none.
    pub reference: Option<String>,
    /// `None` where none was measured.
    pub now: Option<String>,
}

impl Comparison {
    /// The mean now less that of the reference.
    pub fn difference(&self) -> Option<f64> {
        Some(self.now?.mean - self.reference?.mean)
    }

    /// `equal`, or `DIFFERS: seed 1 has 0.961887, not 0.961886` where means may look alike.
    fn verdict_text(&self) -> String {
        let text = self.verdict.text();
        match (&self.changed, self.verdict) {
            (Some(changed), RegressionVerdict::Differs) => {
                let digits = |digits: &Option<String>| digits.clone().unwrap_or("none".to_string());
                let (then, now) = (digits(&changed.reference), digits(&changed.now));
                format!("{text}: seed {} has {now}, not {then}", changed.seed)
            }
            _ => text.to_string(),
        }
    }
}

/// The rule that holds between a reference and numbers made now.
///
/// On the CPU every sum has one order whatever the processor and the number of threads, so that the same version
/// gives the same bits; no other device promises that, and no other version. Runs of other experiments than these, by their
/// names, do not matter.
pub fn rule(reference: &Reference, experiments: &[&str], now: &Origin) -> Rule {
    let is_same = |entry: &Entry| {
        let then = &entry.origin;
        let same_version = then.burnlab == now.burnlab && then.burn == now.burn;
        same_version && then.device == "cpu" && now.device == "cpu"
    };
    let is_concerned = |entry: &&Entry| experiments.contains(&&*entry.key.experiment);
    match reference.entries().filter(is_concerned).all(is_same) {
        true => Rule::Equal,
        false => Rule::Interval,
    }
}

/// Holds every metric of every variant that was run now against the reference; in the order of the runs.
pub fn compare(reference: &Reference, now: &[Entry], rule: Rule) -> Vec<Comparison> {
    let level = interval::level(directed(reference));
    let mut variants: Vec<(&str, &str)> = Vec::new();
    for entry in now {
        let variant = (&*entry.key.experiment, &*entry.key.variant);
        if !variants.contains(&variant) {
            variants.push(variant);
        }
    }
    let mut comparisons = Vec::new();
    for variant in variants {
        let is_its = |entry: &&Entry| (&*entry.key.experiment, &*entry.key.variant) == variant;
        let then: Vec<&Entry> = reference.entries().filter(is_its).collect();
        let now: Vec<&Entry> = now.iter().filter(is_its).collect();
        let compared = METRICS
            .iter()
            .filter_map(|column| compare_one(variant, column, &then, &now, rule, level));
        comparisons.extend(compared);
    }
    comparisons
}

/// `None` of a metric that was measured neither then nor now.
fn compare_one(
    variant: (&str, &str),
    column: &MetricColumn,
    then: &[&Entry],
    now: &[&Entry],
    rule: Rule,
    level: f64,
) -> Option<Comparison> {
    let name = &column.name;
    let spread_of = |entries: &[&Entry]| {
        let numbers: Vec<f64> = entries.iter().filter_map(|e| e.number(name)).collect();
        spread(&numbers)
    };
    let (reference, measured) = (spread_of(then), spread_of(now));
    let changed = changed_digits(name, then, now);
    let half_width = reference
        .zip(measured)
        .and_then(|(reference, now)| interval::half_width(&reference, now.runs, level));
    let verdict = match (reference, measured) {
        (None, None) => return None,
        (Some(_), None) => RegressionVerdict::NotMeasured,
        (None, Some(_)) => RegressionVerdict::NotInReference,
        (Some(reference), Some(measured)) => {
            let side = side(&reference, &measured, half_width, column.metric.better);
            match rule {
                _ if changed.is_none() => RegressionVerdict::Equal,
                // A mean over some of the runs is another number.
                _ if lacks(name, now) && !lacks(name, then) => RegressionVerdict::NotMeasured,
                _ if lacks(name, then) && !lacks(name, now) => RegressionVerdict::NotInReference,
                Rule::Interval if half_width.is_none() => RegressionVerdict::NotInReference,
                Rule::Equal if side == RegressionVerdict::Fell => side,
                Rule::Equal => RegressionVerdict::Differs,
                Rule::Interval => side,
            }
        }
    };
    let means = reference.iter().chain(&measured);
    Some(Comparison {
        experiment: variant.0.to_string(),
        variant: variant.1.to_string(),
        metric: name.clone(),
        decimals: column
            .metric
            .decimals_of_all(means.map(|spread| spread.mean)),
        reference,
        now: measured,
        half_width,
        verdict,
        changed,
    })
}

/// On which side of the interval a mean lies, if not in it.
fn side(
    reference: &Spread,
    now: &Spread,
    half_width: Option<f64>,
    better: Option<Better>,
) -> RegressionVerdict {
    let difference = now.mean - reference.mean;
    // Equal numbers have means that differ by rounding where they are not equally many.
    let rounding = 4.0 * f64::EPSILON * reference.mean.abs();
    if half_width.is_none_or(|half| difference.abs() <= half + rounding) {
        return RegressionVerdict::Within;
    }
    match (better, difference > 0.0) {
        (None, _) => RegressionVerdict::Moved,
        (Some(Better::More), true) | (Some(Better::Less), false) => RegressionVerdict::Rose,
        _ => RegressionVerdict::Fell,
    }
}

/// The first run that has other digits than its counterpart, or none.
fn changed_digits(name: &str, then: &[&Entry], now: &[&Entry]) -> Option<ChangedDigits> {
    let digits = |entries: &[&Entry]| -> BTreeMap<u64, Option<String>> {
        let cells = entries.iter();
        cells
            .map(|entry| (entry.key.seed, entry.numbers.get(name).cloned()))
            .collect()
    };
    let (then, now) = (digits(then), digits(now));
    let seeds: BTreeSet<&u64> = then.keys().chain(now.keys()).collect();
    let changed = seeds
        .into_iter()
        .find(|seed| then.get(seed) != now.get(seed))?;
    Some(ChangedDigits {
        seed: *changed,
        reference: then.get(changed).cloned().flatten(),
        now: now.get(changed).cloned().flatten(),
    })
}

/// Whether some of the runs have no number.
fn lacks(name: &str, entries: &[&Entry]) -> bool {
    entries.iter().any(|entry| entry.number(name).is_none())
}

/// How many metrics of variants in the reference have a better side: so many chances of a false alarm.
fn directed(reference: &Reference) -> usize {
    let known = |name: &str| {
        METRICS
            .iter()
            .any(|column| column.name == name && column.metric.better.is_some())
    };
    let metrics: BTreeSet<(&str, &str, &str)> = reference
        .entries()
        .flat_map(|entry| {
            let (experiment, variant) = (&*entry.key.experiment, &*entry.key.variant);
            let names = entry.numbers.keys().filter(|name| known(name));
            names.map(move |name| (experiment, variant, &**name))
        })
        .collect();
    metrics.len()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use RegressionVerdict as V;

    const DATE: &str = "2026-11-26";

    fn origin(burnlab: &str, device: &str) -> Origin {
        Origin {
            burnlab: burnlab.to_string(),
            burn: "0.21.0".to_string(),
            device: device.to_string(),
            date: DATE.to_string(),
        }
    }

    /// A run of each number, with the seeds from this one on.
    fn entries(metric: &str, first: u64, numbers: &[&str]) -> Vec<Entry> {
        let entry = |(seed, number): (u64, &&str)| Entry {
            key: RunKey {
                experiment: "digits".to_string(),
                variant: "plain".to_string(),
                seed,
            },
            id: "0123456789ab".to_string(),
            origin: origin("0.1.0", "cpu"),
            numbers: BTreeMap::from([(metric.to_string(), number.to_string())]),
        };
        (first..).zip(numbers).map(entry).collect()
    }

    fn reference(metric: &str, numbers: &[&str]) -> Reference {
        Reference::new(Path::new("reference.csv"), entries(metric, 0, numbers))
    }

    const THEN: [&str; 4] = ["0.90", "0.91", "0.92", "0.93"];

    fn verdict(metric: &str, now: &[&str], rule: Rule) -> V {
        let now = entries(metric, 0, now);
        let found = compare(&reference(metric, &THEN), &now, rule);
        assert_eq!(found.len(), 1);
        found[0].verdict
    }

    #[test]
    fn the_same_digits_are_equal_by_either_rule() {
        for rule in [Rule::Equal, Rule::Interval] {
            assert_eq!(verdict("test_accuracy", &THEN, rule), V::Equal);
        }
    }

    #[test]
    fn one_digit_of_one_run_differs_where_equality_is_promised() {
        let now = ["0.90", "0.91", "0.920001", "0.93"];
        assert_eq!(verdict("test_accuracy", &now, Rule::Equal), V::Differs);
        assert_eq!(verdict("test_accuracy", &now, Rule::Interval), V::Within);
        // The same mean from other runs is not the same.
        let swapped = ["0.91", "0.90", "0.92", "0.93"];
        assert_eq!(verdict("test_accuracy", &swapped, Rule::Equal), V::Differs);
        let now = entries("test_accuracy", 0, &now);
        let found = compare(&reference("test_accuracy", &THEN), &now, Rule::Equal);
        let text = "DIFFERS: seed 2 has 0.920001, not 0.92";
        assert_eq!(found[0].verdict_text(), text);
        let xml = String::from_utf8(junit(&found, &[]).unwrap()).unwrap();
        let message = format!("{text}: expected 0.9150 ± 0.0129, found 0.9150 ± 0.0129");
        assert!(xml.contains(&message), "{xml}");
        assert!(regression_table(&found).contains(" +0.0000 "));
    }

    #[test]
    fn only_a_fall_outside_the_interval_fails_and_the_metric_says_which_side_is_worse() {
        let (low, high) = (["0.5", "0.5"], ["1.5", "1.5"]);
        for (metric, of_low, of_high) in [
            ("test_accuracy", V::Fell, V::Rose),
            ("test_loss", V::Rose, V::Fell),
            ("test_kl", V::Moved, V::Moved),
        ] {
            assert_eq!(verdict(metric, &low, Rule::Interval), of_low, "{metric}");
            assert_eq!(verdict(metric, &high, Rule::Interval), of_high, "{metric}");
        }
        assert!(V::Fell.is_failure() && V::Differs.is_failure());
        assert!(!V::Rose.is_failure() && !V::Moved.is_failure() && !V::Within.is_failure());
    }

    #[test]
    fn where_equality_is_promised_a_rise_is_a_difference() {
        let high = ["1.5", "1.5", "1.5", "1.5"];
        assert_eq!(verdict("test_accuracy", &high, Rule::Equal), V::Differs);
        let low = ["0.5", "0.5", "0.5", "0.5"];
        assert_eq!(verdict("test_accuracy", &low, Rule::Equal), V::Fell);
    }

    #[test]
    fn the_interval_is_the_predicted_one_of_a_mean_of_as_many_new_runs() {
        let now = entries("test_accuracy", 10, &["0.90", "0.92"]);
        let found = compare(&reference("test_accuracy", &THEN), &now, Rule::Interval);
        let comparison = &found[0];
        // t(0.99, 3) = 4.5407, s = 0.012910.
        let half = 4.540_703 * 0.012_909_944 * (0.25f64 + 0.5).sqrt();
        assert!((comparison.half_width.unwrap() - half).abs() < 1e-6);
        assert!((comparison.difference().unwrap() + 0.005).abs() < 1e-12);
    }

    #[test]
    fn what_is_on_one_side_only_fails() {
        let now = entries("test_loss", 0, &["0.1"; 4]);
        let found = compare(&reference("test_accuracy", &THEN), &now, Rule::Interval);
        let verdicts: Vec<(&str, V)> = found.iter().map(|c| (&*c.metric, c.verdict)).collect();
        let expected = [
            ("test_accuracy", V::NotMeasured),
            ("test_loss", V::NotInReference),
        ];
        assert_eq!(verdicts, expected);
        assert!(found.iter().all(|c| c.verdict.is_failure()));
    }

    #[test]
    fn a_mean_over_some_of_the_runs_is_none_over_all() {
        let some = |numbers: &[&str], lacking: usize| {
            let mut entries = entries("test_loss", 0, numbers);
            entries[lacking].numbers.clear();
            entries
        };
        let numbers = ["0.1", "0.2", "0.3"];
        let all = reference("test_loss", &numbers);
        let verdict =
            |then: &Reference, now: &[Entry]| compare(then, now, Rule::Interval)[0].verdict;
        assert_eq!(verdict(&all, &some(&numbers, 1)), V::NotMeasured);
        let lacking = Reference::new(Path::new("reference.csv"), some(&numbers, 1));
        assert_eq!(
            verdict(&lacking, &entries("test_loss", 0, &numbers)),
            V::NotInReference
        );
        assert_eq!(verdict(&lacking, &some(&numbers, 1)), V::Equal);
        // One number tells of no interval.
        let one = Reference::new(Path::new("reference.csv"), some(&["0.1", "0.2"], 1));
        assert_eq!(verdict(&one, &some(&["0.9", "0.2"], 1)), V::NotInReference);
    }

    #[test]
    fn a_number_that_all_seeds_share_may_not_change() {
        let then = reference("parameters", &["10", "10", "10"]);
        let of = |now: &[&str]| {
            compare(&then, &entries("parameters", 5, now), Rule::Interval)[0].verdict
        };
        assert_eq!(of(&["10", "10"]), V::Within);
        assert_eq!(of(&["11", "11"]), V::Moved);
    }

    #[test]
    fn equality_is_asked_of_the_same_version_on_the_cpu_alone() {
        let then = reference("test_loss", &["0.1", "0.2"]);
        assert_eq!(
            rule(&then, &["digits"], &origin("0.1.0", "cpu")),
            Rule::Equal
        );
        assert_eq!(
            rule(&then, &["digits"], &origin("0.2.0", "cpu")),
            Rule::Interval
        );
        let gpu = origin("0.1.0", "cuda:0 (NVIDIA H200)");
        assert_eq!(rule(&then, &["digits"], &gpu), Rule::Interval);
        assert_eq!(
            rule(&then, &["digits"], &origin("0.1.0", "ndarray")),
            Rule::Interval
        );
        // Of other experiments it does not matter what made their numbers.
        let mut other = entries("test_loss", 0, &["0.1"]).remove(0);
        other.key.experiment = "another".to_string();
        other.origin = gpu;
        let both = then.with(vec![other]);
        let cpu = origin("0.1.0", "cpu");
        assert_eq!(rule(&both, &["digits"], &cpu), Rule::Equal);
        assert_eq!(rule(&both, &["digits", "another"], &cpu), Rule::Interval);
    }

    #[test]
    fn accepted_runs_replace_those_of_their_experiments_and_keep_the_date_of_what_is_equal() {
        let old = reference("test_loss", &["0.1", "0.2"]);
        let mut now = entries("test_loss", 0, &["0.1", "0.3"]);
        for entry in &mut now {
            entry.origin.date = "2027-01-01".to_string();
        }
        let mut other = now[0].clone();
        other.key.experiment = "another".to_string();
        let both = old.with(vec![other]);
        assert_eq!(both.entries().count(), 3);
        let new = both.with(now);
        let dates: Vec<&str> = new.entries().map(|e| &*e.origin.date).collect();
        assert_eq!(dates, ["2027-01-01", DATE, "2027-01-01"]);
    }

    #[test]
    fn a_reference_reads_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below/reference.csv");
        let mut written = entries("test_loss", 0, &["0.1", "12", "0.0000025"]);
        written[1].key.variant = "rate=0.5,train=10".to_string();
        written[2].origin.device = "cuda:0 (NVIDIA H200)".to_string();
        Reference::new(&path, written.clone()).write().unwrap();
        let read = Reference::read(&path).unwrap();
        assert_eq!(read.entries().cloned().collect::<Vec<_>>(), written);
    }

    #[test]
    fn the_junit_report_names_every_metric_and_what_fell() {
        let now = entries("test_accuracy", 0, &["0.5"; 4]);
        let found = compare(&reference("test_accuracy", &THEN), &now, Rule::Interval);
        let failed = [(now[0].key.clone(), "diverged: \u{1}<loss>".to_string())];
        let xml = String::from_utf8(junit(&found, &failed).unwrap()).unwrap();
        for part in [
            r#"<testsuite name="digits" tests="2""#,
            r#"<testcase name="plain test_accuracy" classname="digits.plain">"#,
            r#"<failure message="FELL: expected 0.9150 ± 0.0129 (interval ± "#,
            r#"<error message="diverged: &lt;loss&gt;"/>"#,
        ] {
            assert!(xml.contains(part), "{part} in {xml}");
        }
    }

    #[test]
    fn the_summary_page_shows_first_what_fell() {
        let now = entries("test_accuracy", 0, &["0.5"; 4]);
        let found = compare(&reference("test_accuracy", &THEN), &now, Rule::Interval);
        let page = regression_markdown(&found, &["`x` failed".to_string()], Rule::Interval);
        assert!(page.starts_with("## \u{274c} burnlab regress\n\n1 metric: 1 FELL; rule: "));
        assert!(page.contains(
            "| digits | plain | test_accuracy | 0.9150 ± 0.0129 | 0.5000 ± 0.0000 | \u{2212}0.4150 |"
        ));
        assert!(page.contains("- `x` failed\n"));
    }
}
