//! The comparison as JUnit XML, which CI services read: a suite an experiment, a case a metric of a variant.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Comparison, RegressionVerdict, RunKey};
use crate::error::{Error, Result};

/// The report as bytes; `failed` are runs without numbers, with their reason.
///
/// # Errors
/// It cannot be made, which is a bug.
pub fn junit(comparisons: &[Comparison], failed: &[(RunKey, String)]) -> Result<Vec<u8>> {
    let mut names: Vec<&str> = comparisons.iter().map(|c| &*c.experiment).collect();
    names.extend(failed.iter().map(|(key, _)| &*key.experiment));
    let mut report = Report::new("burnlab regress");
    while let Some(&name) = names.first() {
        names.retain(|other| *other != name);
        let mut suite = TestSuite::new(name);
        let its = comparisons.iter().filter(|c| c.experiment == name);
        suite.add_test_cases(its.map(case));
        let its = failed.iter().filter(|(key, _)| key.experiment == name);
        suite.add_test_cases(its.map(|(key, reason)| failed_case(key, reason)));
        report.add_test_suite(suite);
    }
    let bytes = report.to_string().map(String::into_bytes);
    bytes.map_err(|error| Error::bug(format!("cannot make the JUnit report: {error}")))
}

fn case(comparison: &Comparison) -> TestCase {
    let status = match comparison.verdict.is_failure() {
        false => TestCaseStatus::success(),
        true => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type(comparison.verdict.text());
            status.set_message(message(comparison));
            status
        }
    };
    let name = format!("{} {}", comparison.variant, comparison.metric);
    let mut case = TestCase::new(name, status);
    case.set_classname(format!("{}.{}", comparison.experiment, comparison.variant));
    case
}

fn message(comparison: &Comparison) -> String {
    let decimals = comparison.decimals;
    let text = |spread: Option<super::Spread>| {
        let told = |spread: super::Spread| spread.told_by_name(&comparison.metric);
        spread.map_or("none".to_string(), told)
    };
    // Where numbers should be equal, no interval matters.
    let is_equality = comparison.verdict == RegressionVerdict::Differs;
    let half = comparison.half_width.filter(|_| !is_equality);
    format!(
        "{}: expected {}{}, found {}",
        comparison.verdict_text(),
        text(comparison.reference),
        half.map_or(String::new(), |half| format!(
            " (interval ± {half:.decimals$})"
        )),
        text(comparison.now),
    )
}

fn failed_case(key: &RunKey, reason: &str) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(reason);
    let mut case = TestCase::new(format!("{} seed {}", key.variant, key.seed), status);
    case.set_classname(format!("{}.{}", key.experiment, key.variant));
    case
}
