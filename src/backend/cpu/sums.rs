//! Sums in one order, whatever the width of the processor's vectors and the number of threads.

use rayon::prelude::*;

use super::simd::{Simd, on_every_set};

const LANES: usize = 16;

/// Values whose sum is made in 32 bits; such sums are added in 64.
const BLOCK: usize = 4096;

/// Sixteen partial sums of every sixteenth value, then pair by pair.
#[inline(always)]
pub(super) fn sum_of(x: &[f32]) -> f32 {
    sum_of_each(x, |value| value)
}

/// The same of what `of` makes of every value.
#[inline(always)]
fn sum_of_each(x: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (whole, rest) = x.as_chunks::<LANES>();
    for values in whole {
        for lane in 0..LANES {
            sums[lane] += of(values[lane]);
        }
    }
    for (sum, value) in sums.iter_mut().zip(rest) {
        *sum += of(*value);
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

on_every_set! {
    fn block_of_squares(x: &[f32]) -> f32 {
        sum_of_each(x, |value| value * value)
    }
}

/// The sum of all values.
pub fn sum(simd: Simd, x: &[f32]) -> f64 {
    in_blocks(x, |values| block(simd, values))
}

/// The sum of the squares of all values.
pub fn sum_of_squares(simd: Simd, x: &[f32]) -> f64 {
    in_blocks(x, |values| block_of_squares(simd, values))
}

fn in_blocks(x: &[f32], block: impl Fn(&[f32]) -> f32 + Send + Sync) -> f64 {
    let sums: Vec<f32> = match x.len() > 16 * BLOCK {
        true => x.par_chunks(BLOCK).map(block).collect(),
        false => x.chunks(BLOCK).map(block).collect(),
    };
    sums.into_iter().map(f64::from).sum()
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

#[cfg(test)]
mod tests {
    use super::super::testing::{by_every_set, chance, numbers};
    use super::*;

    #[test]
    fn sums_are_exact_enough_and_the_same_for_every_set() {
        let mut chance = chance(4);
        for count in [0, 1, 15, 16, 17, 100, BLOCK - 1, BLOCK + 1, 20 * BLOCK + 7] {
            let x = numbers(&mut chance, count);
            let made = by_every_set("sum", |simd| vec![sum(simd, &x) as f32])[0];
            let exact: f64 = x.iter().copied().map(f64::from).sum();
            assert!((f64::from(made) - exact).abs() < 1e-4 * (1.0 + exact.abs()));
            let squares: Vec<f32> = x.iter().map(|value| value * value).collect();
            let made = by_every_set("squares", |simd| vec![sum_of_squares(simd, &x) as f32]);
            assert_eq!(made[0], sum(Simd::detected(), &squares) as f32);
        }
    }

    #[test]
    fn sums_along_any_axis() {
        let x: Vec<f32> = (0..24).map(|value| value as f32).collect();
        let along = |count: usize, inner: usize| {
            let mut to = vec![f32::NAN; 24 / count];
            sum_axis(Simd::detected(), &x, count, inner, &mut to);
            to
        };
        assert_eq!(along(4, 1), [6.0, 22.0, 38.0, 54.0, 70.0, 86.0]);
        assert_eq!(
            along(3, 4),
            [12.0, 15.0, 18.0, 21.0, 48.0, 51.0, 54.0, 57.0]
        );
        assert_eq!(along(2, 12)[..3], [12.0, 14.0, 16.0]);
        assert_eq!(sum_channels(Simd::detected(), &x, 2, 3), [120.0, 156.0]);
    }
}
