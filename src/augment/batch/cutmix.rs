//! `cutmix`: a rectangle of each image taken from another one.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use rand::Rng as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BatchOperationFields, share};
use crate::augment::cutout::span;
use crate::rng::Rng;
use crate::value::PositiveReal;

/// A rectangle of each image taken from another one, at one place for the whole batch (Yun et al. 2019,
/// arXiv:1905.04899); the loss is that of both classes by the shares of their pixels.
///
/// The rectangle has the image's proportions and an area drawn from the beta distribution; its center
/// is any pixel with equal chance, so that it may be cut off at the border.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cutmix {
    /// Both parameters of the beta distribution: at 1 all areas are equally likely. Default 1.
    pub alpha: PositiveReal,
}

impl Default for Cutmix {
    fn default() -> Self {
        Cutmix {
            alpha: PositiveReal(1.0),
        }
    }
}

impl BatchOperationFields for Cutmix {
    fn mix<B: Backend>(
        &self,
        images: Tensor<B, 4>,
        others: Tensor<B, 4>,
        rng: &mut Rng,
    ) -> (Tensor<B, 4>, f64) {
        let [batch, channels, height, width] = images.dims();
        let side = (1.0 - share(self.alpha, rng)).sqrt();
        let [rows, columns] = [height, width].map(|border| {
            let size = (border as f64 * side) as usize;
            span(rng.random_range(0..border), size, border)
        });
        let taken = rows.len() * columns.len();
        if taken == 0 {
            return (images, 1.0);
        }
        let place = [0..batch, 0..channels, rows, columns];
        let patch = others.slice(place.clone());
        let share = 1.0 - taken as f64 / (height * width) as f64;
        (images.slice_assign(place, patch), share)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::mixed;

    #[test]
    fn a_rectangle_comes_from_the_other_image_and_the_share_is_that_of_the_rest() {
        let mut shares = Vec::new();
        for seed in 0..20 {
            let ([first, second], share) = mixed(r#""cutmix""#, seed);
            let taken: Vec<usize> = (0..24).filter(|&at| first[at] == 2.0).collect();
            assert!((24.0 * (1.0 - share) - taken.len() as f64).abs() < 1e-9);
            for at in 0..24 {
                let expected = if taken.contains(&at) {
                    [2.0, 1.0]
                } else {
                    [1.0, 2.0]
                };
                assert_eq!([first[at], second[at]], expected);
            }
            // All pixels between the outermost ones.
            let rows = taken.iter().map(|at| at / 6);
            let columns = taken.iter().map(|at| at % 6);
            if let (Some(top), Some(bottom)) = (rows.clone().min(), rows.max())
                && let (Some(left), Some(right)) = (columns.clone().min(), columns.max())
            {
                assert_eq!((bottom - top + 1) * (right - left + 1), taken.len());
            }
            shares.push(share);
        }
        let all = |share: f64| shares.iter().all(|&other| other == share);
        assert!(!all(shares[0]), "{shares:?}");
    }
}
