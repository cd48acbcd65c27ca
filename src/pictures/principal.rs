//! Principal components: the two directions along which points differ most.

use nalgebra::{DMatrix, SymmetricEigen};
use rand::Rng as _;

use crate::rng::{Purpose, Seed};

/// Points seen along their first two principal components.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane {
    pub points: Vec<[f32; 2]>,
    /// Each component's share of the variance, from 0 to 1.
    pub shares: [f64; 2],
}

/// Directions that are followed at once: more than two, for those near to each other to part sooner.
const FOLLOWED: usize = 10;

/// Rounds in which the directions turn towards the largest variance.
const ROUNDS: usize = 12;

/// The plane of the first two principal components of `[points, features]`, by subspace iteration
/// (Halko et al. 2011), which is exact up to ten features. Values that are no finite numbers count as 0.
///
/// # Panics
/// If there are fewer than two features.
pub fn plane(points: &[f32], features: usize) -> Plane {
    assert!(features >= 2, "a plane has two directions");
    let count = points.len() / features;
    let finite = |at: usize| match points[at] {
        value if value.is_finite() => f64::from(value),
        _ => 0.0,
    };
    let mut rows = DMatrix::from_fn(count, features, |row, column| {
        finite(row * features + column)
    });
    let mean = rows.row_mean();
    for mut row in rows.row_iter_mut() {
        row -= &mean;
    }
    let mut rng = Seed(0).stream(Purpose::Pictures, &[]);
    let followed = FOLLOWED.min(features);
    let mut directions = DMatrix::from_fn(features, followed, |_, _| rng.random::<f64>() - 0.5);
    for _ in 0..ROUNDS {
        directions = directions.qr().q();
        directions = rows.tr_mul(&(&rows * &directions));
    }
    let directions = directions.qr().q();
    let seen = &rows * &directions;
    let SymmetricEigen {
        eigenvectors,
        eigenvalues,
    } = seen.tr_mul(&seen).symmetric_eigen();
    let mut order: Vec<usize> = (0..followed).collect();
    order.sort_by(|&one, &other| eigenvalues[other].total_cmp(&eigenvalues[one]));
    let all = rows.norm_squared();
    let share = |at: usize| match all > 0.0 {
        true => eigenvalues[order[at]].max(0.0) / all,
        false => 0.0,
    };
    let along = |at: usize| {
        // A direction has no sign of its own: its largest part is to be positive.
        let direction = &directions * eigenvectors.column(order[at]);
        let largest = direction
            .iter()
            .copied()
            .max_by(|a, b| a.abs().total_cmp(&b.abs()));
        let sign = largest.map_or(1.0, f64::signum);
        &rows * (direction * sign)
    };
    let (first, second) = (along(0), along(1));
    let points = first.iter().zip(second.iter());
    Plane {
        points: points.map(|(&x, &y)| [x as f32, y as f32]).collect(),
        shares: [share(0), share(1)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plane_lies_where_the_points_differ_most() {
        // 3 along the third axis, 1 along the first, nothing along the others.
        let points: Vec<f32> = (0..360)
            .flat_map(|degree| {
                let angle = (degree as f32).to_radians();
                let mut point = [5.0; 12];
                point[2] += 3.0 * angle.cos();
                point[0] += angle.sin();
                point
            })
            .collect();
        let plane = plane(&points, 12);
        assert!((plane.shares[0] - 0.9).abs() < 1e-6, "{:?}", plane.shares);
        assert!((plane.shares[1] - 0.1).abs() < 1e-6, "{:?}", plane.shares);
        assert!((plane.points[0][0] - 3.0).abs() < 1e-4);
        assert!((plane.points[90][1] - 1.0).abs() < 1e-4);
    }

    #[test]
    fn points_that_are_all_alike_have_no_variance() {
        let plane = plane(&[1.0; 20], 2);
        assert_eq!(plane.shares, [0.0, 0.0]);
        assert!(plane.points.iter().flatten().all(|x| x.abs() < 1e-6));
        let broken = super::plane(&[f32::NAN, 1.0, 2.0, 3.0], 2);
        assert!(broken.points.iter().flatten().all(|x| x.is_finite()));
    }
}
