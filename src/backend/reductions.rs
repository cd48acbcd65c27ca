//! Sums and means of the CPU's tensors in a fixed order, with their gradients.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::{Shape, Tensor, TensorMetadata};

use super::cpu::{Simd, sums};
use super::plain::{FlexBackend, Plain, plain, primitive, tensor, values};

/// Of which values a sum is made, and whether it is divided by their number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reduction {
    /// Of all values, without one.
    axis: Option<usize>,
    is_mean: bool,
}

impl Reduction {
    pub(super) fn sum_of_all() -> Self {
        Reduction {
            axis: None,
            is_mean: false,
        }
    }

    pub(super) fn mean_of_all() -> Self {
        Reduction {
            axis: None,
            is_mean: true,
        }
    }

    pub(super) fn sum_along(axis: usize) -> Self {
        Reduction {
            axis: Some(axis),
            is_mean: false,
        }
    }

    pub(super) fn mean_along(axis: usize) -> Self {
        Reduction {
            axis: Some(axis),
            is_mean: true,
        }
    }

    pub(super) fn apply<B: FlexBackend, const D: usize, const E: usize>(
        self,
        x: Tensor<B, D>,
    ) -> Tensor<B, E> {
        let x = primitive(x);
        let (shape, y) = (x.shape(), self.forward(B::plain(&x)));
        tensor(B::recorded(self, [x], shape, y))
    }

    /// The length of the axis, and the values from one of its places to the next.
    fn sizes(self, shape: &Shape) -> (usize, usize) {
        match self.axis {
            None => (shape.num_elements(), 1),
            Some(axis) => (shape[axis], shape[axis + 1..].iter().product()),
        }
    }

    pub(super) fn forward(self, x: &Plain) -> Plain {
        let simd = Simd::detected();
        let shape = x.shape();
        let (count, inner) = self.sizes(&shape);
        let x = values(x);
        let share = match self.is_mean {
            true => 1.0 / count as f64,
            false => 1.0,
        };
        let Some(axis) = self.axis else {
            return plain(vec![(sums::sum(simd, &x) * share) as f32], &[1]);
        };
        let mut shape = shape.to_vec();
        shape[axis] = 1;
        let mut made = vec![0.0; shape.iter().product()];
        sums::sum_axis(simd, &x, count, inner, &mut made);
        if self.is_mean {
            made.iter_mut()
                .for_each(|sum| *sum = (f64::from(*sum) * share) as f32);
        }
        plain(made, &shape)
    }
}

impl Backward<Flex, 1> for Reduction {
    type State = Shape;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [of_x] = ops.parents;
        let (shape, grad_output) = (ops.state, gradients.consume::<Flex>(&ops.node));
        let Some(node) = of_x else { return };
        let (count, inner) = self.sizes(&shape);
        let grad_output = values(&grad_output);
        let share = match self.is_mean {
            true => (1.0 / count as f64) as f32,
            false => 1.0,
        };
        let mut of_x = Vec::with_capacity(shape.num_elements());
        for row in grad_output.chunks_exact(inner.max(1)) {
            match row {
                [gradient] => of_x.resize(of_x.len() + count, gradient * share),
                row => (0..count)
                    .for_each(|_| of_x.extend(row.iter().map(|gradient| gradient * share))),
            }
        }
        gradients.register::<Flex>(node.id, plain(of_x, &shape));
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Autodiff;
    use burn::tensor::TensorData;

    use super::*;
    use crate::backend::Kernels;

    type Training = Autodiff<Flex>;
    type Of = fn(Tensor<Training, 3>) -> Tensor<Training, 3>;

    fn all(of: Of) -> [Vec<f32>; 2] {
        let values: Vec<f32> = (0..60).map(|i| (i as f32 * 0.7).sin()).collect();
        let x = Tensor::from_data(TensorData::new(values, [3, 4, 5]), &Default::default());
        let x: Tensor<Training, 3> = x.require_grad();
        let y = of(x.clone());
        let gradients = y.clone().exp().sum().backward();
        let x = x.grad(&gradients).unwrap();
        [y.inner(), x].map(|tensor| tensor.into_data().into_vec().unwrap())
    }

    #[test]
    fn they_agree_with_burns_sums_and_means() {
        let cases: [(Of, Of); 7] = [
            (|x| Training::sum(x).unsqueeze(), |x| x.sum().unsqueeze()),
            (|x| Training::mean(x).unsqueeze(), |x| x.mean().unsqueeze()),
            (|x| Training::sum_dim(x, 0), |x| x.sum_dim(0)),
            (|x| Training::sum_dim(x, 1), |x| x.sum_dim(1)),
            (|x| Training::sum_dim(x, 2), |x| x.sum_dim(2)),
            (|x| Training::mean_dim(x, 1), |x| x.mean_dim(1)),
            (|x| Training::mean_dim(x, 2), |x| x.mean_dim(2)),
        ];
        for (index, (ours, burns)) in cases.into_iter().enumerate() {
            for (ours, burns) in all(ours).iter().zip(all(burns)) {
                assert_eq!(ours.len(), burns.len());
                for (a, b) in ours.iter().zip(burns) {
                    assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{index}: {a} {b}");
                }
            }
        }
    }
}
