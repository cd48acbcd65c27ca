//! A layer's weights as numbers and as constants of what is written of it.

use burn::module::Param;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::onnx::{Graph, Name};

/// All values of a tensor.
pub(super) fn numbers<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    let data = tensor.into_data().convert::<f32>();
    data.into_vec().expect("32-bit floats")
}

/// A tensor as a constant; `role` is what it is to the layer.
pub(super) fn constant<B: Backend, const D: usize>(
    graph: &mut Graph,
    role: &str,
    tensor: Tensor<B, D>,
) -> Name {
    let dims = tensor.dims();
    graph.floats(role, &dims, numbers(tensor))
}

/// The bias as a constant, if there is one.
pub(super) fn constant_bias<B: Backend>(
    graph: &mut Graph,
    bias: Option<&Param<Tensor<B, 1>>>,
) -> Option<Name> {
    bias.map(|bias| constant(graph, "bias", bias.val()))
}
