//! `hinge`: verdicts on either side of a margin.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backend::{Kernels, math};

use super::LossFields;
use crate::layers::bounds::at_least;

/// The hinge loss of a GAN (Lim and Ye 2017, arXiv:1705.02894): a verdict costs what it lacks of 1 on a real image and of
/// -1 on a generated one; a generator's image costs minus its verdict. The discriminator ends without an activation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hinge {}

impl LossFields for Hinge {
    fn is_of_verdicts(&self) -> bool {
        true
    }

    /// `max(0, 1 - (2 * values - 1) * outputs)`.
    fn of_values<B: Kernels>(&self, outputs: Tensor<B, 2>, values: Tensor<B, 2>) -> Tensor<B, 2> {
        let sides = values * 2.0 - 1.0;
        at_least((outputs * sides).neg().add_scalar(1.0), 0.0)
    }

    fn mean_of_forgeries<B: Kernels>(&self, verdicts: Tensor<B, 2>) -> Tensor<B, 1> {
        math::mean(verdicts.neg())
    }
}
