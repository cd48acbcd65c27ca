//! Principal components: the directions in which many vectors vary most.

use nalgebra::{DMatrix, DVector, SymmetricEigen};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::Rows;
use crate::rng::{Purpose, Seed};

/// Directions looked for besides those asked for: with them the search ends sooner.
const EXTRA: usize = 8;

/// The search ends when no component is off by more than this share of the largest variance.
const PRECISE: f64 = 1e-10;

/// Directions that the search looks at, at most.
const MOST: usize = 400;

/// A direction of which less than this share is new is no new one.
const NEW: f64 = 1e-10;

/// What many vectors vary along, the most important direction first.
#[derive(Debug, Clone, PartialEq)]
pub struct Components {
    mean: DVector<f64>,
    /// `[width, components]`; each direction of length 1, its largest entry by size positive.
    directions: DMatrix<f64>,
    /// Share of each component in the variance of all, from 0 to 1.
    pub shares: Vec<f64>,
}

impl Components {
    /// Number of components.
    pub fn len(&self) -> usize {
        self.shares.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.shares.is_empty()
    }

    /// The direction of one component, `[width]`.
    pub fn direction(&self, component: usize) -> Vec<f64> {
        self.directions.column(component).iter().copied().collect()
    }

    /// Where rows lie along the components, `[rows, components]` flattened; the mean row at 0.
    pub fn coordinates(&self, rows: Rows) -> Vec<f64> {
        let along = self.directions.transpose();
        let of_block = |block: Rows| (&along * block.centered(&self.mean)).data.as_vec().clone();
        rows.blocks().flat_map(of_block).collect()
    }
}

/// The first `count` principal components of the rows, which are finite; fewer if rows have fewer numbers.
///
/// A block Krylov search (Musco and Musco, "Randomized Block Krylov Methods for Stronger and Faster
/// Approximate Singular Value Decomposition", 2015), which never makes the covariance matrix: rows may be as
/// wide as images. The same rows give the same components.
pub fn principal_components(rows: Rows, count: usize) -> Components {
    let mean = rows.mean();
    let total = rows.variances().sum();
    let Ritz { variances, vectors } = search(rows, &mean, count.min(rows.width()));
    let mut directions = vectors;
    for mut direction in directions.column_iter_mut() {
        if direction[direction.icamax()] < 0.0 {
            direction.neg_mut();
        }
    }
    let share = |variance: &f64| match total > 0.0 {
        true => variance.max(0.0) / total,
        false => 0.0,
    };
    Components {
        shares: variances.iter().map(share).collect(),
        mean,
        directions,
    }
}

/// Approximate eigenvectors of the covariance, `[width, count]`, and their variances, the largest first.
struct Ritz {
    variances: Vec<f64>,
    vectors: DMatrix<f64>,
}

fn search(rows: Rows, mean: &DVector<f64>, count: usize) -> Ritz {
    let width = rows.width();
    let mut rng = Seed(0).stream(Purpose::Extra, &[]);
    let mut block = DMatrix::from_fn(width, (count + EXTRA).min(width), |_, _| {
        StandardNormal.sample(&mut rng)
    });
    // Orthonormal directions, and what the covariance makes of each.
    let mut basis: Vec<DVector<f64>> = Vec::new();
    let mut images: Vec<DVector<f64>> = Vec::new();
    loop {
        let first = basis.len();
        for direction in block.column_iter() {
            basis.extend(new_direction(direction.into_owned(), &basis));
        }
        let ended = basis.len() == first || basis.len() >= width.min(MOST);
        if basis.len() > first {
            block = times_covariance(rows, mean, &DMatrix::from_columns(&basis[first..]));
            images.extend(block.column_iter().map(|image| image.into_owned()));
        }
        let (ritz, off) = within(&basis, &images, count);
        let largest = ritz.variances.first().copied().unwrap_or(0.0);
        if ended || off <= PRECISE * largest {
            return ritz;
        }
    }
}

/// The part of a direction that none of the known ones has, of length 1, if there is any to speak of.
fn new_direction(direction: DVector<f64>, known: &[DVector<f64>]) -> Option<DVector<f64>> {
    let mut direction = direction.try_normalize(f64::MIN_POSITIVE)?;
    // Once leaves a rest where little is new.
    for _ in 0..2 {
        for other in known {
            let share = other.dot(&direction);
            direction.axpy(-share, other, 1.0);
        }
    }
    direction.try_normalize(NEW)
}

/// The covariance of the rows times `[width, columns]`.
fn times_covariance(rows: Rows, mean: &DVector<f64>, directions: &DMatrix<f64>) -> DMatrix<f64> {
    let blocks: Vec<Rows> = rows.blocks().collect();
    let part = |block: &Rows| {
        let centered = block.centered(mean);
        let along = centered.transpose() * directions;
        centered * along
    };
    // Added in order, so that the sum does not depend on threads.
    let parts: Vec<DMatrix<f64>> = blocks.par_iter().map(part).collect();
    let sum = DMatrix::zeros(directions.nrows(), directions.ncols());
    let sum = parts.into_iter().fold(sum, |sum, part| sum + part);
    sum / rows.len().saturating_sub(1).max(1) as f64
}

/// The best eigenvectors within the basis, and by how much the worst of them is off.
fn within(basis: &[DVector<f64>], images: &[DVector<f64>], count: usize) -> (Ritz, f64) {
    let basis = DMatrix::from_columns(basis);
    let images = DMatrix::from_columns(images);
    let small = basis.transpose() * &images;
    let small = SymmetricEigen::new((&small + small.transpose()) * 0.5);
    let mut order: Vec<usize> = (0..small.eigenvalues.len()).collect();
    order.sort_by(|&one, &other| small.eigenvalues[other].total_cmp(&small.eigenvalues[one]));
    order.truncate(count);
    let variances: Vec<f64> = order.iter().map(|&at| small.eigenvalues[at]).collect();
    let mixed = small.eigenvectors.select_columns(&order);
    let vectors = basis * &mixed;
    let scaled = &vectors * DMatrix::from_diagonal(&DVector::from_row_slice(&variances));
    let rest = images * mixed - scaled;
    let off = rest
        .column_iter()
        .map(|column| column.norm())
        .fold(0.0, f64::max);
    (Ritz { variances, vectors }, off)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_on_a_line_have_one_component() {
        // From (1, 2, 0) along (0, 3, -4).
        let values: Vec<f32> = [-2.0, -1.0, 0.0, 3.0]
            .iter()
            .flat_map(|at| [1.0, 2.0 + 3.0 * at, -4.0 * at])
            .collect();
        let rows = Rows::new(&values, 3);
        let components = principal_components(rows, 2);
        assert!((components.shares[0] - 1.0).abs() < 1e-12);
        let direction = components.direction(0);
        let expected = [0.0, -0.6, 0.8];
        let off = direction.iter().zip(expected).map(|(a, b)| (a - b).abs());
        assert!(off.fold(0.0, f64::max) < 1e-12, "{direction:?}");
        let along: Vec<f64> = components
            .coordinates(rows)
            .into_iter()
            .step_by(2)
            .collect();
        let off = along.iter().zip([10.0, 5.0, 0.0, -15.0]);
        assert!(
            off.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) < 1e-9,
            "{along:?}"
        );
    }

    #[test]
    fn identical_rows_vary_in_no_direction() {
        let components = principal_components(Rows::new(&[0.5; 12], 3), 2);
        assert_eq!(components.shares, [0.0, 0.0]);
        assert_eq!(principal_components(Rows::new(&[0.5; 3], 3), 5).len(), 3);
    }

    #[test]
    fn wide_rows_are_searched_and_not_spread_out() {
        // Three strong directions, and noise in all hundred numbers.
        let mut rng = Seed(3).stream(Purpose::Extra, &[]);
        let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
        let strong = DMatrix::from_fn(100, 3, |_, which| (3 - which) as f64 * normal());
        let along = DMatrix::from_fn(3, 60, |_, _| normal());
        let values = (strong * along).map(|value| (value + normal()) as f32);
        let rows = Rows::new(values.as_slice(), 100);
        let components = principal_components(rows, 3);
        let exact = SymmetricEigen::new(rows.covariance());
        let mut variances: Vec<f64> = exact.eigenvalues.iter().copied().collect();
        variances.sort_by(|one, other| other.total_cmp(one));
        let total: f64 = variances.iter().sum();
        for (share, variance) in components.shares.iter().zip(variances) {
            assert!((share - variance / total).abs() < 1e-9, "{share}");
        }
    }
}
