//! `misclassified`: test images that a classifier gets wrong.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::canvas::{Grid, enlargement, titled};
use super::{PictureContext, PictureFields, PictureInput, PictureOutput, above};
use crate::error::{Flaw, count, thousands};
use crate::models::Ability;
use crate::value::Positive;

/// Wrong test images with truth and answer, those first whose answer lies furthest above the truth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Misclassified {
    /// What its files and its tag in TensorBoard are called. Default `misclassified`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Number of images, at most 200; fewer if fewer are wrong. Default 25.
    pub count: Positive,
}

impl Default for Misclassified {
    fn default() -> Self {
        Misclassified {
            name: None,
            count: Positive(25),
        }
    }
}

/// A test image that is taken for another class.
struct Mistake {
    image: usize,
    truth: u32,
    answer: u32,
    /// By how much the answer's score is above the truth's.
    margin: f32,
}

impl PictureFields for Misclassified {
    fn check(&self, context: &PictureContext) -> Vec<Flaw> {
        let kind = context.needs("misclassified", Ability::Classify);
        kind.into_iter()
            .chain(above("count", self.count.get(), 200))
            .collect()
    }

    fn draw(&self, subject: &PictureInput) -> Vec<PictureOutput> {
        let Some(answers) = answers(subject) else {
            return Vec::new();
        };
        let mut mistakes = mistakes(subject, &answers);
        mistakes.sort_by(|one, other| other.margin.total_cmp(&one.margin));
        let (wrong, all) = (mistakes.len(), subject.labels.len());
        let title = format!(
            "{} of {} wrong; truth above, answer below",
            thousands(wrong),
            count(all, "test image")
        );
        mistakes.truncate(self.count.get());
        let square = (mistakes.len() as f64).sqrt().ceil() as usize;
        let columns = square.max(5).min(mistakes.len().max(1));
        let shape = subject.shape();
        let times = enlargement([shape.width, shape.height], columns, 84);
        let tiles = mistakes.iter();
        let tiles = tiles.flat_map(|mistake| subject.tiles(subject.image(mistake.image), times));
        let mut grid = Grid::new(tiles.collect(), columns);
        let names = |mistake: &Mistake| [mistake.truth, mistake.answer].map(|c| subject.class(c));
        grid.below = mistakes.iter().map(|m| names(m).to_vec()).collect();
        vec![PictureOutput::Picture(titled(&title, &grid.draw()))]
    }
}

/// The scores of all test images, `[images, classes]`; `None` unless it is a classifier.
pub(super) fn answers(subject: &PictureInput) -> Option<Vec<Vec<f32>>> {
    let scores = subject.model.scores(subject.test)?;
    let classes = subject.model.facts().classes.max(1);
    Some(scores.chunks_exact(classes).map(<[f32]>::to_vec).collect())
}

/// The class of the largest score, the first of equal ones.
pub(super) fn answer(scores: &[f32]) -> usize {
    let better = |best: usize, at: usize| if scores[at] > scores[best] { at } else { best };
    (0..scores.len()).fold(0, better)
}

fn mistakes(subject: &PictureInput, answers: &[Vec<f32>]) -> Vec<Mistake> {
    let images = answers.iter().zip(subject.labels).enumerate();
    let mistake = images.filter_map(|(image, (scores, &truth))| {
        let answer = answer(scores);
        (answer != truth as usize).then(|| Mistake {
            image,
            truth,
            answer: answer as u32,
            margin: scores[answer] - scores[truth as usize],
        })
    });
    mistake.collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn the_furthest_off_come_first() {
        let fake_input = FakeInput::at(Fake::classifier());
        let subject = fake_input.subject();
        let found = mistakes(&subject, &answers(&subject).unwrap());
        let images: Vec<usize> = found.iter().map(|mistake| mistake.image).collect();
        // The fake takes every seventh image for the class after the true one.
        assert_eq!(images, [0, 7, 14, 21, 28, 35, 42, 49, 56]);
        assert!(found.iter().all(|m| m.answer == (m.truth + 1) % 10));
        fake_input.save("misclassified", "misclassified");
        assert_eq!(answer(&[1.0, 3.0, 3.0]), 1);
    }

    #[test]
    fn only_classifiers_make_such_mistakes() {
        assert_eq!(
            messages(Fake::autoencoder(), "misclassified"),
            ["misclassified: `misclassified` needs a classifier but the model is an auto-encoder"]
        );
    }
}
