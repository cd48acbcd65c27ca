//! What is known of a run before it is trained: what pictures are checked against.

use crate::augment::Augment;
use crate::error::Flaw;
use crate::models::{Ability, Kind, ModelFacts};
use crate::network::{Planned, layer_hint};
use crate::shape::Shape;

/// A run as its plan knows it.
#[derive(Debug, Clone, Copy)]
pub struct PictureContext<'a> {
    /// What is known of its model.
    pub model: &'a ModelFacts,
    /// All layers with the names that the file's keys know them by.
    pub layers: &'a [Planned],
    /// Its augmentation recipe.
    pub augment: &'a Augment,
}

impl PictureContext<'_> {
    /// The flaw of a picture that this kind of model does not have.
    pub fn needs(&self, picture: &str, ability: Ability) -> Option<Flaw> {
        let message = format!(
            "`{picture}` needs {} but the model is {}",
            Kind::that_can(ability),
            self.model.kind.called()
        );
        (!self.model.can(ability)).then(|| Flaw::new("", message))
    }

    /// The flaw of a picture that needs a code whose number of features `fits` accepts; `wanted` says which, in words.
    pub fn features(
        &self,
        picture: &str,
        wanted: &str,
        fits: impl Fn(usize) -> bool,
    ) -> Option<Flaw> {
        let flaw = self.needs(picture, Ability::Decode);
        if flaw.is_some() {
            return flaw;
        }
        let code = self.model.code?;
        let given = match code {
            Shape::Features(features) if fits(features) => return None,
            Shape::Features(features) => features.to_string(),
            other => format!("{} of {other}", other.kind()),
        };
        let giver = match self.model.can(Ability::Encode) {
            true => "the encoder gives",
            false => "the generator takes",
        };
        let message = format!("`{picture}` needs a code of {wanted} but {giver} {given}");
        Some(Flaw::new("", message))
    }

    /// The layer of that name.
    pub fn layer(&self, name: &str) -> Result<&Planned, Flaw> {
        let found = self.layers.iter().find(|layer| layer.name == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = self
                .layers
                .iter()
                .map(|layer| layer.name.as_str())
                .collect();
            let flaw = Flaw::new("layer", format!("there is no layer `{name}`"));
            flaw.hint(layer_hint(name, &names))
        })
    }

    /// The flaw of a test image that there is not.
    pub fn test_image(&self, key: &str, index: usize) -> Option<Flaw> {
        let count = crate::error::count(self.model.test, "test image");
        let message = format!("there is no test image {index}: there are {count}, from 0");
        (index >= self.model.test).then(|| Flaw::new(key, message))
    }
}
