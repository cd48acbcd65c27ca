//! What is wrong with how a network is to be trained, given its data.

use crate::config::Settings;
use crate::data::{Catalogue, Classes, DatasetSpec, Facts, Scale};
use crate::error::{Flaw, Result};
use crate::models::{Ability, ModelFacts};
use crate::record::Watched;
use crate::rng::Seed;

use super::metrics::lacking;

/// The flaws of `[train]` besides the optimizer's and the seeds'; `is_sound` says that nothing is wrong with
/// the network.
///
/// # Errors
/// Data is missing or damaged.
pub(super) fn flaws(
    settings: &Settings,
    facts: &Facts,
    model: &ModelFacts,
    is_sound: bool,
    catalogue: &Catalogue,
) -> Result<Vec<Flaw>> {
    let train = &settings.train;
    let loss = train.loss.check(facts.classes.len()).into_iter();
    let mut flaws: Vec<Flaw> = loss.map(|flaw| flaw.under("train.loss")).collect();
    flaws.extend(unweighable(settings, facts, catalogue)?);
    let images = facts.train * settings.augment.images_per_image();
    let warm_up = train.warm_up.as_ref();
    let training_plan = train.training_plan(images);
    let shortest = training_plan
        .phases()
        .iter()
        .map(|phase| phase.span)
        .min_by_key(|span| span.all);
    let warm_up = warm_up.zip(shortest);
    let warm_up = warm_up.and_then(|(warm_up, span)| warm_up.check(span));
    flaws.extend(warm_up.map(|flaw| flaw.under("train.warm_up")));
    flaws.extend(
        train
            .schedule
            .check()
            .map(|flaw| flaw.under("train.schedule")),
    );
    let best = train.best.and_then(|best| best.0);
    let best = best.map(|best| ("train.best.metric".to_string(), best.metric));
    let stopping = train.early_stopping.as_ref();
    let stopping =
        stopping.map(|stopping| ("train.early_stopping.metric".to_string(), stopping.metric));
    let schedule = train.schedule.watched();
    let schedule = schedule.map(|(key, metric)| (format!("train.schedule.{key}"), metric));
    let watched = best.into_iter().chain(stopping).chain(schedule);
    flaws.extend(watched.filter_map(|(key, watched)| {
        let lack = lacking(watched.metric(), model, is_sound);
        unwatchable(&key, watched, lack, facts)
    }));
    flaws.extend(of_kind(settings, model.is_conditional, facts));
    flaws.extend(settings.accumulate_flaw());
    Ok(flaws)
}

/// What does not go with the kind of model.
fn of_kind(settings: &Settings, is_conditional: bool, facts: &Facts) -> Vec<Flaw> {
    let (train, model) = (&settings.train, &settings.model);
    let mut flaws = Vec::new();
    if facts.is_unlabeled && (model.kind().can(Ability::Classify) || is_conditional) {
        let lack = match is_conditional {
            true => "classes for `concat_label` to tell",
            false => "classes to tell apart",
        };
        let message = format!("the images of `{}` have no {lack}", facts.name);
        let hint = "a folder a class, or `labels = \"FILE.csv\"` in the folder's table";
        flaws.push(Flaw::new("data.dataset", message).hint(hint));
    }
    if let ([only], true) = (&facts.classes[..], model.kind().can(Ability::Classify)) {
        let message = format!(
            "a classifier tells classes apart, but `{}` has one: `{only}`",
            facts.name
        );
        let flaw = match (&settings.data.classes, &settings.data.dataset) {
            (Classes::All, DatasetSpec::Folder(_)) => Flaw::new("data.dataset", message).hint(
                format!("name a folder that holds a folder a class, as `{only}` may be"),
            ),
            (Classes::All, _) => Flaw::new("data.dataset", message),
            _ => Flaw::new("data.classes", message),
        };
        flaws.push(flaw);
    }
    let takes_pixels = model.kind().can(Ability::Encode) && train.loss.takes_probabilities();
    if takes_pixels && settings.data.scale != Scale::default() {
        let name = train.loss.kind().key();
        let found = match &settings.data.scale {
            Scale::Range([low, high]) => format!("they go from {low} to {high}"),
            Scale::Channels(_) | Scale::Standardize => "they are scaled by channel".to_string(),
        };
        let message = format!("`{name}` takes pixels between 0 and 1, but {found}");
        flaws.push(Flaw::new("data.scale", message).hint("scale = [0.0, 1.0], or another loss"));
    }
    flaws
}

/// Why epochs cannot be compared by a metric: it has no values. `lack` is what is so of the model, then.
fn unwatchable(key: &str, watched: Watched, lack: Option<&str>, facts: &Facts) -> Option<Flaw> {
    let name = watched.name();
    let message = |why: &str| format!("`{name}` is not measured: {why}");
    if let Some(lack) = lack {
        let flaw = Flaw::new(key, message(lack));
        return Some(flaw.hint("`validation_loss` or `train_loss`"));
    }
    if facts.validation > 0 || !watched.needs_validation() {
        return None;
    }
    let flaw = Flaw::new(key, message("there is no validation set"));
    Some(flaw.hint("set `data.validation`, or watch `train_loss`"))
}

/// A class that has no weight since it has no training images.
fn unweighable(settings: &Settings, facts: &Facts, catalogue: &Catalogue) -> Result<Option<Flaw>> {
    if !settings.train.loss.weighs_by_counts() {
        return Ok(None);
    }
    for &seed in &settings.train.seeds {
        let counts = catalogue.counts(&settings.data, Seed(seed))?;
        let absent = counts.and_then(|counts| counts.iter().position(|&count| count == 0));
        if let Some(class) = absent {
            let message = format!(
                "\"balanced\" has no weight for the class `{}`, of which there are no training images",
                facts.classes[class]
            );
            let key = "train.loss.cross_entropy.class_weights";
            return Ok(Some(Flaw::new(key, message)));
        }
    }
    Ok(None)
}
