//! The CPU's own kernels as operations of Burn's `flex` backend, with and without gradients.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::flex::FlexDevice;
use burn::tensor::{Int, Tensor, TensorMetadata};

use super::convolution::{self, ConvolutionGradients};
use super::cpu::{Simd, Sizes};
use super::kernels::{Kernels, Standardized};
use super::plain::{FlexBackend, Plain, plain, primitive, tensor};
use super::reductions::Reduction;
use super::sliding::Sliding;
use super::{elementwise, expansion, linear, losses, normalization, transposed_convolution};
use crate::error::Result;

pub(super) type Backend = Flex;
pub(super) const IS_GPU: bool = false;

pub(super) fn models() -> Result<Vec<Option<String>>> {
    Ok(vec![None])
}

pub(super) fn device(_: usize) -> FlexDevice {
    Default::default()
}

/// What `BURNLAB_SIMD` asks for.
pub(super) fn requirements(_: usize) -> Result<()> {
    Simd::asked_for().map(|_| ())
}

pub(super) fn memory(_: usize) -> Result<Option<(u64, u64)>> {
    Ok(None)
}

impl<B: FlexBackend> Kernels for B {
    const WINDOWS_SPAN_STRIDES: bool = false;
    const IS_AT_HAND: bool = true;

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
        normalization::standardize(x, epsilon)
    }

    fn scale_channels(
        x: Tensor<Self, 3>,
        scale: Tensor<Self, 1>,
        shift: Tensor<Self, 1>,
    ) -> Tensor<Self, 3> {
        normalization::scale_channels(x, scale, shift)
    }

    fn linear(
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 2>,
        bias: Option<Tensor<Self, 1>>,
    ) -> Tensor<Self, 2> {
        linear::linear(x, weight, bias)
    }

    fn matmul<const D: usize>(left: Tensor<Self, D>, right: Tensor<Self, D>) -> Tensor<Self, D> {
        linear::matmul(left, right)
    }

    fn exp<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        elementwise::EXP.apply(x)
    }

    fn ln<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        elementwise::LN.apply(x)
    }

    fn ln_1p<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        elementwise::LN_1P.apply(x)
    }

    fn tanh<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        elementwise::TANH.apply(x)
    }

    fn sigmoid<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        elementwise::SIGMOID.apply(x)
    }

    fn softplus<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        elementwise::SOFTPLUS.apply(x)
    }

    fn relu<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, D> {
        elementwise::RELU.apply(x)
    }

    fn sum<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, 1> {
        Reduction::sum_of_all().apply(x)
    }

    fn mean<const D: usize>(x: Tensor<Self, D>) -> Tensor<Self, 1> {
        Reduction::mean_of_all().apply(x)
    }

    fn sum_dim<const D: usize>(x: Tensor<Self, D>, axis: usize) -> Tensor<Self, D> {
        Reduction::sum_along(axis).apply(x)
    }

    fn mean_dim<const D: usize>(x: Tensor<Self, D>, axis: usize) -> Tensor<Self, D> {
        Reduction::mean_along(axis).apply(x)
    }

    fn expand<const D: usize>(x: Tensor<Self, D>, shape: [usize; D]) -> Tensor<Self, D> {
        expansion::expand(x, shape)
    }

    fn log_softmax(x: Tensor<Self, 2>) -> Tensor<Self, 2> {
        losses::log_softmax(x)
    }

    fn cross_entropy(logits: Tensor<Self, 2>, targets: Tensor<Self, 1, Int>) -> Tensor<Self, 1> {
        losses::cross_entropy(logits, targets)
    }

    fn binary_cross_entropy<const D: usize>(
        logits: Tensor<Self, D>,
        targets: Tensor<Self, D>,
    ) -> Tensor<Self, D> {
        losses::binary_cross_entropy(logits, targets)
    }
}

/// Which way the filters are applied.
#[derive(Debug, Clone, Copy)]
enum Way {
    Convolution,
    Transposed,
}

impl Way {
    fn forward(self, x: &Plain, weight: &Plain, bias: Option<&Plain>, sizes: Sizes) -> Plain {
        match self {
            Way::Convolution => convolution::forward(x, weight, bias, sizes),
            Way::Transposed => transposed_convolution::forward(x, weight, bias, sizes),
        }
    }

    fn backward(
        self,
        x: &Plain,
        weight: &Plain,
        of_output: &Plain,
        sizes: Sizes,
        wanted: [bool; 3],
    ) -> ConvolutionGradients {
        match self {
            Way::Convolution => convolution::backward(x, weight, of_output, sizes, wanted),
            Way::Transposed => {
                transposed_convolution::backward(x, weight, of_output, sizes, wanted)
            }
        }
    }

    /// Channels of the output.
    fn outputs(self, sizes: Sizes) -> usize {
        match self {
            Way::Convolution => sizes.filters,
            Way::Transposed => sizes.channels,
        }
    }
}

fn filtered<B: FlexBackend>(
    way: Way,
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    bias: Option<Tensor<B, 1>>,
    sizes: Sizes,
) -> Tensor<B, 4> {
    let (x, weight, bias) = (primitive(x), primitive(weight), bias.map(primitive));
    let state = (B::plain(&x).clone(), B::plain(&weight).clone(), sizes);
    let output = way.forward(&state.0, &state.1, bias.as_ref().map(B::plain), sizes);
    let bias = bias.unwrap_or_else(|| {
        let channels = way.outputs(sizes);
        B::constant(plain(vec![0.0; channels], &[channels]))
    });
    tensor(B::recorded(way, [x, weight, bias], state, output))
}

impl Backward<Flex, 3> for Way {
    type State = (Plain, Plain, Sizes);

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [of_x, of_weight, of_bias] = ops.parents;
        let (x, weight, sizes) = ops.state;
        let of_output = gradients.consume::<Flex>(&ops.node);
        let wanted = [of_x.is_some(), of_weight.is_some(), of_bias.is_some()];
        let conv_gradients = Way::backward(self, &x, &weight, &of_output, sizes, wanted);
        let mut register = |node, gradient, shape: &[usize]| {
            gradients.register::<Flex>(node, plain(gradient, shape));
        };
        if let (Some(node), Some(gradient)) = (of_x, conv_gradients.x) {
            register(node.id, gradient, &x.shape());
        }
        if let (Some(node), Some(gradient)) = (of_weight, conv_gradients.weight) {
            register(node.id, gradient, &weight.shape());
        }
        if let (Some(node), Some(gradient)) = (of_bias, conv_gradients.bias) {
            register(node.id, gradient, &[self.outputs(sizes)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::shapes::{fit, reshape};
    use burn::backend::Autodiff;
    use burn::tensor::TensorData;
    use burn::tensor::backend::Backend;
    use burn::tensor::module::{conv_transpose2d, conv2d};
    use burn::tensor::ops::{ConvTransposeOptions, PaddedConvOptions};
    use rand::Rng;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    type Training = Autodiff<Flex>;

    fn burns_convolve2d<B: Backend>(
        x: Tensor<B, 4>,
        weight: Tensor<B, 4>,
        bias: Option<Tensor<B, 1>>,
        sliding: Sliding,
    ) -> Tensor<B, 4> {
        let Sliding {
            stride,
            before,
            after,
            dilation,
            groups,
        } = sliding;
        let options = PaddedConvOptions::asymmetric(stride, before, after, dilation, groups);
        conv2d(x, weight, bias, options)
    }

    fn burns_convolve2d_transpose<B: Backend>(
        x: Tensor<B, 4>,
        weight: Tensor<B, 4>,
        bias: Option<Tensor<B, 1>>,
        size: [usize; 2],
        sliding: Sliding,
    ) -> Tensor<B, 4> {
        let (none, groups) = ([0, 0], sliding.groups);
        let options =
            ConvTransposeOptions::new(sliding.stride, none, none, sliding.dilation, groups);
        let y = fit(
            conv_transpose2d(x, weight, None, options),
            sliding.before,
            size,
        );
        match bias {
            Some(bias) => {
                let [_, filters, _, _] = y.dims();
                y + reshape(bias, [1, filters, 1, 1])
            }
            None => y,
        }
    }

    fn values(count: usize, pace: f32) -> Vec<f32> {
        (0..count).map(|i| (i as f32 * pace).sin()).collect()
    }

    fn tensor<const D: usize>(shape: [usize; D], pace: f32) -> Tensor<Training, D> {
        let data = TensorData::new(values(shape.iter().product(), pace), shape);
        Tensor::from_data(data, &Default::default()).require_grad()
    }

    fn near<const D: usize>(ours: Tensor<Flex, D>, burns: Tensor<Flex, D>, what: &str) {
        let ours: Vec<f32> = ours.into_data().into_vec().unwrap();
        let burns: Vec<f32> = burns.into_data().into_vec().unwrap();
        assert_eq!(ours.len(), burns.len(), "{what}");
        for (ours, burns) in ours.iter().zip(&burns) {
            assert!(
                (ours - burns).abs() < 1e-3 * (1.0 + burns.abs()),
                "{what}: {ours} against {burns}"
            );
        }
    }

    type Inputs = (
        Tensor<Training, 4>,
        Tensor<Training, 4>,
        Tensor<Training, 1>,
    );

    /// Compares two ways from the same inputs to an output and all three gradients.
    fn agree(inputs: &Inputs, ours: Tensor<Training, 4>, burns: Tensor<Training, 4>) {
        assert_eq!(ours.dims(), burns.dims());
        near(ours.clone().inner(), burns.clone().inner(), "output");
        let (x, weight, bias) = inputs;
        let conv_gradients = |output: Tensor<Training, 4>| {
            let gradients = output.square().sum().backward();
            (
                x.grad(&gradients).unwrap(),
                weight.grad(&gradients).unwrap(),
                bias.grad(&gradients).unwrap(),
            )
        };
        let (ours, burns) = (conv_gradients(ours), conv_gradients(burns));
        near(ours.0, burns.0, "gradient of x");
        near(ours.1, burns.1, "gradient of the filters");
        near(ours.2, burns.2, "gradient of the bias");
    }

    #[test]
    fn it_agrees_with_burns_convolution() {
        let cases = [
            ([3, 1, 9, 8], [4, 1, 3, 3], [1, 1], [1, 1], [1, 1], [1, 1]),
            ([9, 3, 9, 8], [4, 3, 3, 3], [2, 2], [0, 0], [1, 1], [1, 1]),
            ([2, 2, 7, 7], [5, 2, 4, 2], [3, 1], [1, 0], [2, 1], [1, 1]),
            ([10, 2, 5, 6], [3, 2, 1, 1], [1, 2], [0, 0], [0, 0], [1, 1]),
            ([1, 2, 3, 3], [3, 2, 5, 5], [1, 1], [2, 2], [2, 2], [1, 1]),
            ([3, 4, 9, 8], [6, 2, 3, 3], [1, 2], [2, 2], [2, 1], [2, 2]),
            ([9, 4, 7, 7], [4, 1, 3, 2], [2, 1], [1, 0], [1, 1], [1, 3]),
            ([2, 3, 8, 8], [6, 1, 3, 3], [1, 1], [1, 1], [1, 1], [1, 1]),
        ];
        for (x_shape, weight_shape, stride, before, after, dilation) in cases {
            let sliding = Sliding {
                stride,
                before,
                after,
                dilation,
                groups: x_shape[1] / weight_shape[1],
            };
            let inputs = (
                tensor(x_shape, 0.37),
                tensor(weight_shape, 0.71),
                tensor([weight_shape[0]], 1.3),
            );
            let (x, weight, bias) = inputs.clone();
            let burns = burns_convolve2d(x, weight, Some(bias), sliding);
            let (x, weight, bias) = inputs.clone();
            let ours = Training::convolve2d(x, weight, Some(bias), sliding);
            agree(&inputs, ours, burns);
        }
    }

    #[test]
    fn it_agrees_with_burns_convolution_of_random_sizes() {
        let mut chance = ChaCha8Rng::seed_from_u64(7);
        let mut compared = 0;
        while compared < 60 {
            let mut up_to = |most: usize| chance.random_range(1..=most);
            let groups = [1, 1, 2, 3][up_to(4) - 1];
            let (seen, share) = (up_to(4), up_to(20));
            let x_shape = [up_to(5), seen * groups, up_to(9), up_to(9)];
            let weight_shape = [share * groups, seen, up_to(3), up_to(3)];
            let sliding = Sliding {
                stride: [up_to(3), up_to(3)],
                before: [up_to(3) - 1, up_to(3) - 1],
                after: [up_to(3) - 1, up_to(3) - 1],
                dilation: [up_to(2), up_to(2)],
                groups,
            };
            let fits = |axis: usize| {
                let padded = x_shape[2 + axis] + sliding.before[axis] + sliding.after[axis];
                (weight_shape[2 + axis] - 1) * sliding.dilation[axis] < padded
            };
            if !(fits(0) && fits(1)) {
                continue;
            }
            let inputs = (
                tensor(x_shape, 0.37),
                tensor(weight_shape, 0.71),
                tensor([weight_shape[0]], 1.3),
            );
            let (x, weight, bias) = inputs.clone();
            let burns = burns_convolve2d(x, weight, Some(bias), sliding);
            let (x, weight, bias) = inputs.clone();
            let ours = Training::convolve2d(x, weight, Some(bias), sliding);
            agree(&inputs, ours, burns);
            compared += 1;
        }
    }

    #[test]
    fn it_agrees_with_burns_transposed_convolution() {
        // x, weight, groups, stride, before, dilation, size of the output
        let cases = [
            (
                [3, 2, 5, 4],
                [2, 3, 3, 3],
                1,
                [1, 1],
                [1, 1],
                [1, 1],
                [5, 4],
            ),
            (
                [9, 3, 4, 4],
                [3, 2, 3, 3],
                1,
                [2, 2],
                [0, 0],
                [1, 1],
                [8, 8],
            ),
            (
                [2, 2, 4, 3],
                [2, 5, 4, 2],
                1,
                [3, 1],
                [0, 0],
                [1, 1],
                [13, 4],
            ),
            (
                [10, 2, 4, 3],
                [2, 3, 1, 1],
                1,
                [1, 2],
                [0, 0],
                [1, 1],
                [4, 6],
            ),
            (
                [1, 3, 3, 3],
                [3, 2, 5, 5],
                1,
                [1, 1],
                [2, 2],
                [1, 1],
                [3, 3],
            ),
            (
                [3, 4, 4, 4],
                [4, 2, 3, 2],
                2,
                [2, 1],
                [1, 0],
                [1, 1],
                [8, 5],
            ),
            (
                [2, 4, 5, 5],
                [4, 1, 3, 3],
                2,
                [1, 2],
                [2, 1],
                [2, 1],
                [5, 10],
            ),
        ];
        for (x_shape, weight_shape, groups, stride, before, dilation, size) in cases {
            let sliding = Sliding {
                stride,
                before,
                after: [0, 0],
                dilation,
                groups,
            };
            let inputs = (
                tensor(x_shape, 0.37),
                tensor(weight_shape, 0.71),
                tensor([weight_shape[1] * groups], 1.3),
            );
            let (x, weight, bias) = inputs.clone();
            let burns = burns_convolve2d_transpose(x, weight, Some(bias), size, sliding);
            let (x, weight, bias) = inputs.clone();
            let ours = Training::convolve2d_transpose(x, weight, Some(bias), size, sliding);
            agree(&inputs, ours, burns);
        }
    }
}
