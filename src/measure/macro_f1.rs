//! Right answers that count both what is missed of a class and what is wrongly taken for it.

use super::classes::{mean, obstacle};
use super::{MeasureInput, Take, classes_lacking};
use crate::models::ModelFacts;
use crate::record::{Better, Metric, SHARE};

/// The harmonic mean of precision and recall (F1) of each class, mean over the classes that some test image is of or is taken
/// for.
pub(super) struct MacroF1;

impl Take for MacroF1 {
    const METRIC: Metric = Metric {
        unit: Some(SHARE),
        better: Some(Better::More),
        shown: true,
        ..Metric::new(
            "test_macro_f1",
            "F1, the harmonic mean of precision and recall, mean over the classes",
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
            let both = class.images + class.answers;
            (both > 0).then(|| 2.0 * class.right as f64 / both as f64)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Scored;
    use super::*;

    #[test]
    fn what_is_missed_and_what_is_wrongly_taken_both_count() {
        let model = Scored::new(3);
        let subject = model.subject(&[0, 0, 0, 1, 0], &[0, 0, 0, 0, 1]);
        // Class 0: 3 right, 4 images, 4 answers; class 1: none right; class 2 is nowhere.
        assert_eq!(MacroF1.take(&subject.input()), Some(0.375));
        let subject = model.subject(&[0, 1, 1, 2], &[0, 0, 1, 2]);
        let expected = (2.0 / 3.0 + 2.0 / 3.0 + 1.0) / 3.0;
        assert_eq!(MacroF1.take(&subject.input()), Some(expected));
    }
}
