//! `one_of`: one of several operations, each as likely as any other.

use rand::{Rng as _, SeedableRng};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Image, Operation, OperationFields, always};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::Fraction;

/// One of the operations, drawn anew for every image, each as likely as any other; its own probability counts, too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OneOf {
    /// The operations, at least one.
    pub operations: Vec<Operation>,
    /// Share of the images that are changed. Default 1.
    #[serde(default = "always")]
    pub probability: Fraction,
}

impl OperationFields for OneOf {
    /// Which operation, and what its own draws come from.
    type Draw = (usize, u64);

    fn check(&self, shape: ImageShape) -> Vec<Flaw> {
        if self.operations.is_empty() {
            return vec![Flaw::new("operations", "expected at least one operation")];
        }
        let of = |(index, operation): (usize, &Operation)| {
            let flaws = operation.check(shape).into_iter();
            flaws.map(move |flaw| flaw.under(&format!("operations.{index}")))
        };
        self.operations.iter().enumerate().flat_map(of).collect()
    }

    fn draw(&self, _shape: ImageShape, rng: &mut Rng) -> (usize, u64) {
        (rng.random_range(0..self.operations.len()), rng.random())
    }

    fn apply(&self, (index, seed): &(usize, u64), image: &mut Image) {
        self.operations[*index].apply(image, &mut Rng::seed_from_u64(*seed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_is_as_likely_as_any_other() {
        let json = r#"{"operations": ["flip", "invert", {"flip": {"direction": "vertical"}}]}"#;
        let one_of: OneOf = serde_json::from_str(json).unwrap();
        let shape = ImageShape::new(1, 2, 2);
        let mut counts = std::collections::BTreeMap::new();
        let mut rng = crate::rng::Seed(1).stream(crate::rng::Purpose::Augment, &[]);
        for _ in 0..900 {
            let draw = one_of.draw(shape, &mut rng);
            let mut image = Image {
                shape,
                pixels: vec![0.0, 1.0, 0.0, 0.0],
            };
            one_of.apply(&draw, &mut image);
            let drawn: Vec<u8> = image.pixels.iter().map(|&value| value as u8).collect();
            *counts.entry(drawn).or_insert(0) += 1;
        }
        let drawn: Vec<&Vec<u8>> = counts.keys().collect();
        assert_eq!(drawn, [&[0, 0, 0, 1], &[1, 0, 0, 0], &[1, 0, 1, 1]]);
        assert!(
            counts.values().all(|count| (250..350).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn flaws_name_the_operation() {
        let of = |json: &str| {
            let one_of: OneOf = serde_json::from_str(json).unwrap();
            let flaws = one_of.check(ImageShape::new(1, 8, 8)).into_iter();
            flaws.map(|flaw| flaw.key).collect::<Vec<_>>()
        };
        assert_eq!(
            of(r#"{"operations": ["flip", {"zoom": {"factor": 0}}]}"#),
            ["operations.1.zoom.factor"]
        );
        assert_eq!(of(r#"{"operations": []}"#), ["operations"]);
    }
}
