//! `samples`: images that the model dreams up beside as many real ones.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::canvas::{Grid, beside, enlargement, titled};
use super::{Drawn, Fields, Known, Subject, above};
use crate::error::Flaw;
use crate::models::Ability;
use crate::value::Positive;

/// Images dreamt from the same codes at each drawing, and the first test images. A model that is told the
/// class dreams of each class in turn, a column a class where they are ten.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Samples {
    /// What its files and its tag in TensorBoard are called. Default `samples`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Number of images of each, at most 400; no more than there are test images. Default 60.
    pub count: Positive,
}

impl Default for Samples {
    fn default() -> Self {
        Samples {
            name: None,
            count: Positive(60),
        }
    }
}

impl Fields for Samples {
    fn check(&self, known: &Known) -> Vec<Flaw> {
        let mut flaws: Vec<Flaw> = above("count", self.count.get(), 400).into_iter().collect();
        flaws.extend(known.needs("samples", Ability::Decode));
        if known.model.can(Ability::Decode) && !known.model.is_generative() {
            let message = "`samples` needs a model that dreams but this auto-encoder has no \
                           `gaussian_code` and no walk-back training";
            flaws.push(Flaw::new("", message));
        }
        flaws
    }

    fn draw(&self, subject: &Subject) -> Vec<Drawn> {
        let (real, labels) = subject.first(self.count.get());
        let count = labels.len();
        let classes = subject.model.facts().classes.max(1);
        let told: Vec<u32> = (0..count).map(|index| (index % classes) as u32).collect();
        let labels = subject
            .model
            .facts()
            .is_conditional
            .then_some(told.as_slice());
        let dreamt = subject.model.sample(count, labels, real, subject.chance());
        let Some(dreamt) = dreamt else {
            return Vec::new();
        };
        let columns = columns(count);
        let shape = subject.shape();
        let times = enlargement([shape.width, shape.height], 2 * columns, 56);
        let panel = |title: &str, pixels: &[f32]| {
            titled(
                title,
                &Grid::new(subject.tiles(pixels, times), columns).draw(),
            )
        };
        vec![Drawn::Picture(beside(
            &[panel("dreamt", &dreamt), panel("real", real)],
            28,
        ))]
    }
}

/// Ten, so that ten classes fill a row, or as many as make a square of many images.
fn columns(count: usize) -> usize {
    match count {
        0..=100 => count.clamp(1, 10),
        _ => (count as f64).sqrt().ceil() as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn dreams_and_real_images_are_as_many() {
        let looking = Looking::at(Fake::gan());
        let [Drawn::Picture(picture)] = &Samples::default().draw(&looking.subject())[..] else {
            panic!("one picture");
        };
        assert!(picture.width() > 2 * 10 * 28);
        looking.save("samples", "{ samples = { count = 60 } }");
        assert_eq!([3, 60, 100, 400].map(columns), [3, 10, 10, 20]);
    }

    #[test]
    fn what_does_not_dream_is_told_so() {
        assert_eq!(told(Fake::gan(), "samples"), [""; 0]);
        assert_eq!(
            told(Fake::autoencoder(), "samples"),
            [
                "samples: `samples` needs a model that dreams but this auto-encoder has no `gaussian_code` \
              and no walk-back training"
            ]
        );
        assert_eq!(
            told(Fake::classifier(), "samples"),
            ["samples: `samples` needs an auto-encoder or a GAN but the model is a classifier"]
        );
    }
}
