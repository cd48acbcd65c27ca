//! Sums in one order, whatever the width of the processor's vectors and the number of threads.

use rayon::prelude::*;

use super::simd::{Simd, on_every_set};

const LANES: usize = 16;

/// Values whose sum is made in 32 bits; such sums are added in 64.
const BLOCK: usize = 4096;

/// Sixteen partial sums of every sixteenth value, then pair by pair.
#[inline(always)]
pub(super) fn sum_of(x: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (whole, rest) = x.as_chunks::<LANES>();
    for values in whole {
        for lane in 0..LANES {
            sums[lane] += values[lane];
        }
    }
    for (sum, value) in sums.iter_mut().zip(rest) {
        *sum += value;
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0]
}

on_every_set! {
    fn block(x: &[f32]) -> f32 {
        sum_of(x)
    }
}

/// The sum of all values.
pub fn sum(simd: Simd, x: &[f32]) -> f64 {
    let blocks: Vec<f32> = match x.len() > 16 * BLOCK {
        true => x
            .par_chunks(BLOCK)
            .map(|values| block(simd, values))
            .collect(),
        false => x.chunks(BLOCK).map(|values| block(simd, values)).collect(),
    };
    blocks.into_iter().map(f64::from).sum()
}

/// The sums along the middle axis: `[outer, count, inner]` to `[outer, inner]`.
pub fn sum_axis(simd: Simd, x: &[f32], count: usize, inner: usize, to: &mut [f32]) {
    if count * inner == 0 {
        return to.fill(0.0);
    }
    if inner == 1 {
        for (to, row) in to.iter_mut().zip(x.chunks_exact(count)) {
            *to = sum(simd, row) as f32;
        }
        return;
    }
    for (to, x) in to
        .chunks_exact_mut(inner)
        .zip(x.chunks_exact(count * inner))
    {
        to.fill(0.0);
        for row in x.chunks_exact(inner) {
            add(simd, row, to);
        }
    }
}

on_every_set! {
    /// Adds each value to the sum in its place.
    pub fn add(values: &[f32], sums: &mut [f32]) {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += value;
        }
    }
}

/// The sum of every channel of `[batch, channels, places]`.
pub fn sum_channels(simd: Simd, x: &[f32], channels: usize, places: usize) -> Vec<f32> {
    let mut sums = vec![0.0f64; channels];
    for image in x.chunks_exact((channels * places).max(1)) {
        for (total, row) in sums.iter_mut().zip(image.chunks_exact(places)) {
            *total += sum(simd, row);
        }
    }
    sums.into_iter().map(|sum| sum as f32).collect()
}
