//! Losses of the CPU's tensors as one pass each, with their gradients.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::{Int, Tensor, TensorMetadata};

use super::cpu::{Simd, functions, sums};
use super::elementwise::paired;
use super::plain::{FlexBackend, Plain, plain, primitive, tensor, values};

pub(super) fn log_softmax<B: FlexBackend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    let x = primitive(x);
    let y = log_softmax_of(B::plain(&x));
    tensor(B::recorded(LogSoftmax, [x], y.clone(), y))
}

fn log_softmax_of(x: &Plain) -> Plain {
    let shape = x.shape();
    let x = values(x);
    let mut y = vec![0.0; x.len()];
    functions::log_softmax(Simd::detected(), &x, shape[1].max(1), &mut y);
    plain(y, &shape)
}

#[derive(Debug)]
struct LogSoftmax;

impl Backward<Flex, 1> for LogSoftmax {
    type State = Plain;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [of_x] = ops.parents;
        let (y, grad_output) = (ops.state, gradients.consume::<Flex>(&ops.node));
        let Some(node) = of_x else { return };
        let shape = y.shape();
        let (y, grad_output) = (values(&y), values(&grad_output));
        let mut of_x = vec![0.0; y.len()];
        functions::log_softmax_gradient(
            Simd::detected(),
            &y,
            &grad_output,
            shape[1].max(1),
            &mut of_x,
        );
        gradients.register::<Flex>(node.id, plain(of_x, &shape));
    }
}

pub(super) fn cross_entropy<B: FlexBackend>(
    logits: Tensor<B, 2>,
    targets: Tensor<B, 1, Int>,
) -> Tensor<B, 1> {
    let class = |target: i64| usize::try_from(target).expect("classes are counted from 0");
    let targets: Vec<usize> = targets.into_data().iter::<i64>().map(class).collect();
    let logits = primitive(logits);
    let logs = log_softmax_of(B::plain(&logits));
    let loss = mean_of_targets(&logs, &targets);
    tensor(B::recorded(CrossEntropy, [logits], (logs, targets), loss))
}

fn mean_of_targets(logs: &Plain, targets: &[usize]) -> Plain {
    let classes = logs.shape()[1];
    let logs = values(logs);
    assert_eq!(logs.len(), targets.len() * classes);
    let rows = logs.chunks_exact(classes.max(1)).zip(targets);
    let of_targets: Vec<f32> = rows.map(|(row, target)| row[*target]).collect();
    let mean = -sums::sum(Simd::detected(), &of_targets) / targets.len() as f64;
    plain(vec![mean as f32], &[1])
}

/// Of the logarithms of a softmax and targets.
#[derive(Debug)]
struct CrossEntropy;

impl Backward<Flex, 1> for CrossEntropy {
    type State = (Plain, Vec<usize>);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [of_x] = ops.parents;
        let ((logs, targets), grad_output) = (ops.state, gradients.consume::<Flex>(&ops.node));
        let Some(node) = of_x else { return };
        let share = values(&grad_output)[0] / targets.len() as f32;
        let shape = logs.shape();
        let logs = values(&logs);
        let mut of_x = vec![0.0; logs.len()];
        functions::exp(Simd::detected(), &logs, &mut of_x);
        for (row, target) in of_x.chunks_exact_mut(shape[1].max(1)).zip(targets) {
            row[target] -= 1.0;
            row.iter_mut().for_each(|value| *value *= share);
        }
        gradients.register::<Flex>(node.id, plain(of_x, &shape));
    }
}

pub(super) fn binary_cross_entropy<B: FlexBackend, const D: usize>(
    logits: Tensor<B, D>,
    targets: Tensor<B, D>,
) -> Tensor<B, D> {
    let (logits, targets) = (primitive(logits), primitive(targets));
    let state = (B::plain(&logits).clone(), B::plain(&targets).clone());
    let losses = paired(functions::binary_cross_entropy, &state.0, &state.1);
    tensor(B::recorded(BinaryCrossEntropy, [logits], state, losses))
}

#[derive(Debug)]
struct BinaryCrossEntropy;

impl Backward<Flex, 1> for BinaryCrossEntropy {
    type State = (Plain, Plain);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [of_x] = ops.parents;
        let ((logits, targets), grad_output) = (ops.state, gradients.consume::<Flex>(&ops.node));
        let Some(node) = of_x else { return };
        let gradient = paired(functions::binary_cross_entropy_gradient, &logits, &targets);
        let of_x = paired(functions::multiply, &grad_output, &gradient);
        gradients.register::<Flex>(node.id, of_x);
    }
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
        near(
            all(|x| Training::binary_cross_entropy(x, values())),
            all(|x| {
                let p = activation::sigmoid(x);
                let of_zeros = (p.clone().neg() + 1.0).log() * (values().neg() + 1.0);
                (p.log() * values() + of_zeros).neg()
            }),
        );
    }

    #[test]
    fn without_gradients_the_values_are_the_same() {
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
