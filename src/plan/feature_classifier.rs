//! Whether a classifier can look at what another run's model draws.

use super::needs::{Connector, Dependent};
use super::{Run, check, generated};
use crate::config::{FEATURE_CLASSIFIER, Settings};
use crate::error::{Flaw, Result, did_you_mean, thousands};
use crate::measure::{FrechetDistance, WIDEST, last_hidden};
use crate::models::Ability;

const LAYER: &str = "measure.frechet_distance.layer";

impl Connector<'_> {
    /// Reports what keeps a run from being the classifier in whose features another one's samples are
    /// compared with images; `name` is what it is called.
    pub fn examine_feature_classifier(
        &mut self,
        dependent: &Dependent,
        settings: &Settings,
        (found, name): (&Run, &str),
    ) -> Result<()> {
        let Some(asked) = settings.measure.frechet_distance.as_ref() else {
            return Ok(());
        };
        let (here, there) = (self.facts(settings)?, self.facts(&found.settings)?);
        let flaw = match found.facts.can(Ability::Classify) {
            true => match generated::other_images(FEATURE_CLASSIFIER, name, &here, &there) {
                None => self.layer_flaw(asked, &found.settings, name)?,
                flaw => flaw,
            },
            false => Some(Flaw::new(
                FEATURE_CLASSIFIER,
                format!("{name} is not a classifier"),
            )),
        };
        if let Some(flaw) = flaw {
            self.report(dependent, flaw);
        }
        Ok(())
    }

    /// What is wrong with the layer that gives the features.
    fn layer_flaw(
        &self,
        asked: &FrechetDistance,
        feature_classifier: &Settings,
        name: &str,
    ) -> Result<Option<Flaw>> {
        let plan = check::planned(feature_classifier, self.lookup.catalogue)?;
        let tensors = check::tensors(feature_classifier, self.lookup.catalogue)?;
        let hidden = last_hidden(tensors.iter().map(|tensor| tensor.layer.as_str()));
        let Some(layer) = asked.layer.as_deref().or(hidden) else {
            let flaw = Flaw::new(
                FEATURE_CLASSIFIER,
                format!("{name} has no hidden layer with weights"),
            );
            return Ok(Some(
                flaw.hint("name the one that gives the features as `layer`"),
            ));
        };
        let key = if asked.layer.is_some() {
            LAYER
        } else {
            FEATURE_CLASSIFIER
        };
        let Some(found) = plan.layers.iter().find(|known| known.name == layer) else {
            let flaw = Flaw::new(key, format!("{name} has no layer `{layer}`"));
            return Ok(Some(flaw.maybe_hint(did_you_mean(layer, &plan.names()))));
        };
        let features = found.output.len();
        let flaw = || {
            let (features, most) = (thousands(features), thousands(WIDEST));
            let message =
                format!("`{layer}` of {name} gives {features} features, more than {most}");
            Flaw::new(key, message).hint("name a narrower one as `layer`")
        };
        Ok((features > WIDEST).then(flaw))
    }
}
