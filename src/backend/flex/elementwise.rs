//! Functions of every value of the CPU's tensors, with their gradients.

use std::mem::MaybeUninit;

use burn::tensor::TensorMetadata;
use rayon::prelude::*;

use super::plain::{Plain, in_order, plain, values};
use crate::backend::cpu::{SHARED, Simd, copied, functions, written};
use crate::backend::passes::Function;

type OfEach = fn(Simd, &mut [f32]);
type OfPairs = fn(Simd, &mut [f32], &[f32]);

/// A function, and its gradient of the output's and of what [`Function::saves_output`] says.
fn passes(function: Function) -> (OfEach, OfPairs) {
    match function {
        Function::Exp => (functions::exp, functions::exp_gradient),
        Function::Ln => (functions::ln, functions::ln_gradient),
        Function::Ln1p => (functions::ln_1p, functions::ln_1p_gradient),
        Function::Tanh => (functions::tanh, functions::tanh_gradient),
        Function::Sigmoid => (functions::sigmoid, functions::sigmoid_gradient),
        Function::Softplus => (functions::softplus, functions::softplus_gradient),
        Function::Elu => (functions::elu, functions::elu_gradient),
        Function::Gelu => (functions::gelu, functions::gelu_gradient),
        Function::Relu => (functions::relu, functions::relu_gradient),
    }
}

/// Written over `x` where that has no other owner.
pub(super) fn forward(function: Function, x: Plain) -> Plain {
    let (simd, of) = (Simd::detected(), passes(function).0);
    changed(x, |_, values| of(simd, values))
}

/// Written over the output's gradient where that has no other owner.
pub(super) fn backward(function: Function, saved: &Plain, grad_output: Plain) -> Plain {
    paired(passes(function).1, grad_output, saved)
}

/// A function of the values of two tensors of one shape, written over the first where that has no other owner.
pub(super) fn paired(of: OfPairs, a: Plain, b: &Plain) -> Plain {
    let (simd, right) = (Simd::detected(), values(b));
    assert_eq!(a.shape().num_elements(), right.len());
    changed(a, |first, left| {
        of(simd, left, &right[first..][..left.len()])
    })
}

/// What `change` makes of a tensor's values, part by part, each with the number of its first value; written over them
/// where they have no other owner.
fn changed(mut tensor: Plain, change: impl Fn(usize, &mut [f32]) + Sync) -> Plain {
    if tensor.is_unique() {
        tensor = in_order(tensor);
        let values = tensor.storage_mut::<f32>();
        match is_shared(values.len()) {
            false => change(0, values),
            true => values
                .par_chunks_mut(SHARED)
                .enumerate()
                .for_each(|(part, values)| change(part * SHARED, values)),
        }
        return tensor;
    }
    let from = values(&tensor);
    let write = |places: &mut [MaybeUninit<f32>]| {
        let part = |(part, (from, places))| change(part * SHARED, copied(from, places));
        match is_shared(from.len()) {
            false => part((0, (&from[..], places))),
            true => from
                .par_chunks(SHARED)
                .zip(places.par_chunks_mut(SHARED))
                .enumerate()
                .for_each(part),
        }
    };
    // SAFETY: all places are copied to.
    let made = unsafe { written(from.len(), write) };
    plain(made, &tensor.shape())
}

fn is_shared(count: usize) -> bool {
    count > SHARED && rayon::current_num_threads() > 1
}

#[cfg(test)]
mod tests {
    use burn::backend::{Autodiff, Flex};
    use burn::tensor::{Tensor, TensorData, activation};

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
        let _alone = crate::backend::testing::sole_use_of_graphs();
        let values: Vec<f32> = (0..60).map(|i| (i as f32 * 0.7).sin() * 3.0).collect();
        let above: Vec<f32> = values.iter().map(|value| value.abs() + 0.01).collect();
        let softplus: Of<Training> = |x| activation::softplus(x, 1.0);
        let elu: Of<Training> = |x| {
            let above = x.clone().greater_elem(0.0);
            activation::relu(x.clone()) + x.mask_fill(above, 0.0).exp() - 1.0
        };
        let gelu: Of<Training> = |x| x.clone() * ((x / std::f64::consts::SQRT_2).erf() + 1.0) * 0.5;
        let cases: [(Of<Training>, Of<Training>, &[f32]); 9] = [
            (Training::exp, Tensor::exp, &values),
            (Training::ln, Tensor::log, &above),
            (Training::ln_1p, Tensor::log1p, &above),
            (Training::tanh, activation::tanh, &values),
            (Training::sigmoid, activation::sigmoid, &values),
            (Training::softplus, softplus, &values),
            (Training::elu, elu, &values),
            (Training::gelu, gelu, &values),
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
        let _alone = crate::backend::testing::sole_use_of_graphs();
        let values: Vec<f32> = (0..3 * 20_000).map(|i| (i as f32 * 0.7).sin()).collect();
        let x = input(&values);
        let with = Training::tanh(x.clone()).inner().into_data();
        assert_eq!(Flex::tanh(x.inner()).into_data(), with);
    }

    #[test]
    fn a_rectifier_keeps_what_is_no_number() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        let [y, grad_output] = all(Training::relu, &[f32::NAN, -1.0, 2.0]);
        assert!(y[0].is_nan() && y[1..] == [0.0, 2.0]);
        assert_eq!(grad_output, [1.0, 0.0, 3.0]);
    }
}
