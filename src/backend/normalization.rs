//! Normalization of channels for the CPU: statistics, scale and shift in plain loops.
//!
//! Burn's own way is a chain of broadcast operations, which its CPU backend walks element by element and
//! which cost several times the convolution before them. Sums are made in one order whatever the number of
//! threads, so that runs repeat to the last bit.

use burn::backend::Flex;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::kernels::Standardized;
use super::plain::{FlexBackend, Plain, plain, primitive, tensor};

/// `[batch, channels, places]`
#[derive(Debug, Clone, Copy)]
struct Sizes {
    batch: usize,
    channels: usize,
    places: usize,
}

impl Sizes {
    fn of([batch, channels, places]: [usize; 3]) -> Self {
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
    fn sums(
        self,
        values: &[f32],
        others: &[f32],
        of: impl Fn(&[f32], &[f32], usize) -> f32 + Sync,
    ) -> Vec<f64> {
        let channel = |channel: usize| {
            let rows = self.rows(values, channel).zip(self.rows(others, channel));
            rows.map(|(row, other)| f64::from(of(row, other, channel)))
                .sum()
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

/// The sum of `of(a, b)`, in eight lanes that the processor adds at once.
fn lanes(a: &[f32], b: &[f32], of: impl Fn(f32, f32) -> f32) -> f32 {
    let mut sums = [0.0f32; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a
        .remainder()
        .iter()
        .zip(b.remainder())
        .map(|(&a, &b)| of(a, b))
        .sum();
    for (a, b) in a.zip(b) {
        for lane in 0..8 {
            sums[lane] += of(a[lane], b[lane]);
        }
    }
    sums.iter().sum::<f32>() + rest
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
    let sums = sizes.sums(x, x, |row, _, _| lanes(row, row, |v, _| v));
    let mean: Vec<f32> = sums
        .iter()
        .map(|sum| (sum / sizes.count()) as f32)
        .collect();
    let off = |row: &[f32], _: &[f32], channel: usize| {
        let mean = mean[channel];
        lanes(row, row, |v, _| (v - mean) * (v - mean))
    };
    let variance: Vec<f64> = sizes
        .sums(x, x, off)
        .into_iter()
        .map(|sum| sum / sizes.count())
        .collect();
    let rate: Vec<f32> = variance
        .iter()
        .map(|v| (1.0 / (v + epsilon).sqrt()) as f32)
        .collect();
    let values = sizes.rows_from(x, x, |made, row, _, channel| {
        let (mean, rate) = (mean[channel], rate[channel]);
        for (made, v) in made.iter_mut().zip(row) {
            *made = (v - mean) * rate;
        }
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
    let count = sizes.count();
    let means =
        |sums: Vec<f64>| -> Vec<f32> { sums.iter().map(|sum| (sum / count) as f32).collect() };
    let plain = means(sizes.sums(grad_output, grad_output, |row, _, _| {
        lanes(row, row, |s, _| s)
    }));
    let along = means(sizes.sums(grad_output, values, |row, values, _| {
        lanes(row, values, |s, v| s * v)
    }));
    sizes.rows_from(grad_output, values, |made, row, values, channel| {
        let (plain, along, rate) = (plain[channel], along[channel], rate[channel]);
        for ((made, s), v) in made.iter_mut().zip(row).zip(values) {
            *made = (s - plain - v * along) * rate;
        }
    })
}

pub(super) fn standardize<B: FlexBackend>(x: Tensor<B, 3>, epsilon: f64) -> Standardized<B> {
    let sizes = Sizes::of(x.dims());
    let x = primitive(x);
    let contiguous = B::plain(&x).to_contiguous();
    let result = forward(contiguous.storage(), sizes, epsilon);
    let values = plain(result.values, &sizes.shape());
    let state = (values.clone(), result.rate, sizes);
    let constant = |values| tensor(B::constant(plain(values, &[sizes.channels])));
    Standardized {
        values: tensor(B::recorded(Standardization, [x], state, values)),
        mean: constant(result.mean),
        variance: constant(result.variance),
    }
}

#[derive(Debug)]
struct Standardization;

impl Backward<Flex, 1> for Standardization {
    type State = (Plain, Vec<f32>, Sizes);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [of_x] = ops.parents;
        let (values, rate, sizes) = ops.state;
        let of_output = gradients.consume::<Flex>(&ops.node).to_contiguous();
        if let Some(node) = of_x {
            let of_x = backward(values.storage(), &rate, of_output.storage(), sizes);
            gradients.register::<Flex>(node.id, plain(of_x, &sizes.shape()));
        }
    }
}

fn scaled(x: &[f32], scale: &[f32], shift: &[f32], sizes: Sizes) -> Vec<f32> {
    sizes.rows_from(x, x, |made, row, _, channel| {
        let (scale, shift) = (scale[channel], shift[channel]);
        for (made, v) in made.iter_mut().zip(row) {
            *made = v * scale + shift;
        }
    })
}

pub(super) fn scale_channels<B: FlexBackend>(
    x: Tensor<B, 3>,
    scale: Tensor<B, 1>,
    shift: Tensor<B, 1>,
) -> Tensor<B, 3> {
    let sizes = Sizes::of(x.dims());
    let parents = [primitive(x), primitive(scale), primitive(shift)];
    let [x, scale, shift] = [0, 1, 2].map(|i| B::plain(&parents[i]).to_contiguous());
    let values = scaled(x.storage(), scale.storage(), shift.storage(), sizes);
    let values = plain(values, &sizes.shape());
    tensor(B::recorded(Scaling, parents, (x, scale, sizes), values))
}

#[derive(Debug)]
struct Scaling;

impl Backward<Flex, 3> for Scaling {
    type State = (Plain, Plain, Sizes);

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [of_x, of_scale, of_shift] = ops.parents;
        let (x, scale, sizes) = ops.state;
        let grad_output = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let grad_output: &[f32] = grad_output.storage();
        let channels = |sums: Vec<f64>| {
            let sums = sums.into_iter().map(|sum| sum as f32).collect();
            plain(sums, &[sizes.channels])
        };
        if let Some(node) = of_x {
            let nothing = vec![0.0; sizes.channels];
            let of_x = scaled(grad_output, scale.storage(), &nothing, sizes);
            gradients.register::<Flex>(node.id, plain(of_x, &sizes.shape()));
        }
        if let Some(node) = of_scale {
            let along = |row: &[f32], x: &[f32], _: usize| lanes(row, x, |s, x| s * x);
            gradients.register::<Flex>(
                node.id,
                channels(sizes.sums(grad_output, x.storage(), along)),
            );
        }
        if let Some(node) = of_shift {
            let all = |row: &[f32], _: &[f32], _: usize| lanes(row, row, |s, _| s);
            gradients
                .register::<Flex>(node.id, channels(sizes.sums(grad_output, grad_output, all)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::kernels::{self, Kernels};
    use super::*;
    use burn::backend::Autodiff;
    use burn::tensor::TensorData;

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
