//! Answers among the five that a classifier holds to be the likeliest.

use super::classes::obstacle;
use super::{MeasureInput, Rows, Take, classes_lacking};
use crate::models::ModelFacts;
use crate::record::{Better, Metric, SHARE};

/// Answers that are looked at.
const ANSWERS: usize = 5;

/// The share of test images whose class has one of the five highest scores; a score as high as the fifth counts.
pub(super) struct Top5Accuracy;

impl Take for Top5Accuracy {
    const METRIC: Metric = Metric {
        unit: Some(SHARE),
        better: Some(Better::More),
        shown: true,
        ..Metric::new(
            "test_top5_accuracy",
            "images whose class is among the five likeliest answers",
        )
    };

    fn obstacle(&self, facts: &ModelFacts) -> Option<String> {
        let few = || {
            let classes = facts.classes;
            (classes <= ANSWERS)
                .then(|| format!("of {classes} classes all are among the five likeliest"))
        };
        obstacle(facts).or_else(few)
    }

    fn lack(&self, subject: &MeasureInput) -> Option<String> {
        classes_lacking(subject)
    }

    fn take(&self, subject: &MeasureInput) -> Option<f64> {
        let scores = subject.model.scores(subject.images)?;
        let (scores, labels) = (
            Rows::new(&scores, subject.model.facts().classes),
            subject.labels?,
        );
        let is_among = |(image, label): (usize, &u32)| {
            let row = scores.row(image);
            let own = row[*label as usize];
            row.iter().filter(|&&score| score > own).count() < ANSWERS
        };
        let right = labels.iter().enumerate().filter(|&of| is_among(of)).count();
        Some(right as f64 / labels.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Scored;
    use super::*;

    #[test]
    fn the_fifth_likeliest_answer_is_right_and_the_sixth_is_not() {
        let model = Scored::new(7);
        // An answer of class 6 has the scores 0, 1, ... 6; one of class 0 has 7, 1, 2, ... 6.
        let subject = model.subject(&[6, 6, 0], &[2, 1, 0]);
        assert_eq!(Top5Accuracy.take(&subject.input()), Some(2.0 / 3.0));
    }

    #[test]
    fn few_classes_are_no_question() {
        let reason = Top5Accuracy.obstacle(&Scored::new(5).0);
        assert_eq!(
            reason.as_deref(),
            Some("of 5 classes all are among the five likeliest")
        );
        assert_eq!(Top5Accuracy.obstacle(&Scored::new(6).0), None);
    }
}
