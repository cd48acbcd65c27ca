//! Functions of every value of the CPU's tensors, with their gradients.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::{Tensor, TensorMetadata};
use rayon::prelude::*;

use super::cpu::{Simd, functions};
use super::plain::{FlexBackend, Plain, plain, primitive, tensor, values};

/// Values that are worth a thread.
const SHARED: usize = 1 << 15;

/// What the gradient of a function is made from, besides that of its output.
#[derive(Debug, Clone, Copy)]
enum SavedTensor {
    Input,
    Output,
}

/// A function with its gradient.
#[derive(Debug, Clone, Copy)]
pub(super) struct Function {
    of: fn(Simd, &[f32], &mut [f32]),
    gradient: fn(Simd, &[f32], &[f32], &mut [f32]),
    saved: SavedTensor,
}

macro_rules! functions {
    ($($constant:ident: $of:ident, $gradient:ident, $saved:ident;)+) => {
        $(pub(super) const $constant: Function = Function {
            of: functions::$of,
            gradient: functions::$gradient,
            saved: SavedTensor::$saved,
        };)+
    };
}

functions! {
    EXP: exp, exp_gradient, Output;
    LN: ln, ln_gradient, Input;
    LN_1P: ln_1p, ln_1p_gradient, Input;
    TANH: tanh, tanh_gradient, Output;
    SIGMOID: sigmoid, sigmoid_gradient, Output;
    SOFTPLUS: softplus, softplus_gradient, Input;
    RELU: relu, relu_gradient, Output;
}

impl Function {
    pub(super) fn apply<B: FlexBackend, const D: usize>(self, x: Tensor<B, D>) -> Tensor<B, D> {
        let x = primitive(x);
        let y = self.forward(B::plain(&x));
        let saved = match self.saved {
            SavedTensor::Input => B::plain(&x).clone(),
            SavedTensor::Output => y.clone(),
        };
        tensor(B::recorded(self, [x], saved, y))
    }

    fn forward(self, x: &Plain) -> Plain {
        let simd = Simd::detected();
        let from = values(x);
        let mut to = vec![0.0; from.len()];
        match is_shared(from.len()) {
            false => (self.of)(simd, &from, &mut to),
            true => from
                .par_chunks(SHARED)
                .zip(to.par_chunks_mut(SHARED))
                .for_each(|(from, to)| (self.of)(simd, from, to)),
        }
        plain(to, &x.shape())
    }
}

impl Backward<Flex, 1> for Function {
    type State = Plain;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [of_x] = ops.parents;
        let grad_output = gradients.consume::<Flex>(&ops.node);
        if let Some(node) = of_x {
            let of_x = paired(self.gradient, &grad_output, &ops.state);
            gradients.register::<Flex>(node.id, of_x);
        }
    }
}

fn is_shared(count: usize) -> bool {
    count > SHARED && rayon::current_num_threads() > 1
}

/// A function of the values of two tensors of one shape.
pub(super) fn paired(of: fn(Simd, &[f32], &[f32], &mut [f32]), a: &Plain, b: &Plain) -> Plain {
    let simd = Simd::detected();
    let (left, right) = (values(a), values(b));
    assert_eq!(left.len(), right.len());
    let mut to = vec![0.0; left.len()];
    match is_shared(left.len()) {
        false => of(simd, &left, &right, &mut to),
        true => left
            .par_chunks(SHARED)
            .zip(right.par_chunks(SHARED))
            .zip(to.par_chunks_mut(SHARED))
            .for_each(|((left, right), to)| of(simd, left, right, to)),
    }
    plain(to, &a.shape())
}

#[cfg(test)]
mod tests {
    use burn::backend::Autodiff;
    use burn::tensor::{TensorData, activation};

    use super::*;
    use crate::backend::Kernels;

    type Training = Autodiff<Flex>;
    type Of<B> = fn(Tensor<B, 2>) -> Tensor<B, 2>;

    fn input(values: &[f32]) -> Tensor<Training, 2> {
        let shape = [values.len() / 3, 3];
        let data = TensorData::new(values.to_vec(), shape);
        Tensor::from_data(data, &Default::default()).require_grad()
    }

    /// Of every output, and of every input's gradient where the outputs' are 1, 2, 3, ...
    fn all(of: Of<Training>, values: &[f32]) -> [Vec<f32>; 2] {
        let x = input(values);
        let weights = (1..=values.len()).map(|i| i as f32).collect::<Vec<_>>();
        let y = of(x.clone().swap_dims(0, 1));
        let weights = input(&weights).detach().swap_dims(0, 1);
        let gradients = (y.clone() * weights).sum().backward();
        let x = x.grad(&gradients).unwrap();
        [y.inner(), x].map(|tensor| tensor.into_data().into_vec().unwrap())
    }

    #[test]
    fn they_agree_with_burns_functions() {
        let values: Vec<f32> = (0..60).map(|i| (i as f32 * 0.7).sin() * 3.0).collect();
        let above: Vec<f32> = values.iter().map(|value| value.abs() + 0.01).collect();
        let softplus: Of<Training> = |x| activation::softplus(x, 1.0);
        let cases: [(Of<Training>, Of<Training>, &[f32]); 7] = [
            (Training::exp, Tensor::exp, &values),
            (Training::ln, Tensor::log, &above),
            (Training::ln_1p, Tensor::log1p, &above),
            (Training::tanh, activation::tanh, &values),
            (Training::sigmoid, activation::sigmoid, &values),
            (Training::softplus, softplus, &values),
            (Training::relu, activation::relu, &values),
        ];
        for (index, (ours, burns, values)) in cases.into_iter().enumerate() {
            for (ours, burns) in all(ours, values).iter().zip(all(burns, values)) {
                for (a, b) in ours.iter().zip(burns) {
                    assert!((a - b).abs() <= 2e-6 * b.abs().max(1.0), "{index}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn without_gradients_the_values_are_the_same() {
        let values: Vec<f32> = (0..3 * 20_000).map(|i| (i as f32 * 0.7).sin()).collect();
        let x = input(&values);
        let with = Training::tanh(x.clone()).inner().into_data();
        assert_eq!(Flex::tanh(x.inner()).into_data(), with);
    }

    #[test]
    fn a_rectifier_keeps_what_is_no_number() {
        let [y, grad_output] = all(Training::relu, &[f32::NAN, -1.0, 2.0]);
        assert!(y[0].is_nan() && y[1..] == [0.0, 2.0]);
        assert_eq!(grad_output, [1.0, 0.0, 3.0]);
    }
}
