//! Passes of a backend as operations, with gradients or without: each is written once for both.

mod operations;

use std::fmt;

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::ops::{Backward, OpsKind};
use burn::tensor::backend::{Backend, BackendTypes};
use burn::tensor::ops::{FloatTensor, FloatTensorOps, IntTensor};
use burn::tensor::{Int, Shape, Tensor, TensorMetadata, TensorPrimitive};

use self::operations::{
    BinaryCrossEntropy, CrossEntropy, Expansion, Filters, Linear, LogSoftmax, MaxPool,
    Normalization, OfEachValue, Product, Reduced, Scaling, Standardization,
};
use super::convolution_sizes::ConvolutionSizes;
use super::distribution::Distribution;
use super::kernels::{Kernels, Standardized, burns_max_pool2d};
use super::optimizer_steps::{AdamStep, MomentumStep};
use super::passes::{Direction, Function, Passes, Reduction};
use super::sliding::Sliding;
use crate::rng::Draw;
use crate::shape::ImageShape;

/// A backend with [`Passes`], or the one that records its operations.
pub(super) trait Recording: Backend {
    /// The backend whose passes these are, without gradients.
    type Inner: Passes;

    /// The values of a tensor.
    fn plain(tensor: &FloatTensor<Self>) -> &FloatTensor<Self::Inner>;

    /// The values of a tensor that is given away.
    fn into_plain(tensor: FloatTensor<Self>) -> FloatTensor<Self::Inner>;

    /// Whole numbers, which have no gradients.
    fn plain_int(tensor: IntTensor<Self>) -> IntTensor<Self::Inner>;

    /// The device that both name alike.
    fn plain_device(device: &Self::Device) -> &<Self::Inner as BackendTypes>::Device;

    /// A tensor of values that nothing with gradients led to.
    fn constant(values: FloatTensor<Self::Inner>) -> FloatTensor<Self>;

    /// The output that `make` makes of the values of `parents`, which it is given away, beside what `operation` makes
    /// their gradients from.
    fn recorded_of<
        O: Backward<Self::Inner, N, State = S>,
        S: Clone + Send + fmt::Debug + 'static,
        const N: usize,
    >(
        operation: O,
        parents: [FloatTensor<Self>; N],
        make: impl FnOnce([FloatTensor<Self::Inner>; N]) -> (S, FloatTensor<Self::Inner>),
    ) -> FloatTensor<Self>;

    /// The `output` that `operation` made of `parents`; `state` is what their gradients are made from.
    fn recorded<O: Backward<Self::Inner, N>, const N: usize>(
        operation: O,
        parents: [FloatTensor<Self>; N],
        state: O::State,
        output: FloatTensor<Self::Inner>,
    ) -> FloatTensor<Self> {
        Self::recorded_of(operation, parents, |_| (state, output))
    }
}

impl<B: Passes> Recording for B {
    type Inner = B;

    fn plain(tensor: &FloatTensor<B>) -> &FloatTensor<B> {
        tensor
    }

    fn into_plain(tensor: FloatTensor<B>) -> FloatTensor<B> {
        tensor
    }

    fn plain_int(tensor: IntTensor<B>) -> IntTensor<B> {
        tensor
    }

    fn plain_device(device: &B::Device) -> &B::Device {
        device
    }

    fn constant(values: FloatTensor<B>) -> FloatTensor<B> {
        values
    }

    fn recorded_of<
        O: Backward<B, N, State = S>,
        S: Clone + Send + fmt::Debug + 'static,
        const N: usize,
    >(
        _operation: O,
        parents: [FloatTensor<B>; N],
        make: impl FnOnce([FloatTensor<B>; N]) -> (S, FloatTensor<B>),
    ) -> FloatTensor<B> {
        make(parents).1
    }
}

impl<B: Passes> Recording for Autodiff<B> {
    type Inner = B;

    fn plain(tensor: &FloatTensor<Self>) -> &FloatTensor<B> {
        &tensor.primitive
    }

    fn into_plain(tensor: FloatTensor<Self>) -> FloatTensor<B> {
        tensor.primitive
    }

    fn plain_int(tensor: IntTensor<Self>) -> IntTensor<B> {
        tensor
    }

    fn plain_device(device: &B::Device) -> &B::Device {
        device
    }

    fn constant(values: FloatTensor<B>) -> FloatTensor<Self> {
        FloatTensor::<Self>::new(values)
    }

    fn recorded_of<
        O: Backward<B, N, State = S>,
        S: Clone + Send + fmt::Debug + 'static,
        const N: usize,
    >(
        operation: O,
        parents: [FloatTensor<Self>; N],
        make: impl FnOnce([FloatTensor<B>; N]) -> (S, FloatTensor<B>),
    ) -> FloatTensor<Self> {
        let mut parents = parents.map(|parent| (parent.node, Some(parent.primitive)));
        let values = parents
            .each_mut()
            .map(|(_, values)| values.take().expect("they are taken once"));
        let nodes = parents.map(|(node, _)| node);
        let (state, output) = make(values);
        let prepared = operation.prepare::<NoCheckpointing>(nodes);
        match prepared.compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(state, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

fn primitive<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> FloatTensor<B> {
    tensor.into_primitive().tensor()
}

fn tensor<B: Backend, const D: usize>(primitive: FloatTensor<B>) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}

impl<B: Recording> Kernels for B {
    const IS_AT_HAND: bool = <B::Inner as Passes>::IS_AT_HAND;

    fn convolve2d(
        x: Tensor<Self, 4>,
        weight: Tensor<Self, 4>,
        bias: Option<Tensor<Self, 1>>,
        sliding: Sliding,
    ) -> Tensor<Self, 4> {
        let sizes = ConvolutionSizes::of(x.dims(), weight.dims(), sliding);
        filtered(Direction::Convolution, x, weight, bias, sizes)
    }

    fn convolve2d_transpose(
        x: Tensor<Self, 4>,
        weight: Tensor<Self, 4>,
        bias: Option<Tensor<Self, 1>>,
        size: [usize; 2],
        sliding: Sliding,
    ) -> Tensor<Self, 4> {
        let sizes = ConvolutionSizes::of_outputs(x.dims(), weight.dims(), size, sliding);
        filtered(Direction::Transposed, x, weight, bias, sizes)
    }

    fn standardize(x: Tensor<Self, 3>, epsilon: f64) -> Standardized<Self> {
        let x = primitive(x);
        let made = B::Inner::standardization(B::plain(&x), epsilon);
        let state = (made.values.clone(), made.rate);
        Standardized {
            values: tensor(B::recorded(Standardization, [x], state, made.values)),
            mean: tensor(B::constant(made.mean)),
            variance: tensor(B::constant(made.variance)),
        }
    }

    fn scale_channels(
        x: Tensor<Self, 3>,
        scale: Tensor<Self, 1>,
        shift: Tensor<Self, 1>,
    ) -> Tensor<Self, 3> {
        let (x, scale, shift) = (primitive(x), primitive(scale), primitive(shift));
        let state = (B::plain(&x).clone(), B::plain(&scale).clone());
        let y = B::Inner::scaling(&state.0, &state.1, B::plain(&shift));
        tensor(B::recorded(Scaling, [x, scale, shift], state, y))
    }

    fn normalize_channels(
        x: Tensor<Self, 3>,
        scale: Tensor<Self, 1>,
        shift: Tensor<Self, 1>,
        epsilon: f64,
    ) -> Standardized<Self> {
        let (x, scale, shift) = (primitive(x), primitive(scale), primitive(shift));
        let (factors, offsets) = (B::plain(&scale).clone(), B::plain(&shift));
        let (standard, y) = B::Inner::normalization(B::plain(&x), &factors, offsets, epsilon);
        let state = (standard.values, standard.rate, factors);
        Standardized {
            values: tensor(B::recorded(Normalization, [x, scale, shift], state, y)),
            mean: tensor(B::constant(standard.mean)),
            variance: tensor(B::constant(standard.variance)),
        }
    }

    fn linear(
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
    ) -> Tensor<Self, 2> {
        let (x, weight, bias) = (primitive(x), primitive(weight), bias.map(primitive));
        let state = (B::plain(&x).clone(), B::plain(&weight).clone());
        let y = <B::Inner as Passes>::linear(&state.0, &state.1, bias.as_ref().map(B::plain));
        tensor(match bias {
            Some(bias) => B::recorded(Linear, [x, weight, bias], state, y),
            None => B::recorded(Product, [x, weight], state, y),
        })
    }

    fn matmul<const D: usize>(left: Tensor<Self, D>, right: Tensor<Self, D>) -> Tensor<Self, D> {
        let (left, right) = aligned(left, right);
        let (left, right) = (primitive(left), primitive(right));
        let state = (B::plain(&left).clone(), B::plain(&right).clone());
        let y = B::Inner::product(&state.0, &state.1);
        tensor(B::recorded(Product, [left, right], state, y))
    }

    fn exp<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        of_each_value(Function::Exp, x)
    }

    fn ln<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        of_each_value(Function::Ln, x)
    }

    fn ln_1p<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        of_each_value(Function::Ln1p, x)
    }

    fn tanh<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        of_each_value(Function::Tanh, x)
    }

    fn sigmoid<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        of_each_value(Function::Sigmoid, x)
    }

    fn softplus<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        of_each_value(Function::Softplus, x)
    }

    fn gelu<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        of_each_value(Function::Gelu, x)
    }

    fn elu<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        of_each_value(Function::Elu, x)
    }

    fn relu<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        of_each_value(Function::Relu, x)
    }

    fn max_pool(x: Tensor<Self, 4>, kernel: [usize; 2], sliding: Sliding) -> Tensor<Self, 4> {
        let x = primitive(x);
        let (shape, made) = (
            x.shape(),
            <B::Inner as Passes>::max_pool(B::plain(&x), kernel, sliding),
        );
        match made {
            Some((y, places)) => tensor(B::recorded(MaxPool, [x], (shape, places), y)),
            None => burns_max_pool2d(tensor(x), kernel, sliding),
        }
    }

    fn sum<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, 1> {
        reduced(None, false, x)
    }

    fn mean<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, 1> {
        reduced(None, true, x)
    }

    fn sum_dim<const D: usize>(x: Tensor<Self, D>, axis: usize) -> Tensor<Self, D> {
        reduced(Some(axis), false, x)
    }

    fn mean_dim<const D: usize>(x: Tensor<Self, D>, axis: usize) -> Tensor<Self, D> {
        reduced(Some(axis), true, x)
    }

    fn expand<const D: usize>(x: Tensor<Self, D>, shape: [usize; D]) -> Tensor<Self, D> {
        let x = primitive(x);
        let before = x.shape();
        let y = B::Inner::float_expand(B::plain(&x).clone(), Shape::from(shape));
        tensor(B::recorded(Expansion, [x], before, y))
    }

    fn log_softmax(x: Tensor<Self, 2>) -> Tensor<Self, 2> {
        let x = primitive(x);
        let y = <B::Inner as Passes>::log_softmax(B::plain(&x));
        tensor(B::recorded(LogSoftmax, [x], y.clone(), y))
    }

    fn cross_entropy(logits: Tensor<Self, 2>, targets: Tensor<Self, 1, Int>) -> Tensor<Self, 1> {
        let (logits, targets) = (primitive(logits), B::plain_int(targets.into_primitive()));
        let logs = <B::Inner as Passes>::log_softmax(B::plain(&logits));
        let loss = B::Inner::mean_of_targets(&logs, &targets);
        tensor(B::recorded(CrossEntropy, [logits], (logs, targets), loss))
    }

    fn binary_cross_entropy<const D: usize>(
        probabilities: Tensor<Self, D>,
        values: Tensor<Self, D>,
    ) -> Tensor<Self, D> {
        let (probabilities, values) = (primitive(probabilities), primitive(values));
        let state = (B::plain(&probabilities).clone(), B::plain(&values).clone());
        let losses = <B::Inner as Passes>::binary_cross_entropy(&state.0, &state.1);
        tensor(B::recorded(
            BinaryCrossEntropy,
            [probabilities],
            state,
            losses,
        ))
    }

    fn sum_of_squares(tensors: Vec<Tensor<Self, 1>>) -> Tensor<Self, 1> {
        let plain = |tensor| B::plain(&primitive(tensor)).clone();
        let sum = <B::Inner as Passes>::sum_of_squares(tensors.into_iter().map(plain).collect());
        tensor(B::constant(sum))
    }

    fn random<const D: usize>(
        shape: [usize; D],
        distribution: Distribution,
        draw: Draw,
        device: &Self::Device,
    ) -> Tensor<Self, D> {
        let device = B::plain_device(device);
        tensor(B::constant(<B::Inner as Passes>::random(
            &shape,
            distribution,
            draw,
            device,
        )))
    }

    fn look_up(
        words: Tensor<Self, 2, Int>,
        chosen: Tensor<Self, 1, Int>,
        meanings: Tensor<Self, 2>,
        shape: ImageShape,
    ) -> Tensor<Self, 4> {
        let [words, chosen] =
            [words.into_primitive(), chosen.into_primitive()].map(|numbers| B::plain_int(numbers));
        let meanings = primitive(meanings);
        let values = <B::Inner as Passes>::look_up(&words, &chosen, B::plain(&meanings), shape);
        tensor(B::constant(values))
    }

    fn adam_step<const D: usize>(
        weight: Tensor<Self, D>,
        gradient: Tensor<Self, D>,
        means: Option<[Tensor<Self, D>; 2]>,
        step: AdamStep,
    ) -> [Tensor<Self, D>; 3] {
        // What is handed over has no other owner, and may be written over.
        let plain = |tensor| B::into_plain(primitive(tensor));
        let means = means.map(|means| means.map(plain));
        <B::Inner as Passes>::adam_step(plain(weight), plain(gradient), means, step)
            .map(|made| tensor(B::constant(made)))
    }

    fn momentum_step<const D: usize>(
        weight: Tensor<Self, D>,
        gradient: Tensor<Self, D>,
        velocity: Option<Tensor<Self, D>>,
        step: MomentumStep,
    ) -> [Tensor<Self, D>; 2] {
        let plain = |tensor| B::into_plain(primitive(tensor));
        <B::Inner as Passes>::momentum_step(
            plain(weight),
            plain(gradient),
            velocity.map(plain),
            step,
        )
        .map(|made| tensor(B::constant(made)))
    }
}

fn filtered<B: Recording>(
    direction: Direction,
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    bias: Option<Tensor<B, 1>>,
    sizes: ConvolutionSizes,
) -> Tensor<B, 4> {
    let (x, weight, bias) = (primitive(x), primitive(weight), bias.map(primitive));
    let state = (B::plain(&x).clone(), B::plain(&weight).clone(), sizes);
    let y = B::Inner::convolution(
        direction,
        &state.0,
        &state.1,
        bias.as_ref().map(B::plain),
        sizes,
    );
    tensor(match bias {
        Some(bias) => B::recorded(Filters(direction), [x, weight, bias], state, y),
        None => B::recorded(Filters(direction), [x, weight], state, y),
    })
}

fn of_each_value<B: Recording, const D: usize>(
    function: Function,
    x: Tensor<B, D>,
) -> Tensor<B, D> {
    tensor(B::recorded_of(
        OfEachValue(function),
        [primitive(x)],
        |[x]| {
            let input = (!function.saves_output()).then(|| x.clone());
            let y = B::Inner::function(function, x);
            (input.unwrap_or_else(|| y.clone()), y)
        },
    ))
}

fn reduced<B: Recording, const D: usize, const E: usize>(
    axis: Option<usize>,
    is_mean: bool,
    x: Tensor<B, D>,
) -> Tensor<B, E> {
    let (x, reduction) = (primitive(x), Reduction { axis, is_mean });
    let (shape, y) = (x.shape(), B::Inner::reduction(reduction, B::plain(&x)));
    tensor(B::recorded(Reduced(reduction), [x], shape, y))
}

/// Both with the same number of matrices: axes of length 1 before the last two are repeated.
fn aligned<B: Backend, const D: usize>(
    left: Tensor<B, D>,
    right: Tensor<B, D>,
) -> (Tensor<B, D>, Tensor<B, D>) {
    let (mut of_left, mut of_right) = (left.dims(), right.dims());
    for axis in 0..D.saturating_sub(2) {
        let length = of_left[axis].max(of_right[axis]);
        (of_left[axis], of_right[axis]) = (length, length);
    }
    let fit = |x: Tensor<B, D>, shape: [usize; D]| match x.dims() == shape {
        true => x,
        false => x.expand(shape),
    };
    (fit(left, of_left), fit(right, of_right))
}

#[cfg(test)]
mod tests;
