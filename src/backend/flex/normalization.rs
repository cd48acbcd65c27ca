//! Normalization of channels for the CPU: statistics, scale and shift in plain loops.
//!
//! Burn's own way is a chain of broadcast operations, which its CPU backend walks element by element and
//! which cost several times the convolution before them. Sums are made in one order whatever the number of
//! threads, so that runs repeat to the last bit.

use burn::backend::Flex;
use burn::tensor::TensorMetadata;
use rayon::prelude::*;

use super::plain::{Plain, plain, values};
use crate::backend::cpu::{Simd, channels};
use crate::backend::passes::Statistics;

/// `[batch, channels, places]`
#[derive(Debug, Clone, Copy)]
struct Sizes {
    batch: usize,
    channels: usize,
    places: usize,
}

impl Sizes {
    fn of(x: &Plain) -> Self {
        let [batch, channels, places] = x.shape().dims();
        Sizes {
            batch,
            channels,
            places,
        }
    }

    fn shape(self) -> [usize; 3] {
        [self.batch, self.channels, self.places]
    }

    /// Values of a channel over the batch.
    fn count(self) -> f64 {
        (self.batch * self.places) as f64
    }

    /// The rows of a channel, sample by sample.
    fn rows(self, values: &[f32], channel: usize) -> impl Iterator<Item = &[f32]> {
        (0..self.batch).map(move |sample| {
            let start = (sample * self.channels + channel) * self.places;
            &values[start..start + self.places]
        })
    }

    /// `of(row, the other's row)` summed for every channel.
    fn sums<const N: usize>(
        self,
        values: &[f32],
        others: &[f32],
        of: impl Fn(&[f32], &[f32], usize) -> [f32; N] + Sync,
    ) -> Vec<[f64; N]> {
        let channel = |channel: usize| {
            let rows = self.rows(values, channel).zip(self.rows(others, channel));
            rows.fold([0.0; N], |mut sums, (row, other)| {
                for (sum, part) in sums.iter_mut().zip(of(row, other, channel)) {
                    *sum += f64::from(part);
                }
                sums
            })
        };
        (0..self.channels).into_par_iter().map(channel).collect()
    }

    /// A new tensor whose rows are made from those of two others.
    fn rows_from(
        self,
        values: &[f32],
        others: &[f32],
        make: impl Fn(&mut [f32], &[f32], &[f32], usize) + Sync,
    ) -> Vec<f32> {
        let mut made = vec![0.0; values.len()];
        let sample = (self.channels * self.places).max(1);
        made.par_chunks_mut(sample)
            .zip(values.par_chunks(sample).zip(others.par_chunks(sample)))
            .for_each(|(made, (values, others))| {
                let places = self.places.max(1);
                let rows = values.chunks_exact(places).zip(others.chunks_exact(places));
                for (channel, (made, (row, other))) in
                    made.chunks_exact_mut(places).zip(rows).enumerate()
                {
                    make(made, row, other, channel);
                }
            });
        made
    }
}

/// What standardizing gives, and what its gradient needs.
struct Result {
    values: Vec<f32>,
    mean: Vec<f32>,
    variance: Vec<f32>,
    /// `1 / sqrt(variance + epsilon)`
    rate: Vec<f32>,
}

fn forward(x: &[f32], sizes: Sizes, epsilon: f64) -> Result {
    let simd = Simd::detected();
    let mean_of = |[sum]: [f64; 1]| sum / sizes.count();
    let sums = sizes.sums(x, x, |row, _, _| [channels::sum(simd, row)]);
    let mean: Vec<f32> = sums.into_iter().map(|sum| mean_of(sum) as f32).collect();
    let squares = sizes.sums(x, x, |row, _, channel| {
        [channels::squares(simd, row, mean[channel])]
    });
    let variance: Vec<f64> = squares.into_iter().map(mean_of).collect();
    let rate: Vec<f32> = variance
        .iter()
        .map(|v| (1.0 / (v + epsilon).sqrt()) as f32)
        .collect();
    let values = sizes.rows_from(x, x, |made, row, _, channel| {
        channels::standardize(simd, row, mean[channel], rate[channel], made);
    });
    Result {
        values,
        mean,
        variance: variance.into_iter().map(|v| v as f32).collect(),
        rate,
    }
}

/// `(gradient - mean(gradient) - values * mean(gradient * values)) * rate`, the means over each channel.
fn backward(values: &[f32], rate: &[f32], grad_output: &[f32], sizes: Sizes) -> Vec<f32> {
    let simd = Simd::detected();
    let sums = sizes.sums(grad_output, values, |row, values, _| {
        channels::sum_and_products(simd, row, values)
    });
    let means = sums
        .into_iter()
        .map(|sums| sums.map(|sum| (sum / sizes.count()) as f32));
    let means: Vec<[f32; 2]> = means.collect();
    sizes.rows_from(grad_output, values, |made, row, values, channel| {
        let [plain, along] = means[channel];
        let by = [plain, along, rate[channel]];
        channels::standardize_gradient(simd, row, values, by, made);
    })
}

pub(super) fn standardization(x: &Plain, epsilon: f64) -> Statistics<Flex> {
    let sizes = Sizes::of(x);
    let x = values(x);
    let result = forward(&x, sizes, epsilon);
    let channels = |values| plain(values, &[sizes.channels]);
    Statistics {
        values: plain(result.values, &sizes.shape()),
        mean: channels(result.mean),
        variance: channels(result.variance),
        rate: channels(result.rate),
    }
}

pub(super) fn standardization_gradient(
    standard: &Plain,
    rate: &Plain,
    grad_output: &Plain,
) -> Plain {
    let sizes = Sizes::of(standard);
    let (standard, rate, grad_output) = (values(standard), values(rate), values(grad_output));
    plain(
        backward(&standard, &rate, &grad_output, sizes),
        &sizes.shape(),
    )
}

fn scaled(x: &[f32], scale: &[f32], shift: &[f32], sizes: Sizes) -> Vec<f32> {
    let simd = Simd::detected();
    sizes.rows_from(x, x, |made, row, _, channel| {
        channels::scale(simd, row, scale[channel], shift[channel], made);
    })
}

pub(super) fn scaling(x: &Plain, scale: &Plain, shift: &Plain) -> Plain {
    let sizes = Sizes::of(x);
    let (x, scale, shift) = (values(x), values(scale), values(shift));
    plain(scaled(&x, &scale, &shift, sizes), &sizes.shape())
}

pub(super) fn scaling_gradients(
    x: &Plain,
    scale: &Plain,
    grad_output: &Plain,
    [with_x, with_scale, with_shift]: [bool; 3],
) -> [Option<Plain>; 3] {
    let sizes = Sizes::of(x);
    let (x, scale, grad_output) = (values(x), values(scale), values(grad_output));
    let nothing = vec![0.0; sizes.channels];
    let of_x = || {
        plain(
            scaled(&grad_output, &scale, &nothing, sizes),
            &sizes.shape(),
        )
    };
    let simd = Simd::detected();
    let sums = match with_scale || with_shift {
        true => sizes.sums(&grad_output, &x, |row, x, _| {
            channels::sum_and_products(simd, row, x)
        }),
        false => Vec::new(),
    };
    let of_channels = |which: usize| {
        let sums = sums.iter().map(|sums| sums[which] as f32);
        plain(sums.collect(), &[sizes.channels])
    };
    [
        with_x.then(of_x),
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
}
