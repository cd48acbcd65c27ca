//! Products of the CPU's tensors, and their gradients.

use burn::tensor::TensorMetadata;
use rayon::prelude::*;

use super::plain::{Matrices, Plain, is_turned, plain, values};
use crate::backend::cpu::{Matrix, Simd, Start, add_product, product, sums};
use crate::backend::passes::matrix_shape;

pub(super) fn linear(x: &Plain, weight: &Plain, bias: Option<&Plain>) -> Plain {
    let ([batch, _], [_, outputs]) = (matrix_shape(x), matrix_shape(weight));
    let (x, weight) = (Matrices::of(x), Matrices::of(weight));
    let bias = bias.map(values);
    let start = bias.as_deref().map_or(Start::Zero, Start::Row);
    let y = product(Simd::detected(), x.get(0), weight.get(0), start);
    plain(y, &[batch, outputs])
}

/// Of the inputs, the weights and the bias, as far as they are wanted.
pub(super) fn linear_gradients(
    x: &Plain,
    weight: &Plain,
    grad_output: &Plain,
    wanted: [bool; 3],
) -> [Option<Plain>; 3] {
    let [with_x, with_weight, with_bias] = wanted;
    let [of_x, of_weight] = product_gradients(x, weight, grad_output, [with_x, with_weight]);
    let of_bias = || {
        let [batch, outputs] = matrix_shape(grad_output);
        let mut of_bias = vec![0.0; outputs];
        let grad_output = values(grad_output);
        sums::sum_axis(Simd::detected(), &grad_output, batch, outputs, &mut of_bias);
        plain(of_bias, &[outputs])
    };
    [of_x, of_weight, with_bias.then(of_bias)]
}

/// Of the product of two matrices, or of two batches of matrices.
pub(super) fn product_gradients(
    left: &Plain,
    right: &Plain,
    grad_output: &Plain,
    [with_left, with_right]: [bool; 2],
) -> [Option<Plain>; 2] {
    [
        with_left.then(|| left_gradient(grad_output, right)),
        with_right.then(|| right_gradient(left, right, grad_output)),
    ]
}

/// The gradient of the output times the right matrix, transposed.
fn left_gradient(grad_output: &Plain, right: &Plain) -> Plain {
    let ([rows, _], [inner, _]) = (matrix_shape(grad_output), matrix_shape(right));
    products(grad_output, right, [rows, inner], |grad_output, right| {
        (grad_output, right.turned())
    })
}

/// The left matrix, transposed, times the gradient of the output; it lies as the right matrix does.
fn right_gradient(left: &Plain, right: &Plain, grad_output: &Plain) -> Plain {
    let ([_, inner], [_, columns]) = (matrix_shape(left), matrix_shape(grad_output));
    if is_turned(right) {
        let made = products(grad_output, left, [columns, inner], |grad_output, left| {
            (grad_output.turned(), left)
        });
        let rank = made.shape().num_dims();
        return made.transpose(rank - 2, rank - 1);
    }
    products(left, grad_output, [inner, columns], |left, grad_output| {
        (left.turned(), grad_output)
    })
}

pub(super) fn product_of(left: &Plain, right: &Plain) -> Plain {
    let ([rows, inner], [height, columns]) = (matrix_shape(left), matrix_shape(right));
    assert_eq!(inner, height, "the matrices' shapes do not fit");
    products(left, right, [rows, columns], |left, right| (left, right))
}

/// Products of all pairs of matrices, each turned as it is wanted and of the given shape.
fn products(
    left: &Plain,
    right: &Plain,
    shape: [usize; 2],
    turn: impl for<'a> Fn(Matrix<'a>, Matrix<'a>) -> (Matrix<'a>, Matrix<'a>) + Sync,
) -> Plain {
    let simd = Simd::detected();
    let mut whole = left.shape().to_vec();
    let axes = whole.len() - 2;
    whole[axes..].copy_from_slice(&shape);
    let (count, size) = (whole[..axes].iter().product::<usize>(), shape[0] * shape[1]);
    let (left, right) = (Matrices::of(left), Matrices::of(right));
    if count == 1 {
        let (left, right) = turn(left.get(0), right.get(0));
        return plain(product(simd, left, right, Start::Zero), &whole);
    }
    let mut made = vec![0.0; count * size];
    made.par_chunks_mut(size.max(1))
        .enumerate()
        .for_each(|(number, made)| {
            let (left, right) = turn(left.get(number), right.get(number));
            add_product(simd, left, right, Start::Zero, made);
        });
    plain(made, &whole)
}

#[cfg(test)]
mod tests {
    use burn::backend::{Autodiff, Flex};
    use burn::tensor::{Tensor, TensorData};

    use crate::backend::Kernels;

    type Training = Autodiff<Flex>;

    fn input<const D: usize>(shape: [usize; D], pace: f32) -> Tensor<Training, D> {
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|i| (i as f32 * pace).sin()).collect();
        Tensor::from_data(TensorData::new(values, shape), &Default::default()).require_grad()
    }

    fn near<const D: usize>(ours: Tensor<Flex, D>, burns: Tensor<Flex, D>, what: &str) {
        let difference: f32 = (ours - burns).abs().max().into_scalar();
        assert!(difference < 1e-4, "{what}: {difference}");
    }

    #[test]
    fn it_agrees_with_burns_linear_layer() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        for [batch, inputs, outputs] in [[5, 7, 3], [1, 30, 20], [70, 40, 90]] {
            for has_bias in [false, true] {
                let (x, weight) = (input([batch, inputs], 0.37), input([inputs, outputs], 0.71));
                let bias = has_bias.then(|| input([outputs], 1.3));
                let y = |ours: bool| {
                    let (x, weight, bias) = (x.clone(), weight.clone(), bias.clone());
                    match ours {
                        true => Training::linear(x, weight, bias),
                        false => burn::tensor::module::linear(x, weight, bias),
                    }
                };
                let grad_output = |y: Tensor<Training, 2>| y.square().sum().backward();
                let (ours, burns) = (y(true), y(false));
                near(ours.clone().inner(), burns.clone().inner(), "output");
                let (ours, burns) = (grad_output(ours), grad_output(burns));
                let of =
                    |x: &Tensor<Training, 2>| (x.grad(&ours).unwrap(), x.grad(&burns).unwrap());
                let [of_x, of_weight] = [of(&x), of(&weight)];
                near(of_x.0, of_x.1, "gradient of x");
                near(
                    of_weight.0 / 10.0,
                    of_weight.1 / 10.0,
                    "gradient of the weight",
                );
                if let Some(bias) = &bias {
                    let [ours, burns] = [&ours, &burns].map(|of| bias.grad(of).unwrap());
                    near(ours / 10.0, burns / 10.0, "gradient of the bias");
                }
            }
        }
    }

    #[test]
    fn a_turned_weight_is_read_as_it_lies_and_gives_the_same_bits() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        let (x, weight) = (input([9, 30], 0.37), input([20, 30], 0.71));
        // Turned twice, its values lie in order again.
        let copied = || {
            let data = weight.clone().inner().swap_dims(0, 1).into_data();
            Tensor::<Training, 2>::from_data(data, &Default::default()).require_grad()
        };
        let made = |leaf: &Tensor<Training, 2>, right: Tensor<Training, 2>| {
            let y = Training::linear(x.clone(), right.clone(), None);
            let y = y.square() + Training::matmul(x.clone(), right);
            let gradients = y.clone().sum().backward();
            [
                y.inner(),
                x.grad(&gradients).unwrap(),
                leaf.grad(&gradients).unwrap(),
            ]
        };
        let turned = made(&weight, weight.clone().swap_dims(0, 1));
        let copied = copied();
        let [y, of_x, of_weight] = made(&copied, copied.clone());
        let expected = [y, of_x, of_weight.swap_dims(0, 1)];
        for (turned, expected) in turned.into_iter().zip(expected) {
            assert_eq!(turned.into_data(), expected.into_data());
        }
    }

    #[test]
    fn it_agrees_with_burns_products_of_many_matrices() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        for (left, right) in [
            ([2, 3, 5, 7], [2, 3, 7, 4]),
            ([2, 1, 5, 7], [1, 3, 7, 4]),
            ([1, 1, 9, 20], [1, 1, 20, 1]),
        ] {
            // Turned, so that they do not lie in order.
            let [a, b, c, d] = right;
            let (left, right) = (input(left, 0.37), input([a, b, d, c], 0.71));
            let y = |ours: bool| {
                let (left, right) = (left.clone(), right.clone().swap_dims(2, 3));
                match ours {
                    true => Training::matmul(left, right),
                    false => left.matmul(right),
                }
            };
            let (ours, burns) = (y(true), y(false));
            near(ours.clone().inner(), burns.clone().inner(), "output");
            let [ours, burns] = [ours, burns].map(|y| y.square().sum().backward());
            for x in [&left, &right] {
                near(x.grad(&ours).unwrap(), x.grad(&burns).unwrap(), "gradient");
            }
            near(
                Flex::matmul(left.clone().inner(), right.clone().inner().swap_dims(2, 3)),
                y(true).inner(),
                "without gradients",
            );
        }
    }
}
