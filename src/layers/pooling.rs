//! What the pooling layers share: their fields and windows, and pooling of images, which the others are led back
//! to.

use burn::tensor::Tensor;
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::PadMode;

use super::convolution::SlidingWindow;
use super::{Signal, needs};
use crate::backend::{Kernels, Sliding, reshape};
use crate::error::Flaw;
use crate::onnx::{Attribute, Graph, Name, Value};
use crate::shape::{Padding, Shape, Window};

pub(super) fn valid() -> Padding {
    Padding::Valid
}

/// Declares a layer that pools windows of one, two or three axes, as the type of its size says.
macro_rules! pool_layer {
    (
        $(#[$doc:meta])*
        pub struct $Name:ident<$axes:literal> {
            $(#[$size_doc:meta])*
            size: $Size:ty = $two:expr,
            $(#[$padding_doc:meta])*
            padding,
        }
        $pool:path as $operator:literal
    ) => {
        $crate::layers::fields::layer! {
            $(#[$doc])*
            pub struct $Name {
                $(#[$size_doc])*
                #[serde(default = "two")]
                pub size: $Size,
                /// Steps of the window. Default: its size.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub stride: Option<$Size>,
                $(#[$padding_doc])*
                #[serde(default = "crate::layers::pooling::valid")]
                pub padding: $crate::shape::Padding,
            }
        }

        fn two() -> $Size {
            $two
        }

        impl $Name {
            fn pool(&self) -> $crate::layers::convolution::SlidingWindow<$axes> {
                let stride = self.stride.unwrap_or(self.size);
                $crate::layers::convolution::SlidingWindow::undilated(self.size, stride, self.padding)
            }
        }

        impl $crate::layers::LayerFields for $Name {
            fn keeps_range(&self) -> bool {
                true
            }

            fn output(
                &self,
                input: $crate::shape::Shape,
                _context: $crate::layers::LayerContext,
            ) -> Result<$crate::shape::Shape, $crate::error::Flaw> {
                $crate::layers::pooling::pool_output(input, self.pool())
            }
        }

        impl $crate::layers::Weightless for $Name {
            fn forward<B: $crate::backend::Kernels>(
                &self,
                input: $crate::layers::Signal<B>,
                _pass: &mut $crate::layers::ForwardContext<B>,
            ) -> $crate::layers::Signal<B> {
                $crate::layers::pooling::pooled(input, self.pool(), $pool)
            }

            fn onnx(
                &self,
                input: &$crate::onnx::Value,
                graph: &mut $crate::onnx::Graph,
            ) -> $crate::onnx::Name {
                $crate::layers::pooling::pool_node(input, graph, self.pool(), $operator)
            }
        }
    };
}

pub(super) use pool_layer;

/// What has one, two or three axes for a window.
const KINDS: [&str; 3] = ["a sequence", "an image", "a volume"];

/// The output of a pooling layer whose window has `N` axes, or the flaw of an input that it does not fit.
pub(super) fn pool_output<const N: usize>(
    input: Shape,
    pool: SlidingWindow<N>,
) -> Result<Shape, Flaw> {
    if input.places().len() != N {
        return Err(needs(KINDS[N - 1], input));
    }
    let size = || pool.kernel.map(|length| length.to_string()).join("x");
    let too_many = |(padding, size): (&Padding, &usize)| match padding {
        Padding::Zeros(zeros) if 2 * zeros > *size => Some(*zeros),
        _ => None,
    };
    if let Some(zeros) = pool.padding.iter().zip(&pool.kernel).find_map(too_many) {
        let message = format!(
            "has `padding = {zeros}`, more than half of its {} window",
            size()
        );
        return Err(Flaw::new("padding", message).hint("pad by half of the window at most"));
    }
    let windows = pool.windows(input).ok_or_else(|| {
        let size = size();
        let message = format!("has a {size} window, larger than its input ({input})");
        Flaw::new("size", message).hint("pool less, or use `padding = \"same\"`")
    })?;
    if let Some(flaw) = pool.reach_flaw(&windows, input) {
        return Err(flaw.under("size").hint("a smaller `size`"));
    }
    Ok(input.with(input.channels(), &windows.map(|window| window.output)))
}

/// Pools a batch by windows of `N` axes, as `image` does images.
pub(super) fn pooled<B: Kernels, const N: usize>(
    input: Signal<B>,
    pool: SlidingWindow<N>,
    image: fn(Tensor<B, 4>, SlidingWindow<2>) -> Tensor<B, 4>,
) -> Signal<B> {
    match input {
        Signal::Features(_) => unreachable!("the shape rule keeps features from pooling"),
        Signal::Sequence(x) => Signal::Sequence(in_sequence(x, pool.along(), image)),
        Signal::Image(x) => Signal::Image(image(x, pool.along())),
        Signal::Volume(x) => Signal::Volume(in_volume(x, pool.along(), image)),
    }
}

/// A pool as a node of an ONNX graph.
pub(super) fn pool_node<const N: usize>(
    input: &Value,
    graph: &mut Graph,
    pool: SlidingWindow<N>,
    operator: &str,
) -> Name {
    let windows = pool.windows(input.shape);
    let mut settings = pool.attributes(&windows.expect("the shape rule saw that it fits"));
    if operator == "AveragePool" {
        let counts = matches!(pool.padding[0], Padding::Zeros(_));
        settings.push(Attribute::int("count_include_pad", i64::from(counts)));
    }
    graph.with_channels_first(input, |graph, x| graph.node(operator, &[x], settings))
}

fn windows<B: Kernels>(x: &Tensor<B, 4>, pool: SlidingWindow<2>) -> [Window; 2] {
    let [_, channels, height, width] = x.dims();
    pool.windows(Shape::image(channels, height, width))
        .expect("the shape rule saw that the window fits")
}

/// The largest value of each window: `[batch, channels, height, width]` to
/// `[batch, channels, rows, columns]`.
pub(super) fn largest<B: Kernels>(x: Tensor<B, 4>, pool: SlidingWindow<2>) -> Tensor<B, 4> {
    let windows = windows(&x, pool);
    let sliding = Sliding {
        stride: pool.stride,
        before: windows.map(|window| window.before),
        after: windows.map(|window| window.after),
        dilation: [1; 2],
        groups: 1,
    };
    <B as Kernels>::max_pool(x, pool.kernel, sliding)
}

/// The mean of what each window holds of the image, and of a given number of zeros around it:
/// `[batch, channels, height, width]` to `[batch, channels, rows, columns]`.
pub(super) fn mean<B: Kernels>(x: Tensor<B, 4>, pool: SlidingWindow<2>) -> Tensor<B, 4> {
    let pads = windows(&x, pool).map(|window| (window.before, window.after));
    let mean = |x| avg_pool2d(x, pool.kernel, pool.stride, [0, 0], true, false);
    if pads == [(0, 0); 2] {
        return mean(x);
    }
    let zeros = PadMode::Constant(0.0);
    let counts = |padding: &Padding| matches!(padding, Padding::Zeros(_));
    if pool.padding.iter().any(counts) {
        return mean(x.pad(pads, zeros));
    }
    // The mean with zeros counted, over the share of each window that is not padding.
    let [_, _, height, width] = x.dims();
    let ones = Tensor::ones([1, 1, height, width], &x.device());
    let share = mean(ones.pad(pads, zeros));
    mean(x.pad(pads, zeros)) / share
}

/// Pools `[batch, steps, features]` along the steps, as the height of an image with the features as width.
fn in_sequence<B: Kernels>(
    x: Tensor<B, 3>,
    pool: SlidingWindow<1>,
    image: fn(Tensor<B, 4>, SlidingWindow<2>) -> Tensor<B, 4>,
) -> Tensor<B, 3> {
    let [batch, steps, features] = x.dims();
    let y = image(reshape(x, [batch, 1, steps, features]), downwards(pool));
    let [_, _, steps, _] = y.dims();
    reshape(y, [batch, steps, features])
}

/// Pools `[batch, channels, depth, height, width]`: the images, then along the depth. The largest of the
/// largest is the largest of all, and so is the mean, as each window holds equal parts of every image.
fn in_volume<B: Kernels>(
    x: Tensor<B, 5>,
    pool: SlidingWindow<3>,
    image: fn(Tensor<B, 4>, SlidingWindow<2>) -> Tensor<B, 4>,
) -> Tensor<B, 5> {
    let [batch, channels, depth, height, width] = x.dims();
    let flat = SlidingWindow {
        kernel: [pool.kernel[1], pool.kernel[2]],
        stride: [pool.stride[1], pool.stride[2]],
        dilation: [1; 2],
        padding: [pool.padding[1], pool.padding[2]],
    };
    let x = image(reshape(x, [batch, channels * depth, height, width]), flat);
    let [_, _, rows, columns] = x.dims();
    let x = reshape(x, [batch, channels, depth, rows * columns]);
    let x = image(x, downwards(pool));
    let [_, _, slices, _] = x.dims();
    reshape(x, [batch, channels, slices, rows, columns])
}

/// Pooling along the first axis, as the height of an image.
fn downwards<const N: usize>(pool: SlidingWindow<N>) -> SlidingWindow<2> {
    SlidingWindow {
        kernel: [pool.kernel[0], 1],
        stride: [pool.stride[0], 1],
        dilation: [1; 2],
        padding: [pool.padding[0], Padding::Valid],
    }
}

/// All places in a row: `[batch, channels, places]`.
pub(super) fn places<B: Kernels>(input: Signal<B>) -> Tensor<B, 3> {
    match input {
        Signal::Features(_) => unreachable!("the shape rules keep features from pooling"),
        Signal::Sequence(x) => x.swap_dims(1, 2),
        Signal::Image(x) => {
            let [batch, channels, height, width] = x.dims();
            reshape(x, [batch, channels, height * width])
        }
        Signal::Volume(x) => {
            let [batch, channels, depth, height, width] = x.dims();
            reshape(x, [batch, channels, depth * height * width])
        }
    }
}
