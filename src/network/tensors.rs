//! A network's tensors by name, for histograms and for files.
//!
//! A tensor is called `LAYER/ROLE` in logs (`conv2d_1/weight`) and `LAYER.ROLE` in files; the parts of the
//! name of a layer inside a block are joined the same way.

use burn::backend::Flex;
use burn::module::{AutodiffModule, Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};

use super::{Network, Plan, Planned};
use crate::layers::{InPytorch, LayerFields};

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
    pub(super) fn of(layer: &Planned, role: &str, shape: Vec<usize>) -> Self {
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
    pub(super) fn text(&self, shape: &[usize]) -> String {
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

    pub(super) fn tensors(&self) -> Vec<TensorShape> {
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
pub(super) struct Walk<'a> {
    planned: &'a [Planned],
    parts: Vec<String>,
}

impl<'a> Walk<'a> {
    pub fn new(planned: &'a [Planned]) -> Self {
        Walk {
            planned,
            parts: Vec::new(),
        }
    }

    pub fn enter(&mut self, part: &str) {
        self.parts.push(part.to_string());
    }

    pub fn leave(&mut self) {
        self.parts.pop();
    }

    /// The tensor's layer and role: the walk goes `layers`, index, kind of layer, ..., role.
    pub fn tensor(&self) -> (&'a Planned, &str) {
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

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::rng::{Chance, Seed};
    use burn::backend::Autodiff;

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
}
