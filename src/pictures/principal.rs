//! Principal components: the two directions along which points differ most.

use crate::measure::{Rows, principal_components};

/// Points seen along their first two principal components.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane {
    pub points: Vec<[f32; 2]>,
    /// Each component's share of the variance, from 0 to 1.
    pub shares: [f64; 2],
}

/// The plane of the first two principal components of `[points, features]`. Values that are no finite
/// numbers count as 0.
///
/// # Panics
/// If there are fewer than two features.
pub fn plane(points: &[f32], features: usize) -> Plane {
    assert!(features >= 2, "a plane has two directions");
    let finite = |&value: &f32| if value.is_finite() { value } else { 0.0 };
    let finite: Vec<f32> = points.iter().map(finite).collect();
    let rows = Rows::new(&finite, features);
    let components = principal_components(rows, 2);
    let points = components.coordinates(rows);
    Plane {
        points: points
            .chunks_exact(2)
            .map(|at| [at[0] as f32, at[1] as f32])
            .collect(),
        shares: [components.shares[0], components.shares[1]],
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
    fn identical_points_have_no_variance() {
        let plane = plane(&[1.0; 20], 2);
        assert_eq!(plane.shares, [0.0, 0.0]);
        assert!(plane.points.iter().flatten().all(|x| x.abs() < 1e-6));
        let broken = super::plane(&[f32::NAN, 1.0, 2.0, 3.0], 2);
        assert!(broken.points.iter().flatten().all(|x| x.is_finite()));
    }
}
