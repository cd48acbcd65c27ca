//! `rand_augment`: some operations of many, all of one strength.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy::{BINS, Step, randaugment};
use super::{Image, OperationFields, always, black};
use crate::error::{Flaw, count};
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::{Fraction, Positive};

/// RandAugment (Cubuk et al. 2019, arXiv:1909.13719), as torchvision's: operations drawn anew for every image of
/// nothing, shear, translation, rotation, brightness, color, contrast, sharpness, posterize, solarize, autocontrast
/// and equalize, one after another. What moves pixels takes the nearest. Values are not rounded to steps of 255 as
/// torchvision rounds those of images of bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RandAugment {
    /// How many operations, at most 14. Default 2.
    #[serde(default = "two")]
    pub operations: Positive,
    /// Their strength, from 0 to 30. Default 9.
    #[serde(default = "nine")]
    pub magnitude: usize,
    /// Value beyond the border. Default 0, black.
    #[serde(default = "black")]
    pub fill: Fraction,
    /// Share of the images that are changed. Default 1.
    #[serde(default = "always")]
    pub probability: Fraction,
}

fn two() -> Positive {
    Positive(2)
}

fn nine() -> usize {
    9
}

impl OperationFields for RandAugment {
    type Draw = Vec<Step>;

    fn check(&self, shape: ImageShape) -> Vec<Flaw> {
        let outside = |key: &str, value: usize, low: usize, high: usize| {
            let message = format!("expected a whole number from {low} to {high}, received {value}");
            (!(low..=high).contains(&value)).then(|| Flaw::new(key, message))
        };
        let operations = outside("operations", self.operations.get(), 1, 14);
        let magnitude = outside("magnitude", self.magnitude, 0, BINS - 1);
        let channels = gray_or_color(shape);
        channels
            .into_iter()
            .chain(operations)
            .chain(magnitude)
            .collect()
    }

    fn draw(&self, shape: ImageShape, rng: &mut Rng) -> Vec<Step> {
        let space = randaugment(shape);
        let magnitude = self.magnitude;
        let steps = (0..self.operations.get()).map(|_| space.draw(magnitude, rng));
        steps.collect()
    }

    fn apply(&self, steps: &Vec<Step>, image: &mut Image) {
        for step in steps {
            step.apply(image, self.fill.get());
        }
    }
}

/// The flaw of images whose channels are no colors.
pub(super) fn gray_or_color(shape: ImageShape) -> Option<Flaw> {
    let channels = count(shape.channels, "channel");
    let message = format!("needs images of 1 channel or 3, these have {channels}");
    (![1, 3].contains(&shape.channels)).then(|| Flaw::new("", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_are_flaws() {
        let flaws = |json: &str, channels| {
            let fields: RandAugment = serde_json::from_str(json).unwrap();
            let flaws = fields.check(ImageShape::new(channels, 8, 8)).into_iter();
            flaws
                .map(|flaw| format!("{}: {}", flaw.key, flaw.message))
                .collect::<Vec<_>>()
        };
        assert_eq!(flaws("{}", 3), [""; 0]);
        assert_eq!(
            flaws(r#"{"operations": 15, "magnitude": 31}"#, 2),
            [
                ": needs images of 1 channel or 3, these have 2 channels",
                "operations: expected a whole number from 1 to 14, received 15",
                "magnitude: expected a whole number from 0 to 30, received 31"
            ]
        );
    }

    #[test]
    fn as_many_operations_are_drawn_as_are_asked_for() {
        let fields: RandAugment = serde_json::from_str(r#"{"operations": 3}"#).unwrap();
        let mut rng = crate::rng::Seed(1).stream(crate::rng::Purpose::Augment, &[]);
        assert_eq!(fields.draw(ImageShape::new(3, 8, 8), &mut rng).len(), 3);
    }
}
