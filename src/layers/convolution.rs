//! What the convolution layers share: how a window slides over an input, and into how many groups.

use burn::tensor::Tensor;

use super::too_large;
use crate::backend::{Kernels, Sliding, reshape};
use crate::error::Flaw;
use crate::onnx::{Attribute, Graph, Name, Value};
use crate::shape::{Padding, Shape, Window, dilated_window, transposed_window};
use crate::value::{Axes, Positive};

/// Numbers of a sample with the zeros around it: 1 GiB of them.
const MOST_PADDED: usize = 1 << 28;

pub(super) fn one() -> Positive {
    Positive(1)
}

/// How a window moves along `N` axes.
#[derive(Debug, Clone, Copy)]
pub(super) struct SlidingWindow<const N: usize> {
    pub(super) kernel: [usize; N],
    pub(super) stride: [usize; N],
    pub(super) dilation: [usize; N],
    pub(super) padding: [Padding; N],
}

/// One number for each of `N` axes, as a file writes them.
pub(super) trait PerWindowAxis<const N: usize>: Copy {
    fn axes(self) -> [usize; N];
}

impl PerWindowAxis<1> for Positive {
    fn axes(self) -> [usize; 1] {
        [self.get()]
    }
}

impl<const N: usize> PerWindowAxis<N> for Axes<N> {
    fn axes(self) -> [usize; N] {
        self.get()
    }
}

impl<const N: usize> SlidingWindow<N> {
    pub(super) fn new<T: PerWindowAxis<N>>(
        kernel: T,
        stride: T,
        dilation: T,
        padding: Padding,
    ) -> Self {
        SlidingWindow {
            dilation: dilation.axes(),
            ..SlidingWindow::undilated(kernel, stride, padding)
        }
    }

    pub(super) fn undilated<T: PerWindowAxis<N>>(kernel: T, stride: T, padding: Padding) -> Self {
        SlidingWindow {
            kernel: kernel.axes(),
            stride: stride.axes(),
            dilation: [1; N],
            padding: [padding; N],
        }
    }

    /// The same as a way along `M` axes, which `N` is.
    pub(super) fn along<const M: usize>(self) -> SlidingWindow<M> {
        fn axes<T: Copy, const M: usize>(values: &[T]) -> [T; M] {
            let values: Result<[T; M], _> = values.try_into();
            values.expect("the shape rule saw `M` axes")
        }
        SlidingWindow {
            kernel: axes(&self.kernel),
            stride: axes(&self.stride),
            dilation: axes(&self.dilation),
            padding: axes(&self.padding),
        }
    }

    /// The windows along every axis of an input with `N` places; `None` if one does not fit.
    pub(super) fn windows(&self, input: Shape) -> Option<[Window; N]> {
        let windows: Option<Vec<Window>> = input
            .places()
            .into_iter()
            .enumerate()
            .map(|(axis, input)| {
                let (kernel, dilation) = (self.kernel[axis], self.dilation[axis]);
                dilated_window(
                    input,
                    kernel,
                    dilation,
                    self.stride[axis],
                    self.padding[axis],
                )
            })
            .collect();
        windows?.try_into().ok()
    }

    /// The shape of a convolution's output, or the flaw of a kernel that does not fit.
    pub(super) fn output(&self, input: Shape, channels: usize) -> Result<Shape, Flaw> {
        if let Some(flaw) = self.padding_flaw() {
            return Err(flaw);
        }
        let windows = self
            .windows(input)
            .ok_or_else(|| too_large(&self.kernel, input))?;
        if let Some(flaw) = self.reach_flaw(&windows, input) {
            return Err(flaw
                .under("kernel")
                .hint("a smaller `kernel` or `dilation`"));
        }
        Ok(input.with(channels, &windows.map(|window| window.output)))
    }

    /// The flaw of a window that reaches so far over its input that this does not fit memory with the zeros around it.
    pub(super) fn reach_flaw(&self, windows: &[Window; N], input: Shape) -> Option<Flaw> {
        let axes = input.places().into_iter().zip(windows);
        let padded: Vec<usize> = axes
            .map(|(places, window)| {
                places
                    .saturating_add(window.before)
                    .saturating_add(window.after)
            })
            .collect();
        let numbers = padded
            .iter()
            .fold(input.channels(), |all, axis| all.saturating_mul(*axis));
        (numbers > MOST_PADDED).then(|| {
            let padded: Vec<String> = padded.iter().map(usize::to_string).collect();
            let message = format!(
                "reaches so far over its input ({input}) that it is padded to {}",
                padded.join("x")
            );
            Flaw::new("", message)
        })
    }

    /// The flaw of a number of zeros in which whole windows would lie.
    fn padding_flaw(&self) -> Option<Flaw> {
        let axes = self.kernel.iter().zip(&self.dilation).zip(&self.padding);
        let zeros = axes
            .into_iter()
            .find_map(|((kernel, dilation), padding)| match padding {
                Padding::Zeros(zeros) if *zeros > (kernel - 1) * dilation => Some(zeros),
                _ => None,
            })?;
        let kernel = self.kernel.map(|length| length.to_string()).join("x");
        let message = format!(
            "has `padding = {zeros}`: whole windows of its {kernel} kernel lie in the zeros"
        );
        Some(Flaw::new("padding", message).hint(
            "pad less than the kernel is long; each axis on its own by a `zero_padding` layer before, and \"valid\"",
        ))
    }

    /// What a transposed convolution makes of every axis; `None` if nothing is left of one.
    fn transposed_windows(&self, input: Shape) -> Option<[Window; N]> {
        let places = input.places().into_iter().enumerate();
        let windows: Option<Vec<Window>> = places
            .map(|(axis, input)| {
                let (kernel, stride) = (self.kernel[axis], self.stride[axis]);
                transposed_window(input, kernel, stride, self.padding[axis])
            })
            .collect();
        windows?.try_into().ok()
    }

    /// What a transposed convolution makes of every axis of an input that the shape rule accepts.
    pub(super) fn transposed(&self, input: Shape) -> [Window; N] {
        let windows = self.transposed_windows(input);
        windows.expect("the shape rule saw that something is left")
    }

    /// The shape of a transposed convolution's output, or the flaw of a padding that leaves none.
    pub(super) fn transposed_output(&self, input: Shape, channels: usize) -> Result<Shape, Flaw> {
        if let Some(flaw) = self.padding_flaw() {
            return Err(flaw);
        }
        let windows = self.transposed_windows(input).ok_or_else(|| {
            let message =
                format!("has a padding that cuts off all that it makes of its input ({input})");
            Flaw::new("padding", message).hint("cut off less")
        })?;
        Ok(input.with(channels, &windows.map(|window| window.output)))
    }

    /// Values under the window.
    pub(super) fn values(&self) -> usize {
        super::product(self.kernel)
    }
}

impl SlidingWindow<1> {
    /// The same along the width of an image of height 1.
    pub(super) fn in_a_row(self) -> SlidingWindow<2> {
        SlidingWindow {
            kernel: [1, self.kernel[0]],
            stride: [1, self.stride[0]],
            dilation: [1, self.dilation[0]],
            padding: [Padding::Valid, self.padding[0]],
        }
    }
}

impl SlidingWindow<2> {
    /// A convolution's way over images `[batch, channels, height, width]`.
    pub(super) fn sliding(&self, images: [usize; 4], groups: usize) -> Sliding {
        let [_, channels, height, width] = images;
        let windows = self
            .windows(Shape::image(channels, height, width))
            .expect("the shape rule saw that the kernel fits");
        self.slide(windows, groups)
    }

    /// A transposed convolution's way: the output's height and width, and how the windows lie on them.
    pub(super) fn transposed_sliding(&self, images: [usize; 4]) -> ([usize; 2], Sliding) {
        let [_, channels, height, width] = images;
        let windows = self.transposed(Shape::image(channels, height, width));
        (windows.map(|window| window.output), self.slide(windows, 1))
    }

    fn slide(&self, windows: [Window; 2], groups: usize) -> Sliding {
        Sliding {
            stride: self.stride,
            before: windows.map(|window| window.before),
            after: windows.map(|window| window.after),
            dilation: self.dilation,
            groups,
        }
    }
}

impl<const N: usize> SlidingWindow<N> {
    /// The attributes of an ONNX node whose window moves so.
    pub(super) fn attributes(&self, windows: &[Window; N]) -> Vec<Attribute> {
        let before = windows.iter().map(|window| window.before as i64);
        let after = windows.iter().map(|window| window.after as i64);
        vec![
            Attribute::sizes("kernel_shape", &self.kernel),
            Attribute::sizes("strides", &self.stride),
            Attribute::ints("pads", before.chain(after)),
        ]
    }

    /// A convolution as an ONNX node.
    pub(super) fn convolved(
        &self,
        input: &Value,
        graph: &mut Graph,
        groups: usize,
        weight: &Name,
        bias: Option<&Name>,
    ) -> Name {
        let windows = self.windows(input.shape);
        let mut attributes = self.attributes(&windows.expect("the shape rule saw that it fits"));
        attributes.push(Attribute::sizes("dilations", &self.dilation));
        attributes.push(Attribute::int("group", groups as i64));
        graph.with_channels_first(input, |graph, x| {
            let [y] = graph.node_of("Conv", &[Some(x), Some(weight), bias], attributes);
            y
        })
    }

    /// A transposed convolution as an ONNX node.
    pub(super) fn transposed_convolved(
        &self,
        input: &Value,
        graph: &mut Graph,
        weight: &Name,
        bias: Option<&Name>,
    ) -> Name {
        let (windows, places) = (self.transposed(input.shape), input.shape.places());
        // What is cut off at the end, or, where it lacks, is added there.
        let ends: [i64; N] = std::array::from_fn(|axis| {
            let whole = (places[axis] - 1) * self.stride[axis] + self.kernel[axis];
            whole as i64 - (windows[axis].before + windows[axis].output) as i64
        });
        let before = windows.iter().map(|window| window.before as i64);
        let after = ends.iter().map(|&end| end.max(0));
        let attributes = [
            Attribute::sizes("kernel_shape", &self.kernel),
            Attribute::sizes("strides", &self.stride),
            Attribute::ints("pads", before.chain(after)),
            Attribute::ints("output_padding", ends.iter().map(|&end| (-end).max(0))),
        ];
        graph.with_channels_first(input, |graph, x| {
            let inputs = [Some(x), Some(weight), bias];
            let [y] = graph.node_of("ConvTranspose", &inputs, attributes);
            y
        })
    }
}

/// The flaw of groups that do not divide what they share.
pub(super) fn indivisible(groups: Positive, channels: usize, filters: Positive) -> Option<Flaw> {
    let (groups, filters) = (groups.get(), filters.get());
    let shared = [("input channels", channels), ("filters", filters)];
    let (what, count) = shared.into_iter().find(|(_, count)| count % groups != 0)?;
    let message = format!("has {groups} groups, which do not divide its {count} {what}");
    Some(Flaw::new("groups", message).hint("choose a divisor of both"))
}

/// `[batch, channels, steps]` as `[batch, channels, 1, steps]`: an image with one line.
pub(super) fn in_a_row<B: Kernels>(x: Tensor<B, 3>) -> Tensor<B, 4> {
    let [batch, channels, steps] = x.dims();
    reshape(x, [batch, channels, 1, steps])
}
