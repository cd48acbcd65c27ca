//! The claims of a file, each about runs that the plan has and a metric that they measure.

use crate::config::{Chain, Condition, Expect, differ, read};
use crate::error::{Flaw, Place, Problem, did_you_mean};
use crate::measure::{RUN_COLUMNS, column_metric, metric_columns};

use super::Run;
use super::metrics::{Unmeasured, unmeasured};
use crate::record::Metric;
use crate::value::{NonNegative, Real};

/// What to do about claims of a file that another extends, which has other variants.
const OTHERS_CLAIMS: &str = "`expect = []` in the file that extends this one leaves its claims out";

/// One claim of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The claim as the file writes it.
    pub expect: Expect,
    /// What must be true.
    pub condition: Condition,
}

/// Reads the claims of the last file that has any. `whole` tells whether `runs` are all there are:
/// otherwise claims about missing variants are not reported as problems too. Where points are tried that others than the file
/// name, such claims are left out with a note.
pub fn read_claims(
    chain: &Chain,
    runs: &[Run],
    whole: bool,
    problems: &mut Vec<Problem>,
    notes: &mut Vec<String>,
) -> Vec<Claim> {
    let Some((document, value)) = chain.last_with("expect") else {
        return Vec::new();
    };
    let Some(entries) = value.as_array() else {
        let place = document.place(&["expect".to_string()], "expect");
        problems.push(
            Problem::new("expected `[[expect]]` entries for `expect`")
                .at(place)
                .hint("write `[[expect]]`, with two brackets"),
        );
        return Vec::new();
    };
    let mut claims = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let path = |keys: &[String]| -> Vec<String> {
            let start = ["expect".to_string(), index.to_string()];
            start.into_iter().chain(keys.iter().cloned()).collect()
        };
        let place = |keys: &[String], is_key: bool| -> Place {
            let path = path(keys);
            let show = path.join(".");
            match is_key {
                true => document.place_of_key(&path, &show),
                false => document.place(&path, &show),
            }
        };
        let values = serde_json::to_value(entry).unwrap_or_default();
        match read::<Expect>(&values) {
            Err(unreadable) => problems.extend(unreadable.into_iter().map(|thing| {
                let message = thing
                    .message
                    .replace("the experiment needs", "the claim needs");
                Problem::new(message)
                    .at(place(&thing.path, thing.is_key))
                    .maybe_hint(thing.hint)
            })),
            Ok(expect) => {
                let gone = missing(&expect, runs).filter(|_| chain.has_other_points());
                if let Some(variant) = gone {
                    notes.push(format!(
                        "the claim \"{}\" is not judged: there is no `{variant}` among these points",
                        expect.claim
                    ));
                    continue;
                }
                let (condition, flaws) = examine(&expect, runs, whole);
                let is_of_other = document.path != chain.document().path;
                problems.extend(flaws.into_iter().map(|mut flaw| {
                    if is_of_other && ["variant", "greater_than"].contains(&&*flaw.key) {
                        flaw.hint = Some(OTHERS_CLAIMS.to_string());
                    }
                    let keys: Vec<String> = flaw
                        .key
                        .split('.')
                        .filter(|k| !k.is_empty())
                        .map(String::from)
                        .collect();
                    Problem::new(flaw.message)
                        .at(place(&keys, false))
                        .maybe_hint(flaw.hint)
                }));
                claims.extend(condition.map(|condition| Claim { expect, condition }));
            }
        }
    }
    claims
}

/// The first variant that a claim is about and that has no run.
fn missing<'a>(expect: &'a Expect, runs: &[Run]) -> Option<&'a str> {
    let named = [Some(&expect.variant), expect.greater_than.as_ref()];
    let mut named = named.into_iter().flatten();
    let found = named.find(|name| !runs.iter().any(|run| run.variant == **name));
    found.map(String::as_str)
}

fn examine(expect: &Expect, runs: &[Run], whole: bool) -> (Option<Condition>, Vec<Flaw>) {
    let mut flaws = Vec::new();
    let mut labels: Vec<&str> = runs.iter().map(|run| run.variant.as_str()).collect();
    labels.dedup();
    let named = [
        ("variant", Some(&expect.variant)),
        ("greater_than", expect.greater_than.as_ref()),
    ];
    for (key, variant) in named {
        if let Some(variant) = variant
            && whole
            && !labels.contains(&variant.as_str())
        {
            let flaw = Flaw::new(
                key,
                format!("the claim is about the variant `{variant}`, which does not exist"),
            );
            flaws.push(flaw.maybe_hint(did_you_mean(variant, &labels)));
        }
    }
    if expect.greater_than.as_ref() == Some(&expect.variant) {
        flaws.push(Flaw::new(
            "greater_than",
            "the claim compares a variant with itself",
        ));
    }
    let metrics: Vec<&str> = metric_columns()
        .map(|column| column.name.as_str())
        .collect();
    let name = &expect.metric;
    match column_metric(name) {
        Some(metric) => {
            flaws.extend(unmeasured_flaws(expect, runs));
            flaws.extend(other_loss(expect, metric, runs));
            flaws.extend(metric.is_share().then(|| no_share(expect)).flatten());
        }
        None if RUN_COLUMNS.iter().any(|column| column.name == *name) => {
            let message = format!("claims are about metrics, and `{name}` is none");
            flaws.push(Flaw::new("metric", message));
        }
        None => {
            let flaw = Flaw::new("metric", format!("unknown metric `{name}`"));
            flaws.push(flaw.maybe_hint(did_you_mean(name, &metrics)));
        }
    }
    match expect.condition() {
        Ok(condition) => (Some(condition), flaws),
        Err(flaw) => {
            flaws.push(flaw);
            (None, flaws)
        }
    }
}

/// Two variants whose losses are of different kinds.
fn other_loss(expect: &Expect, metric: &Metric, runs: &[Run]) -> Option<Flaw> {
    let other = expect.greater_than.as_ref()?;
    let loss = |variant: &str| {
        let run = runs.iter().find(|run| run.variant == variant);
        Some(run?.settings.measured_loss())
    };
    let (one, two) = (loss(&expect.variant)?, loss(other)?);
    let names = one.differing(&two, metric);
    let (name, variant) = (&expect.metric, &expect.variant);
    (!names.is_empty()).then(|| {
        let message = format!(
            "`{name}` of `{variant}` cannot be compared with that of `{other}`: {}",
            differ(&names)
        );
        Flaw::new("greater_than", message)
    })
}

/// A figure that no share is.
fn no_share(expect: &Expect) -> Option<Flaw> {
    let figures = [
        ("article", expect.article.map(Real::get)),
        ("within", expect.within.map(NonNegative::get)),
        ("at_least", expect.at_least.map(Real::get)),
        ("at_most", expect.at_most.map(Real::get)),
        ("by", expect.by.map(NonNegative::get)),
    ];
    let outside = |figure: &f64| !(0.0..=1.0).contains(figure);
    let found = figures
        .into_iter()
        .find_map(|(key, figure)| Some((key, figure.filter(outside)?)));
    found.map(|(key, figure)| {
        let message = format!(
            "`{}` is a share, from 0 to 1, found {figure}",
            expect.metric
        );
        let part = (figure * 1e4).round() / 1e6;
        let hint = (1.0..=100.0)
            .contains(&figure)
            .then(|| format!("{figure} percent are {part}"));
        Flaw::new(key, message).maybe_hint(hint)
    })
}

/// What the claim names and its runs do not measure: at most one flaw of each kind.
fn unmeasured_flaws(expect: &Expect, runs: &[Run]) -> Vec<Flaw> {
    let metric = &expect.metric;
    let is_named = |run: &&Run| {
        run.variant == expect.variant || expect.greater_than.as_ref() == Some(&run.variant)
    };
    let unmeasured: Vec<(&str, Unmeasured)> = runs
        .iter()
        .filter(is_named)
        .filter_map(|run| Some((run.variant.as_str(), unmeasured(metric, run)?)))
        .collect();
    let of_model = unmeasured.iter().find_map(|(variant, why)| match why {
        Unmeasured::Model(reason) => Some((variant, reason)),
        Unmeasured::NoValidation => None,
    });
    let of_model = of_model.map(|(variant, reason)| {
        let message = format!("`{metric}` of `{variant}` is not measured: {reason}");
        Flaw::new("metric", message)
    });
    let without = unmeasured
        .iter()
        .find(|(_, why)| *why == Unmeasured::NoValidation);
    let without = without.map(|(variant, _)| {
        let message = format!("`{metric}` is not measured: `{variant}` has no validation set");
        Flaw::new("metric", message).hint("set `data.validation`")
    });
    of_model.into_iter().chain(without).collect()
}
