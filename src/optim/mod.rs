//! The vocabulary of optimizers: one file an optimizer, one line an optimizer in the registry below; and
//! what is done around their steps: schedules of the rate, clipping of gradients, averages of weights.
//!
//! An optimizer file holds its fields as a TOML file writes them and the step it takes on one tensor.
//! With the same numbers every one of them steps as its namesake in PyTorch's `torch.optim` does, and
//! the defaults are PyTorch's. Knows nothing of layers, losses or the training loop.

pub mod average;
pub mod clip;
pub mod schedule;

#[cfg(test)]
mod reference;
mod stepper;
#[cfg(test)]
mod testing;

use std::io::{self, Read, Write};

use burn::module::AutodiffModule;
use burn::optim::GradientsParams;
use burn::tensor::backend::AutodiffBackend;

use crate::backend::TrainingBackend;
use crate::error::Flaw;
use crate::tagged::{one_key_enum, write_table};

/// An optimizer at work on a module `M`, with what it remembers of each tensor.
pub trait DynOptimizer<B: AutodiffBackend, M: AutodiffModule<B>>: Send {
    /// The module after one step at this rate; tensors without a gradient stay as they are.
    fn step(&mut self, learning_rate: f64, module: M, gradients: GradientsParams) -> M;

    /// Writes what it remembers, tensor by tensor.
    ///
    /// # Errors
    /// What is written to takes no more.
    fn save(&self, to: &mut dyn Write) -> io::Result<()>;

    /// Takes up what [`save`](Self::save) wrote, for tensors with the same parameter ids.
    ///
    /// # Errors
    /// The bytes are not such.
    fn load(&mut self, from: &mut dyn Read, device: &B::Device) -> io::Result<()>;
}

/// An optimizer as the file writes it.
trait OptimizerFields {
    /// The rate before any schedule.
    fn learning_rate(&self) -> f64;

    /// Numbers that it remembers of each weight.
    fn numbers_a_weight(&self) -> usize;

    /// What is wrong with fields that are each in range.
    fn check(&self) -> Vec<Flaw> {
        Vec::new()
    }
}

/// Declares every optimizer once: its file, which is its TOML key, and its fields.
macro_rules! optimizers {
    ($($(#[doc = $doc:literal])* $file:ident: $Name:ident;)*) => {
        $(mod $file;)*
        $(pub use $file::$Name;)*

        one_key_enum! {
            /// The optimizer: a table with its key, or only its name.
            #[derive(Debug, Clone, Copy, PartialEq)]
            OptimizerSpec, "an optimizer", "Optimizer", write_table {
                $($(#[doc = $doc])* $file: $Name($Name);)*
            }
        }

        impl OptimizerSpec {
            fn fields(&self) -> &dyn OptimizerFields {
                match self {
                    $(OptimizerSpec::$Name(fields) => fields,)*
                }
            }

            /// The optimizer before its first step.
            pub fn build<B, M>(&self) -> Box<dyn DynOptimizer<B, M>>
            where
                B: TrainingBackend,
                M: AutodiffModule<B> + 'static,
            {
                match self {
                    $(OptimizerSpec::$Name(fields) => {
                        stepper::boxed::<B, M, _>(fields.rule::<B::InnerBackend>())
                    })*
                }
            }
        }
    };
}

optimizers! {
    /// Steps by running means of the gradient and of its square.
    adam: Adam;
    /// Adam with weight decay apart from the gradient.
    adamw: Adamw;
    /// Plain gradient descent, with or without momentum.
    sgd: Sgd;
    /// Steps divided by the root of a running mean of squares.
    rmsprop: Rmsprop;
    /// Steps divided by the root of the sum of squares so far.
    adagrad: Adagrad;
}

impl OptimizerSpec {
    /// The rate before any schedule.
    pub fn learning_rate(&self) -> f64 {
        self.fields().learning_rate()
    }

    /// Numbers that it remembers of each weight from step to step.
    pub fn numbers_a_weight(&self) -> usize {
        self.fields().numbers_a_weight()
    }

    /// What is wrong with it; keys are such as `sgd.nesterov`.
    pub fn check(&self) -> Vec<Flaw> {
        let flaws = self.fields().check().into_iter();
        flaws.map(|flaw| flaw.under(self.key())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_optimizer_is_content_with_its_name_and_goes_round() {
        for name in OptimizerSpec::NAMES {
            let spec: OptimizerSpec = serde_json::from_value((*name).into()).unwrap();
            assert_eq!(spec.key(), *name);
            assert_eq!(spec.check(), []);
            let json = serde_json::to_string(&spec).unwrap();
            assert_eq!(serde_json::from_str::<OptimizerSpec>(&json).unwrap(), spec);
        }
    }

    #[test]
    fn unknown_names_and_values_out_of_range_are_reported() {
        let wrong = |json: &str| {
            serde_json::from_str::<OptimizerSpec>(json)
                .unwrap_err()
                .to_string()
        };
        assert!(
            wrong(r#"{"adm": {}}"#).starts_with("unknown variant `adm`, expected one of `adam`")
        );
        assert!(
            wrong(r#"{"adam": {"lr": 1}}"#)
                .starts_with("unknown field `lr`, expected one of `learning_rate`")
        );
        assert!(wrong(r#"{"adam": {"learning_rate": 0}}"#).contains("expected a number above 0"));
    }
}
