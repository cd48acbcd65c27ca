//! What normalization makes of the rows of a channel: sums in eight lanes, and one operation after another.

use super::simd::on_every_set;

const LANES: usize = 8;

/// The sum of `of(a, b)` over two rows, lane by lane.
#[inline(always)]
fn lanes(a: &[f32], b: &[f32], of: impl Fn(f32, f32) -> f32) -> f32 {
    let mut sums = [0.0f32; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(&a, &b)| of(a, b)).sum();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += of(a[lane], b[lane]);
        }
    }
    sums.iter().sum::<f32>() + rest
}

on_every_set! {
    /// The sum of a row.
    pub fn sum(row: &[f32]) -> f32 {
        lanes(row, row, |value, _| value)
    }
}

on_every_set! {
    /// The sum of the squares of a row's distances from the mean.
    pub fn squares(row: &[f32], mean: f32) -> f32 {
        lanes(row, row, |value, _| (value - mean) * (value - mean))
    }
}

on_every_set! {
    /// The sum of a row, and of its values' products with another's.
    pub fn sum_and_products(a: &[f32], b: &[f32]) -> [f32; 2] {
        [lanes(a, a, |a, _| a), lanes(a, b, |a, b| a * b)]
    }
}

on_every_set! {
    /// `(x - mean) * rate`
    pub fn standardize(x: &[f32], mean: f32, rate: f32, to: &mut [f32]) {
        for (to, x) in to.iter_mut().zip(x) {
            *to = (x - mean) * rate;
        }
    }
}

on_every_set! {
    /// `(gradient - plain - value * along) * rate`, by `[plain, along, rate]`.
    pub fn standardize_gradient(
        gradient: &[f32],
        values: &[f32],
        by: [f32; 3],
        to: &mut [f32],
    ) {
        let [plain, along, rate] = by;
        for ((to, gradient), value) in to.iter_mut().zip(gradient).zip(values) {
            *to = (gradient - plain - value * along) * rate;
        }
    }
}

on_every_set! {
    /// `x * scale + shift`
    pub fn scale(x: &[f32], scale: f32, shift: f32, to: &mut [f32]) {
        for (to, x) in to.iter_mut().zip(x) {
            *to = x * scale + shift;
        }
    }
}
