//! From a rule for one tensor to an optimizer of a whole module.

use std::io::{self, Read, Write};

use burn::module::AutodiffModule;
use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::{GradientsParams, Optimizer, SimpleOptimizer};
use burn::tensor::backend::AutodiffBackend;

use super::DynOptimizer;
use crate::backend::{read_record, write_record};

/// Applies a rule to every tensor of a module.
struct Stepper<B, M, R>
where
    B: AutodiffBackend,
    M: AutodiffModule<B>,
    R: SimpleOptimizer<B::InnerBackend>,
{
    adaptor: OptimizerAdaptor<R, M, B>,
}

pub(super) fn boxed<B, M, R>(rule: R) -> Box<dyn DynOptimizer<B, M>>
where
    B: AutodiffBackend,
    M: AutodiffModule<B> + 'static,
    R: SimpleOptimizer<B::InnerBackend> + 'static,
{
    Box::new(Stepper {
        adaptor: OptimizerAdaptor::from(rule),
    })
}

impl<B, M, R> DynOptimizer<B, M> for Stepper<B, M, R>
where
    B: AutodiffBackend,
    M: AutodiffModule<B>,
    R: SimpleOptimizer<B::InnerBackend>,
{
    fn step(&mut self, learning_rate: f64, module: M, gradients: GradientsParams) -> M {
        self.adaptor.step(learning_rate, module, gradients)
    }

    fn save(&self, to: &mut dyn Write) -> io::Result<()> {
        write_record::<B, _>(self.adaptor.to_record(), to)
    }

    fn load(&mut self, from: &mut dyn Read, device: &B::Device) -> io::Result<()> {
        let record = read_record::<B, _>(from, device)?;
        self.adaptor = self.adaptor.clone().load_record(record);
        Ok(())
    }
}
