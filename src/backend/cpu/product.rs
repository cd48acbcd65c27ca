//! Products of matrices.

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::fresh::written;
use super::panel::{Output, Panel, RightRows, Run, Start, width};
use super::simd::{Simd, prefetch};
use super::transpose::transpose;

/// Rows of the right matrix that are packed at once: a panel of so many stays in a core's L2 cache.
const DEPTH: usize = 512;

/// Rows whose values are packed at once, where they do not lie in a row.
const HEIGHT: usize = 256;

/// Multiply-adds of a product that is shared among threads.
const SHARED: usize = 1 << 19;

/// Rows that a panel is not packed for.
const FEW: usize = 8;

/// Values of a matrix that a core's own cache holds however they lie: a copy of them is not worth it.
const SMALL: usize = 1 << 16;

/// Rows between the one that is packed and the one that is fetched.
const AHEAD: usize = 16;

/// Columns that the widest vector holds.
const LANES: usize = 16;

/// Columns that fill a panel.
const MANY: usize = 48;

/// A matrix, row-major or read as the transpose of one.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    /// From one row of what is stored to the next.
    stride: usize,
    transposed: bool,
}

impl<'a> Matrix<'a> {
    /// # Panics
    /// There are more values, or fewer.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns);
        Matrix {
            values,
            rows,
            columns,
            stride: columns,
            transposed: false,
        }
    }

    /// Rows for columns.
    pub fn turned(self) -> Self {
        Matrix {
            rows: self.columns,
            columns: self.rows,
            transposed: !self.transposed,
            ..self
        }
    }

    /// Some of its rows.
    fn part(self, rows: Range<usize>) -> Self {
        let begin = match self.transposed {
            true => rows.start,
            false => rows.start * self.stride,
        };
        Matrix {
            values: &self.values[begin..],
            rows: rows.len(),
            ..self
        }
    }

    /// Copies some rows of the given columns behind each other, `width` values a row, zeros at the end.
    fn pack(
        &self,
        simd: Simd,
        rows: Range<usize>,
        columns: Range<usize>,
        width: usize,
        to: &mut [f32],
    ) {
        let (height, taken) = (rows.len(), columns.len());
        if self.transposed {
            if taken < width {
                to[..height * width].fill(0.0);
            }
            let from = &self.values[columns.start * self.stride + rows.start..];
            return transpose(simd, [taken, height], from, self.stride, to, width);
        }
        for (row, to) in rows.zip(to.chunks_exact_mut(width)) {
            // A processor does not foresee short pieces that lie far apart.
            let ahead = (row + AHEAD) * self.stride + columns.start;
            for line in (0..taken).step_by(LANES) {
                prefetch(self.values.as_ptr().wrapping_add(ahead + line));
            }
            let from = &self.values[row * self.stride..][columns.clone()];
            let (values, rest) = to.split_at_mut(taken);
            values.copy_from_slice(from);
            rest.fill(0.0);
        }
    }
}

/// `left` times `right` in row-major order, shared among threads.
///
/// # Panics
/// The shapes do not fit, or the start is the output, which holds nothing yet.
pub fn product(simd: Simd, left: Matrix, right: Matrix, start: Start) -> Vec<f32> {
    assert!(!matches!(start, Start::Output));
    let (rows, columns) = (left.rows, right.columns);
    let write = |places: &mut _| {
        // SAFETY: it does not begin with the output, and parts of the depth after the first add to what that one wrote.
        let output = unsafe { Output::fresh(places) };
        shared(simd, left, right, start, output);
    };
    // SAFETY: a product writes all places of its output.
    unsafe { written(rows * columns, write) }
}

/// The same, written to `output`, on this thread.
///
/// # Panics
/// The shapes do not fit.
pub fn add_product(simd: Simd, left: Matrix, right: Matrix, start: Start, output: &mut [f32]) {
    assert_eq!(output.len(), left.rows * right.columns);
    let stride = right.columns;
    write(simd, left, right, start, Output::of(output), stride);
}

/// Rows of the output for each thread, where packing the right matrix once more is soon made good, else columns.
fn shared(simd: Simd, left: Matrix, right: Matrix, start: Start, output: Output) {
    let (rows, columns) = (left.rows, right.columns);
    let threads = rayon::current_num_threads();
    if threads == 1 || rows * columns * left.columns < SHARED {
        return write(simd, left, right, start, output, columns);
    }
    let many = if left.transposed {
        columns
    } else {
        threads * HEIGHT
    };
    let by_rows = rows >= many || columns < threads * MANY;
    let (all, least) = match by_rows {
        true => (rows, FEW),
        false => (columns, LANES),
    };
    let each = all.div_ceil(threads).next_multiple_of(least);
    let parts = (0..all).step_by(each).map(|first| {
        let to = if by_rows { first * columns } else { first };
        // SAFETY: no two parts have the same rows, or no two the same columns.
        (first..all.min(first + each), unsafe { output.twin(to) })
    });
    let parts: Vec<_> = parts.collect();
    parts.into_par_iter().for_each(|(part, output)| {
        let (left, right, start) = match by_rows {
            true => (left.part(part.clone()), right, start.of_rows(part.start)),
            false => (
                left,
                right.turned().part(part.clone()).turned(),
                start.from(part.start),
            ),
        };
        write(simd, left, right, start, output, columns);
    });
}

/// The product, on this thread; a row of the output begins `stride` after another.
fn write(simd: Simd, left: Matrix, right: Matrix, start: Start, mut output: Output, stride: usize) {
    assert_eq!(left.columns, right.rows);
    if left.rows * right.columns == 0 {
        return;
    }
    BUFFERS.with_borrow_mut(|buffers| {
        let needed = DEPTH.min(right.rows) * width(simd, right.columns);
        if buffers.right.len() < needed {
            buffers.right.resize(needed, 0.0);
        }
        for first in (0..left.rows).step_by(HEIGHT) {
            let rows = first..left.rows.min(first + HEIGHT);
            let output = output.from(first * stride);
            let start = start.of_rows(rows.start);
            block(simd, left.part(rows), right, start, output, stride, buffers);
        }
    });
}

/// What a thread keeps from product to product.
#[derive(Default)]
struct Buffers {
    left: Vec<f32>,
    right: Vec<f32>,
    rows: Vec<usize>,
    outputs: Vec<usize>,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

/// The product for no more than [`HEIGHT`] rows.
fn block(
    simd: Simd,
    left: Matrix,
    right: Matrix,
    start: Start,
    mut output: Output,
    stride: usize,
    buffers: &mut Buffers,
) {
    buffers.outputs.clear();
    buffers
        .outputs
        .extend((0..left.rows).map(|row| row * stride));
    let width = width(simd, right.columns);
    for from in (0..left.columns.max(1)).step_by(DEPTH) {
        let depth = from..(from + DEPTH).min(left.columns);
        let start = if from > 0 { Start::Output } else { start };
        let values = left_rows(
            simd,
            left,
            depth.clone(),
            &mut buffers.left,
            &mut buffers.rows,
        );
        for column in (0..right.columns).step_by(width) {
            let columns = column..(column + width).min(right.columns);
            let is_ready = is_ready(simd, left.rows, right, &depth, &columns);
            let (right, right_stride) = match is_ready {
                true => (&right.values[from * right.stride + column..], right.stride),
                false => {
                    let packed = super::width(simd, columns.len());
                    right.pack(
                        simd,
                        depth.clone(),
                        columns.clone(),
                        packed,
                        &mut buffers.right,
                    );
                    (&buffers.right[..], packed)
                }
            };
            let panel = Panel {
                left: values,
                rows: &buffers.rows,
                runs: &[Run {
                    offset: 0,
                    length: depth.len(),
                }],
                step: 1,
                right,
                right_rows: RightRows::Apart(right_stride),
                columns: columns.len(),
                start: start.from(column),
            };
            panel.write(simd, output.from(column), &buffers.outputs);
        }
    }
}

/// Whether columns of the right matrix are read where they lie: a copy is not worth it where few rows read it, or where
/// the matrix is small. Behind the columns stand those of the next row, which come to nothing; the last row has none.
fn is_ready(
    simd: Simd,
    rows: usize,
    right: Matrix,
    depth: &Range<usize>,
    columns: &Range<usize>,
) -> bool {
    let is_small = right.rows * right.stride <= SMALL;
    let width = super::width(simd, columns.len());
    let end = depth.end.saturating_sub(1) * right.stride + columns.start + width;
    let has_room = width <= right.stride && end <= right.values.len();
    (rows <= FEW || is_small) && !right.transposed && has_room
}

/// The left matrix with the values of a row side by side, and where its rows begin.
fn left_rows<'a>(
    simd: Simd,
    left: Matrix<'a>,
    depth: Range<usize>,
    buffer: &'a mut Vec<f32>,
    rows: &mut Vec<usize>,
) -> &'a [f32] {
    rows.clear();
    if !left.transposed {
        rows.extend((0..left.rows).map(|row| row * left.stride + depth.start));
        return left.values;
    }
    let length = depth.len();
    if buffer.len() < left.rows * length {
        buffer.resize(left.rows * length, 0.0);
    }
    left.pack(simd, 0..left.rows, depth, length, buffer);
    rows.extend((0..left.rows).map(|row| row * length));
    buffer
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::super::testing::{by_every_set, chance, is_same, numbers};
    use super::*;

    /// A matrix as it lies, or as the transpose of what lies.
    fn matrix(values: &[f32], shape: [usize; 2], transposed: bool) -> Matrix<'_> {
        let [rows, columns] = shape;
        match transposed {
            true => Matrix::new(values, columns, rows).turned(),
            false => Matrix::new(values, rows, columns),
        }
    }

    fn at(values: &[f32], shape: [usize; 2], transposed: bool, row: usize, column: usize) -> f32 {
        match transposed {
            true => values[column * shape[0] + row],
            false => values[row * shape[1] + column],
        }
    }

    #[test]
    fn every_value_is_one_chain_of_fused_multiply_adds() {
        let mut chance = chance(1);
        for case in 0..120 {
            // Some products exceed a block in each direction.
            let most = [[40, 30, 70], [9, 2 * DEPTH + 9, 60], [HEIGHT + 30, 5, 110]][case % 3];
            let [rows, depth, columns] = most.map(|most| chance.random_range(1..=most));
            let turned = [case % 2 == 1, case % 4 > 1];
            let left = numbers(&mut chance, rows * depth);
            let right = numbers(&mut chance, depth * columns);
            let [bias, rows_bias, before] =
                [columns, rows, rows * columns].map(|count| numbers(&mut chance, count));
            let starts = [
                Start::Zero,
                Start::Row(&bias),
                Start::Output,
                Start::Column(&rows_bias),
            ];
            let start = starts[case / 3 % 4];
            let what = format!("{rows} x {depth} x {columns}, {turned:?}, {start:?}");
            let received = by_every_set(&what, |simd| {
                let mut output = before.clone();
                let left = matrix(&left, [rows, depth], turned[0]);
                let right = matrix(&right, [depth, columns], turned[1]);
                add_product(simd, left, right, start, &mut output);
                output
            });
            let chain = |row: usize, column: usize| {
                let first = match start {
                    Start::Zero => 0.0,
                    Start::Row(row) => row[column],
                    Start::Column(values) => values[row],
                    Start::Output => before[row * columns + column],
                };
                (0..depth).fold(first, |sum, k| {
                    let left = at(&left, [rows, depth], turned[0], row, k);
                    let right = at(&right, [depth, columns], turned[1], k, column);
                    left.mul_add(right, sum)
                })
            };
            let expected = (0..rows * columns).map(|i| chain(i / columns, i % columns));
            let expected: Vec<f32> = expected.collect();
            assert!(is_same(&received, &expected), "{what}");
        }
    }

    #[test]
    fn threads_change_nothing() {
        let mut chance = chance(2);
        let (left, right) = (
            numbers(&mut chance, 90 * 200),
            numbers(&mut chance, 200 * 70),
        );
        let made = |threads: usize, turned: bool| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(|| {
                let left = matrix(&left, [90, 200], turned);
                let right = Matrix::new(&right, 200, 70);
                product(Simd::detected(), left, right, Start::Zero)
            })
        };
        for turned in [false, true] {
            assert!(is_same(&made(1, turned), &made(3, turned)));
        }
    }

    #[test]
    fn what_is_no_number_stays_so_and_nothing_else_becomes_it() {
        let (mut left, right) = (vec![1.0; 20 * 30], vec![0.0; 30 * 50]);
        left[7 * 30 + 3] = f32::NAN;
        left[9 * 30 + 3] = f32::INFINITY;
        let made = by_every_set("NaN", |simd| {
            let left = Matrix::new(&left, 20, 30);
            product(simd, left, Matrix::new(&right, 30, 50), Start::Zero)
        });
        for (row, made) in made.chunks_exact(50).enumerate() {
            let is_number = ![7, 9].contains(&row);
            assert!(made.iter().all(|value| value.is_nan() != is_number));
        }
    }

    #[test]
    fn an_empty_product_is_what_it_begins_with() {
        for (rows, depth, columns) in [(0, 3, 4), (3, 0, 4), (3, 4, 0)] {
            let (left, right) = (vec![1.0; rows * depth], vec![1.0; depth * columns]);
            let left = Matrix::new(&left, rows, depth);
            let right = Matrix::new(&right, depth, columns);
            let made = product(Simd::detected(), left, right, Start::Zero);
            assert_eq!(made, vec![0.0; rows * columns]);
        }
    }
}
