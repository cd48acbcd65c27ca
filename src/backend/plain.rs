//! The CPU backend's tensors as slices of numbers, and back.

use std::borrow::Cow;

use burn::backend::{Autodiff, Flex};
use burn::tensor::ops::{FloatTensor, FloatTensorOps};
use burn::tensor::{Tensor, TensorData, TensorMetadata, TensorPrimitive};

/// A tensor without gradients.
pub(super) type Plain = FloatTensor<Flex>;

/// One that may have them.
pub(super) type Tracked = FloatTensor<Autodiff<Flex>>;

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

pub(super) fn untracked<const D: usize>(tensor: Tensor<Flex, D>) -> Plain {
    tensor.into_primitive().tensor()
}

pub(super) fn tracked<const D: usize>(tensor: Tensor<Autodiff<Flex>, D>) -> Tracked {
    tensor.into_primitive().tensor()
}

pub(super) fn tensor<const D: usize>(values: Plain) -> Tensor<Flex, D> {
    Tensor::from_primitive(TensorPrimitive::Float(values))
}

pub(super) fn tracked_tensor<const D: usize>(values: Tracked) -> Tensor<Autodiff<Flex>, D> {
    Tensor::from_primitive(TensorPrimitive::Float(values))
}
