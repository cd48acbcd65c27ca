//! What is known of a run before it is trained: what pictures are checked against.

use crate::augment::Augment;
use crate::error::{Flaw, did_you_mean};
use crate::model::Kind;
use crate::network::Planned;
use crate::shape::{ImageShape, Shape};

/// A run as its plan knows it.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    pub kind: Kind,
    /// Of the images that go in (of a GAN: come out).
    pub images: ImageShape,
    /// What passes from encoder to decoder, or from chance to generator; `None` of a classifier.
    pub code: Option<Shape>,
    /// Whether samples can be drawn from it.
    pub is_generative: bool,
    /// All layers with the names that the file's keys know them by.
    pub layers: &'a [Planned],
    pub augment: &'a Augment,
    /// Number of test images.
    pub test: usize,
}

/// What a kind of model is called, with its article.
fn called(kind: Kind) -> &'static str {
    match kind {
        Kind::Classifier => "a classifier",
        Kind::Autoencoder => "an auto-encoder",
        Kind::Gan => "a GAN",
    }
}

impl Known<'_> {
    /// The flaw of a picture that this kind of model does not have.
    pub fn only(&self, picture: &str, kinds: &[Kind]) -> Option<Flaw> {
        let wanted: Vec<&str> = kinds.iter().copied().map(called).collect();
        let message = format!(
            "`{picture}` needs {} but the model is {}",
            wanted.join(" or "),
            called(self.kind)
        );
        (!kinds.contains(&self.kind)).then(|| Flaw::new("", message))
    }

    /// The flaw of a picture of codes with as many features as `fits` accepts, which is `wanted`.
    pub fn features(
        &self,
        picture: &str,
        wanted: &str,
        fits: impl Fn(usize) -> bool,
    ) -> Option<Flaw> {
        let flaw = self.only(picture, &[Kind::Autoencoder, Kind::Gan]);
        if flaw.is_some() {
            return flaw;
        }
        let code = self.code?;
        let given = match code {
            Shape::Features(features) if fits(features) => return None,
            Shape::Features(features) => features.to_string(),
            other => format!("{} of {other}", other.kind()),
        };
        let message = match self.kind {
            Kind::Gan => {
                format!("`{picture}` needs a code of {wanted} but the generator takes {given}")
            }
            _ => format!("`{picture}` needs a code of {wanted} but the encoder gives {given}"),
        };
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
            let first = &names[..names.len().min(12)];
            let hint = match crate::error::nearest(name, &names) {
                Some(near) => Some(format!("did you mean `{near}`?")),
                None => did_you_mean(name, first),
            };
            Flaw::new("layer", format!("there is no layer `{name}`")).maybe_hint(hint)
        })
    }

    /// The flaw of a test image that there is not.
    pub fn test_image(&self, key: &str, index: usize) -> Option<Flaw> {
        let count = crate::error::count(self.test, "test image");
        let message = format!("there is no test image {index}: there are {count}, from 0");
        (index >= self.test).then(|| Flaw::new(key, message))
    }
}
