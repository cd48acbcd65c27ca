//! The CPU backend's tensors as slices of numbers, and back.

use std::borrow::Cow;

use burn::backend::Flex;
use burn::tensor::ops::{FloatTensor, FloatTensorOps};
use burn::tensor::{TensorData, TensorMetadata};

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
