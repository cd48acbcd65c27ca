//! The CPU backend's tensors as slices of numbers, and back.

use std::borrow::Cow;

use burn::backend::Flex;
use burn::tensor::ops::{FloatTensor, FloatTensorOps, IntTensor};
use burn::tensor::{Element, TensorData, TensorMetadata};
use bytemuck::Pod;

use crate::backend::cpu::Matrix;
use crate::backend::passes::matrix_shape;

/// A tensor without gradients.
pub(super) type Plain = FloatTensor<Flex>;

pub(super) fn plain(values: Vec<f32>, shape: &[usize]) -> Plain {
    let data = TensorData::new(values, shape.to_vec());
    <Flex as FloatTensorOps<Flex>>::float_from_data(data, &Default::default())
}

/// Its values in row-major order, copied only if they do not lie so.
pub(super) fn values(tensor: &Plain) -> Cow<'_, [f32]> {
    elements(tensor)
}

/// The same of whole numbers.
pub(super) fn whole_numbers(tensor: &IntTensor<Flex>) -> Cow<'_, [i32]> {
    elements(tensor)
}

fn elements<E: Element + Pod>(tensor: &Plain) -> Cow<'_, [E]> {
    match tensor.layout().contiguous_offsets() {
        Some((start, end)) => Cow::Borrowed(&tensor.storage()[start..end]),
        None => {
            let values = tensor.to_contiguous().into_data().into_vec();
            Cow::Owned(values.expect("numbers have 32 bits"))
        }
    }
}

/// A tensor whose storage holds its values alone, in row-major order.
pub(super) fn in_order(tensor: Plain) -> Plain {
    let count = tensor.shape().num_elements();
    match tensor.is_contiguous() && tensor.storage::<f32>().len() == count {
        true => tensor,
        false => tensor.to_contiguous(),
    }
}

/// Whether a tensor is another with the last two axes swapped, which lies in row-major order.
pub(super) fn is_turned(tensor: &Plain) -> bool {
    let rank = tensor.shape().num_dims();
    tensor.layout().start_offset() == 0
        && !tensor.is_contiguous()
        && tensor.transpose(rank - 2, rank - 1).is_contiguous()
}

/// The matrices of the last two axes as they lie, all of them [turned](is_turned) or none.
pub(super) struct Matrices<'a> {
    values: Cow<'a, [f32]>,
    shape: [usize; 2],
    is_turned: bool,
}

impl<'a> Matrices<'a> {
    pub fn of(tensor: &'a Plain) -> Self {
        let is_turned = is_turned(tensor);
        Matrices {
            values: match is_turned {
                true => Cow::Borrowed(&tensor.storage()[..tensor.shape().num_elements()]),
                false => values(tensor),
            },
            shape: matrix_shape(tensor),
            is_turned,
        }
    }

    /// The one with this number.
    pub fn get(&self, number: usize) -> Matrix<'_> {
        let [rows, columns] = self.shape;
        let size = rows * columns;
        let values = &self.values[number * size..][..size];
        match self.is_turned {
            true => Matrix::new(values, columns, rows).turned(),
            false => Matrix::new(values, rows, columns),
        }
    }
}
