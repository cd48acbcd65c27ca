//! What measures of classifiers share: how many images are of each class, and how many are taken for it.

use super::{MeasureInput, Rows};
use crate::models::{Ability, ModelFacts, likeliest};

/// Of a class.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Count {
    /// Images of it.
    pub images: usize,
    /// Images that are taken for it.
    pub answers: usize,
    /// Images of it that are.
    pub right: usize,
}

/// Of every class.
struct Counts {
    classes: Vec<Count>,
}

impl Counts {
    /// The answers of a classifier; `None` of another model, without classes or without images.
    fn of(subject: &MeasureInput) -> Option<Self> {
        let scores = subject.model.scores(subject.images)?;
        let labels = subject.labels.filter(|labels| !labels.is_empty())?;
        let mut classes = vec![Count::default(); subject.model.facts().classes];
        let scores = Rows::new(&scores, classes.len());
        for (image, &label) in labels.iter().enumerate() {
            let answer = likeliest(scores.row(image));
            classes[label as usize].images += 1;
            classes[answer].answers += 1;
            classes[answer].right += usize::from(answer == label as usize);
        }
        Some(Counts { classes })
    }
}

/// A number of each class, mean over those that have one; `None` where there are no [`Counts`].
pub(super) fn mean(subject: &MeasureInput, number: impl Fn(Count) -> Option<f64>) -> Option<f64> {
    let classes = Counts::of(subject)?.classes.into_iter();
    let numbers: Vec<f64> = classes.filter_map(number).collect();
    Some(numbers.iter().sum::<f64>() / numbers.len() as f64)
}

/// Why a model has no answers to count, in a sentence.
pub(super) fn obstacle(facts: &ModelFacts) -> Option<String> {
    let can = facts.can(Ability::Classify);
    (!can).then(|| "the model is no classifier".to_string())
}
