use burn::backend::Flex;
use burn::tensor::TensorData;

use super::*;
use crate::backend::testing::{on_test_device, test_device, tolerance_factor};
use crate::backend::{Precision, TrainingBackend, Work, kernels, math};

#[test]
fn repeated_axes_have_the_values_and_gradients_of_burns() {
    let _alone = crate::backend::testing::sole_use_of_graphs();
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

/// Outputs and gradients by their names.
type Results = Vec<(String, Vec<f32>)>;

/// What operations on a device gave.
struct Trial<B: TrainingBackend> {
    device: B::Device,
    results: Results,
}

impl<B: TrainingBackend> Trial<B> {
    fn input<const D: usize>(&self, shape: [usize; D], pace: f32) -> Tensor<B, D> {
        let count: usize = shape.iter().product();
        let values = (0..count).map(|i| (i as f32 * pace + 0.1).sin()).collect();
        Tensor::from_data(TensorData::new::<f32, _>(values, shape), &self.device).require_grad()
    }

    fn keep<const D: usize>(&mut self, what: &str, values: Tensor<B::InnerBackend, D>) {
        let values = values.into_data().iter::<f32>().collect();
        self.results.push((what.to_string(), values));
    }

    /// Keeps the output, and the gradients of the inputs where the output's values count each differently.
    fn operation<const E: usize>(&mut self, what: &str, inputs: &[&dyn Leaf<B>], y: Tensor<B, E>) {
        let weights = self.input(y.dims(), 0.53).detach();
        let gradients = (y.clone() * weights).sum().backward();
        self.keep(what, y.inner());
        for (number, input) in inputs.iter().enumerate() {
            let what = format!("{what}: gradient {number}");
            self.results.push((what, input.gradient(&gradients)));
        }
    }
}

/// An input of any rank.
trait Leaf<B: TrainingBackend> {
    fn gradient(&self, gradients: &B::Gradients) -> Vec<f32>;
}

impl<B: TrainingBackend, const D: usize> Leaf<B> for Tensor<B, D> {
    fn gradient(&self, gradients: &B::Gradients) -> Vec<f32> {
        let gradient = self.grad(gradients).expect("a gradient");
        gradient.into_data().iter::<f32>().collect()
    }
}

fn all_operations<B: TrainingBackend>(device: &B::Device) -> Results {
    let mut trial = Trial::<B> {
        device: device.clone(),
        results: Vec::new(),
    };
    convolutions(&mut trial);
    products(&mut trial);
    functions(&mut trial);
    reductions(&mut trial);
    normalizations(&mut trial);
    losses(&mut trial);
    bytes(&mut trial);
    steps(&mut trial);
    trial.results
}

fn convolutions<B: TrainingBackend>(trial: &mut Trial<B>) {
    let cases = [
        ([1, 1], [1, 1], [0, 0], [1, 1], 1, [4, 6]),
        ([1, 1], [2, 2], [0, 0], [1, 1], 1, [4, 6]),
        ([3, 3], [1, 1], [1, 1], [1, 1], 1, [3, 40]),
        ([3, 2], [2, 1], [1, 0], [1, 2], 2, [4, 6]),
        ([5, 4], [2, 3], [2, 3], [2, 1], 1, [2, 70]),
        ([3, 3], [1, 2], [1, 1], [1, 1], 6, [6, 6]),
        ([4, 4], [2, 2], [1, 1], [1, 1], 1, [16, 32]),
        ([3, 2], [2, 1], [1, 1], [1, 2], 2, [32, 64]),
    ];
    for (kernel, stride, before, dilation, groups, [channels, filters]) in cases {
        let sliding = Sliding {
            stride,
            before,
            after: [before[1], before[0]],
            dilation,
            groups,
        };
        let what = format!("{kernel:?} {sliding:?}");
        let x = trial.input([5, channels, 13, 12], 0.37);
        let weight = trial.input([filters, channels / groups, kernel[0], kernel[1]], 0.71);
        let bias = trial.input([filters], 1.3);
        let y = B::convolve2d(x.clone(), weight.clone(), Some(bias.clone()), sliding);
        let dims = y.dims();
        trial.operation(&what, &[&x, &weight, &bias], y);
        let without = B::convolve2d(x.clone(), weight.clone(), None, sliding);
        trial.operation(&format!("{what}, no bias"), &[&x, &weight], without);

        let x = trial.input(dims, 0.37);
        let bias = trial.input([channels], 1.3);
        let size = [13, 12];
        let y =
            B::convolve2d_transpose(x.clone(), weight.clone(), Some(bias.clone()), size, sliding);
        trial.operation(&format!("{what}, transposed"), &[&x, &weight, &bias], y);
    }
}

fn products<B: TrainingBackend>(trial: &mut Trial<B>) {
    // The last has more depth than one part holds.
    for [batch, inputs, outputs] in [[5, 7, 3], [1, 30, 20], [70, 40, 90], [17, 3000, 9]] {
        let what = format!("linear {batch} {inputs} {outputs}");
        let x = trial.input([batch, inputs], 0.37);
        let weight = trial.input([inputs, outputs], 0.71);
        let bias = trial.input([outputs], 1.3);
        let y = math::linear(x.clone(), weight.clone(), Some(bias.clone()));
        trial.operation(&what, &[&x, &weight, &bias], y);
        let y = math::linear(x.clone(), weight.clone(), None);
        trial.operation(&format!("{what}, no bias"), &[&x, &weight], y);
    }
    for (left, right) in [
        ([2, 3, 5, 7], [2, 3, 7, 4]),
        ([2, 1, 5, 7], [1, 3, 7, 4]),
        ([1, 1, 9, 20], [1, 1, 20, 1]),
        ([70_000, 1, 1, 2], [70_000, 1, 2, 1]),
    ] {
        // Turned, so that they do not lie in order.
        let [a, b, c, d] = right;
        let (left, right) = (trial.input(left, 0.37), trial.input([a, b, d, c], 0.71));
        let y = B::matmul(left.clone(), right.clone().swap_dims(2, 3));
        trial.operation("matmul", &[&left, &right], y);
        let turned = left.clone().swap_dims(0, 1);
        let y = B::matmul(turned, right.clone().swap_dims(0, 1).swap_dims(2, 3));
        trial.operation("matmul of turned batches", &[&left, &right], y);
    }
}

fn functions<B: TrainingBackend>(trial: &mut Trial<B>) {
    type Of<B> = fn(Tensor<B, 2>) -> Tensor<B, 2>;
    let all: [(&str, Of<B>); 9] = [
        ("exp", B::exp),
        ("ln", |x| B::ln(x.powi_scalar(2) + 0.1)),
        ("ln_1p", |x| B::ln_1p(x.powi_scalar(2))),
        ("tanh", B::tanh),
        ("sigmoid", math::sigmoid),
        ("softplus", B::softplus),
        ("elu", B::elu),
        ("gelu", <B as Kernels>::gelu),
        ("relu", math::relu),
    ];
    for (what, of) in all {
        let x = trial.input([20, 17], 0.7);
        let y = of(x.clone().swap_dims(0, 1) * 30.0);
        trial.operation(what, &[&x], y);
    }
    let x = Tensor::<B, 1>::from_floats([f32::NAN, -1.0, 0.0, 2.0], &trial.device);
    let y = math::relu(x.require_grad());
    trial.keep("relu of what is no number", y.inner());
}

fn reductions<B: TrainingBackend>(trial: &mut Trial<B>) {
    // The last has more rows than a grid has along an axis.
    for shape in [
        [3, 700, 5],
        [4, 5, 900],
        [2, 9000, 1],
        [1, 1, 1],
        [70_000, 2, 3],
    ] {
        let x = trial.input(shape, 0.37);
        trial.operation("sum", &[&x], B::sum(x.clone()));
        trial.operation("mean", &[&x], B::mean(x.clone()));
        for axis in 0..3 {
            trial.operation("sum_dim", &[&x], B::sum_dim(x.clone(), axis));
            let turned = x.clone().swap_dims(0, 2);
            trial.operation("mean_dim", &[&x], B::mean_dim(turned, axis));
        }
    }
    let x = trial.input([3, 1, 5, 1], 0.7);
    let y = B::expand(x.clone(), [3, 4, 5, 6]);
    trial.operation("expand", &[&x], y);
    let inner = |x: Tensor<B, 1>| x.inner();
    let parts = vec![
        inner(trial.input([7], 0.3)),
        inner(trial.input([20_000], 0.7)),
    ];
    let sum = B::InnerBackend::sum_of_squares(parts);
    trial.keep("sum_of_squares", sum);
}

fn normalizations<B: TrainingBackend>(trial: &mut Trial<B>) {
    for shape in [
        [4, 3, 5],
        [7, 2, 1],
        [2, 5, 37],
        [30, 3, 400],
        [3, 700, 2],
        [1, 70_000, 3],
    ] {
        let x = trial.input(shape, 0.7) + 3.0;
        let x = x.detach().require_grad();
        let (scale, shift) = (trial.input([shape[1]], 1.7), trial.input([shape[1]], 2.9));
        let standard = B::standardize(x.clone(), 1e-3);
        trial.keep("mean", standard.mean.inner());
        trial.keep("variance", standard.variance.inner());
        let y = B::scale_channels(standard.values, scale.clone(), shift.clone());
        trial.operation("standardization and scaling", &[&x, &scale, &shift], y);
        let y = B::normalize_channels(x.clone(), scale.clone(), shift.clone(), 1e-3).values;
        trial.operation("normalization", &[&x, &scale, &shift], y);
    }
}

fn losses<B: TrainingBackend>(trial: &mut Trial<B>) {
    for shape in [[8, 5], [300, 10], [3, 1000], [70_000, 2]] {
        let x = trial.input(shape, 0.7);
        let logits = || x.clone() * 5.0;
        let classes = (0..shape[0])
            .map(|row| (row * 7 % shape[1]) as i32)
            .collect();
        let classes = TensorData::new::<i32, _>(classes, [shape[0]]);
        let targets = Tensor::<B, 1, Int>::from_data(classes, &trial.device);
        trial.operation("log_softmax", &[&x], math::log_softmax(logits()));
        trial.operation("cross_entropy", &[&x], B::cross_entropy(logits(), targets));
        let values = trial.input(shape, 0.3).detach().powi_scalar(2);
        // Also beyond the bounds.
        let y = B::binary_cross_entropy(x.clone() * 0.6 + 0.5, values);
        trial.operation("binary_cross_entropy", &[&x], y);
    }
}

fn bytes<B: TrainingBackend>(trial: &mut Trial<B>) {
    for shape in [ImageShape::new(1, 4, 6), ImageShape::new(3, 3, 5)] {
        let [size, count] = [shape.len().div_ceil(4), 7];
        let words = (0..(size * count) as i32).map(|at| at.wrapping_mul(-1_640_531_527));
        let words = TensorData::new::<i32, _>(words.collect(), [count, size]);
        let words = Tensor::from_data(words, &trial.device);
        let chosen = Tensor::from_data([6, 0, 0, 3], &trial.device);
        let meanings = trial.input([shape.channels, 256], 0.37).detach();
        let seen = B::look_up(words, chosen, meanings, shape).into_data();
        trial
            .results
            .push((format!("look_up {shape}"), seen.iter::<f32>().collect()));
    }
}

fn steps<B: TrainingBackend>(trial: &mut Trial<B>) {
    let input = |trial: &Trial<B>, pace: f32| trial.input([30, 23], pace).inner();
    let mut weight = input(trial, 0.3);
    let mut means = None;
    for number in 1..4 {
        let step = AdamStep {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            coupled_decay: 0.1,
            decoupled_decay: 0.01,
            learning_rate: 0.01,
            number,
        };
        let gradient = input(trial, 0.1 * number as f32);
        // The weights from before are somebody's still, and must stay what they are.
        let before = weight.clone();
        let [next, mean, square] = B::InnerBackend::adam_step(weight, gradient, means, step);
        (weight, means) = (next, Some([mean, square]));
        trial.keep("adam: before", before);
        trial.keep("adam", weight.clone());
    }
    for nesterov in [false, true] {
        let (mut weight, mut velocity) = (input(trial, 0.3), None);
        for number in 1..4 {
            let step = MomentumStep {
                momentum: 0.9,
                nesterov,
                weight_decay: 0.1,
                learning_rate: 0.01,
            };
            let gradient = input(trial, 0.1 * number as f32);
            let [next, fast] = B::InnerBackend::momentum_step(weight, gradient, velocity, step);
            (weight, velocity) = (next, Some(fast));
            trial.keep("momentum", weight.clone());
        }
    }
}

/// `most` is how far a value may be off, as a share of the largest.
fn agree(received: &Results, expected: &Results, most: f32) {
    assert_eq!(received.len(), expected.len());
    for ((what, received), (_, expected)) in received.iter().zip(expected) {
        assert_eq!(received.len(), expected.len(), "{what}");
        let largest = expected.iter().fold(1.0f32, |most, e| most.max(e.abs()));
        for (at, (r, e)) in received.iter().zip(expected).enumerate() {
            let agrees = (r - e).abs() <= most * largest || (r.is_nan() && e.is_nan());
            assert!(agrees, "{what}: value {at} is {r} instead of {e}");
        }
    }
}

#[test]
fn operations_are_the_cpus_on_every_device() {
    let _alone = crate::backend::testing::sole_use_of_graphs();
    let received = on_test_device!(all_operations() -> Results);
    let expected = all_operations::<Autodiff<Flex>>(&Default::default());
    agree(&received, &expected, 2e-4 * tolerance_factor());
}

fn of_products<B: TrainingBackend>(device: &B::Device) -> Results {
    let mut trial = Trial::<B> {
        device: device.clone(),
        results: Vec::new(),
    };
    convolutions(&mut trial);
    products(&mut trial);
    trial.results
}

struct OfProducts;

impl Work for OfProducts {
    type Output = Results;

    fn run<B: TrainingBackend>(self, device: B::Device) -> Results {
        of_products::<B>(&device)
    }
}

#[test]
fn rounded_factors_give_rounded_products() {
    let _alone = crate::backend::testing::sole_use_of_graphs();
    let expected = of_products::<Autodiff<Flex>>(&Default::default());
    for (precision, most) in [(Precision::Tf32, 2e-2), (Precision::Bf16, 0.15)] {
        let device = test_device().with_precision(precision);
        let found = device.check().unwrap();
        assert!(found.products as u8 <= precision as u8, "{found}");
        agree(
            &device.run(OfProducts),
            &expected,
            most * tolerance_factor(),
        );
    }
}

/// The steps of the CPU are one pass, and give what Burn's operations give.
#[test]
fn steps_on_the_cpu_are_burns_to_the_last_bit() {
    let _alone = crate::backend::testing::sole_use_of_graphs();
    let numbers = |pace: f32| {
        let values = (0..999).map(|i| (i as f32 * pace).sin()).collect();
        let data = TensorData::new::<f32, _>(values, [999]);
        Tensor::<Flex, 1>::from_data(data, &Default::default())
    };
    let step = AdamStep {
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: 1e-8,
        coupled_decay: 0.1,
        decoupled_decay: 0.01,
        learning_rate: 0.01,
        number: 3,
    };
    let means = || Some([numbers(0.2), numbers(0.4).square()]);
    for means in [None, means()] {
        let ours = <Flex as Kernels>::adam_step(numbers(0.3), numbers(0.7), means.clone(), step);
        let burns = kernels::adam_step(numbers(0.3), numbers(0.7), means, step);
        for (ours, burns) in ours.into_iter().zip(burns) {
            ours.into_data().assert_eq(&burns.into_data(), true);
        }
    }
    let step = MomentumStep {
        momentum: 0.9,
        nesterov: true,
        weight_decay: 0.1,
        learning_rate: 0.01,
    };
    for velocity in [None, Some(numbers(0.2))] {
        let ours =
            <Flex as Kernels>::momentum_step(numbers(0.3), numbers(0.7), velocity.clone(), step);
        let burns = kernels::momentum_step(numbers(0.3), numbers(0.7), velocity, step);
        for (ours, burns) in ours.into_iter().zip(burns) {
            ours.into_data().assert_eq(&burns.into_data(), true);
        }
    }
}
