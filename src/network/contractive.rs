//! How far an encoder moves its code when its input moves: the norm of its Jacobian, exact and
//! differentiable, for encoders made of dense layers.

use burn::module::Module;
use burn::tensor::Tensor;

use super::plan::{Flow, Plan};
use super::{Network, Node};
use crate::backend::{Kernels, math, reshape};
use crate::error::Flaw;
use crate::layers::{ActivationFunction, ForwardContext, Role, SharedWeight, Signal};

impl Plan {
    /// A layer of the first part whose Jacobian is not known here, if there is one; its key is its number.
    pub fn contractive_flaw(&self) -> Option<Flaw> {
        let nodes = self.part(0);
        let known = |node: &Node| match node.flow {
            Flow::Layer(index) => match self.layers[index].spec.role() {
                Some(Role::Reshapes) => true,
                Some(Role::Affine) => has_known_slope(self.layers[index].activation),
                _ => false,
            },
            Flow::Block { .. } => false,
        };
        let is_affine = |node: &Node| self.role(node) == Some(Role::Affine);
        if nodes.iter().all(known) && !nodes.iter().any(is_affine) {
            let message = "`contractive` needs a `dense` layer in the encoder";
            return Some(Flaw::new("", message));
        }
        let index = nodes.iter().position(|node| !known(node))?;
        let message = format!(
            "`contractive` needs an encoder of `flatten` and `dense` layers with sigmoid, tanh, relu or no \
             activation, but layer {} is `{}`",
            index + 1,
            nodes[index].key
        );
        Some(Flaw::new(index.to_string(), message))
    }
}

fn has_known_slope(function: Option<ActivationFunction>) -> bool {
    matches!(
        function,
        None | Some(
            ActivationFunction::Sigmoid {}
                | ActivationFunction::Tanh {}
                | ActivationFunction::Relu {}
        )
    )
}

/// The derivative of an activation function, from its output.
fn derivative<B: Kernels>(function: Option<ActivationFunction>, y: Tensor<B, 2>) -> Tensor<B, 2> {
    match function {
        Some(ActivationFunction::Sigmoid {}) => y.clone() - y.square(),
        Some(ActivationFunction::Tanh {}) => y.square().neg() + 1.0,
        Some(ActivationFunction::Relu {}) => y.greater_elem(0.0).float(),
        _ => y.ones_like(),
    }
}

impl<B: Kernels> Network<B> {
    /// The matrix `[features, units]` of a dense layer: its own, or that of the one that it is tied to, transposed.
    fn matrix(&self, layer: usize) -> Option<Tensor<B, 2>> {
        let of = |layer| match self.shared_weight(layer) {
            Some(SharedWeight::Matrix(weight)) => Some(weight),
            _ => None,
        };
        let partner = self.plan.layers[layer].partner.as_ref();
        of(layer).or_else(|| Some(of(partner?.layer)?.transpose()))
    }

    /// The code of images, and the squared Frobenius norm of the first part's Jacobian, `[1]`, mean over
    /// the images (Rifai et al. 2011); [`contractive_flaw`](Plan::contractive_flaw) finds none.
    pub fn contracted(
        &self,
        images: Signal<B>,
        context: &mut ForwardContext<B>,
    ) -> (Signal<B>, Tensor<B, 1>) {
        let mut signal = images;
        // Of each dense layer its weight `[features, units]` and the derivatives `[batch, units]`.
        let mut steps: Vec<(Tensor<B, 2>, Tensor<B, 2>)> = Vec::new();
        for node in self.plan.part(0) {
            signal = self.list(std::slice::from_ref(node), signal, context);
            if let (Flow::Layer(index), Signal::Features(y)) = (&node.flow, &signal)
                && let Some(weight) = self.matrix(*index)
            {
                let function = self.plan.layers[*index].activation;
                steps.push((weight, derivative(function, y.clone())));
            }
        }
        // A stage may lead past all of them.
        let norm = match steps.is_empty() {
            true => Tensor::zeros([1], &self.devices()[0]),
            false => squared_norm(steps),
        };
        (signal, norm)
    }
}

/// From the code's end: rows of the Jacobian, `[batch, code, features]`, layer after layer. Of a single
/// layer only the sums of the squares are needed.
fn squared_norm<B: Kernels>(mut steps: Vec<(Tensor<B, 2>, Tensor<B, 2>)>) -> Tensor<B, 1> {
    let (weight, derivatives) = steps.pop().expect("an encoder has a dense layer");
    let [batch, _] = derivatives.dims();
    if steps.is_empty() {
        let of_columns = math::expand(math::sum_dim(weight.square(), 0), derivatives.dims());
        return math::sum(derivatives.square() * of_columns) / batch as f64;
    }
    let [features, units] = weight.dims();
    let weight = reshape(weight.transpose(), [1, units, features]);
    let dims = [batch, units, features];
    let derivatives = math::expand(reshape(derivatives, [batch, units, 1]), dims);
    let mut rows: Tensor<B, 3> = derivatives * math::expand(weight, dims);
    for (weight, derivatives) in steps.into_iter().rev() {
        let [batch, code, units] = rows.dims();
        rows = rows
            * math::expand(
                reshape(derivatives, [batch, 1, units]),
                [batch, code, units],
            );
        let [features, _] = weight.dims();
        let flat = reshape(rows, [batch * code, units]);
        rows = reshape(
            math::matmul(flat, weight.transpose()),
            [batch, code, features],
        );
    }
    math::sum(rows.square()) / batch as f64
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;
    use burn::tensor::TensorData;

    use super::super::testing::layers;
    use super::super::{Part, plan_parts};
    use super::*;
    use crate::layers::LayerContext;
    use crate::rng::Seed;
    use crate::shape::{ImageShape, Shape};

    #[test]
    fn the_norm_is_that_of_finite_differences_with_tied_layers_too() {
        let list = "'flatten', { dense = { name = 'a', units = 3, activation = 'sigmoid' } }, \
                    { dense = { units = 6, tied_to = 'a', activation = 'tanh' } }, { dense = { units = 2 } }";
        let layers = layers(list);
        let parts = [Part::new("encoder", &layers)];
        let shape = Shape::Image(ImageShape::new(1, 2, 3));
        let (plan, flaws) = plan_parts(&parts, shape, "", LayerContext::new(10));
        assert_eq!((flaws, plan.contractive_flaw()), (Vec::new(), None));
        let network = Network::<Flex>::build(plan, 10, Seed(3), &Default::default());
        let contracted = |image: &[f32]| {
            let data = TensorData::new(image.to_vec(), [1, 1, 2, 3]);
            let image = Signal::Image(Tensor::from_data(data, &Default::default()));
            let (code, norm) = network.contracted(image, &mut ForwardContext::inference());
            let code: Vec<f32> = code.features().into_data().into_vec().unwrap();
            (code, norm.into_scalar())
        };
        let image = [0.3, -0.7, 1.1, 0.2, 0.9, -0.4];
        let slopes = (0..image.len()).flat_map(|pixel| {
            let at = |step: f32| {
                let mut moved = image;
                moved[pixel] += step;
                contracted(&moved).0
            };
            let codes = at(0.01).into_iter().zip(at(-0.01));
            codes
                .map(|(above, below)| (above - below) / 0.02)
                .collect::<Vec<f32>>()
        });
        let numeric: f32 = slopes.map(|slope| slope * slope).sum();
        let norm = contracted(&image).1;
        assert!((norm - numeric).abs() < 2e-3 * numeric, "{norm}, {numeric}");
    }
}
