//! What belongs to one part of a model: the gradients of its layers, and bounds on their weights.

use burn::module::{AutodiffModule, Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;

use super::Network;
use crate::layers::Layer;

impl<B: AutodiffBackend> Network<B>
where
    Self: AutodiffModule<B>,
{
    /// The gradients of the layers of one part of the model, of all that flowed back through it and others.
    pub fn gradients_of_part(&self, mut gradients: B::Gradients, part: usize) -> GradientsParams
    where
        Layer<B>: AutodiffModule<B>,
    {
        let scope = format!("{}.", self.plan.nodes[part].name);
        let planned = self.plan.layers.iter().zip(&self.layers);
        let layers: Vec<Layer<B>> = planned
            .filter(|(planned, _)| planned.name.starts_with(&scope))
            .map(|(_, layer)| layer.clone())
            .collect();
        GradientsParams::from_module(&mut gradients, &layers)
    }

    /// The network with every trained weight of one part of the model between minus `bound` and `bound`.
    pub fn bounded(mut self, part: usize, bound: f64) -> Self {
        let scope = format!("{}.", self.plan.nodes[part].name);
        let planned = self.plan.layers.iter();
        let layers = planned.zip(std::mem::take(&mut self.layers));
        self.layers = layers
            .map(|(planned, layer)| match planned.name.starts_with(&scope) {
                true => layer.map(&mut Bound(bound)),
                false => layer,
            })
            .collect();
        self
    }
}

/// Keeps trained tensors between minus a bound and the bound.
struct Bound(f64);

impl<B: AutodiffBackend> ModuleMapper<B> for Bound {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let (id, value, mapper) = param.consume();
        if !value.is_require_grad() {
            return Param::from_mapped_value(id, value, mapper);
        }
        let kept = value.inner().clamp(-self.0, self.0);
        Param::from_mapped_value(id, Tensor::from_inner(kept).require_grad(), mapper)
    }
}
