//! Normalization of channels for the CPU: statistics, scale and shift in plain loops.
//!
//! Burn's own way is a chain of broadcast operations, which its CPU backend walks element by element and
//! which cost several times the convolution before them. Sums are made in one order whatever the number of
//! threads, so that runs repeat to the last bit.

use burn::backend::Flex;
use burn::tensor::TensorMetadata;

use super::plain::{Plain, plain, values};
use crate::backend::cpu::Simd;
use crate::backend::cpu::channels::{self, Rows, Sizes, written};
use crate::backend::passes::Statistics;

fn sizes_of(x: &Plain) -> Sizes {
    let [batch, channels, places] = x.shape().dims();
    Sizes {
        batch,
        channels,
        places,
    }
}

/// Of [`Sizes`].
fn tensor(values: Vec<f32>, sizes: Sizes) -> Plain {
    plain(values, &[sizes.batch, sizes.channels, sizes.places])
}

/// A number of each channel.
fn each_channel<T>(given: &[T], sizes: Sizes, of: impl Fn(&T) -> f32) -> Plain {
    plain(given.iter().map(of).collect(), &[sizes.channels])
}

/// Of the values of a channel.
#[derive(Debug, Clone, Copy)]
struct Moments {
    mean: f32,
    variance: f32,
    /// `1 / sqrt(variance + epsilon)`
    rate: f32,
}

impl Moments {
    fn of(simd: Simd, x: Rows<'_>, sizes: Sizes, epsilon: f64) -> Self {
        let mean_of = |[sum]: [f64; 1]| sum / sizes.of_channel();
        let mean = mean_of(channels::sum(simd, x)) as f32;
        let variance = mean_of(channels::squares(simd, x, mean));
        Moments {
            mean,
            variance: variance as f32,
            rate: (1.0 / (variance + epsilon).sqrt()) as f32,
        }
    }
}

fn statistics(values: Vec<f32>, moments: &[Moments], sizes: Sizes) -> Statistics<Flex> {
    Statistics {
        values: tensor(values, sizes),
        mean: each_channel(moments, sizes, |of| of.mean),
        variance: each_channel(moments, sizes, |of| of.variance),
        rate: each_channel(moments, sizes, |of| of.rate),
    }
}

pub(super) fn standardization(x: &Plain, epsilon: f64) -> Statistics<Flex> {
    let (sizes, simd) = (sizes_of(x), Simd::detected());
    let x = values(x);
    // SAFETY: every row is written.
    let ([standard], moments) = unsafe {
        written(sizes, |channel, [standard]| {
            let x = Rows::of(&x, sizes, channel);
            let moments = Moments::of(simd, x, sizes, epsilon);
            channels::standardize(simd, x, [moments.mean, moments.rate], standard);
            moments
        })
    };
    statistics(standard, &moments, sizes)
}

pub(super) fn normalization(
    x: &Plain,
    scale: &Plain,
    shift: &Plain,
    epsilon: f64,
) -> (Statistics<Flex>, Plain) {
    let (sizes, simd) = (sizes_of(x), Simd::detected());
    let (x, scale, shift) = (values(x), values(scale), values(shift));
    // SAFETY: every row of both is written.
    let ([standard, made], moments) = unsafe {
        written(sizes, |channel, [standard, made]| {
            let x = Rows::of(&x, sizes, channel);
            let moments = Moments::of(simd, x, sizes, epsilon);
            let by = [
                [moments.mean, moments.rate],
                [scale[channel], shift[channel]],
            ];
            channels::normalize(simd, x, by, standard, made);
            moments
        })
    };
    (statistics(standard, &moments, sizes), tensor(made, sizes))
}

/// Of what was standardized, by the means over the channel of the gradient and of its products with the values.
pub(super) fn standardization_gradient(
    standard: &Plain,
    rate: &Plain,
    grad_output: &Plain,
) -> Plain {
    let (sizes, simd) = (sizes_of(standard), Simd::detected());
    let (standard, rate, grad_output) = (values(standard), values(rate), values(grad_output));
    // SAFETY: every row is written.
    let ([made], _) = unsafe {
        written(sizes, |channel, [made]| {
            let rows = |values| Rows::of(values, sizes, channel);
            let (gradient, standard) = (rows(&grad_output), rows(&standard));
            let sums = channels::sum_and_products(simd, gradient, standard);
            let [plain, along] = sums.map(|sum| (sum / sizes.of_channel()) as f32);
            let by = [1.0, plain, along, rate[channel]];
            channels::standardize_gradient(simd, gradient, standard, by, made);
        })
    };
    tensor(made, sizes)
}

/// Of what was normalized, the scale and the shift.
pub(super) fn normalization_gradients(
    standard: &Plain,
    rate: &Plain,
    scale: &Plain,
    grad_output: &Plain,
) -> [Plain; 3] {
    let (sizes, simd) = (sizes_of(standard), Simd::detected());
    let (standard, grad_output) = (values(standard), values(grad_output));
    let (rate, scale) = (values(rate), values(scale));
    // SAFETY: every row is written.
    let ([made], sums) = unsafe {
        written(sizes, |channel, [made]| {
            let rows = |values| Rows::of(values, sizes, channel);
            let (gradient, standard, scale) = (rows(&grad_output), rows(&standard), scale[channel]);
            let sums = channels::sums_and_products(simd, gradient, standard, scale);
            let [of_shift, of_scale, plain, along] = sums;
            let [plain, along] = [plain, along].map(|sum| (sum / sizes.of_channel()) as f32);
            let by = [scale, plain, along, rate[channel]];
            channels::standardize_gradient(simd, gradient, standard, by, made);
            [of_scale as f32, of_shift as f32]
        })
    };
    [
        tensor(made, sizes),
        each_channel(&sums, sizes, |[of_scale, _]| *of_scale),
        each_channel(&sums, sizes, |[_, of_shift]| *of_shift),
    ]
}

fn scaled(x: &[f32], by: impl Fn(usize) -> [f32; 2] + Sync, sizes: Sizes) -> Plain {
    let simd = Simd::detected();
    // SAFETY: every row is written.
    let ([made], _) = unsafe {
        written(sizes, |channel, [made]| {
            channels::scale(simd, Rows::of(x, sizes, channel), by(channel), made);
        })
    };
    tensor(made, sizes)
}

pub(super) fn scaling(x: &Plain, scale: &Plain, shift: &Plain) -> Plain {
    let sizes = sizes_of(x);
    let (x, scale, shift) = (values(x), values(scale), values(shift));
    scaled(&x, |channel| [scale[channel], shift[channel]], sizes)
}

pub(super) fn scaling_gradients(
    x: &Plain,
    scale: &Plain,
    grad_output: &Plain,
    [with_x, with_scale, with_shift]: [bool; 3],
) -> [Option<Plain>; 3] {
    let (sizes, simd) = (sizes_of(x), Simd::detected());
    let (x, scale, grad_output) = (values(x), values(scale), values(grad_output));
    let sums = || {
        let of = |channel| {
            let rows = |values| Rows::of(values, sizes, channel);
            channels::sum_and_products(simd, rows(&grad_output), rows(&x))
        };
        // SAFETY: nothing is written.
        unsafe { written(sizes, |channel, []| of(channel)) }.1
    };
    let sums = (with_scale || with_shift).then(sums).unwrap_or_default();
    let of_channels = |which: usize| each_channel(&sums, sizes, |sums| sums[which] as f32);
    [
        with_x.then(|| scaled(&grad_output, |channel| [scale[channel], 0.0], sizes)),
        with_scale.then(|| of_channels(1)),
        with_shift.then(|| of_channels(0)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::kernels::{self, Kernels};
    use burn::backend::Autodiff;
    use burn::tensor::{Tensor, TensorData};

    type Training = Autodiff<Flex>;

    fn values<const D: usize>(shape: [usize; D], pace: f32) -> Tensor<Training, D> {
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|i| (i as f32 * pace).sin() + 0.3).collect();
        Tensor::from_data(TensorData::new(values, shape), &Default::default()).require_grad()
    }

    fn near<const D: usize>(ours: Tensor<Flex, D>, burns: Tensor<Flex, D>, what: &str) {
        let difference: f32 = (ours - burns).abs().max().into_scalar();
        assert!(difference < 1e-4, "{what}: {difference}");
    }

    /// Outputs and gradients agree with those of a chain of Burn's own operations.
    #[test]
    fn they_agree_with_burns_operations() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        for shape in [[3, 2, 17], [1, 4, 8], [9, 5, 1]] {
            let (x, weights) = (values(shape, 0.37), values(shape, 1.1).detach());
            let (scale, shift) = (values([shape[1]], 0.9), values([shape[1]], 0.4));
            let result = |ours: bool| {
                let (standard, output) = if ours {
                    let standard = Training::standardize(x.clone(), 1e-3);
                    let values = standard.values.clone();
                    let output = Training::scale_channels(values, scale.clone(), shift.clone());
                    (standard, output)
                } else {
                    let standard = kernels::standardize(x.clone(), 1e-3);
                    let values = standard.values.clone();
                    (
                        standard,
                        kernels::scale_channels(values, scale.clone(), shift.clone()),
                    )
                };
                let gradients = (output.clone() * weights.clone()).sum().backward();
                let grad_output = (
                    x.grad(&gradients).unwrap(),
                    scale.grad(&gradients).unwrap(),
                    shift.grad(&gradients).unwrap(),
                );
                (
                    output.inner(),
                    standard.mean.inner(),
                    standard.variance.inner(),
                    grad_output,
                )
            };
            let (ours, burns) = (result(true), result(false));
            near(ours.0.clone(), burns.0, "output");
            near(ours.1, burns.1, "mean");
            near(ours.2, burns.2, "variance");
            near(ours.3.0, burns.3.0, "gradient of x");
            near(ours.3.1, burns.3.1, "gradient of the scale");
            near(ours.3.2, burns.3.2, "gradient of the shift");
            let inference = Flex::standardize(x.clone().inner(), 1e-3).values;
            let inference =
                Flex::scale_channels(inference, scale.clone().inner(), shift.clone().inner());
            near(inference, ours.0, "output without gradients");
        }
    }

    /// In one go as in two, to the last bit, whatever part of a row or of a batch is left over.
    #[test]
    fn to_normalize_is_to_standardize_and_to_scale() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        for shape in [[3, 2, 17], [6, 3, 8], [1, 4, 9], [9, 70, 1]] {
            let (x, weights) = (values(shape, 0.37), values(shape, 1.1).detach());
            let (scale, shift) = (values([shape[1]], 0.9), values([shape[1]], 0.4));
            let result = |at_once: bool| {
                let (scale_of, shift_of) = (scale.clone(), shift.clone());
                let normal = if at_once {
                    Training::normalize_channels(x.clone(), scale_of, shift_of, 1e-3)
                } else {
                    let standard = Training::standardize(x.clone(), 1e-3);
                    kernels::Standardized {
                        values: Training::scale_channels(standard.values, scale_of, shift_of),
                        ..standard
                    }
                };
                let gradients = (normal.values.clone() * weights.clone()).sum().backward();
                let of_channels = [&scale, &shift].map(|of| of.grad(&gradients).unwrap());
                let of_channels = of_channels.map(Tensor::into_data);
                let made = [normal.values.inner(), x.grad(&gradients).unwrap()];
                let moments = [normal.mean.inner(), normal.variance.inner()];
                (
                    made.map(Tensor::into_data),
                    moments.map(Tensor::into_data),
                    of_channels,
                )
            };
            assert_eq!(result(true), result(false), "{shape:?}");
        }
    }
}
