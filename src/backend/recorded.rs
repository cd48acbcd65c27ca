//! Passes of a backend as operations, with gradients or without: each is written once for both.

use std::fmt;
use std::sync::Arc;

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::backend::{Backend, BackendTypes};
use burn::tensor::ops::{FloatTensor, FloatTensorOps, IntTensor};
use burn::tensor::{Int, Shape, Tensor, TensorMetadata, TensorPrimitive};

use super::distribution::Distribution;
use super::kernels::{Kernels, Standardized, burns_max_pool2d};
use super::optimizer_steps::{AdamStep, MomentumStep};
use super::passes::{Function, Passes, Reduction, Way};
use super::sizes::Sizes;
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
        let sizes = Sizes::of(x.dims(), weight.dims(), sliding);
        filtered(Way::Convolution, x, weight, bias, sizes)
    }

    fn convolve2d_transpose(
        x: Tensor<Self, 4>,
        weight: Tensor<Self, 4>,
        bias: Option<Tensor<Self, 1>>,
        size: [usize; 2],
        sliding: Sliding,
    ) -> Tensor<Self, 4> {
        let sizes = Sizes::before(x.dims(), weight.dims(), size, sliding);
        filtered(Way::Transposed, x, weight, bias, sizes)
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
    way: Way,
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    bias: Option<Tensor<B, 1>>,
    sizes: Sizes,
) -> Tensor<B, 4> {
    let (x, weight, bias) = (primitive(x), primitive(weight), bias.map(primitive));
    let state = (B::plain(&x).clone(), B::plain(&weight).clone(), sizes);
    let y = B::Inner::convolution(way, &state.0, &state.1, bias.as_ref().map(B::plain), sizes);
    tensor(match bias {
        Some(bias) => B::recorded(Filters(way), [x, weight, bias], state, y),
        None => B::recorded(Filters(way), [x, weight], state, y),
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

/// Declares what is recorded: its parents, its state, and the gradients of the parents as far as they are wanted.
macro_rules! operations {
    ($($Name:ident, $parents:literal, $State:ty,
        |$operation:ident, $state:pat_param, $gradient:ident, $wanted:pat_param| $gradients:expr;)+) => {$(
        impl<B: Passes> Backward<B, $parents> for $Name {
            type State = $State;

            fn backward(
                self,
                ops: Ops<Self::State, $parents>,
                gradients: &mut Gradients,
                _checkpointer: &mut Checkpointer,
            ) {
                let $operation = self;
                let ($state, $gradient) = (ops.state, gradients.consume::<B>(&ops.node));
                let $wanted = ops.parents.each_ref().map(Option::is_some);
                let made: [Option<FloatTensor<B>>; $parents] = $gradients;
                for (node, gradient) in ops.parents.into_iter().zip(made) {
                    if let (Some(node), Some(gradient)) = (node, gradient) {
                        gradients.register::<B>(node.id, gradient);
                    }
                }
            }
        }
    )+};
}

/// Filters over images.
#[derive(Debug)]
struct Filters(Way);

/// `x` times a matrix plus a bias.
#[derive(Debug)]
struct Linear;

/// Products of matrices.
#[derive(Debug)]
struct Product;

#[derive(Debug)]
struct OfEachValue(Function);

#[derive(Debug)]
struct MaxPool;

#[derive(Debug)]
struct Reduced(Reduction);

/// Axes of length 1 that are repeated.
#[derive(Debug)]
struct Expansion;

#[derive(Debug)]
struct Standardization;

#[derive(Debug)]
struct Scaling;

#[derive(Debug)]
struct LogSoftmax;

/// Of the logarithms of a softmax and targets.
#[derive(Debug)]
struct CrossEntropy;

#[derive(Debug)]
struct BinaryCrossEntropy;

operations! {
    Filters, 3, (FloatTensor<B>, FloatTensor<B>, Sizes), |of, (x, weight, sizes), gradient, wanted| {
        B::convolution_gradients(of.0, &x, &weight, &gradient, sizes, wanted)
    };
    Filters, 2, (FloatTensor<B>, FloatTensor<B>, Sizes), |of, (x, weight, sizes), gradient, [x_is, weight_is]| {
        let wanted = [x_is, weight_is, false];
        let [of_x, of_weight, _] = B::convolution_gradients(of.0, &x, &weight, &gradient, sizes, wanted);
        [of_x, of_weight]
    };
    Linear, 3, (FloatTensor<B>, FloatTensor<B>), |_of, (x, weight), gradient, wanted| {
        B::linear_gradients(&x, &weight, &gradient, wanted)
    };
    Product, 2, (FloatTensor<B>, FloatTensor<B>), |_of, (left, right), gradient, wanted| {
        B::product_gradients(&left, &right, &gradient, wanted)
    };
    OfEachValue, 1, FloatTensor<B>, |of, saved, gradient, [wanted]| {
        [wanted.then(|| B::function_gradient(of.0, &saved, gradient))]
    };
    MaxPool, 1, (Shape, Arc<Vec<u32>>), |_of, (shape, places), gradient, [wanted]| {
        [wanted.then(|| B::max_pool_gradient(&shape, &places, &gradient))]
    };
    Reduced, 1, Shape, |of, shape, gradient, [wanted]| {
        [wanted.then(|| B::reduction_gradient(of.0, &shape, &gradient))]
    };
    Expansion, 1, Shape, |_of, shape, gradient, [wanted]| {
        [wanted.then(|| summed_to::<B>(gradient, &shape))]
    };
    Standardization, 1, (FloatTensor<B>, FloatTensor<B>), |_of, (values, rate), gradient, [wanted]| {
        [wanted.then(|| B::standardization_gradient(&values, &rate, &gradient))]
    };
    Scaling, 3, (FloatTensor<B>, FloatTensor<B>), |_of, (x, scale), gradient, wanted| {
        B::scaling_gradients(&x, &scale, &gradient, wanted)
    };
    LogSoftmax, 1, FloatTensor<B>, |_of, y, gradient, [wanted]| {
        [wanted.then(|| B::log_softmax_gradient(&y, &gradient))]
    };
    CrossEntropy, 1, (FloatTensor<B>, IntTensor<B>), |_of, (logs, targets), gradient, [wanted]| {
        [wanted.then(|| B::cross_entropy_gradient(&logs, &targets, &gradient))]
    };
    BinaryCrossEntropy, 1, (FloatTensor<B>, FloatTensor<B>), |_of, (probabilities, values), gradient, [wanted]| {
        [wanted.then(|| B::binary_cross_entropy_gradient(&probabilities, &values, &gradient))]
    };
}

/// The sums along every axis that is longer than in `shape`, where it has length 1.
fn summed_to<B: Passes>(mut gradient: FloatTensor<B>, shape: &Shape) -> FloatTensor<B> {
    for axis in (0..shape.num_dims()).rev() {
        if shape[axis] == 1 && gradient.shape()[axis] > 1 {
            gradient = B::reduction(Reduction::sum_along(axis), &gradient);
        }
    }
    gradient
}

#[cfg(test)]
mod tests {
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
        fn operation<const E: usize>(
            &mut self,
            what: &str,
            inputs: &[&dyn Leaf<B>],
            y: Tensor<B, E>,
        ) {
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
            let y = B::convolve2d_transpose(
                x.clone(),
                weight.clone(),
                Some(bias.clone()),
                size,
                sliding,
            );
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
            let ours =
                <Flex as Kernels>::adam_step(numbers(0.3), numbers(0.7), means.clone(), step);
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
            let ours = <Flex as Kernels>::momentum_step(
                numbers(0.3),
                numbers(0.7),
                velocity.clone(),
                step,
            );
            let burns = kernels::momentum_step(numbers(0.3), numbers(0.7), velocity, step);
            for (ours, burns) in ours.into_iter().zip(burns) {
                ours.into_data().assert_eq(&burns.into_data(), true);
            }
        }
    }
}
