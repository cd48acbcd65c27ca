//! The largest values under windows that slide over planes, and their gradients.

use rayon::prelude::*;

use super::SHARED;
use super::simd::{Simd, on_every_set};
use crate::backend::sliding::Sliding;

/// How windows lie on a plane: heights before widths.
#[derive(Debug, Clone, Copy)]
pub struct Pool {
    plane: [usize; 2],
    windows: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    before: [usize; 2],
}

impl Pool {
    /// Windows of a size that slide over planes; what pads them never wins. No dilation is looked at.
    pub fn new(plane: [usize; 2], kernel: [usize; 2], sliding: Sliding) -> Self {
        assert!(plane[0] * plane[1] <= u32::MAX as usize);
        Pool {
            plane,
            windows: [0, 1].map(|axis| sliding.outputs(axis, plane[axis], kernel[axis])),
            kernel,
            stride: sliding.stride,
            before: sliding.before,
        }
    }

    /// Windows of a plane along its height and its width.
    pub fn windows(&self) -> [usize; 2] {
        self.windows
    }

    /// The part of a window's own places that lies on the plane, along an axis.
    fn inside(&self, axis: usize, window: usize) -> std::ops::Range<usize> {
        let start = window * self.stride[axis];
        let least = self.before[axis].saturating_sub(start);
        let most = (self.plane[axis] + self.before[axis]).saturating_sub(start);
        least..most.min(self.kernel[axis])
    }

    /// The windows of a row whose place with this number lies on the plane.
    fn columns(&self, place: usize) -> std::ops::Range<usize> {
        let (stride, before) = (self.stride[1], self.before[1]);
        let first = before.saturating_sub(place).div_ceil(stride);
        let end = (self.plane[1] + before)
            .saturating_sub(place)
            .div_ceil(stride);
        first..end.clamp(first, self.windows[1].max(first))
    }
}

/// The largest value of each window of every plane of `x`, and where in its plane it lies: the first of equal ones, and
/// the last NaN if there is any.
pub fn largest(simd: Simd, x: &[f32], pool: &Pool) -> (Vec<f32>, Vec<u32>) {
    let [size, windows] = [pool.plane, pool.windows].map(|[rows, columns]| rows * columns);
    let planes = x.len() / size.max(1);
    let (mut y, mut places) = (vec![0.0; planes * windows], vec![0; planes * windows]);
    if y.is_empty() {
        return (y, places);
    }
    let at_once = SHARED.div_ceil(size);
    x.par_chunks(at_once * size)
        .zip(y.par_chunks_mut(at_once * windows))
        .zip(places.par_chunks_mut(at_once * windows))
        .for_each(|((x, y), places)| largest_of_planes(simd, x, pool, y, places));
    (y, places)
}

on_every_set! {
    fn largest_of_planes(x: &[f32], pool: &Pool, y: &mut [f32], places: &mut [u32]) {
        let [size, windows] = [pool.plane, pool.windows].map(|[rows, columns]| rows * columns);
        let made = y.chunks_exact_mut(windows).zip(places.chunks_exact_mut(windows));
        for (x, (y, places)) in x.chunks_exact(size).zip(made) {
            match pool.stride[1] {
                1 => plane::<1>(x, pool, y, places),
                2 => plane::<2>(x, pool, y, places),
                3 => plane::<3>(x, pool, y, places),
                _ => plane::<0>(x, pool, y, places),
            }
        }
    }
}

/// Windows that are `STRIDE` columns apart, or as far as the pool says if that is 0.
#[inline(always)]
fn plane<const STRIDE: usize>(x: &[f32], pool: &Pool, y: &mut [f32], places: &mut [u32]) {
    let ([_, width], [_, columns]) = (pool.plane, pool.windows);
    let rows = y
        .chunks_exact_mut(columns)
        .zip(places.chunks_exact_mut(columns));
    for (row, (y, places)) in rows.enumerate() {
        let inside = pool.inside(0, row);
        let line = |place: usize| (row * pool.stride[0] + place - pool.before[0]) * width;
        // Even where no value is larger than this one, some place must have won.
        y.fill(f32::NEG_INFINITY);
        for (column, place) in places.iter_mut().enumerate() {
            let across = column * pool.stride[1] + pool.inside(1, column).start;
            *place = (line(inside.start) + across - pool.before[1]) as u32;
        }
        for (down, across) in inside.flat_map(|down| (0..pool.kernel[1]).map(move |at| (down, at)))
        {
            let of = pool.columns(across);
            if of.is_empty() {
                continue;
            }
            let first = line(down) + of.start * pool.stride[1] + across - pool.before[1];
            let (y, places) = (&mut y[of.clone()], &mut places[of]);
            match STRIDE {
                0 => every(&x[first..], pool.stride[1], first, y, places),
                _ => packed::<STRIDE>(&x[first..], first, y, places),
            }
        }
    }
}

/// Lets every `stride`th value of `x` win where it is larger; `first` is the place of the first.
#[inline(always)]
fn every(x: &[f32], stride: usize, first: usize, y: &mut [f32], places: &mut [u32]) {
    for ((at, x), (y, place)) in x
        .iter()
        .step_by(stride)
        .enumerate()
        .zip(y.iter_mut().zip(places))
    {
        compare(*x, (first + at * stride) as u32, y, place);
    }
}

/// The same in a form that a compiler makes vectors of.
#[inline(always)]
fn packed<const STRIDE: usize>(x: &[f32], first: usize, y: &mut [f32], places: &mut [u32]) {
    let (steps, rest) = x.as_chunks::<STRIDE>();
    let count = y.len().min(steps.len());
    let mut place_of_step = first as u32;
    for (x, (y, place)) in steps.iter().zip(y.iter_mut().zip(places.iter_mut())) {
        compare(x[0], place_of_step, y, place);
        place_of_step = place_of_step.wrapping_add(STRIDE as u32);
    }
    if let (Some(x), Some(y), Some(place)) = (rest.first(), y.get_mut(count), places.get_mut(count))
    {
        compare(*x, (first + count * STRIDE) as u32, y, place);
    }
}

#[inline(always)]
fn compare(x: f32, place_of_x: u32, y: &mut f32, place: &mut u32) {
    let wins = x > *y || x.is_nan();
    *y = if wins { x } else { *y };
    *place = if wins { place_of_x } else { *place };
}

/// The gradient of what was pooled, in planes of `size` values, from that of the `windows` of each and their places.
pub fn largest_gradient(
    grad_output: &[f32],
    places: &[u32],
    [size, windows]: [usize; 2],
    planes: usize,
) -> Vec<f32> {
    let mut of_x = vec![0.0; planes * size];
    if of_x.is_empty() || windows == 0 {
        return of_x;
    }
    let at_once = SHARED.div_ceil(size);
    of_x.par_chunks_mut(at_once * size)
        .zip(grad_output.par_chunks(at_once * windows))
        .zip(places.par_chunks(at_once * windows))
        .for_each(|((of_x, grad_output), places)| {
            let made = grad_output
                .chunks_exact(windows)
                .zip(places.chunks_exact(windows));
            for (of_x, (grad_output, places)) in of_x.chunks_exact_mut(size).zip(made) {
                for (gradient, place) in grad_output.iter().zip(places) {
                    of_x[*place as usize] += gradient;
                }
            }
        });
    of_x
}

#[cfg(test)]
mod tests {
    use super::super::testing::by_every_set;
    use super::*;

    /// Numbers without an order.
    fn values(count: u32) -> Vec<f32> {
        let value = |at: u32| at.wrapping_mul(2_654_435_761) as f32 / u32::MAX as f32 - 0.5;
        (0..count).map(value).collect()
    }

    fn sliding(stride: [usize; 2], before: [usize; 2], after: [usize; 2]) -> Sliding {
        Sliding {
            stride,
            before,
            after,
            dilation: [1; 2],
            groups: 1,
        }
    }

    /// Window by window, as the definition says.
    fn plainly(x: &[f32], pool: &Pool) -> (Vec<f32>, Vec<u32>) {
        let ([height, width], [rows, columns]) = (pool.plane, pool.windows);
        let mut found = Vec::new();
        for plane in x.chunks_exact(height * width) {
            for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |at| (row, at))) {
                let mut best: Option<(f32, u32)> = None;
                for down in 0..pool.kernel[0] {
                    for across in 0..pool.kernel[1] {
                        let line = (row * pool.stride[0] + down).wrapping_sub(pool.before[0]);
                        let at = (column * pool.stride[1] + across).wrapping_sub(pool.before[1]);
                        if line >= height || at >= width {
                            continue;
                        }
                        let value = plane[line * width + at];
                        if best.is_none_or(|(best, _)| value > best || value.is_nan()) {
                            best = Some((value, (line * width + at) as u32));
                        }
                    }
                }
                found.push(best.expect("a window touches its plane"));
            }
        }
        found.into_iter().unzip()
    }

    #[test]
    fn windows_of_any_kind_find_their_largest_values() {
        let plane = [7, 11];
        let mut x = values(3 * 7 * 11);
        // Equal values, and what no number is larger than.
        x[20..30].fill(0.25);
        x[100..140].fill(f32::NEG_INFINITY);
        x[150] = f32::NAN;
        x[152] = f32::NAN;
        for kernel in [[1, 1], [2, 2], [3, 3], [2, 5], [7, 4]] {
            for stride in [[1, 1], [2, 2], [3, 1], [1, 3], [2, 5]] {
                for (before, after) in [([0, 0], [0, 0]), ([1, 1], [1, 1]), ([0, 1], [1, 2])] {
                    let pads = |axis: usize| before[axis].max(after[axis]) < kernel[axis];
                    if !pads(0) || !pads(1) {
                        continue;
                    }
                    let pool = Pool::new(plane, kernel, sliding(stride, before, after));
                    let bits = |found: &[f32]| -> Vec<u32> {
                        found.iter().map(|value| value.to_bits()).collect()
                    };
                    let (expected, expected_places) = plainly(&x, &pool);
                    by_every_set("a pool", |simd| {
                        let (found, places) = largest(simd, &x, &pool);
                        assert_eq!(bits(&found), bits(&expected), "{pool:?}");
                        assert_eq!(places, expected_places, "{pool:?}");
                        found
                    });
                }
            }
        }
    }

    #[test]
    fn gradients_go_to_the_places_that_won() {
        // Windows of two that overlap by one.
        let pool = Pool::new([1, 4], [1, 2], sliding([1, 1], [0, 0], [0, 0]));
        let (y, places) = largest(Simd::detected(), &[1.0, 5.0, 2.0, 2.0], &pool);
        assert_eq!(
            (y.as_slice(), places.as_slice()),
            (&[5.0, 5.0, 2.0][..], &[1, 1, 2][..])
        );
        let of_x = largest_gradient(&[1.0, 10.0, 100.0], &places, [4, 3], 1);
        assert_eq!(of_x, [0.0, 11.0, 100.0, 0.0]);
    }
}
