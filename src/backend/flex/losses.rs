//! Losses of the CPU's tensors as one pass each, and their gradients.

use burn::backend::Flex;
use burn::tensor::ops::IntTensor;
use burn::tensor::{Int, Tensor, TensorMetadata};

use super::elementwise::paired;
use super::plain::{Plain, plain, values};
use crate::backend::cpu::{Simd, functions, sums};

pub(super) fn log_softmax(x: &Plain) -> Plain {
    let shape = x.shape();
    let x = values(x);
    let mut y = vec![0.0; x.len()];
    functions::log_softmax(Simd::detected(), &x, shape[1].max(1), &mut y);
    plain(y, &shape)
}

pub(super) fn log_softmax_gradient(y: &Plain, grad_output: &Plain) -> Plain {
    let shape = y.shape();
    let (y, grad_output) = (values(y), values(grad_output));
    let mut of_x = vec![0.0; y.len()];
    let classes = shape[1].max(1);
    functions::log_softmax_gradient(Simd::detected(), &y, &grad_output, classes, &mut of_x);
    plain(of_x, &shape)
}

fn classes(targets: &IntTensor<Flex>) -> Vec<usize> {
    let class = |target: i64| usize::try_from(target).expect("classes are counted from 0");
    let targets: Tensor<Flex, 1, Int> = Tensor::from_primitive(targets.clone());
    targets.into_data().iter::<i64>().map(class).collect()
}

pub(super) fn mean_of_targets(logs: &Plain, targets: &IntTensor<Flex>) -> Plain {
    let (width, targets) = (logs.shape()[1], classes(targets));
    let logs = values(logs);
    assert_eq!(logs.len(), targets.len() * width);
    let rows = logs.chunks_exact(width.max(1)).zip(&targets);
    let of_targets: Vec<f32> = rows.map(|(row, target)| row[*target]).collect();
    let mean = -sums::sum(Simd::detected(), &of_targets) / targets.len() as f64;
    plain(vec![mean as f32], &[1])
}

pub(super) fn cross_entropy_gradient(
    logs: &Plain,
    targets: &IntTensor<Flex>,
    grad_output: &Plain,
) -> Plain {
    let targets = classes(targets);
    let share = values(grad_output)[0] / targets.len() as f32;
    let shape = logs.shape();
    let logs = values(logs);
    let mut of_x = logs.into_owned();
    functions::exp(Simd::detected(), &mut of_x);
    for (row, target) in of_x.chunks_exact_mut(shape[1].max(1)).zip(targets) {
        row[target] -= 1.0;
        row.iter_mut().for_each(|value| *value *= share);
    }
    plain(of_x, &shape)
}

pub(super) fn binary_cross_entropy(probabilities: &Plain, values: &Plain) -> Plain {
    paired(
        functions::binary_cross_entropy,
        probabilities.clone(),
        values,
    )
}

pub(super) fn binary_cross_entropy_gradient(
    probabilities: &Plain,
    values: &Plain,
    grad_output: &Plain,
) -> Plain {
    let gradient = paired(
        functions::binary_cross_entropy_gradient,
        probabilities.clone(),
        values,
    );
    paired(functions::multiply, gradient, grad_output)
}

#[cfg(test)]
mod tests {
    use burn::backend::Autodiff;
    use burn::tensor::{TensorData, activation};

    use super::*;
    use crate::backend::Kernels;

    type Training = Autodiff<Flex>;

    fn logits() -> Tensor<Training, 2> {
        let values: Vec<f32> = (0..40).map(|i| (i as f32 * 0.7).sin() * 5.0).collect();
        let data = TensorData::new(values, [8, 5]);
        Tensor::from_data(data, &Default::default()).require_grad()
    }

    fn targets() -> Tensor<Training, 1, Int> {
        Tensor::from_data([0, 4, 2, 2, 1, 3, 0, 4], &Default::default())
    }

    /// Outputs, and the inputs' gradients of the sum of their squares.
    fn all<const D: usize>(
        of: impl Fn(Tensor<Training, 2>) -> Tensor<Training, D>,
    ) -> [Vec<f32>; 2] {
        let x = logits();
        let y = of(x.clone());
        let gradients = y.clone().square().sum().backward();
        let x = x.grad(&gradients).unwrap().into_data();
        [y.inner().into_data(), x].map(|data| data.into_vec().unwrap())
    }

    fn near(ours: [Vec<f32>; 2], burns: [Vec<f32>; 2]) {
        for (ours, burns) in ours.iter().zip(burns) {
            assert_eq!(ours.len(), burns.len());
            for (a, b) in ours.iter().zip(burns) {
                assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{a} {b}");
            }
        }
    }

    #[test]
    fn they_agree_with_chains_of_burns_operations() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        near(
            all(Training::log_softmax),
            all(|x| activation::log_softmax(x, 1)),
        );
        near(
            all(|x| Training::cross_entropy(x, targets())),
            all(|x| {
                let targets = targets().unsqueeze_dim(1);
                activation::log_softmax(x, 1)
                    .gather(1, targets)
                    .mean()
                    .neg()
            }),
        );
        let values = || (logits().detach().sin() + 1.0) / 2.0;
        let probabilities = |x: Tensor<Training, 2>| activation::sigmoid(x) * 1.2 - 0.1;
        near(
            all(|x| Training::binary_cross_entropy(probabilities(x), values())),
            all(|x| {
                let p = probabilities(x).clamp(1e-7, 1.0 - 1e-7);
                let of_zeros = (p.clone().neg() + 1.0).log() * (values().neg() + 1.0);
                (p.log() * values() + of_zeros).neg()
            }),
        );
    }

    #[test]
    fn without_gradients_the_values_are_the_same() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        let tracked = Training::cross_entropy(logits(), targets())
            .inner()
            .into_data();
        let targets = targets().inner();
        assert_eq!(
            Flex::cross_entropy(logits().inner(), targets).into_data(),
            tracked
        );
    }
}
