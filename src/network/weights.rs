//! A network's tensors by name: for histograms, and to and from safetensors files.
//!
//! A tensor is called `LAYER/ROLE` in logs (`conv2d_1/weight`) and `LAYER.ROLE` in files; the parts of the
//! name of a layer inside a block are joined the same way.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burn::module::{AutodiffModule, Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};
use burn_store::{KeyRemapper, ModuleStore, SafetensorsStore, TensorSnapshot};

use super::{Network, Planned};
use crate::error::{Error, Kind, Problem, Result, list};
use crate::record::write_atomically;

/// A tensor's name, `conv2d_1/weight`, and all its values.
pub type NamedValues = (String, Vec<f32>);

impl<B: Backend> Network<B> {
    /// All tensors' values, running statistics included.
    pub fn values(&self) -> Vec<NamedValues> {
        let mut values = Vec::new();
        self.each_tensor(&mut |name, tensor| values.push((name, tensor.read())));
        values
    }

    /// All tensors' shapes.
    pub(super) fn tensor_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let mut shapes = Vec::new();
        self.each_tensor(&mut |name, tensor| shapes.push((name, tensor.shape())));
        shapes
    }

    fn each_tensor(&self, visit: &mut dyn FnMut(String, &dyn AnyTensor)) {
        self.visit(&mut Named {
            walk: Walk::new(&self.plan.layers),
            visit,
        });
    }

    /// Writes all tensors to a safetensors file, whole or not at all.
    pub fn save_weights(&self, path: &Path) -> Result<()> {
        let mut names = KeyRemapper::new();
        for (index, layer) in self.plan.layers.iter().enumerate() {
            names = names
                .add_pattern(
                    format!(r"^layers\.{index}\.(?:.*\.)?([^.]+)$"),
                    format!("{}.$1", layer.name),
                )
                .expect("the pattern is well-formed");
        }
        // Several entries would be written in an order that changes from run to run.
        let mut store = SafetensorsStore::from_bytes(None)
            .clear_metadata()
            .metadata("producer", "burnlab")
            .skip_enum_variants(true)
            .remap(names);
        let bytes = store
            .collect_from(self)
            .and_then(|()| store.get_bytes())
            .map_err(|error| Error::bug(format!("cannot write the weights: {error}")))?;
        write_atomically(path, &bytes)
    }

    /// Takes all tensors from a safetensors file.
    ///
    /// # Errors
    /// The file cannot be read, or lacks a tensor, or has one of another shape.
    pub fn load_weights(self, path: &Path) -> Result<Self> {
        let damaged = |reason: String| {
            Error::data(Problem::new(format!("cannot read the weights: {reason}")).at_file(path))
        };
        let bytes = fs::read(path)
            .map_err(|error| Error::io(Kind::Data, "read the weights", path, &error))?;
        let mut store = SafetensorsStore::from_bytes(Some(bytes));
        let found = store
            .get_all_snapshots()
            .map_err(|error| damaged(error.to_string()))?
            .clone();
        let planned = self.plan.layers.clone();
        let mut loader = Loader {
            walk: Walk::new(&planned),
            found,
            unfit: Vec::new(),
        };
        let network = self.map(&mut loader);
        if loader.unfit.is_empty() {
            return Ok(network);
        }
        Err(damaged(format!(
            "{} missing or of another shape",
            list(&loader.unfit)
        )))
    }
}

impl<B: AutodiffBackend> Network<B>
where
    Self: AutodiffModule<B>,
{
    /// All gradients, by the names of the tensors that they belong to.
    pub fn gradient_values(&self, gradients: &GradientsParams) -> Vec<NamedValues> {
        let mut visitor = GradientVisitor {
            walk: Walk::new(&self.plan.layers),
            gradients,
            values: Vec::new(),
        };
        self.visit(&mut visitor);
        visitor.values
    }
}

/// Where a walk through a network's modules stands.
struct Walk<'a> {
    planned: &'a [Planned],
    parts: Vec<String>,
}

impl<'a> Walk<'a> {
    fn new(planned: &'a [Planned]) -> Self {
        Walk {
            planned,
            parts: Vec::new(),
        }
    }

    fn enter(&mut self, part: &str) {
        self.parts.push(part.to_string());
    }

    fn leave(&mut self) {
        self.parts.pop();
    }

    /// The tensor's layer and role: the walk goes `layers`, index, kind of layer, ..., role.
    fn name(&self, between: char) -> String {
        let index = self
            .parts
            .get(1)
            .and_then(|part| part.parse::<usize>().ok());
        let layer = &self.planned[index.expect("a tensor belongs to a layer")];
        let role = self.parts.last().expect("a tensor has a name");
        format!("{}.{role}", layer.name).replace('.', &between.to_string())
    }
}

/// A tensor of any rank.
trait AnyTensor {
    fn shape(&self) -> Vec<usize>;
    fn read(&self) -> Vec<f32>;
}

impl<B: Backend, const D: usize> AnyTensor for Tensor<B, D> {
    fn shape(&self) -> Vec<usize> {
        self.dims().to_vec()
    }

    fn read(&self) -> Vec<f32> {
        self.to_data()
            .convert::<f32>()
            .into_vec()
            .expect("32-bit floats")
    }
}

struct Named<'a> {
    walk: Walk<'a>,
    visit: &'a mut dyn FnMut(String, &dyn AnyTensor),
}

impl<B: Backend> ModuleVisitor<B> for Named<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.walk.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.walk.leave();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        (self.visit)(self.walk.name('/'), &param.val());
    }
}

struct GradientVisitor<'a> {
    walk: Walk<'a>,
    gradients: &'a GradientsParams,
    values: Vec<NamedValues>,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for GradientVisitor<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.walk.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.walk.leave();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if let Some(gradient) = self.gradients.get::<B::InnerBackend, D>(param.id) {
            self.values.push((self.walk.name('/'), gradient.read()));
        }
    }
}

struct Loader<'a> {
    walk: Walk<'a>,
    found: BTreeMap<String, TensorSnapshot>,
    unfit: Vec<String>,
}

impl<B: Backend> ModuleMapper<B> for Loader<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.walk.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.walk.leave();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let name = self.walk.name('.');
        let data: Option<TensorData> = self.found.get(&name).and_then(|found| found.to_data().ok());
        let (id, old, mapper) = param.consume();
        let tensor = match data.filter(|data| data.shape.as_slice() == old.dims()) {
            Some(data) => {
                let new = Tensor::from_data(data.convert::<f32>(), &old.device());
                match old.is_require_grad() {
                    true => new.require_grad(),
                    false => new,
                }
            }
            None => {
                self.unfit.push(name);
                old
            }
        };
        Param::from_mapped_value(id, tensor, mapper)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use burn::backend::{Autodiff, Flex};

    const SMALL: &str = "
        { conv2d = { filters = 2, kernel = 3, stride = 4 } }, 'batch_normalization', 'flatten',
        { dense = { name = 'out', units = 'classes' } }";

    fn names(values: &[NamedValues]) -> Vec<&str> {
        values.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn tensors_are_named_by_layer_and_role() {
        let values = network::<Flex>(SMALL, 0).values();
        assert_eq!(
            names(&values),
            [
                "conv2d_1/weight",
                "conv2d_1/bias",
                "batch_normalization_1/gamma",
                "batch_normalization_1/beta",
                "batch_normalization_1/running_mean",
                "batch_normalization_1/running_var",
                "out/weight",
                "out/bias"
            ]
        );
    }

    #[test]
    fn gradients_carry_their_tensors_names() {
        let network = network::<Autodiff<Flex>>(SMALL, 0);
        let images = Tensor::ones([2, 1, 28, 28], &Default::default());
        let gradients = network.forward_training(images).outputs.sum().backward();
        let gradients = GradientsParams::from_grads(gradients, &network);
        let values = network.gradient_values(&gradients);
        assert_eq!(
            names(&values),
            [
                "conv2d_1/weight",
                "conv2d_1/bias",
                "batch_normalization_1/gamma",
                "batch_normalization_1/beta",
                "out/weight",
                "out/bias"
            ]
        );
        assert_eq!(values[5].1, [2.0; 10]);
    }

    #[test]
    fn weights_go_to_a_file_and_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let saved = network::<Flex>(SMALL, 1);
        saved.save_weights(&path).unwrap();
        let keys = SafetensorsStore::from_file(&path).keys().unwrap();
        assert!(keys.contains(&"conv2d_1.weight".to_string()), "{keys:?}");
        assert!(
            keys.contains(&"batch_normalization_1.running_mean".to_string()),
            "{keys:?}"
        );
        let again = folder.path().join("again.safetensors");
        saved.save_weights(&again).unwrap();
        assert_eq!(fs::read(&again).unwrap(), fs::read(&path).unwrap());
        let loaded = network::<Flex>(SMALL, 2).load_weights(&path).unwrap();
        assert_eq!(loaded.values(), saved.values());
    }

    #[test]
    fn weights_of_another_network_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        network::<Flex>(SMALL, 1).save_weights(&path).unwrap();
        let other = SMALL.replace("filters = 2", "filters = 3");
        let error = network::<Flex>(&other, 1).load_weights(&path).unwrap_err();
        assert!(
            error.to_string().starts_with(
                "error: cannot read the weights: `conv2d_1.weight`, `conv2d_1.bias`, "
            ),
            "{error}"
        );
        std::fs::write(&path, b"not weights").unwrap();
        assert!(network::<Flex>(SMALL, 1).load_weights(&path).is_err());
    }
}
