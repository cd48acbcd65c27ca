//! How far a mean of new runs may be from that of the reference's runs if nothing has changed.
//!
//! The prediction interval of a mean of `m` further runs from `n` known ones: their mean, plus or minus
//! `t * s * sqrt(1 / n + 1 / m)`, where `s` is their sample standard deviation and `t` the quantile of Student's
//! distribution with `n - 1` degrees of freedom (Hahn and Meeker 1991, "Statistical intervals", section 4.8).

use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::report::statistics::Spread;

/// How often a gate may find that something fell though nothing has changed, whatever the number of metrics.
const FALSE_ALARMS: f64 = 0.01;

/// The probability that one of so many metrics lies below its interval by chance: they share
/// [`FALSE_ALARMS`] (Bonferroni), so that the gate as a whole keeps it.
pub fn level(metrics: usize) -> f64 {
    FALSE_ALARMS / metrics.max(1) as f64
}

/// Half the width of the interval for a mean of `runs` new ones; `None` where the reference has no two runs.
///
/// `level` is the probability of a mean on one side of it, from 0 to 1.
pub fn half_width(reference: &Spread, runs: usize, level: f64) -> Option<f64> {
    let deviation = reference.deviation?;
    let known = reference.runs as f64;
    let students = StudentsT::new(0.0, 1.0, known - 1.0).ok()?;
    // By symmetry: 1 - level would lose digits.
    let quantile = -students.inverse_cdf(level);
    Some(quantile * deviation * (1.0 / known + 1.0 / runs as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::statistics::spread;

    /// With a deviation of 1 and so many new runs that only the known ones count.
    fn quantile(known: usize, level: f64) -> f64 {
        let reference = Spread {
            mean: 0.0,
            deviation: Some(1.0),
            runs: known,
        };
        half_width(&reference, usize::MAX, level).unwrap() * (known as f64).sqrt()
    }

    #[test]
    fn quantiles_are_those_of_printed_tables() {
        for (known, level, table) in [
            (3, 0.025, 4.303),
            (8, 0.025, 2.365),
            (5, 0.0005, 8.610),
            (11, 0.0005, 4.587),
            (31, 0.005, 2.750),
        ] {
            let found = quantile(known, level);
            assert!((found - table).abs() < 6e-4, "{known}, {level}: {found}");
        }
    }

    #[test]
    fn few_runs_make_a_wide_interval_and_one_none() {
        let reference = spread(&[0.90, 0.92, 0.94]).unwrap();
        let half = |runs| half_width(&reference, runs, 0.025).unwrap();
        assert!((half(3) - 4.302_65 * 0.02 * (2.0f64 / 3.0).sqrt()).abs() < 1e-5);
        assert!(half(1) > half(3) && half(3) > half(100));
        assert_eq!(half_width(&spread(&[0.9]).unwrap(), 3, 0.025), None);
    }

    #[test]
    fn metrics_share_the_false_alarms() {
        assert_eq!(level(1), 0.01);
        assert_eq!(level(50), 0.0002);
        assert_eq!(level(0), 0.01);
    }

    /// Normal runs of an unchanged program, gate after gate, each with a reference of its own.
    #[test]
    fn false_alarms_are_as_rare_as_promised() {
        use rand::SeedableRng;
        use rand_distr::{Distribution, StandardNormal};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
        let mut runs = |count: usize| -> Vec<f64> {
            (0..count)
                .map(|_| StandardNormal.sample(&mut rng))
                .collect()
        };
        let (gates, metrics) = (4_000, 20);
        let mut alarms = 0;
        for _ in 0..gates {
            let fell = |_| {
                let reference = spread(&runs(6)).unwrap();
                let now = spread(&runs(4)).unwrap();
                let half = half_width(&reference, 4, level(metrics)).unwrap();
                now.mean < reference.mean - half
            };
            alarms += usize::from((0..metrics).map(fell).filter(|fell| *fell).count() > 0);
        }
        // 40 are expected, with a deviation of 6.3.
        assert!((15..=65).contains(&alarms), "{alarms}");
    }
}
