//! Right answers where classes are unequally many: each class counts alike.

use super::classes::{mean, obstacle};
use super::{MeasureInput, Take, classes_lacking};
use crate::models::ModelFacts;
use crate::record::{Better, Metric, SHARE};

/// The share of a class's test images that are taken for it (its recall), mean over the classes that have some (Brodersen et
/// al. 2010).
pub(super) struct BalancedAccuracy;

impl Take for BalancedAccuracy {
    const METRIC: Metric = Metric {
        unit: Some(SHARE),
        better: Some(Better::More),
        shown: true,
        ..Metric::new(
            "test_balanced_accuracy",
            "right answers in each class, mean over the classes",
        )
    };

    fn obstacle(&self, facts: &ModelFacts) -> Option<String> {
        obstacle(facts)
    }

    fn lack(&self, subject: &MeasureInput) -> Option<String> {
        classes_lacking(subject)
    }

    fn take(&self, subject: &MeasureInput) -> Option<f64> {
        mean(subject, |class| {
            (class.images > 0).then(|| class.right as f64 / class.images as f64)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Scored;
    use super::*;

    #[test]
    fn a_rare_class_counts_as_much_as_a_frequent_one() {
        let model = Scored::new(3);
        // Of class 0 three of four are right, of class 1 none of one, of class 2 there are none.
        let subject = model.subject(&[0, 0, 0, 1, 0], &[0, 0, 0, 0, 1]);
        assert_eq!(BalancedAccuracy.take(&subject.input()), Some(0.375));
    }
}
