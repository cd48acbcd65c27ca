//! The claims of a file, each about runs that the plan has and a metric that they measure.

use crate::data::Validation;
use crate::error::{Flaw, Place, Problem, did_you_mean};
use crate::measure::About;
use crate::network::Kind;
use crate::record::metric_names;
use crate::spec::{Chain, Condition, Expect, read};

use super::Run;

/// One claim of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    pub expect: Expect,
    pub condition: Condition,
}

/// Reads the claims of the last file that has any. `whole` tells whether `runs` are all there are:
/// otherwise claims about missing variants are not told as problems too.
pub fn read_claims(
    chain: &Chain,
    runs: &[Run],
    whole: bool,
    problems: &mut Vec<Problem>,
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
                let (condition, flaws) = examine(&expect, runs, whole);
                problems.extend(flaws.into_iter().map(|flaw| {
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
            "the claim holds a variant against itself",
        ));
    }
    let metrics = metric_names();
    if !metrics.contains(&expect.metric.as_str()) {
        let flaw = Flaw::new("metric", format!("unknown metric `{}`", expect.metric));
        flaws.push(flaw.maybe_hint(did_you_mean(&expect.metric, &metrics)));
    } else {
        let is_named = |run: &&Run| {
            run.variant == expect.variant || expect.greater_than.as_ref() == Some(&run.variant)
        };
        let unmeasured = runs.iter().filter(is_named).find_map(|run| {
            let asked = || (run.settings.measure).unmeasured(&expect.metric, &run.about);
            let reason = not_of_kind(&expect.metric, &run.about).or_else(asked)?;
            let (metric, variant) = (&expect.metric, &run.variant);
            let message = format!("`{metric}` of `{variant}` is not measured: {reason}");
            Some(Flaw::new("metric", message))
        });
        flaws.extend(unmeasured);
        let without = runs.iter().filter(is_named).find(|run| {
            let needed = match expect.metric.starts_with("best_") {
                true => run.settings.train.best_metric().needs_validation(),
                false => expect.metric.starts_with("validation_"),
            };
            needed && run.settings.data.validation == Validation::Count(0)
        });
        if let Some(run) = without {
            flaws.push(
                Flaw::new(
                    "metric",
                    format!(
                        "`{}` is not measured: `{}` has no validation set",
                        expect.metric, run.variant
                    ),
                )
                .hint("set `data.validation`"),
            );
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

/// Why a score is none of such a model, in a sentence.
fn not_of_kind(metric: &str, about: &About) -> Option<String> {
    let is_of = |score: &str| metric.ends_with(score);
    let reason = match about.kind {
        kind if is_of("_accuracy") && kind != Kind::Classifier => "the model is no classifier",
        kind if is_of("_reconstruction") && kind != Kind::Autoencoder => {
            "the model is no auto-encoder"
        }
        kind if is_of("_discriminator_loss") && kind != Kind::Gan => "the model is no GAN",
        _ if (is_of("_kl") || is_of("_elbo")) && !about.gaussian => "it has no `gaussian_code`",
        _ if is_of("_elbo") && !about.likelihood => {
            "its loss is no likelihood, as `binary_cross_entropy` is"
        }
        _ => return None,
    };
    Some(reason.to_string())
}
