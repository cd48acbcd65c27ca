//! The true classes of a batch, which of mixed images are two each.

use crate::backend::{Kernels, reshape};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Int, Tensor};

/// The true classes of a batch.
#[derive(Debug, Clone)]
pub struct Targets<B: Backend> {
    /// `[batch]`, from 0.
    pub classes: Tensor<B, 1, Int>,
    /// What was mixed into the images, if anything was.
    pub mixed: Option<Mixed<B>>,
}

/// The classes of the images mixed into a batch.
#[derive(Debug, Clone)]
pub struct Mixed<B: Backend> {
    /// `[batch]`, from 0.
    pub classes: Tensor<B, 1, Int>,
    /// Share of the batch's own images, from 0 to 1; the rest is of those mixed in.
    pub share: f64,
}

impl<B: Kernels> Targets<B> {
    /// The classes, `[batch]`, of images that are not mixed.
    pub fn of(classes: Tensor<B, 1, Int>) -> Self {
        Targets {
            classes,
            mixed: None,
        }
    }

    /// Number of right answers, `[1]`; of mixed images each class counts by its share.
    ///
    /// `outputs` is `[batch, classes]`; the answer is the class of the highest.
    pub fn right(&self, outputs: Tensor<B, 2>) -> Tensor<B, 1> {
        let [batch, _] = outputs.dims();
        let answers = reshape(outputs.argmax(1), [batch]);
        let right = |answers: Tensor<B, 1, Int>, classes: &Tensor<B, 1, Int>| {
            answers.equal(classes.clone()).float().sum()
        };
        match &self.mixed {
            None => right(answers, &self.classes),
            Some(Mixed { classes, share }) => {
                let own = right(answers.clone(), &self.classes) * *share;
                own + right(answers, classes) * (1.0 - share)
            }
        }
    }
}

impl<B: AutodiffBackend> Targets<B> {
    /// The same on the backend without gradients.
    pub fn inner(self) -> Targets<B::InnerBackend> {
        Targets {
            classes: self.classes.inner(),
            mixed: self.mixed.map(|mixed| Mixed {
                classes: mixed.classes.inner(),
                share: mixed.share,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::backend::Flex;

    #[test]
    fn right_answers_are_counted_and_those_of_mixed_images_by_their_shares() {
        let device = Default::default();
        let outputs = || {
            let rows = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]];
            Tensor::<Flex, 2>::from_floats(rows, &device)
        };
        let mut targets = Targets::of(Tensor::from_ints([0, 0, 1, 0], &device));
        assert_eq!(targets.right(outputs()).into_scalar(), 3.0);
        targets.mixed = Some(Mixed {
            classes: Tensor::from_ints([1, 0, 0, 1], &device),
            share: 0.75,
        });
        assert_eq!(
            targets.right(outputs()).into_scalar(),
            0.75 * 3.0 + 0.25 * 2.0
        );
    }
}
