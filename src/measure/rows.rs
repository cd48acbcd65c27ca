//! Many vectors of one length, and the sums over them that do not fit into memory twice.

use std::ops::Range;

use nalgebra::{DMatrix, DVector};

/// Vectors that are turned into matrices at a time.
const AT_A_TIME: usize = 512;

/// Vectors of one length one after another, `[rows, width]`: codes, features, images.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    values: &'a [f32],
    width: usize,
}

impl<'a> Rows<'a> {
    /// `values` holds whole rows of `width` numbers; panics if it does not.
    pub fn new(values: &'a [f32], width: usize) -> Self {
        assert!(width > 0 && values.len().is_multiple_of(width));
        Rows { values, width }
    }

    /// Number of rows.
    pub fn len(self) -> usize {
        self.values.len() / self.width
    }

    /// Whether there are no rows.
    pub fn is_empty(self) -> bool {
        self.values.is_empty()
    }

    /// Numbers in a row.
    pub fn width(self) -> usize {
        self.width
    }

    /// The row with this number, from 0.
    pub fn row(self, index: usize) -> &'a [f32] {
        &self.values[index * self.width..(index + 1) * self.width]
    }

    /// The rows of a range of numbers.
    pub fn part(self, range: Range<usize>) -> Rows<'a> {
        let values = &self.values[range.start * self.width..range.end * self.width];
        Rows { values, ..self }
    }

    /// Rows by their numbers, one after another.
    pub fn pick(self, numbers: &[usize]) -> Vec<f32> {
        let rows = numbers.iter().flat_map(|&number| self.row(number));
        rows.copied().collect()
    }

    /// Some rows at a time, in order.
    pub fn blocks(self) -> impl Iterator<Item = Rows<'a>> {
        let blocks = self.values.chunks(AT_A_TIME * self.width);
        blocks.map(move |values| Rows { values, ..self })
    }

    /// `[width, rows]`: a row of numbers is a column of the matrix.
    pub fn columns(self) -> DMatrix<f64> {
        let values = self.values.iter().copied().map(f64::from);
        DMatrix::from_iterator(self.width, self.len(), values)
    }

    /// The same less the mean row.
    pub fn centered(self, mean: &DVector<f64>) -> DMatrix<f64> {
        let mut columns = self.columns();
        for mut column in columns.column_iter_mut() {
            column -= mean;
        }
        columns
    }

    /// The mean row; zeros where there are no rows.
    pub fn mean(self) -> DVector<f64> {
        let mut sum = DVector::zeros(self.width);
        for block in self.blocks() {
            sum += block.columns().column_sum();
        }
        sum / self.len().max(1) as f64
    }

    /// The variance of every number of a row, with the count less one as divisor (zeros of a single row).
    pub fn variances(self) -> DVector<f64> {
        let mean = self.mean();
        let mut sum = DVector::zeros(self.width);
        for block in self.blocks() {
            let centered = block.centered(&mean);
            sum += centered.component_mul(&centered).column_sum();
        }
        sum / self.len().saturating_sub(1).max(1) as f64
    }

    /// `[width, width]`, with the count less one as divisor.
    pub fn covariance(self) -> DMatrix<f64> {
        let mean = self.mean();
        let mut sum = DMatrix::zeros(self.width, self.width);
        for block in self.blocks() {
            let centered = block.centered(&mean);
            sum += &centered * centered.transpose();
        }
        sum / self.len().saturating_sub(1).max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_do_not_depend_on_blocks() {
        let values: Vec<f32> = (0..3 * 1300).map(|at| (at * 7 % 31) as f32).collect();
        let rows = Rows::new(&values, 3);
        assert_eq!((rows.len(), rows.blocks().count()), (1300, 3));
        let all = rows.columns();
        let mean = all.column_mean();
        assert!((rows.mean() - &mean).norm() < 1e-12);
        let centered = rows.centered(&mean);
        let covariance = &centered * centered.transpose() / 1299.0;
        assert!((rows.covariance() - &covariance).norm() < 1e-9);
        assert!((rows.variances() - covariance.diagonal()).norm() < 1e-9);
    }
}
