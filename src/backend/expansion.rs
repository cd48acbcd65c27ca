//! Axes of length 1 repeated in the CPU's tensors; the gradient's sums have a fixed order.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::ops::FloatTensorOps;
use burn::tensor::{Shape, Tensor, TensorMetadata};

use super::plain::{FlexBackend, primitive, tensor};
use super::reductions::Reduction;

/// The same values over the axes that have length 1.
#[derive(Debug, Clone, Copy)]
struct Expansion;

/// `x` with every axis of length 1 repeated to the length that `shape` has there.
pub(super) fn expand<B: FlexBackend, const D: usize>(
    x: Tensor<B, D>,
    shape: [usize; D],
) -> Tensor<B, D> {
    let x = primitive(x);
    let before = x.shape();
    let y = Flex::float_expand(B::plain(&x).clone(), Shape::from(shape));
    tensor(B::recorded(Expansion, [x], before, y))
}

impl Backward<Flex, 1> for Expansion {
    type State = Shape;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [of_x] = ops.parents;
        let (shape, mut grad_output) = (ops.state, gradients.consume::<Flex>(&ops.node));
        let Some(node) = of_x else { return };
        for axis in (0..shape.len()).rev() {
            if shape[axis] == 1 && grad_output.shape()[axis] > 1 {
                grad_output = Reduction::sum_along(axis).forward(&grad_output);
            }
        }
        gradients.register::<Flex>(node.id, grad_output);
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Autodiff;
    use burn::tensor::TensorData;

    use super::*;
    use crate::backend::Kernels;

    #[test]
    fn it_has_the_values_and_gradients_of_burns() {
        type Training = Autodiff<Flex>;
        let values: Vec<f32> = (0..15).map(|i| (i as f32 * 0.7).sin()).collect();
        let x = || {
            let data = TensorData::new(values.clone(), [3, 1, 5, 1]);
            Tensor::<Training, 4>::from_data(data, &Default::default()).require_grad()
        };
        let shape = [3, 4, 5, 6];
        let factors = (0..360).map(|i| (i as f32 * 0.3).cos()).collect();
        let factors = || {
            let data = TensorData::new(Vec::clone(&factors), shape);
            Tensor::<Training, 4>::from_data(data, &Default::default())
        };
        let (ours, burns) = (x(), x());
        let (of_ours, of_burns) = (
            Training::expand(ours.clone(), shape),
            burns.clone().expand(shape),
        );
        of_ours.to_data().assert_eq(&of_burns.to_data(), true);
        let of_ours = (of_ours * factors()).sum().backward();
        let of_burns = (of_burns * factors()).sum().backward();
        let numbers = |data: TensorData| data.into_vec::<f32>().unwrap();
        let ours = numbers(ours.grad(&of_ours).unwrap().into_data());
        let burns = numbers(burns.grad(&of_burns).unwrap().into_data());
        for (ours, burns) in ours.iter().zip(&burns) {
            assert!((ours - burns).abs() < 1e-5, "{ours} against {burns}");
        }
    }
}
