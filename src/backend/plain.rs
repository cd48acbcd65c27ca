//! The CPU backend's tensors as slices of numbers, and back, with gradients or without.

use std::borrow::Cow;

use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::ops::{Backward, OpsKind};
use burn::backend::{Autodiff, Flex};
use burn::tensor::backend::Backend;
use burn::tensor::ops::{FloatTensor, FloatTensorOps};
use burn::tensor::{Tensor, TensorData, TensorMetadata, TensorPrimitive};

/// A tensor without gradients.
pub(super) type Plain = FloatTensor<Flex>;

pub(super) fn plain(values: Vec<f32>, shape: &[usize]) -> Plain {
    let data = TensorData::new(values, shape.to_vec());
    <Flex as FloatTensorOps<Flex>>::float_from_data(data, &Default::default())
}

/// Its values in row-major order, copied only if they do not lie so.
pub(super) fn values(tensor: &Plain) -> Cow<'_, [f32]> {
    let count = tensor.shape().num_elements();
    match tensor.is_contiguous() && tensor.layout().start_offset() == 0 {
        true => Cow::Borrowed(&tensor.storage()[..count]),
        false => Cow::Owned(tensor.to_contiguous().storage()[..count].to_vec()),
    }
}

/// Burn's `flex`, with gradients or without: a kernel is written once for both.
pub(super) trait FlexBackend: Backend {
    /// The values of a tensor.
    fn plain(tensor: &FloatTensor<Self>) -> &Plain;

    /// A tensor of values that nothing with gradients led to.
    fn constant(values: Plain) -> FloatTensor<Self>;

    /// The `output` that `operation` made of `parents`; `state` is what their gradients are made from.
    fn recorded<O: Backward<Flex, N>, const N: usize>(
        operation: O,
        parents: [FloatTensor<Self>; N],
        state: O::State,
        output: Plain,
    ) -> FloatTensor<Self>;
}

impl FlexBackend for Flex {
    fn plain(tensor: &FloatTensor<Self>) -> &Plain {
        tensor
    }

    fn constant(values: Plain) -> FloatTensor<Self> {
        values
    }

    fn recorded<O: Backward<Flex, N>, const N: usize>(
        _operation: O,
        _parents: [FloatTensor<Self>; N],
        _state: O::State,
        output: Plain,
    ) -> FloatTensor<Self> {
        output
    }
}

impl FlexBackend for Autodiff<Flex> {
    fn plain(tensor: &FloatTensor<Self>) -> &Plain {
        &tensor.primitive
    }

    fn constant(values: Plain) -> FloatTensor<Self> {
        FloatTensor::<Self>::new(values)
    }

    fn recorded<O: Backward<Flex, N>, const N: usize>(
        operation: O,
        parents: [FloatTensor<Self>; N],
        state: O::State,
        output: Plain,
    ) -> FloatTensor<Self> {
        let nodes = parents.map(|parent| parent.node);
        let prepared = operation.prepare::<NoCheckpointing>(nodes);
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(state, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

pub(super) fn primitive<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> FloatTensor<B> {
    tensor.into_primitive().tensor()
}

pub(super) fn tensor<B: Backend, const D: usize>(primitive: FloatTensor<B>) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}
