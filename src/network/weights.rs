//! A network's tensors by name: for histograms, and to and from safetensors files.
//!
//! A tensor is called `LAYER/ROLE` in logs (`conv2d_1/weight`) and `LAYER.ROLE` in files; the parts of the
//! name of a layer inside a block are joined the same way.

use std::collections::HashMap;
use std::path::Path;

use burn::backend::Flex;
use burn::module::{AutodiffModule, Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};
use burn_store::{KeyRemapper, ModuleStore, SafetensorsStore};
use safetensors::tensor::{Dtype, TensorView, serialize};
use sha2::{Digest, Sha256};

use super::weight_file::{NO_SUM, SUM, header_and_tensors};
use super::{Fitted, Layout, Naming, Network, Plan, Planned, WeightFile};
use crate::error::{Error, Problem, Result, count};
use crate::hex::hex;
use crate::layers::{InPytorch, Layer, LayerFields};
use crate::record::write_atomically;

/// A tensor's name, `conv2d_1/weight`, and all its values.
pub type NamedValues = (String, Vec<f32>);

/// A tensor of a network, without its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorShape {
    /// The layer's name: `residual_1.conv2d_1`.
    pub layer: String,
    /// How PyTorch has the layer's tensors.
    pub in_pytorch: InPytorch,
    /// What the tensor is to the layer: `weight`.
    pub role: String,
    /// Sizes of its axes.
    pub shape: Vec<usize>,
}

impl TensorShape {
    fn of(layer: &Planned, role: &str, shape: Vec<usize>) -> Self {
        TensorShape {
            layer: layer.name.clone(),
            in_pytorch: layer
                .spec
                .fields()
                .map(LayerFields::in_pytorch)
                .unwrap_or_default(),
            role: role.to_string(),
            shape,
        }
    }

    /// `weight 64x10`.
    fn text(&self, shape: &[usize]) -> String {
        let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
        format!("{} {}", self.role, sizes.join("x"))
    }
}

impl Plan {
    /// All tensors that the network will have, running statistics included, layer by layer.
    pub fn tensors(&self, classes: usize) -> Vec<TensorShape> {
        let device = Default::default();
        Network::<Flex>::of_shapes(self.clone(), classes, &device).tensors()
    }
}

impl<B: Backend> Network<B> {
    /// All tensors' values, running statistics included.
    pub fn values(&self) -> Vec<NamedValues> {
        let mut values = Vec::new();
        self.each_tensor(&mut |layer, role, tensor| {
            values.push((name(layer, role, '/'), tensor.read()));
        });
        values
    }

    /// All tensors' shapes.
    pub fn tensor_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let mut shapes = Vec::new();
        self.each_tensor(&mut |layer, role, tensor| {
            shapes.push((name(layer, role, '/'), tensor.shape()));
        });
        shapes
    }

    fn tensors(&self) -> Vec<TensorShape> {
        let mut tensors = Vec::new();
        self.each_tensor(&mut |layer, role, tensor| {
            tensors.push(TensorShape::of(layer, role, tensor.shape()));
        });
        tensors
    }

    fn each_tensor(&self, visit: &mut dyn FnMut(&Planned, &str, &dyn AnyTensor)) {
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
            .metadata(SUM, NO_SUM)
            .skip_enum_variants(true)
            .remap(names);
        let mut bytes = store
            .collect_from(self)
            .and_then(|()| store.get_bytes())
            .map_err(|error| Error::bug(format!("cannot write the weights: {error}")))?;
        put_sum(&mut bytes);
        write_atomically(path, &bytes)
    }

    /// Takes all tensors from a file that [`save_weights`](Self::save_weights) wrote.
    ///
    /// # Errors
    /// The file cannot be read, or lacks a tensor, or has one of another shape.
    pub fn load_weights(self, path: &Path) -> Result<Self> {
        let file = WeightFile::read(path, Naming::default())?;
        self.take_weights(&file, &|_| true)
    }

    /// Takes the tensors of the layers that `takes` says yes to; the others stay.
    ///
    /// # Errors
    /// The file lacks a tensor of such a layer, or has one of another shape, or is damaged.
    pub fn take_weights(self, file: &WeightFile, takes: &dyn Fn(&str) -> bool) -> Result<Self> {
        let tensors = self.tensors();
        let wanted = tensors.iter().filter(|tensor| takes(&tensor.layer));
        let wanted: Vec<&TensorShape> = wanted.collect();
        let fitted = fitted(file, &tensors)?;
        if let Some(misfit) = misfit(&wanted, &fitted) {
            let problem = Problem::new(misfit).at_file(file.path());
            return Err(Error::data(problem.maybe_hint(fitted.others(&wanted))));
        }
        let planned = self.plan.layers.clone();
        let mut loader = Loader {
            walk: Walk::new(&planned),
            file: &fitted,
            takes,
            failure: None,
        };
        let network = self.map(&mut loader);
        match loader.failure {
            None => Ok(network),
            Some(error) => Err(error),
        }
    }
}

/// The file as these tensors, all of a network's, see it.
fn fitted<'a>(file: &'a WeightFile, tensors: &[TensorShape]) -> Result<Fitted<'a>> {
    let fitted = match file.flaws().first() {
        Some(flaw) => Err(flaw.clone()),
        None => file.fitted(tensors),
    };
    fitted.map_err(|flaw| {
        let problem = Problem::new(flaw.message).at_file(file.path());
        Error::data(problem.maybe_hint(flaw.hint))
    })
}

/// Where tensors are taken from.
pub trait Source {
    /// The shape of a tensor, laid out as here, if there is one.
    fn shape(&self, tensor: &TensorShape) -> Option<Vec<usize>>;

    /// What a layer is called there.
    fn module<'a>(&'a self, layer: &'a str) -> &'a str;
}

impl Source for Fitted<'_> {
    fn shape(&self, tensor: &TensorShape) -> Option<Vec<usize>> {
        Fitted::shape(self, tensor)
    }

    fn module<'a>(&'a self, layer: &'a str) -> &'a str {
        Fitted::module(self, layer)
    }
}

/// Of another network, whose layers have the same names.
impl Source for [TensorShape] {
    fn shape(&self, wanted: &TensorShape) -> Option<Vec<usize>> {
        let same =
            |tensor: &&TensorShape| tensor.layer == wanted.layer && tensor.role == wanted.role;
        self.iter().find(same).map(|tensor| tensor.shape.clone())
    }

    fn module<'a>(&'a self, layer: &'a str) -> &'a str {
        layer
    }
}

/// Layers that an error tells of; where a whole network does not fit, the first say it.
const MOST_MISFITS: usize = 8;

/// What keeps layers from taking these tensors from elsewhere: such layers with both shapes.
pub fn misfit<S: Source + ?Sized>(wanted: &[&TensorShape], there: &S) -> Option<String> {
    let layers = wanted.chunk_by(|one, other| one.layer == other.layer);
    let mismatches: Vec<String> = layers
        .filter_map(|layer| layer_misfit(layer, there))
        .collect();
    let shown = mismatches.len().min(MOST_MISFITS);
    let first = mismatches[..shown].join("; ");
    match mismatches.len() - shown {
        _ if mismatches.is_empty() => None,
        0 => Some(format!("the weights do not fit: {first}")),
        more => Some(format!(
            "the weights do not fit: {first}; and {} besides",
            count(more, "layer")
        )),
    }
}

fn layer_misfit<S: Source + ?Sized>(layer: &[&TensorShape], there: &S) -> Option<String> {
    let found: Vec<Option<Vec<usize>>> = layer.iter().map(|tensor| there.shape(tensor)).collect();
    let mut pairs = layer.iter().zip(&found);
    if pairs.all(|(tensor, found)| found.as_ref() == Some(&tensor.shape)) {
        return None;
    }
    let needed: Vec<String> = layer
        .iter()
        .map(|tensor| tensor.text(&tensor.shape))
        .collect();
    let pairs = layer.iter().zip(&found);
    let found: Vec<String> = pairs
        .filter_map(|(tensor, found)| Some(tensor.text(found.as_ref()?)))
        .collect();
    let name = &layer[0].layer;
    let module = there.module(name);
    let place = match module == name {
        true => String::new(),
        false => format!(" in `{module}`"),
    };
    let found = match found.is_empty() {
        true => "nothing of that name".to_string(),
        false => found.join(", "),
    };
    Some(format!(
        "`{name}` needs {}, found {found}{place}",
        needed.join(", ")
    ))
}

/// Writes the sum of a file's tensors where its header has room for it.
fn put_sum(file: &mut [u8]) {
    let Some((header, tensors)) = header_and_tensors(file) else {
        return;
    };
    let sum = hex(&Sha256::digest(tensors));
    let room = header.windows(NO_SUM.len());
    let at = room.into_iter().position(|text| text == NO_SUM.as_bytes());
    if let Some(at) = at {
        file[8 + at..8 + at + sum.len()].copy_from_slice(sum.as_bytes());
    }
}

/// Writes the tensors of a run's file in another layout, whole or not at all.
///
/// # Errors
/// The file lacks one of them or has it in another shape, or the new one cannot be written.
pub fn export(from: &WeightFile, tensors: &[TensorShape], to: Layout, path: &Path) -> Result<()> {
    let wanted: Vec<&TensorShape> = tensors.iter().collect();
    let fitted = fitted(from, tensors)?;
    if let Some(misfit) = misfit(&wanted, &fitted) {
        return Err(Error::data(Problem::new(misfit).at_file(from.path())));
    }
    let mut written: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for tensor in tensors {
        let there = to.counterpart(tensor.in_pytorch, &tensor.role);
        let shape = there.shape(&tensor.shape);
        let values = there.values(fitted.values(tensor)?, &tensor.shape);
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        if let Some(addend) = there.addend {
            let name = format!("{}.{addend}", tensor.layer);
            written.push((name, shape.clone(), vec![0; bytes.len()]));
        }
        written.push((format!("{}.{}", tensor.layer, there.role), shape, bytes));
    }
    let broken = |error| Error::bug(format!("cannot write the weights: {error}"));
    let views: Result<Vec<(&str, TensorView)>, _> = written
        .iter()
        .map(|(name, shape, bytes)| {
            Ok((
                name.as_str(),
                TensorView::new(Dtype::F32, shape.clone(), bytes)?,
            ))
        })
        .collect();
    // PyTorch's own writers say so, and some of its readers ask for it.
    let head = HashMap::from([("format".to_string(), "pt".to_string())]);
    let bytes = views
        .and_then(|views| serialize(views, Some(head)))
        .map_err(broken)?;
    write_atomically(path, &bytes)
}

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
    fn tensor(&self) -> (&'a Planned, &str) {
        let index = self
            .parts
            .get(1)
            .and_then(|part| part.parse::<usize>().ok());
        let layer = &self.planned[index.expect("a tensor belongs to a layer")];
        (layer, self.parts.last().expect("a tensor has a name"))
    }
}

fn name(layer: &Planned, role: &str, between: char) -> String {
    format!("{}.{role}", layer.name).replace('.', &between.to_string())
}

/// A tensor of any rank.
trait AnyTensor {
    fn shape(&self) -> Vec<usize>;
    fn read(&self) -> Vec<f32>;
}

/// A parameter that was not made yet is not made for its shape.
impl<B: Backend, const D: usize> AnyTensor for Param<Tensor<B, D>> {
    fn shape(&self) -> Vec<usize> {
        self.lazy_shape().to_vec()
    }

    fn read(&self) -> Vec<f32> {
        self.val().read()
    }
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
    visit: &'a mut dyn FnMut(&Planned, &str, &dyn AnyTensor),
}

impl<B: Backend> ModuleVisitor<B> for Named<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.walk.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.walk.leave();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let (layer, role) = self.walk.tensor();
        (self.visit)(layer, role, param);
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
            let (layer, role) = self.walk.tensor();
            self.values.push((name(layer, role, '/'), gradient.read()));
        }
    }
}

struct Loader<'a> {
    walk: Walk<'a>,
    file: &'a Fitted<'a>,
    takes: &'a dyn Fn(&str) -> bool,
    failure: Option<Error>,
}

impl<B: Backend> ModuleMapper<B> for Loader<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.walk.enter(name);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.walk.leave();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let (layer, role) = self.walk.tensor();
        if !(self.takes)(&layer.name) {
            return param;
        }
        let (id, old, mapper) = param.consume();
        let tensor = match self
            .file
            .values(&TensorShape::of(layer, role, old.dims().to_vec()))
        {
            Ok(values) => {
                let data = TensorData::new(values, old.dims());
                let new = Tensor::from_data(data, &old.device());
                new.set_require_grad(old.is_require_grad())
            }
            Err(error) => {
                self.failure.get_or_insert(error);
                old
            }
        };
        Param::from_mapped_value(id, tensor, mapper)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::testing::*;
    use super::*;
    use crate::rng::{Chance, Seed};
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
    fn shapes_are_those_of_the_network_and_take_no_memory() {
        for list in [
            SMALL,
            EXAMPLE,
            "{ reshape = { shape = [28, 28] } }, { lstm = { units = 3 } }, { dense = { units = 'classes' } }",
        ] {
            let plan = planned(list);
            let built = Network::<Flex>::build(plan.clone(), 10, Seed(0), &Default::default());
            assert_eq!(plan.tensors(10), built.tensors());
        }
        // A quarter of a terabyte.
        let wide = planned(
            "'flatten', { dense = { units = 16000000 } }, { dense = { units = 4000, init = 'orthogonal' } },
             { dense = { units = 'classes' } }",
        );
        assert_eq!(wide.tensors(10)[2].shape, [16_000_000, 4000]);
    }

    #[test]
    fn gradients_carry_their_tensors_names() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        let network = network::<Autodiff<Flex>>(SMALL, 0);
        let images = Tensor::ones([2, 1, 28, 28], &Default::default());
        let gradients = network
            .forward_training(images, Chance::new(1))
            .outputs
            .sum()
            .backward();
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
                "error: the weights do not fit: `conv2d_1` needs weight 3x1x3x3, bias 3, \
                 found weight 2x1x3x3, bias 2; `batch_normalization_1` needs gamma 3, beta 3, "
            ),
            "{error}"
        );
        std::fs::write(&path, b"not weights").unwrap();
        assert!(network::<Flex>(SMALL, 1).load_weights(&path).is_err());
    }

    #[test]
    fn of_many_layers_that_do_not_fit_the_first_are_told() {
        let unit = "{ conv2d = { filters = 1, kernel = 1 } }";
        let list = format!("{{ repeat = {{ times = 9, layers = [{unit}] }} }}, {SMALL}");
        let wanted = planned(&list).tensors(10);
        let wanted: Vec<&TensorShape> = wanted.iter().collect();
        let misfit = misfit(&wanted, &[] as &[TensorShape]).unwrap();
        let start = "the weights do not fit: `repeat_1.1.conv2d_1` needs weight 1x1x1x1, bias 1, found nothing of that name; ";
        assert!(misfit.starts_with(start), "{misfit}");
        assert!(misfit.ends_with("; and 4 layers besides"), "{misfit}");
    }

    #[test]
    fn weights_with_a_changed_byte_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        network::<Flex>(SMALL, 1).save_weights(&path).unwrap();
        let whole = fs::read(&path).unwrap();
        let (header, tensors) = header_and_tensors(&whole).unwrap();
        assert!(String::from_utf8_lossy(header).contains(&hex(&Sha256::digest(tensors))));
        let start = whole.len() - tensors.len();
        for at in [start, start + tensors.len() / 2, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(&path, changed).unwrap();
            let error = WeightFile::read(&path, Naming::default()).err().unwrap();
            assert_eq!(
                error.to_string(),
                format!(
                    "error: the weights are damaged: their SHA-256 is not the one that the file states\n  {}",
                    path.display()
                )
            );
        }
    }

    #[test]
    fn weights_that_are_no_numbers_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        for (value, what) in [(f32::NAN, "NaN"), (f32::NEG_INFINITY, "infinite")] {
            let mut network = network::<Flex>(SMALL, 1);
            network = network.map(&mut Spoil(value));
            network.save_weights(&path).unwrap();
            let error = self::network::<Flex>(SMALL, 1)
                .load_weights(&path)
                .unwrap_err();
            let message = format!(
                "error: cannot read the weights `conv2d_1.weight`: value 1 of 18 is {what}\n  {}",
                path.display()
            );
            assert_eq!(error.to_string(), message);
            let file = WeightFile::read(&path, Naming::default()).unwrap();
            let to = folder.path().join("exported");
            let exported = export(&file, &planned(SMALL).tensors(10), Layout::Pytorch, &to);
            assert!(exported.is_err() && !to.exists());
        }
    }

    /// Makes this of every weight.
    struct Spoil(f32);

    impl<B: Backend> ModuleMapper<B> for Spoil {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            param.map(|tensor| tensor.full_like(self.0))
        }
    }

    #[test]
    fn chosen_layers_take_their_weights_and_the_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let saved = network::<Flex>(SMALL, 1);
        saved.save_weights(&path).unwrap();
        let file = WeightFile::read(&path, Naming::default()).unwrap();
        // A last layer of another size does not matter where it is left out.
        let other = SMALL.replace("'flatten',", "'flatten', { dense = { units = 7 } },");
        let fresh = network::<Flex>(&other, 2);
        let taken = fresh.clone().take_weights(&file, &|_| false).unwrap();
        assert_eq!(taken.values(), fresh.values());
        let taken = fresh
            .clone()
            .take_weights(&file, &|name| name == "conv2d_1")
            .unwrap();
        let expected: Vec<NamedValues> = fresh
            .values()
            .into_iter()
            .map(|fresh| match fresh.0.starts_with("conv2d_1/") {
                true => saved
                    .values()
                    .into_iter()
                    .find(|(name, _)| *name == fresh.0)
                    .unwrap(),
                false => fresh,
            })
            .collect();
        assert_eq!(taken.values(), expected);
        assert_ne!(taken.values(), fresh.values());
        let error = fresh
            .take_weights(&file, &|name| !name.starts_with("conv"))
            .unwrap_err();
        assert_eq!(
            error.problems[0].message,
            "the weights do not fit: `dense_1` needs weight 98x7, bias 7, found nothing of that name; \
             `out` needs weight 7x10, bias 10, found weight 98x10, bias 10"
        );
    }

    #[test]
    fn frozen_layers_have_no_gradients() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        let mut plan = planned(SMALL);
        let freeze = super::super::patterns::patterns(&["conv*", "batch*"]);
        assert_eq!(plan.freeze(&freeze, &Default::default()), []);
        let device = Default::default();
        let network = Network::<Autodiff<Flex>>::build(plan, 10, Seed(0), &device);
        let images = Tensor::ones([2, 1, 28, 28], &device);
        let gradients = network
            .forward_training(images, Chance::new(1))
            .outputs
            .sum()
            .backward();
        let gradients = GradientsParams::from_grads(gradients, &network);
        assert_eq!(
            names(&network.gradient_values(&gradients)),
            ["out/weight", "out/bias"]
        );
    }

    /// What `torch.nn.ModuleDict(conv2d_1=Conv2d(1, 2, 3, 4), batch_normalization_1=BatchNorm2d(2),
    /// out=Linear(98, 10)).state_dict()` has, besides `num_batches_tracked`.
    const STATE_DICT: [(&str, &[usize]); 8] = [
        ("batch_normalization_1.bias", &[2]),
        ("batch_normalization_1.running_mean", &[2]),
        ("batch_normalization_1.running_var", &[2]),
        ("batch_normalization_1.weight", &[2]),
        ("conv2d_1.bias", &[2]),
        ("conv2d_1.weight", &[2, 1, 3, 3]),
        ("out.bias", &[10]),
        ("out.weight", &[10, 98]),
    ];

    #[test]
    fn weights_go_to_pytorch_and_back() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (folder.path().join("here"), folder.path().join("there"));
        let saved = network::<Flex>(SMALL, 1);
        saved.save_weights(&here).unwrap();
        let file = WeightFile::read(&here, Naming::default()).unwrap();
        export(&file, &planned(SMALL).tensors(10), Layout::Pytorch, &there).unwrap();

        let mut store = SafetensorsStore::from_file(&there);
        let tensors = store.get_all_snapshots().unwrap();
        let shapes: Vec<(&str, &[usize])> = tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor.shape.as_slice()))
            .collect();
        assert_eq!(shapes, STATE_DICT);
        // out[unit][feature] there is out[feature][unit] here.
        let out: Vec<f32> = tensors["out.weight"].to_data().unwrap().into_vec().unwrap();
        let (_, weight) = saved.values().swap_remove(6);
        assert_eq!(out[3 * 98 + 5], weight[5 * 10 + 3]);

        let file = WeightFile::read(&there, Naming::of(Layout::Pytorch)).unwrap();
        let loaded = network::<Flex>(SMALL, 2)
            .take_weights(&file, &|_| true)
            .unwrap();
        assert_eq!(loaded.values(), saved.values());
        let wrong = WeightFile::read(&there, Naming::default()).unwrap();
        assert!(
            network::<Flex>(SMALL, 2)
                .take_weights(&wrong, &|_| true)
                .is_err()
        );
    }

    #[test]
    fn the_two_biases_of_an_lstm_are_added() {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = [1.0f32, 2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let view = || TensorView::new(Dtype::F32, vec![2], &bytes).unwrap();
        let file = serialize([("a.bias_ih_l0", view()), ("a.bias_hh_l0", view())], None).unwrap();
        let path = folder.path().join("lstm");
        fs::write(&path, file).unwrap();
        let bias = TensorShape {
            layer: "a".to_string(),
            in_pytorch: InPytorch {
                sums: &[("bias", ["bias_ih_l0", "bias_hh_l0"])],
                ..InPytorch::default()
            },
            role: "bias".to_string(),
            shape: vec![2],
        };
        let file = WeightFile::read(&path, Naming::of(Layout::Pytorch)).unwrap();
        let fitted = file.fitted(std::slice::from_ref(&bias)).unwrap();
        assert_eq!(fitted.shape(&bias), Some(vec![2]));
        assert_eq!(fitted.values(&bias).unwrap(), [2.0, 4.0]);
        let again = folder.path().join("again");
        export(&file, &[bias], Layout::Pytorch, &again).unwrap();
        let again = WeightFile::read(&again, Naming::of(Layout::Pytorch)).unwrap();
        assert_eq!(again.read_values("a.bias_ih_l0").unwrap(), [2.0, 4.0]);
        assert_eq!(again.read_values("a.bias_hh_l0").unwrap(), [0.0, 0.0]);
    }
}
