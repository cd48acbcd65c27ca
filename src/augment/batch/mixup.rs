//! `mixup`: each image blended with another one.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BatchOperationFields, share};
use crate::rng::Rng;
use crate::value::PositiveReal;

/// `share * image + (1 - share) * another`, with one share for the whole batch, drawn from the beta
/// distribution (Zhang et al. 2018, arXiv:1710.09412); the loss is that of both classes by their shares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mixup {
    /// Both parameters of the beta distribution: near 0 images are hardly mixed, at 1 all shares are
    /// equally likely. Default 0.2.
    pub alpha: PositiveReal,
}

impl Default for Mixup {
    fn default() -> Self {
        Mixup {
            alpha: PositiveReal(0.2),
        }
    }
}

impl BatchOperationFields for Mixup {
    fn mix<B: Backend>(
        &self,
        images: Tensor<B, 4>,
        others: Tensor<B, 4>,
        rng: &mut Rng,
    ) -> (Tensor<B, 4>, f64) {
        let share = share(self.alpha, rng);
        (images * share + others * (1.0 - share), share)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::mixed;

    #[test]
    fn images_are_blended_by_the_share() {
        for seed in 0..5 {
            let ([first, second], share) = mixed(r#"{"mixup": {"alpha": 1}}"#, seed);
            let expected = [share + 2.0 * (1.0 - share), 2.0 * share + (1.0 - share)];
            for (pixels, expected) in [first, second].iter().zip(expected) {
                assert!(
                    pixels
                        .iter()
                        .all(|p| (f64::from(*p) - expected).abs() < 1e-6)
                );
            }
        }
    }
}
