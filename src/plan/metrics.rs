//! Which metrics are measured, given the model, its loss, its data and what its file asks for.

use crate::measure::RUN_COLUMNS;
use crate::models::{Ability, ModelFacts};
use crate::record::{Metric, Requirement, Split};

use super::Run;

/// Why a metric of a run is not measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unmeasured {
    /// Of such a model, in a sentence.
    Model(String),
    NoValidation,
}

/// Why no run of such a model has the metric, in a sentence. What a model consists of is only looked at if
/// it `is_sound`.
pub(super) fn lacking(metric: &Metric, model: &ModelFacts, is_sound: bool) -> Option<&'static str> {
    let has = |need: Requirement| match need {
        Requirement::Classifier => model.can(Ability::Classify),
        Requirement::Autoencoder => model.can(Ability::Encode),
        Requirement::Gan => model.can(Ability::Discriminate),
        Requirement::GaussianCode => model.has_gaussian_code || !is_sound,
        Requirement::Likelihood => model.has_likelihood || !is_sound,
    };
    let mut needs = metric.needs.iter();
    needs.find(|&&need| !has(need)).map(|need| need.lack())
}

/// Why a run's column of `summary.csv` stays empty; `None` if it does not.
pub(super) fn unmeasured(column: &str, run: &Run) -> Option<Unmeasured> {
    let (settings, model) = (&run.settings, &run.facts);
    let found = RUN_COLUMNS.iter().find(|known| known.name == column)?;
    let by_itself = lacking(found.metric?, model, true).map(String::from);
    let by_file = || settings.measure.unmeasured(column, model);
    if let Some(reason) = by_itself.or_else(by_file) {
        return Some(Unmeasured::Model(reason));
    }
    let best = settings.train.best_metric();
    let needs_validation = match found.split {
        Some(Split::Validation) => true,
        Some(Split::BestTest) => match best {
            Some(best) => best.needs_validation(),
            None => {
                let reason =
                    "`train.best` is \"none\", which keeps no other weights than the final ones";
                return Some(Unmeasured::Model(reason.to_string()));
            }
        },
        Some(Split::Test | Split::Train) | None => false,
    };
    (needs_validation && !run.has_validation).then_some(Unmeasured::NoValidation)
}
