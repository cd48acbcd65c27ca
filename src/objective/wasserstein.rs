//! `wasserstein`: how far apart verdicts on real and generated images are.

use std::convert::Infallible;

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::backend::Kernels;
use crate::value::PositiveReal;

use super::LossFields;

/// The loss of a Wasserstein GAN (Arjovsky et al. 2017, arXiv:1701.07875): minus the verdict on a real image, the verdict on
/// a generated one; a generator's image costs minus its verdict. The discriminator ends without an activation, and its
/// weights are kept within bounds after each of its steps. Minus the `discriminator_loss` is the estimate of the distance, up to
/// a factor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Wasserstein {
    /// Every weight of the discriminator is kept between minus this and this. Default 0.01.
    #[serde(skip_serializing_if = "is_usual")]
    pub clip: PositiveReal,
    /// Nobody's field: who asks for it is told why there is none.
    #[serde(skip_serializing, deserialize_with = "no_second_derivatives")]
    #[schemars(skip)]
    gradient_penalty: Option<Infallible>,
}

const USUAL: PositiveReal = PositiveReal(0.01);

fn is_usual(clip: &PositiveReal) -> bool {
    *clip == USUAL
}

fn no_second_derivatives<'de, D: Deserializer<'de>>(_: D) -> Result<Option<Infallible>, D::Error> {
    Err(D::Error::custom(
        "`gradient_penalty` needs gradients of gradients, which Burn 0.21 does not give; `clip` bounds the weights instead",
    ))
}

impl Default for Wasserstein {
    fn default() -> Self {
        Wasserstein {
            clip: USUAL,
            gradient_penalty: None,
        }
    }
}

impl LossFields for Wasserstein {
    fn is_of_verdicts(&self) -> bool {
        true
    }

    fn weight_bound(&self) -> Option<f64> {
        Some(self.clip.get())
    }

    /// `-(2 * values - 1) * outputs`.
    fn of_values<B: Kernels>(&self, outputs: Tensor<B, 2>, values: Tensor<B, 2>) -> Tensor<B, 2> {
        outputs * (values * -2.0 + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Loss;

    #[test]
    fn a_gradient_penalty_is_refused_with_its_reason() {
        let read = |json: &str| serde_json::from_str::<Loss>(json);
        let error = read(r#"{"wasserstein": {"gradient_penalty": 10}}"#).unwrap_err();
        assert_eq!(
            error.to_string().split(" at line").next().unwrap(),
            "`gradient_penalty` needs gradients of gradients, which Burn 0.21 does not give; `clip` bounds the weights instead"
        );
        let loss = read(r#"{"wasserstein": {"clip": 0.05}}"#).unwrap();
        assert_eq!(loss.weight_bound(), Some(0.05));
        let text = serde_json::to_string(&read(r#""wasserstein""#).unwrap()).unwrap();
        assert_eq!(text, r#""wasserstein""#);
    }
}
