//! The vocabulary of losses: one file a loss, one line a loss in the registry below.
//!
//! A loss turns a batch of scores and true classes into one number to make small. Knows nothing of
//! layers, optimisers or the training loop.

#[cfg(test)]
mod peers;

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Declares every loss once: its file, which is its name in TOML.
macro_rules! losses {
    ($($(#[doc = $doc:literal])* $file:ident: $Name:ident;)*) => {
        $(mod $file;)*

        /// What training makes small, by its name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum LossSpec {
            $($(#[doc = $doc])* $Name,)*
        }

        impl LossSpec {
            /// The names of all losses, in the registry's order.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($file)),*];

            /// The loss's name: `cross_entropy`.
            pub fn key(self) -> &'static str {
                match self {
                    $(LossSpec::$Name => stringify!($file),)*
                }
            }

            /// The mean loss of a batch, `[1]`.
            ///
            /// `outputs` is `[batch, classes]` as the last layer gives it, `targets` is `[batch]` with
            /// classes from 0.
            pub fn apply<B: Backend>(
                self,
                outputs: Tensor<B, 2>,
                targets: Tensor<B, 1, Int>,
            ) -> Tensor<B, 1> {
                match self {
                    $(LossSpec::$Name => $file::mean_loss(outputs, targets),)*
                }
            }
        }
    };
}

losses! {
    /// Minus the log of the true class's softmax.
    cross_entropy: CrossEntropy;
    /// Squared distance to 1 for the true class and 0 for the others.
    mean_squared_error: MeanSquaredError;
}

/// Shared by the losses' tests.
#[cfg(test)]
mod testing {
    use burn::backend::{Autodiff, Flex};
    use burn::tensor::Tensor;

    use super::LossSpec;

    type Training = Autodiff<Flex>;

    /// Two samples of three classes: the loss's value and its gradient must be as given.
    pub fn check(loss: LossSpec, value: f64, gradient: [[f64; 3]; 2]) {
        let device = Default::default();
        let outputs = Tensor::<Training, 2>::from_floats(OUTPUTS, &device).require_grad();
        let targets = Tensor::from_ints(TARGETS, &device);
        let mean = loss.apply(outputs.clone(), targets);
        assert_eq!(mean.dims(), [1]);
        let gradients = mean.backward();
        let received: Vec<f32> = outputs
            .grad(&gradients)
            .unwrap()
            .into_data()
            .into_vec()
            .unwrap();
        let off = (f64::from(mean.into_scalar()) - value).abs();
        assert!(off < 1e-6, "off by {off}");
        for (r, e) in received.iter().zip(gradient.as_flattened()) {
            assert!((f64::from(*r) - e).abs() < 1e-6, "{r} against {e}");
        }
    }

    pub const OUTPUTS: [[f32; 3]; 2] = [[1.0, -0.5, 2.0], [0.25, 0.0, -3.0]];
    pub const TARGETS: [i32; 2] = [0, 2];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_go_by_their_names() {
        for name in LossSpec::NAMES {
            let loss: LossSpec = serde_json::from_value((*name).into()).unwrap();
            assert_eq!(loss.key(), *name);
        }
    }
}
