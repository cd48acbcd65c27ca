//! Whether the runs that are to generate training images, and to label them, can do so.

use super::Run;
use super::needs::{Connector, Dependent};
use crate::config::{GENERATOR, GENERATORS, LABELER, Settings};
use crate::data::Facts;
use crate::error::{Flaw, Result};
use crate::models::{Ability, ModelFacts};
use crate::objective::LossKind;

impl Connector<'_> {
    /// Reports what keeps a run from generating images for another one; `name` is what it is called.
    pub fn examine_generator(
        &mut self,
        dependent: &Dependent,
        key: &str,
        settings: &Settings,
        (found, name): (&Run, &str),
    ) -> Result<()> {
        let (here, there) = (self.facts(settings)?, self.facts(&found.settings)?);
        let flaw = match what_it_lacks(&found.facts) {
            Some(reason) => {
                let flaw = Flaw::new(key, format!("{name} is not generative: {reason}"));
                let hint = "images can be drawn from an auto-encoder with a `gaussian_code` or `walk_back`, and from a GAN";
                Some(flaw.hint(hint))
            }
            None => other_images(key, name, &here, &there)
                .or_else(|| label_flaw(key, settings, &here, (found, name), &there)),
        };
        if let Some(flaw) = flaw {
            self.report(dependent, flaw);
        }
        Ok(())
    }

    /// Reports what keeps a run from labeling images for another one.
    pub fn examine_labeler(
        &mut self,
        dependent: &Dependent,
        settings: &Settings,
        (found, name): (&Run, &str),
    ) -> Result<()> {
        let (here, there) = (self.facts(settings)?, self.facts(&found.settings)?);
        let loss = found.settings.train.loss.kind();
        let flaw = if !found.facts.can(Ability::Classify) {
            Some(Flaw::new(LABELER, format!("{name} is no classifier")))
        } else if loss != LossKind::CrossEntropy {
            let loss = loss.key();
            let message = format!("{name} gives no probabilities: it is trained with `{loss}`");
            Some(Flaw::new(LABELER, message).hint("take one that is trained with `cross_entropy`"))
        } else {
            other_images(LABELER, name, &here, &there)
                .or_else(|| other_classes(LABELER, name, &here, &there))
        };
        if let Some(flaw) = flaw {
            self.report(dependent, flaw);
        }
        Ok(())
    }

    pub fn facts(&self, settings: &Settings) -> Result<Facts> {
        Ok(self.lookup.catalogue.check(&settings.data)?.0)
    }
}

/// Why no images can be drawn from a model.
fn what_it_lacks(model: &ModelFacts) -> Option<String> {
    match model.can(Ability::Decode) {
        _ if model.is_generative() => None,
        false => Some(format!("it is {}", model.kind.called())),
        true => Some("its code is like no known distribution".to_string()),
    }
}

pub(super) fn other_images(key: &str, name: &str, here: &Facts, there: &Facts) -> Option<Flaw> {
    let (ours, theirs) = (here.shape, there.shape);
    let message = format!("{name} takes images of {theirs}, but these are of {ours}");
    (ours != theirs).then(|| Flaw::new(key, message))
}

fn other_classes(key: &str, name: &str, here: &Facts, there: &Facts) -> Option<Flaw> {
    let flaw = || {
        let flaw = Flaw::new(key, format!("{name} has other classes than these"));
        flaw.hint("`data.classes` of both must be the same, in the same order")
    };
    (here.classes != there.classes).then(flaw)
}

/// What is wrong with how the images come by their classes.
fn label_flaw(
    key: &str,
    settings: &Settings,
    here: &Facts,
    (found, name): (&Run, &str),
    there: &Facts,
) -> Option<Flaw> {
    let conditional = found.facts.is_conditional;
    let trained = settings.data.trained(here.classes.len());
    let generated = settings.data.generated.as_ref()?;
    if key == GENERATORS {
        let message = format!("{name} is given the class, so that it needs no others beside it");
        let flaw = || Flaw::new(key, message).hint("name it as `run`");
        return conditional.then(flaw);
    }
    match (&generated.labels, conditional, trained.as_slice()) {
        (Some(_), true, _) => {
            let message =
                format!("{name} is given the classes of its images: they need no `labels`");
            Some(Flaw::new("data.generated.labels", message).hint("leave it out"))
        }
        (Some(_), false, [only]) => {
            let only = &here.classes[*only as usize];
            let message = format!("all images are of the class `{only}`: they need no `labels`");
            Some(Flaw::new("data.generated.labels", message).hint("leave it out"))
        }
        (None, false, [_, _, ..]) => {
            let message =
                format!("{name} is not given the class, so that its images have no labels");
            let hint = "labels = { classifier = { experiment = \"NAME\", variant = \"NAME\" } }, or one run for each class with `runs`, or a run with `concat_label` layers";
            Some(Flaw::new(GENERATOR, message).hint(hint))
        }
        (None, true, _) => other_classes(key, name, here, there).or_else(|| {
            let knows = found.settings.data.trained(there.classes.len());
            let unknown = trained.iter().find(|label| !knows.contains(label))?;
            let class = &here.classes[*unknown as usize];
            let message = format!("{name} was not trained on the class `{class}`");
            Some(Flaw::new(key, message))
        }),
        (Some(_), false, _) | (None, false, _) => None,
    }
}
