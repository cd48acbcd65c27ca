//! The mathematics of the measures against NumPy's and SciPy's answers.
//!
//! The cases and answers are committed; the script beside them makes them anew.

use serde::Deserialize;

use super::frechet_distance::Moments;
use super::log_likelihood::log_mean_exp;
use super::precision_at_10::precision;
use super::{Rows, area_under_curve, nearest, principal_components};

const ANSWERS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/peers/measure/answers.json"
);

#[derive(Deserialize)]
struct Answers {
    curves: Vec<Curve>,
    log_means: Vec<LogMean>,
    #[serde(rename = "neighbours")]
    neighbors: Vec<Near>,
    components: Vec<Varied>,
    distances: Vec<Distance>,
}

#[derive(Deserialize)]
struct Curve {
    scores: Vec<f64>,
    positive: Vec<bool>,
    area: f64,
}

#[derive(Deserialize)]
struct LogMean {
    values: Vec<f64>,
    log_mean: f64,
}

#[derive(Deserialize)]
struct Table {
    width: usize,
    values: Vec<f32>,
}

impl Table {
    fn rows(&self) -> Rows<'_> {
        Rows::new(&self.values, self.width)
    }
}

#[derive(Deserialize)]
struct Near {
    rows: Table,
    labels: Vec<u32>,
    /// Of every row, 10 each, itself left out.
    indices: Vec<Vec<usize>>,
    distances: Vec<Vec<f64>>,
    precision: f64,
}

#[derive(Deserialize)]
struct Varied {
    rows: Table,
    variances: Vec<f64>,
    shares: Vec<f64>,
    directions: Vec<Vec<f64>>,
    /// Of the first row along every direction.
    first: Vec<f64>,
}

#[derive(Deserialize)]
struct Distance {
    one: Table,
    other: Table,
    distance: f64,
}

fn answers() -> Answers {
    let text = std::fs::read_to_string(ANSWERS).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[track_caller]
fn close(received: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(received.len(), expected.len());
    for (received, expected) in received.iter().zip(expected) {
        let off = (received - expected).abs();
        assert!(
            off <= tolerance * (1.0 + expected.abs()),
            "{received} against {expected}"
        );
    }
}

#[test]
fn areas_under_curves_agree_with_scipy() {
    for Curve {
        scores,
        positive,
        area,
    } in answers().curves
    {
        close(
            &[area_under_curve(&scores, &positive).unwrap()],
            &[area],
            1e-12,
        );
    }
}

#[test]
fn log_means_agree_with_scipy() {
    for LogMean { values, log_mean } in answers().log_means {
        close(&[log_mean_exp(&values)], &[log_mean], 1e-12);
    }
}

#[test]
fn neighbors_agree_with_scipy() {
    for case in answers().neighbors {
        let rows = case.rows.rows();
        let all: Vec<usize> = (0..rows.len()).collect();
        let found = nearest(rows, rows, 10, Some(&all));
        for (row, found) in found.iter().enumerate() {
            let indices: Vec<usize> = found.iter().map(|near| near.index).collect();
            let distances: Vec<f64> = found.iter().map(|near| near.distance).collect();
            assert_eq!(indices, case.indices[row]);
            close(&distances, &case.distances[row], 1e-12);
        }
        close(
            &[precision(rows, &case.labels, rows.len())],
            &[case.precision],
            1e-12,
        );
    }
}

#[test]
fn principal_components_agree_with_numpy() {
    for case in answers().components {
        let rows = case.rows.rows();
        let components = principal_components(rows, case.shares.len());
        close(&components.shares, &case.shares, 1e-9);
        for (number, direction) in case.directions.iter().enumerate() {
            close(&components.direction(number), direction, 1e-7);
        }
        let along = components.coordinates(rows);
        close(&along[..case.first.len()], &case.first, 1e-7);
        close(&rows.variances().as_slice()[..3], &case.variances, 1e-12);
    }
}

#[test]
fn frechet_distances_agree_with_scipy() {
    for case in answers().distances {
        let (one, other) = (Moments::of(case.one.rows()), Moments::of(case.other.rows()));
        close(&[one.distance(&other)], &[case.distance], 1e-7);
    }
}
