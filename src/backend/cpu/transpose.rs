//! Rows to columns.

use std::mem::MaybeUninit;

use super::simd::Simd;
#[cfg(target_arch = "x86_64")]
use super::simd::prefetch;

/// `to[j][i] = from[i][j]` for `rows` of `columns`; the rows of `from` and of `to` begin so far apart.
///
/// # Panics
/// A slice is too short.
pub fn transpose(
    simd: Simd,
    shape: [usize; 2],
    from: &[f32],
    from_stride: usize,
    to: &mut [f32],
    to_stride: usize,
) {
    // SAFETY: nothing but numbers is written.
    let to = unsafe { &mut *(std::ptr::from_mut(to) as *mut [MaybeUninit<f32>]) };
    transpose_fresh(simd, shape, from, from_stride, to, to_stride);
}

/// The same of what was not read for long: lines are fetched before they are needed.
pub fn transpose_far(
    simd: Simd,
    shape: [usize; 2],
    from: &[f32],
    from_stride: usize,
    to: &mut [f32],
    to_stride: usize,
) {
    // SAFETY: nothing but numbers is written.
    let to = unsafe { &mut *(std::ptr::from_mut(to) as *mut [MaybeUninit<f32>]) };
    by_blocks::<32>(simd, shape, from, from_stride, to, to_stride);
}

/// The same into places that hold nothing yet.
pub fn transpose_fresh(
    simd: Simd,
    shape: [usize; 2],
    from: &[f32],
    from_stride: usize,
    to: &mut [MaybeUninit<f32>],
    to_stride: usize,
) {
    by_blocks::<0>(simd, shape, from, from_stride, to, to_stride);
}

/// Fetches what lies `AHEAD` columns before it is needed.
fn by_blocks<const AHEAD: usize>(
    simd: Simd,
    [rows, columns]: [usize; 2],
    from: &[f32],
    from_stride: usize,
    to: &mut [MaybeUninit<f32>],
    to_stride: usize,
) {
    if rows == 0 || columns == 0 {
        return;
    }
    assert!((rows - 1) * from_stride + columns <= from.len());
    assert!((columns - 1) * to_stride + rows <= to.len());
    #[cfg(target_arch = "x86_64")]
    if simd != Simd::Portable && rows >= 8 && columns >= 8 {
        // SAFETY: the set has AVX2, and all blocks lie in the slices, as was just seen.
        unsafe { blocks::<AHEAD>([rows, columns], from, from_stride, to, to_stride) };
        return;
    }
    let _ = simd;
    for i in 0..rows {
        let row = &from[i * from_stride..][..columns];
        for (j, value) in row.iter().enumerate() {
            to[j * to_stride + i].write(*value);
        }
    }
}

/// Blocks of eight rows of eight, for no fewer than that.
///
/// # Safety
/// Both matrices lie in their slices, and the processor has AVX.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
unsafe fn blocks<const AHEAD: usize>(
    [rows, columns]: [usize; 2],
    from: &[f32],
    from_stride: usize,
    to: &mut [MaybeUninit<f32>],
    to_stride: usize,
) {
    // The last block begins early enough to be whole, and repeats some values of the one before it.
    let starts = |count: usize| (0..count).step_by(8).map(move |start| start.min(count - 8));
    for j in starts(columns) {
        for i in starts(rows) {
            // SAFETY: the caller's.
            unsafe {
                let from = from.as_ptr().add(i * from_stride + j);
                if AHEAD > 0 {
                    (0..8).for_each(|row| prefetch(from.wrapping_add(AHEAD + row * from_stride)));
                }
                let to = to.as_mut_ptr().cast::<f32>().add(j * to_stride + i);
                block(from, from_stride, to, to_stride);
            }
        }
    }
}

/// Eight rows of eight.
///
/// # Safety
/// Both blocks can be read or written, and the processor has AVX.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
#[inline]
unsafe fn block(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
    use std::arch::x86_64::*;
    // SAFETY: the caller's.
    unsafe {
        // Halves of rows that lie four apart, so that only pairs within halves are left to be turned.
        let half = |row: usize, column: usize| {
            let low = _mm_loadu_ps(from.add(row * from_stride + column));
            let high = _mm_loadu_ps(from.add((row + 4) * from_stride + column));
            _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(low), high)
        };
        for column in [0, 4] {
            let r: [__m256; 4] = std::array::from_fn(|row| half(row, column));
            let (a, b) = (
                _mm256_unpacklo_ps(r[0], r[1]),
                _mm256_unpacklo_ps(r[2], r[3]),
            );
            let (c, d) = (
                _mm256_unpackhi_ps(r[0], r[1]),
                _mm256_unpackhi_ps(r[2], r[3]),
            );
            let turned = [
                _mm256_shuffle_ps::<0x44>(a, b),
                _mm256_shuffle_ps::<0xee>(a, b),
                _mm256_shuffle_ps::<0x44>(c, d),
                _mm256_shuffle_ps::<0xee>(c, d),
            ];
            for (j, row) in turned.into_iter().enumerate() {
                _mm256_storeu_ps(to.add((column + j) * to_stride), row);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::super::testing::{by_every_set, chance, numbers};
    use super::*;

    #[test]
    fn rows_become_columns_and_nothing_else_changes() {
        let mut chance = chance(3);
        for _ in 0..200 {
            let [rows, columns] = [40; 2].map(|most| chance.random_range(1..most));
            let [wide, high] = [columns, rows].map(|least| least + chance.random_range(0..3));
            let from = numbers(&mut chance, (rows - 1) * wide + columns);
            let made = by_every_set(&format!("{rows} x {columns}"), |simd| {
                let [mut to, mut far] = [(); 2].map(|_| vec![9.0; (columns - 1) * high + rows]);
                transpose(simd, [rows, columns], &from, wide, &mut to, high);
                transpose_far(simd, [rows, columns], &from, wide, &mut far, high);
                assert_eq!(to, far);
                to
            });
            for (index, value) in made.iter().enumerate() {
                let (j, i) = (index / high, index % high);
                let expected = if i < rows { from[i * wide + j] } else { 9.0 };
                assert_eq!(*value, expected);
            }
        }
    }
}
