//! `samples`: images that the model generates, beside the same number of real ones.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::canvas::{Grid, beside, enlargement, titled};
use super::{PictureContext, PictureFields, PictureInput, PictureOutput, above};
use crate::error::Flaw;
use crate::models::Ability;
use crate::value::Positive;

/// Images generated from the same codes at each drawing, and the first test images. A conditional model
/// generates each class in turn, a column a class where they are ten.
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

impl PictureFields for Samples {
    fn check(&self, context: &PictureContext) -> Vec<Flaw> {
        let mut flaws: Vec<Flaw> = above("count", self.count.get(), 400).into_iter().collect();
        flaws.extend(context.needs("samples", Ability::Decode));
        if context.model.can(Ability::Decode) && !context.model.is_generative() {
            let message = "`samples` needs a generative model but this auto-encoder has no \
                           `gaussian_code` and no walk-back training";
            flaws.push(Flaw::new("", message));
        }
        flaws
    }

    fn draw(&self, subject: &PictureInput) -> Vec<PictureOutput> {
        let (real, labels) = subject.first(self.count.get());
        let count = labels.len();
        let classes = subject.model.facts().classes.max(1);
        let labels_in_turn: Vec<u32> = (0..count).map(|index| (index % classes) as u32).collect();
        let labels = subject
            .model
            .facts()
            .is_conditional
            .then_some(labels_in_turn.as_slice());
        let generated = subject.model.sample(count, labels, real, subject.chance());
        let Some(generated) = generated else {
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
        vec![PictureOutput::Picture(beside(
            &[panel("generated", &generated), panel("real", real)],
            28,
        ))]
    }
}

/// Columns of `count` images: ten, so that ten classes fill a row; of more than a hundred images, a square.
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
    fn there_are_equal_numbers_of_generated_and_real_images() {
        let fake_input = FakeInput::at(Fake::gan());
        let [PictureOutput::Picture(picture)] = &Samples::default().draw(&fake_input.subject())[..]
        else {
            panic!("one picture");
        };
        assert!(picture.width() > 2 * 10 * 28);
        fake_input.save("samples", "{ samples = { count = 60 } }");
        assert_eq!([3, 60, 100, 400].map(columns), [3, 10, 10, 20]);
    }

    #[test]
    fn samples_of_a_model_that_is_not_generative_are_a_flaw() {
        assert_eq!(messages(Fake::gan(), "samples"), [""; 0]);
        assert_eq!(
            messages(Fake::autoencoder(), "samples"),
            [
                "samples: `samples` needs a generative model but this auto-encoder has no `gaussian_code` \
              and no walk-back training"
            ]
        );
        assert_eq!(
            messages(Fake::classifier(), "samples"),
            ["samples: `samples` needs an auto-encoder or a GAN but the model is a classifier"]
        );
    }
}
