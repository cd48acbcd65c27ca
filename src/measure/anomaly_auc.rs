//! How well the reconstruction error distinguishes images of classes that the model never saw.

use super::{MeasureInput, Take, classes_lacking};
use crate::models::{Ability, ModelFacts};
use crate::record::{Better, Metric, SHARE};

/// The area under the ROC curve of the squared reconstruction error, whatever the loss, over the test set; images of classes without
/// training images are the positive ones.
pub(super) struct AnomalyAuc;

impl Take for AnomalyAuc {
    const METRIC: Metric = Metric {
        unit: Some(SHARE),
        better: Some(Better::More),
        shown: true,
        ..Metric::new(
            "anomaly_auc",
            "area under the ROC curve of the squared reconstruction error, which distinguishes classes not trained on",
        )
    };

    fn obstacle(&self, facts: &ModelFacts) -> Option<String> {
        if !facts.can(Ability::Encode) {
            return Some("the model reconstructs no images".to_string());
        }
        let all = facts.trained_on.iter().all(|&trained_on| trained_on);
        all.then(|| "`data.train_classes` leaves out no classes".to_string())
    }

    fn lack(&self, subject: &MeasureInput) -> Option<String> {
        let strange = strange(subject);
        let some = |wanted: bool| strange.contains(&wanted);
        let one_sided = || match (some(true), some(false)) {
            (true, true) => None,
            (true, false) => Some("no image is of a class that was trained on"),
            (false, _) => Some("all images are of classes that were trained on"),
        };
        classes_lacking(subject).or_else(|| one_sided().map(String::from))
    }

    fn take(&self, subject: &MeasureInput) -> Option<f64> {
        let outputs = subject.model.reconstruct(subject.images, subject.labels);
        let errors = errors(subject.images, &outputs, subject.model.images().len());
        area_under_curve(&errors, &strange(subject))
    }
}

/// Whether an image is of a class that was not trained on; empty where nothing tells the classes.
fn strange(subject: &MeasureInput) -> Vec<bool> {
    let trained_on = &subject.model.facts().trained_on;
    let labels = subject.labels.unwrap_or_default().iter();
    labels.map(|&label| !trained_on[label as usize]).collect()
}

/// The mean squared difference of every image, of `size` values, to its reconstruction.
pub fn errors(images: &[f32], outputs: &[f32], size: usize) -> Vec<f64> {
    let error = |(image, output): (&[f32], &[f32])| {
        let squares = image.iter().zip(output);
        let squares = squares.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
        squares.sum::<f64>() / size as f64
    };
    let pairs = images.chunks_exact(size).zip(outputs.chunks_exact(size));
    pairs.map(error).collect()
}

/// The area under the ROC curve of a score that should be larger for positive cases: the share of pairs of
/// a positive and a negative one where it is, ties counting half (the U statistic of Mann and Whitney).
/// `None` unless there are both.
pub fn area_under_curve(scores: &[f64], positive: &[bool]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&one, &other| scores[one].total_cmp(&scores[other]));
    let positives = positive.iter().filter(|&&positive| positive).count();
    let negatives = positive.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    let (mut below, mut won) = (0, 0.0);
    for equal in order.chunk_by(|&one, &other| scores[one] == scores[other]) {
        let here = equal.iter().filter(|&&index| positive[index]).count();
        let others = equal.len() - here;
        won += here as f64 * (below as f64 + others as f64 / 2.0);
        below += others;
    }
    Some(won / (positives as f64 * negatives as f64))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Fake;
    use super::*;
    use crate::models::Model;

    #[test]
    fn equal_scores_count_half() {
        let of = |scores: &[f64], positive: &[bool]| area_under_curve(scores, positive);
        assert_eq!(of(&[0.1, 0.2, 0.3], &[false, false, true]), Some(1.0));
        assert_eq!(of(&[0.3, 0.2, 0.1], &[false, false, true]), Some(0.0));
        assert_eq!(of(&[0.5, 0.5, 0.5], &[false, true, true]), Some(0.5));
        assert_eq!(
            of(&[0.1, 0.4, 0.4, 0.8], &[false, true, false, true]),
            Some(0.875)
        );
        assert_eq!(of(&[0.1, 0.4], &[true, true]), None);
    }

    #[test]
    fn strange_images_have_larger_errors() {
        // The fake gives back an image's first two pixels and makes the others 0.
        let mut model = Fake::new();
        model.0.trained_on = vec![true, false];
        let images = [0.3, 0.9, 0.1, 0.0, 0.0, 0.1, 0.8, 0.4, 0.7, 0.2, 0.0, 0.0];
        let subject = model.subject(&images, &[0, 1, 0]);
        assert_eq!(AnomalyAuc.take(&subject), Some(1.0));
        let errors = errors(&images, &model.reconstruct(&images, None), 4);
        let expected = [0.0025, 0.2, 0.0];
        assert!(
            errors
                .iter()
                .zip(expected)
                .all(|(error, e)| (error - e).abs() < 1e-7)
        );
    }
}
