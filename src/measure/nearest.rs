//! Nearest neighbors by Euclidean distance, found with matrix products block by block.

use rayon::prelude::*;

use super::Rows;

/// Queries that are answered together.
const TOGETHER: usize = 128;

/// One row that is near another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbor {
    /// From 0.
    pub index: usize,
    /// Euclidean.
    pub distance: f64,
}

/// The `count` rows of `among` that are nearest to every query, the nearest first and of equal ones the
/// earlier first; fewer if there are fewer. `own` are the queries' numbers among the rows, if they are some
/// of these: no row is its own neighbor.
pub fn nearest(
    queries: Rows,
    among: Rows,
    count: usize,
    own: Option<&[usize]>,
) -> Vec<Vec<Neighbor>> {
    let lengths: Vec<f64> = (0..among.len()).map(|row| length(among.row(row))).collect();
    let starts: Vec<usize> = (0..queries.len()).step_by(TOGETHER).collect();
    let found = starts.par_iter().flat_map_iter(|&start| {
        let range = start..(start + TOGETHER).min(queries.len());
        let own = own.map(|own| &own[range.clone()]);
        let indices = candidates(queries.part(range.clone()), among, &lengths, count, own);
        let pairs = range.zip(indices);
        pairs.map(|(query, found)| in_order(queries.row(query), among, found))
    });
    found.collect()
}

/// The numbers of the nearest rows of some queries.
fn candidates(
    queries: Rows,
    among: Rows,
    lengths: &[f64],
    count: usize,
    own: Option<&[usize]>,
) -> Vec<Vec<usize>> {
    let wanted = queries.columns().transpose();
    let mut best: Vec<Best> = (0..queries.len()).map(|_| Best::of(count)).collect();
    let mut start = 0;
    for block in among.blocks() {
        let products = &wanted * block.columns();
        for (query, best) in best.iter_mut().enumerate() {
            for (at, product) in products.row(query).iter().enumerate() {
                let index = start + at;
                // The query's own length is the same for all.
                if own.is_none_or(|own| own[query] != index) {
                    best.consider(index, lengths[index] - 2.0 * product);
                }
            }
        }
        start += block.len();
    }
    let indices = |best: Best| best.found.into_iter().map(|(index, _)| index).collect();
    best.into_iter().map(indices).collect()
}

/// The rows with the smallest values so far, in order.
struct Best {
    found: Vec<(usize, f64)>,
    count: usize,
}

impl Best {
    fn of(count: usize) -> Self {
        Best {
            found: Vec::with_capacity(count + 1),
            count,
        }
    }

    fn consider(&mut self, index: usize, value: f64) {
        if self.found.len() == self.count && self.found.last().is_none_or(|last| value >= last.1) {
            return;
        }
        let place = self.found.partition_point(|known| known.1 <= value);
        self.found.insert(place, (index, value));
        self.found.truncate(self.count);
    }
}

/// The neighbors with their distances, which differences of products give only roughly.
fn in_order(query: &[f32], among: Rows, found: Vec<usize>) -> Vec<Neighbor> {
    let neighbor = |index: usize| {
        let both = query.iter().zip(among.row(index));
        let squares = both.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
        Neighbor {
            index,
            distance: squares.sum::<f64>().sqrt(),
        }
    };
    let mut neighbors: Vec<Neighbor> = found.into_iter().map(neighbor).collect();
    neighbors.sort_by(|one, other| {
        let nearer = one.distance.total_cmp(&other.distance);
        nearer.then(one.index.cmp(&other.index))
    });
    neighbors
}

/// Squared.
fn length(row: &[f32]) -> f64 {
    row.iter().map(|value| f64::from(*value).powi(2)).sum()
}

#[cfg(test)]
mod tests {
    use rand::Rng as _;

    use super::*;
    use crate::rng::{Purpose, Seed};

    #[test]
    fn the_nearest_come_first_and_no_row_is_its_own_neighbor() {
        let values = [0.0, 0.0, 3.0, 4.0, 0.0, 1.0, 0.0, 1.0, 10.0, 0.0];
        let rows = Rows::new(&values, 2);
        let of = |query: &[f32], count, own: Option<&[usize]>| -> Vec<(usize, f64)> {
            let found = nearest(Rows::new(query, 2), rows, count, own).remove(0);
            found
                .iter()
                .map(|near| (near.index, near.distance))
                .collect()
        };
        assert_eq!(of(&[0.0, 0.0], 3, None), [(0, 0.0), (2, 1.0), (3, 1.0)]);
        assert_eq!(
            of(&[0.0, 0.0], 3, Some(&[0])),
            [(2, 1.0), (3, 1.0), (1, 5.0)]
        );
        assert_eq!(of(&[0.0, 0.0], 9, Some(&[0])).len(), 4);
        assert_eq!(of(&[0.0, 0.0], 0, None), []);
    }

    #[test]
    fn blocks_find_what_looking_at_all_rows_finds() {
        let mut rng = Seed(1).stream(Purpose::Extra, &[]);
        let values: Vec<f32> = (0..1300 * 5).map(|_| rng.random()).collect();
        let rows = Rows::new(&values, 5);
        let queries: Vec<usize> = (0..1300).step_by(9).collect();
        let values = rows.pick(&queries);
        let found = nearest(Rows::new(&values, 5), rows, 4, Some(&queries));
        assert_eq!(found.len(), 145);
        for (query, found) in queries.into_iter().zip(found) {
            let others = (0..1300).filter(|&row| row != query).collect();
            assert_eq!(found, in_order(rows.row(query), rows, others)[..4]);
        }
    }
}
