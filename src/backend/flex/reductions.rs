//! Sums and means of the CPU's tensors in a fixed order, with their gradients.

use burn::tensor::{Shape, TensorMetadata};

use super::plain::{Plain, plain, values};
use crate::backend::cpu::{Simd, sums};
use crate::backend::passes::Reduction;

pub(super) fn forward(reduction: Reduction, x: &Plain) -> Plain {
    let simd = Simd::detected();
    let shape = x.shape();
    let (count, inner) = reduction.sizes(&shape);
    let (x, factor) = (values(x), reduction.factor(&shape));
    let Some(axis) = reduction.axis else {
        return plain(vec![(sums::sum(simd, &x) * factor) as f32], &[1]);
    };
    let mut shape = shape.to_vec();
    shape[axis] = 1;
    let mut made = vec![0.0; shape.iter().product()];
    sums::sum_axis(simd, &x, count, inner, &mut made);
    if reduction.is_mean {
        made.iter_mut()
            .for_each(|sum| *sum = (f64::from(*sum) * factor) as f32);
    }
    plain(made, &shape)
}

/// Of all values of all tensors, `[1]`.
pub(super) fn sum_of_squares(tensors: &[Plain]) -> Plain {
    let simd = Simd::detected();
    let of_each = |x: &Plain| sums::sum_of_squares(simd, &values(x)) as f32;
    let sums: Vec<f32> = tensors.iter().map(of_each).collect();
    plain(vec![sums::sum(simd, &sums) as f32], &[1])
}

/// `shape` is that of what was reduced.
pub(super) fn backward(reduction: Reduction, shape: &Shape, grad_output: &Plain) -> Plain {
    let (count, inner) = reduction.sizes(shape);
    let grad_output = values(grad_output);
    let factor = reduction.factor(shape) as f32;
    let mut of_x = Vec::with_capacity(shape.num_elements());
    for row in grad_output.chunks_exact(inner.max(1)) {
        match row {
            [gradient] => of_x.resize(of_x.len() + count, gradient * factor),
            row => {
                (0..count).for_each(|_| of_x.extend(row.iter().map(|gradient| gradient * factor)))
            }
        }
    }
    plain(of_x, shape)
}

#[cfg(test)]
mod tests {
    use burn::backend::{Autodiff, Flex};
    use burn::tensor::{Tensor, TensorData};

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
        let _alone = crate::backend::testing::sole_use_of_graphs();
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
