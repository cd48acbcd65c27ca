//! Whether images that are near in code space are of one class: what an image search by codes is worth.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MeasureInput, Rows, Take, classes_lacking, nearest, spread};
use crate::models::{Ability, ModelFacts};
use crate::record::{Better, Metric, SHARE};
use crate::tagged::Choice;
use crate::value::Positive;

/// Neighbors that are looked at.
const NEAREST: usize = 10;

/// The share of the 10 test images nearest to a test image, itself left out, that are of its class; the
/// mean over all queried images. Distances are Euclidean, between codes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PrecisionAt10 {
    /// Test images that are asked about, spread evenly over all of them; all where there are fewer. Default
    /// 1000.
    pub queries: Positive,
}

impl Default for PrecisionAt10 {
    fn default() -> Self {
        PrecisionAt10 {
            queries: Positive(1000),
        }
    }
}

impl Choice for PrecisionAt10 {
    const WHAT: &'static str = "a measure";
}

impl Take for PrecisionAt10 {
    const METRIC: Metric = Metric {
        unit: Some(SHARE),
        better: Some(Better::More),
        shown: true,
        ..Metric::new(
            "precision_at_10",
            "those of a test image's 10 nearest in code space that are of its class",
        )
    };

    fn obstacle(&self, facts: &ModelFacts) -> Option<String> {
        if !facts.can(Ability::Encode) {
            return Some("the model makes no codes of images".to_string());
        }
        if facts.classes < 2 {
            return Some("the dataset tells no classes apart".to_string());
        }
        let few = facts.test <= NEAREST;
        few.then(|| format!("more than {NEAREST} images are needed, not {}", facts.test))
    }

    fn lack(&self, subject: &MeasureInput) -> Option<String> {
        classes_lacking(subject)
    }

    fn take(&self, subject: &MeasureInput) -> Option<f64> {
        let codes = subject.codes();
        let codes = Rows::new(&codes, subject.model.facts().code?.len());
        Some(precision(codes, subject.labels?, self.queries.get()))
    }
}

/// The mean precision over some rows, spread evenly.
pub(super) fn precision(codes: Rows, labels: &[u32], queries: usize) -> f64 {
    let queries = spread(queries, codes.len());
    let values = codes.pick(&queries);
    let wanted = Rows::new(&values, codes.width());
    let found = nearest(wanted, codes, NEAREST, Some(&queries));
    let of_class = |(&query, neighbors): (&usize, &Vec<super::Neighbor>)| {
        let same = |near: &&super::Neighbor| labels[near.index] == labels[query];
        neighbors.iter().filter(same).count()
    };
    let right: usize = queries.iter().zip(&found).map(of_class).sum();
    right as f64 / (NEAREST * queries.len()) as f64
}

#[cfg(test)]
mod tests {
    use super::super::testing::Fake;
    use super::*;

    #[test]
    fn classes_that_lie_apart_are_found_and_mixed_ones_by_chance() {
        // Codes are the first two pixels: class 0 lies left, class 1 right.
        let images: Vec<f32> = (0..60)
            .flat_map(|at| [(at % 2) as f32 * 100.0, at as f32, 0.0, 0.0])
            .collect();
        let model = Fake::new();
        let fields = PrecisionAt10::default();
        let apart: Vec<u32> = (0..60).map(|at| at % 2).collect();
        let subject = model.subject(&images, &apart);
        assert_eq!(fields.take(&subject), Some(1.0));
        let wrong: Vec<u32> = (0..60).map(|at| u32::from(at >= 30)).collect();
        let subject = model.subject(&images, &wrong);
        let precision = fields.take(&subject).unwrap();
        assert!(precision > 0.7 && precision < 1.0, "{precision}");
    }

    #[test]
    fn images_of_one_class_are_not_asked_about() {
        let mut model = Fake::new();
        let fields = PrecisionAt10::default();
        assert_eq!(fields.obstacle(&model.0), None);
        model.0.classes = 1;
        let obstacle = fields.obstacle(&model.0);
        assert_eq!(
            obstacle.as_deref(),
            Some("the dataset tells no classes apart")
        );
    }
}
