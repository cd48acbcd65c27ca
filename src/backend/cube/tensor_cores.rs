//! Products on tensor cores, which take their factors as shorter numbers: faster where networks are large.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensorOps;
use burn::tensor::{DType, Shape, Slice};
use burn_cubecl::kernel::cast;
use burn_cubecl::kernel::matmul::{MatmulStrategy, matmul};
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{BoolElement, CubeRuntime};

use super::Gpu;
use super::launch::{contiguous, empty, shaped};
use super::product::Convolution;
use super::sums;
use super::windows::{fold, unfold};
use crate::backend::convolution_sizes::ConvolutionSizes;
use crate::backend::passes::Direction;
use crate::backend::precision::Precision;

/// Values that windows, or the gradients of filters, may have at a time: 1 GiB.
const MOST: usize = 1 << 28;

/// Whether products are to be made here.
pub(super) fn are_asked_for() -> bool {
    Precision::in_force() != Precision::F32
}

/// `[..., m, k]` times `[..., k, n]`; leading axes of length 1 are repeated.
pub(super) fn product<R: CubeRuntime, T: BoolElement>(
    left: &CubeTensor<R>,
    right: &CubeTensor<R>,
) -> CubeTensor<R> {
    // Burn's own pads rows, which the next kernel would copy.
    let (shapes, last) = (
        [left.meta.shape(), right.meta.shape()],
        left.meta.shape().num_dims() - 1,
    );
    let length = |axis: usize| match axis {
        axis if axis == last => shapes[1][axis],
        axis if axis + 1 == last => shapes[0][axis],
        axis => shapes[0][axis].max(shapes[1][axis]),
    };
    let out = empty(left, &(0..=last).map(length).collect::<Vec<_>>());
    let is_short = Precision::in_force() == Precision::Bf16
        && Gpu::<R, T>::supports_dtype(&left.device, DType::BF16);
    let factor = |x: &CubeTensor<R>| match is_short {
        true => cast(x.clone(), DType::BF16),
        false => x.clone(),
    };
    let made = matmul(
        factor(left),
        factor(right),
        Some(out),
        MatmulStrategy::Cube,
        DType::F32,
    );
    made.unwrap_or_else(|error| panic!("the device cannot multiply: {error:?}"))
}

/// The outputs of a convolution, or of a transposed one.
pub(super) fn convolution<R: CubeRuntime, T: BoolElement>(
    direction: Direction,
    x: &CubeTensor<R>,
    weight: &CubeTensor<R>,
    bias: Option<&CubeTensor<R>>,
    sizes: ConvolutionSizes,
) -> CubeTensor<R> {
    let mut parts = parts::<R, T>(x, sizes, |x, sizes| match direction {
        Direction::Convolution => forward::<R, T>(x, weight, sizes),
        Direction::Transposed => images::<R, T>(x, weight, sizes),
    });
    let y = match (parts.len(), parts.pop()) {
        (1, Some(whole)) => whole,
        (_, last) => Gpu::<R, T>::float_cat(parts.into_iter().chain(last).collect(), 0),
    };
    match bias {
        Some(bias) => {
            let channels = bias.meta.num_elements();
            Gpu::<R, T>::float_add(y, shaped(bias.clone(), &[1, channels, 1, 1]))
        }
        None => y,
    }
}

/// Of the images, the filters and the bias.
pub(super) fn convolution_gradients<R: CubeRuntime, T: BoolElement>(
    direction: Direction,
    x: &CubeTensor<R>,
    weight: &CubeTensor<R>,
    grad_output: &CubeTensor<R>,
    sizes: ConvolutionSizes,
    [with_x, with_weight, with_bias]: [bool; 3],
) -> [Option<CubeTensor<R>>; 3] {
    let back = match direction {
        Direction::Convolution => Direction::Transposed,
        Direction::Transposed => Direction::Convolution,
    };
    let of_x = || convolution::<R, T>(back, grad_output, weight, None, sizes);
    let of_weight = || {
        let (of_images, of_outputs) = match direction {
            Direction::Convolution => (x, grad_output),
            Direction::Transposed => (grad_output, x),
        };
        let mut outputs = parts::<R, T>(of_outputs, sizes, |part, _| part).into_iter();
        let of_parts = parts::<R, T>(of_images, sizes, |images, sizes| {
            let outputs = outputs.next().expect("as many parts");
            filters::<R, T>(images, outputs, sizes)
        });
        let sum = of_parts.into_iter().reduce(Gpu::<R, T>::float_add);
        sum.expect("a batch has an image")
    };
    [
        with_x.then(of_x),
        with_weight.then(of_weight),
        with_bias.then(|| sums::of_channels(grad_output.clone())),
    ]
}

/// What is made of each part of a batch whose windows, and whose filters' gradients, are not too many.
fn parts<R: CubeRuntime, T: BoolElement>(
    x: &CubeTensor<R>,
    sizes: ConvolutionSizes,
    mut make: impl FnMut(CubeTensor<R>, ConvolutionSizes) -> CubeTensor<R>,
) -> Vec<CubeTensor<R>> {
    let windows = sizes.depth() * sizes.places();
    let filters = sizes.filters * sizes.seen();
    let most = (MOST / windows.max(filters).max(1)).max(1);
    let starts = (0..sizes.batch).step_by(most);
    let part = |start: usize| {
        let batch = most.min(sizes.batch - start);
        let images = match batch == sizes.batch {
            true => x.clone(),
            false => {
                let mut slices = vec![Slice::full(); 4];
                slices[0] = Slice::from(start..start + batch);
                Gpu::<R, T>::float_slice(x.clone(), &slices)
            }
        };
        make(images, ConvolutionSizes { batch, ..sizes })
    };
    starts.map(part).collect()
}

/// `[1, groups, filters / groups, depth]`
fn matrices<R: CubeRuntime>(weight: &CubeTensor<R>, sizes: ConvolutionSizes) -> CubeTensor<R> {
    let shape = [
        1,
        sizes.sliding.groups,
        sizes.filters_per_group(),
        sizes.seen(),
    ];
    shaped(weight.clone(), &shape)
}

/// `[batch, groups, filters / groups, places]`
fn in_groups<R: CubeRuntime>(outputs: CubeTensor<R>, sizes: ConvolutionSizes) -> CubeTensor<R> {
    let shape = [
        sizes.batch,
        sizes.sliding.groups,
        sizes.filters_per_group(),
        sizes.places(),
    ];
    shaped(outputs, &shape)
}

fn forward<R: CubeRuntime, T: BoolElement>(
    x: CubeTensor<R>,
    weight: &CubeTensor<R>,
    sizes: ConvolutionSizes,
) -> CubeTensor<R> {
    let windows = unfold(x, Convolution(sizes));
    let y = product::<R, T>(&matrices(weight, sizes), &windows);
    shaped(
        y,
        &[
            sizes.batch,
            sizes.filters,
            sizes.out_height,
            sizes.out_width,
        ],
    )
}

fn images<R: CubeRuntime, T: BoolElement>(
    outputs: CubeTensor<R>,
    weight: &CubeTensor<R>,
    sizes: ConvolutionSizes,
) -> CubeTensor<R> {
    let turned = Gpu::<R, T>::float_swap_dims(matrices(weight, sizes), 2, 3);
    let windows = product::<R, T>(&turned, &in_groups(outputs, sizes));
    fold(windows, Convolution(sizes))
}

fn filters<R: CubeRuntime, T: BoolElement>(
    x: CubeTensor<R>,
    outputs: CubeTensor<R>,
    sizes: ConvolutionSizes,
) -> CubeTensor<R> {
    let windows = unfold(x, Convolution(sizes));
    let turned = Gpu::<R, T>::float_swap_dims(windows, 2, 3);
    let of_images = product::<R, T>(&in_groups(contiguous(outputs), sizes), &turned);
    let sum = sums::along(of_images, 0, 1.0);
    let channels = sizes.channels / sizes.sliding.groups;
    shaped(
        sum,
        &Shape::new([
            sizes.filters,
            channels,
            sizes.kernel_height,
            sizes.kernel_width,
        ]),
    )
}
