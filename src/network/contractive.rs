//! How far an encoder moves its code when its input moves: the norm of its Jacobian, exact and
//! differentiable, for encoders made of dense layers.

use burn::module::Module;
use burn::tensor::Tensor;

use super::plan::{Flow, Plan};
use super::{Network, Node};
use crate::backend::{Kernels, math, reshape};
use crate::error::Flaw;
use crate::layers::{ActivationFunction, Pass, Role, SharedWeight, Signal};

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

/// The slope of an activation function, from what it gave.
fn slope<B: Kernels>(function: Option<ActivationFunction>, y: Tensor<B, 2>) -> Tensor<B, 2> {
    match function {
        Some(ActivationFunction::Sigmoid {}) => y.clone() - y.square(),
        Some(ActivationFunction::Tanh {}) => y.square().neg() + 1.0,
        Some(ActivationFunction::Relu {}) => y.greater_elem(0.0).float(),
        _ => y.ones_like(),
    }
}

impl<B: Kernels> Network<B> {
    /// The code of images, and the squared Frobenius norm of the first part's Jacobian, `[1]`, mean over
    /// the images (Rifai et al. 2011); [`contractive_flaw`](Plan::contractive_flaw) finds none.
    pub fn contracted(&self, images: Signal<B>, pass: &mut Pass<B>) -> (Signal<B>, Tensor<B, 1>) {
        let mut signal = images;
        // Of each dense layer its weight `[features, units]` and the slopes `[batch, units]`.
        let mut steps: Vec<(Tensor<B, 2>, Tensor<B, 2>)> = Vec::new();
        for node in self.plan.part(0) {
            signal = self.list(std::slice::from_ref(node), signal, pass);
            if let (Flow::Layer(index), Signal::Features(y)) = (&node.flow, &signal)
                && let Some(SharedWeight::Matrix(weight)) = self.shared_weight(*index)
            {
                let function = self.plan.layers[*index].activation;
                steps.push((weight, slope(function, y.clone())));
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
    let (weight, slopes) = steps.pop().expect("an encoder has a dense layer");
    let [batch, _] = slopes.dims();
    if steps.is_empty() {
        let of_columns = math::expand(math::sum_dim(weight.square(), 0), slopes.dims());
        return math::sum(slopes.square() * of_columns) / batch as f64;
    }
    let [features, units] = weight.dims();
    let weight = reshape(weight.transpose(), [1, units, features]);
    let dims = [batch, units, features];
    let slopes = math::expand(reshape(slopes, [batch, units, 1]), dims);
    let mut rows: Tensor<B, 3> = slopes * math::expand(weight, dims);
    for (weight, slopes) in steps.into_iter().rev() {
        let [batch, code, units] = rows.dims();
        rows = rows * math::expand(reshape(slopes, [batch, 1, units]), [batch, code, units]);
        let [features, _] = weight.dims();
        let flat = reshape(rows, [batch * code, units]);
        rows = reshape(
            math::matmul(flat, weight.transpose()),
            [batch, code, features],
        );
    }
    math::sum(rows.square()) / batch as f64
}
