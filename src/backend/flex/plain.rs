//! The CPU backend's tensors as slices of numbers, and back.

use std::borrow::Cow;

use burn::backend::Flex;
use burn::tensor::ops::{FloatTensor, FloatTensorOps};
use burn::tensor::{TensorData, TensorMetadata};

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
    let count = tensor.shape().num_elements();
    match tensor.is_contiguous() && tensor.layout().start_offset() == 0 {
        true => Cow::Borrowed(&tensor.storage()[..count]),
        false => {
            let values = tensor.to_contiguous().into_data().into_vec();
            Cow::Owned(values.expect("the tensors hold f32"))
        }
    }
}

/// Whether a tensor of two axes is another with its rows for columns, which lies in row-major order.
pub(super) fn is_turned(tensor: &Plain) -> bool {
    let [rows, _] = matrix_shape(tensor);
    let layout = tensor.layout();
    layout.strides() == [1, rows as isize] && layout.start_offset() == 0 && !tensor.is_contiguous()
}

/// The values of a tensor of two axes as they lie, [turned](is_turned) or not.
pub(super) struct Lying<'a> {
    values: Cow<'a, [f32]>,
    shape: [usize; 2],
    is_turned: bool,
}

impl<'a> Lying<'a> {
    pub fn of(tensor: &'a Plain) -> Self {
        let (shape, is_turned) = (matrix_shape(tensor), is_turned(tensor));
        Lying {
            values: match is_turned {
                true => Cow::Borrowed(&tensor.storage()[..shape[0] * shape[1]]),
                false => values(tensor),
            },
            shape,
            is_turned,
        }
    }

    pub fn matrix(&self) -> Matrix<'_> {
        let [rows, columns] = self.shape;
        match self.is_turned {
            true => Matrix::new(&self.values, columns, rows).turned(),
            false => Matrix::new(&self.values, rows, columns),
        }
    }
}
