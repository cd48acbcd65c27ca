//! From a rule for one tensor to an optimizer of a whole module.

use burn::module::AutodiffModule;
use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::{GradientsParams, Optimizer, SimpleOptimizer};
use burn::record::{BinBytesRecorder, FullPrecisionSettings, Recorder};
use burn::tensor::backend::AutodiffBackend;

use super::DynOptimizer;
use crate::error::{Error, Result};

type Bytes = BinBytesRecorder<FullPrecisionSettings>;

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

    fn save(&self) -> Vec<u8> {
        Recorder::<B>::record(&Bytes::default(), self.adaptor.to_record(), ())
            .expect("memory takes any record")
    }

    fn load(&mut self, bytes: Vec<u8>, device: &B::Device) -> Result<()> {
        let record = Recorder::<B>::load(&Bytes::default(), bytes, device)
            .map_err(|error| Error::bug(format!("cannot read the optimizer's state: {error}")))?;
        self.adaptor = self.adaptor.clone().load_record(record);
        Ok(())
    }
}
