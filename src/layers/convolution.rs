//! What the convolution layers share: how a window slides over an input, and into how many groups.

use burn::tensor::Tensor;

use super::too_large;
use crate::backend::{Kernels, Sliding, reshape};
use crate::error::Flaw;
use crate::shape::{Padding, Shape, Window, dilated_window, transposed_window};
use crate::value::{Pair, Positive, Triple};

pub(super) fn one() -> Positive {
    Positive(1)
}

/// How a window moves along `N` axes.
#[derive(Debug, Clone, Copy)]
pub(super) struct SlidingWindow<const N: usize> {
    pub(super) kernel: [usize; N],
    pub(super) stride: [usize; N],
    pub(super) dilation: [usize; N],
    pub(super) padding: Padding,
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

impl PerWindowAxis<2> for Pair {
    fn axes(self) -> [usize; 2] {
        self.get()
    }
}

impl PerWindowAxis<3> for Triple {
    fn axes(self) -> [usize; 3] {
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
            padding,
        }
    }

    /// The same as a way along `M` axes, which `N` is.
    pub(super) fn along<const M: usize>(self) -> SlidingWindow<M> {
        let axes = |sizes: [usize; N]| {
            let sizes: Result<[usize; M], _> = sizes.as_slice().try_into();
            sizes.expect("the shape rule saw `M` axes")
        };
        SlidingWindow {
            kernel: axes(self.kernel),
            stride: axes(self.stride),
            dilation: axes(self.dilation),
            padding: self.padding,
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
                dilated_window(input, kernel, dilation, self.stride[axis], self.padding)
            })
            .collect();
        windows?.try_into().ok()
    }

    /// The shape of a convolution's output, or the flaw of a kernel that does not fit.
    pub(super) fn output(&self, input: Shape, channels: usize) -> Result<Shape, Flaw> {
        let windows = self
            .windows(input)
            .ok_or_else(|| too_large(&self.kernel, input))?;
        Ok(input.with(channels, &windows.map(|window| window.output)))
    }

    /// What a transposed convolution makes of every axis.
    pub(super) fn transposed(&self, input: Shape) -> [Window; N] {
        let places = input.places();
        std::array::from_fn(|axis| {
            let (kernel, stride) = (self.kernel[axis], self.stride[axis]);
            transposed_window(places[axis], kernel, stride, self.padding)
        })
    }

    /// The shape of a transposed convolution's output.
    pub(super) fn transposed_output(&self, input: Shape, channels: usize) -> Shape {
        let windows = self.transposed(input);
        input.with(channels, &windows.map(|window| window.output))
    }

    /// Values under the window.
    pub(super) fn values(&self) -> usize {
        self.kernel.iter().product()
    }
}

impl SlidingWindow<1> {
    /// The same along the width of an image of height 1.
    pub(super) fn in_a_row(self) -> SlidingWindow<2> {
        SlidingWindow {
            kernel: [1, self.kernel[0]],
            stride: [1, self.stride[0]],
            dilation: [1, self.dilation[0]],
            padding: self.padding,
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
