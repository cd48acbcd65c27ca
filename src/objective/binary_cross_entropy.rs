//! `binary_cross_entropy`: how surprising pixels are to outputs that are taken as probabilities.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backend::Kernels;

use super::{LossFields, Reduction};

/// Binary cross-entropy in nats of pixels between 0 and 1, with the outputs as probabilities: the last layer
/// ends with a sigmoid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BinaryCrossEntropy {
    /// Whether an image's loss is the sum over its pixels or their mean. Default "mean".
    #[serde(skip_serializing_if = "Reduction::is_mean")]
    pub over_pixels: Reduction,
    /// Whether steps go by the sum over the images of a batch or by their mean. Default "mean".
    #[serde(skip_serializing_if = "Reduction::is_mean")]
    pub over_batch: Reduction,
}

impl Default for BinaryCrossEntropy {
    fn default() -> Self {
        BinaryCrossEntropy {
            over_pixels: Reduction::Mean,
            over_batch: Reduction::Mean,
        }
    }
}

impl LossFields for BinaryCrossEntropy {
    fn over_batch(&self) -> Reduction {
        self.over_batch
    }

    fn takes_probabilities(&self) -> bool {
        true
    }

    fn nats(&self, values: usize) -> Option<f64> {
        Some(match self.over_pixels {
            Reduction::Sum => 1.0,
            Reduction::Mean => values as f64,
        })
    }

    fn over_pixels(&self) -> Reduction {
        self.over_pixels
    }

    /// `-(values * ln(outputs) + (1 - values) * ln(1 - outputs))`, with outputs closer to 0 or 1 than 1e-7 as if they were
    /// that far off: their logarithms stay finite.
    fn of_values<B: Kernels>(&self, outputs: Tensor<B, 2>, values: Tensor<B, 2>) -> Tensor<B, 2> {
        B::binary_cross_entropy(outputs, values)
    }
}
