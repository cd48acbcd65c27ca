//! How far apart two variants are, whether their seeds settle it, and how many more would.
//!
//! Runs of one seed share what chance gives both (the order of images, the first weights where the networks are
//! alike), so that variants are compared seed by seed: Student's paired test of the differences. Variants that
//! share less than two seeds are compared as independent samples (Welch 1947).

use std::collections::BTreeMap;

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
use statrs::function::gamma::ln_gamma;

use super::statistics::{Group, Spread, spread};
use crate::error::{count, thousands};

/// Probability that an interval holds the true difference.
pub const CONFIDENCE: f64 = 0.95;

/// Probability of settling a difference that is as large as it looks.
pub const POWER: f64 = 0.8;

/// More seeds than these are not looked for.
pub const MOST_SEEDS: usize = 10_000;

/// A difference, or a spread of differences, below this share of the numbers is one of rounding.
const ROUNDING: f64 = 1e-12;

/// What stands below a table in which means do not subtract to the difference.
pub const OF_SHARED_SEEDS: &str = "Where it is paired over shared seeds, a difference is that over the seeds that both variants have, \
    not that of the means beside it.";

/// How the runs of two variants are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// Seed by seed, over those that both have.
    Paired {
        /// How many.
        seeds: usize,
        /// Whether neither has others.
        is_all: bool,
    },
    /// As independent samples: they share less than two seeds.
    Independent,
}

/// What the seeds say of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The interval leaves out zero.
    Settled,
    /// The numbers are the same in every seed.
    Same,
    /// Every seed gives the same difference: there is no spread to hold it against.
    NoSpread,
    /// The interval holds zero; so many seeds more would settle a difference of the size that was found, with
    /// probability [`POWER`].
    NeedsMore(usize),
    /// More than [`MOST_SEEDS`] would be needed.
    OutOfReach,
    /// There are too few runs for an interval, numbers that are not finite, or no common seeds to plan with.
    Unknown,
}

/// A metric of one variant less that of another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Of the means; where seeds are paired, over the pairs.
    pub mean: f64,
    /// Half the width of the interval of [`CONFIDENCE`]; `None` where there are too few runs, or every seed gives the same
    /// difference.
    pub half_width: Option<f64>,
    /// Probability of a difference of at least this size if there were none, two-sided; `None` where there are
    /// too few runs, or every seed gives the same difference.
    pub p: Option<f64>,
    /// How it was compared.
    pub test: Test,
    /// What the seeds say.
    pub outcome: Outcome,
}

impl Difference {
    /// Of a variant's metric from the reference's; `None` if one of them has no such number.
    pub fn of(variant: &Group, reference: &Group, metric: &str) -> Option<Self> {
        let (own, other) = (variant.values(metric), reference.values(metric));
        let pairs: Vec<(f64, f64)> = own
            .iter()
            .filter_map(|(seed, value)| Some((*value, *other.get(seed)?)))
            .collect();
        if pairs.len() > 1 {
            let is_all = pairs.len() == own.len() && pairs.len() == other.len();
            return Difference::paired(&pairs, is_all);
        }
        let of = |values: BTreeMap<u64, f64>| spread(&values.into_values().collect::<Vec<_>>());
        Some(Difference::independent(&of(own)?, &of(other)?))
    }

    /// Of the numbers of each seed, the reference's second; `None` of less than two seeds.
    fn paired(pairs: &[(f64, f64)], is_all: bool) -> Option<Self> {
        let differences: Vec<f64> = pairs.iter().map(|(own, other)| own - other).collect();
        let Spread {
            mean,
            deviation,
            runs,
        } = spread(&differences)?;
        let size = largest(pairs.iter().flat_map(|(own, other)| [*own, *other]));
        let (mean, deviation) = (
            unless_rounding(mean, size),
            unless_rounding(deviation?, size),
        );
        let error = deviation / (runs as f64).sqrt();
        let seeds = runs;
        let found = Difference::new(
            mean,
            error,
            (runs - 1) as f64,
            Test::Paired { seeds, is_all },
        );
        let outcome = match found.outcome {
            Outcome::Unknown if mean.is_finite() => more_seeds((mean / deviation).abs(), runs),
            known => known,
        };
        Some(Difference { outcome, ..found })
    }

    /// With the degrees of freedom of Welch and Satterthwaite.
    fn independent(own: &Spread, other: &Spread) -> Self {
        let size = largest([own.mean, other.mean]);
        let mean = unless_rounding(own.mean - other.mean, size);
        let part = |spread: &Spread| {
            Some(unless_rounding(spread.deviation?, size).powi(2) / spread.runs as f64)
        };
        let Some((a, b)) = part(own).zip(part(other)) else {
            return Difference {
                mean,
                half_width: None,
                p: None,
                test: Test::Independent,
                outcome: Outcome::Unknown,
            };
        };
        let share = |part: f64, spread: &Spread| part.powi(2) / (spread.runs - 1) as f64;
        let freedom = (a + b).powi(2) / (share(a, own) + share(b, other));
        Difference::new(mean, (a + b).sqrt(), freedom, Test::Independent)
    }

    /// `error` is the standard error of the mean.
    fn new(mean: f64, error: f64, freedom: f64, test: Test) -> Self {
        let students = StudentsT::new(0.0, 1.0, freedom).ok();
        let Some(students) = students.filter(|_| error > 0.0) else {
            let outcome = match mean {
                0.0 if error == 0.0 => Outcome::Same,
                _ if error == 0.0 => Outcome::NoSpread,
                _ => Outcome::Unknown,
            };
            return Difference {
                mean,
                half_width: None,
                p: None,
                test,
                outcome,
            };
        };
        let half_width = -students.inverse_cdf((1.0 - CONFIDENCE) / 2.0) * error;
        Difference {
            mean,
            half_width: Some(half_width),
            p: Some(2.0 * students.cdf(-(mean / error).abs())),
            test,
            outcome: match mean.abs() > half_width {
                true => Outcome::Settled,
                false => Outcome::Unknown,
            },
        }
    }
}

/// The largest size of some numbers.
fn largest(numbers: impl IntoIterator<Item = f64>) -> f64 {
    numbers.into_iter().map(f64::abs).fold(0.0, f64::max)
}

/// A difference, or a spread of differences, of numbers of this size; 0 where rounding alone makes such.
fn unless_rounding(number: f64, size: f64) -> f64 {
    match number.abs() <= ROUNDING * size && size.is_finite() {
        true => 0.0,
        false => number,
    }
}

impl Difference {
    /// `−0.0012 to +0.0034`.
    pub fn interval_text(&self, decimals: usize) -> String {
        match self.half_width {
            None => "-".to_string(),
            Some(half) => {
                let (low, high) = (self.mean - half, self.mean + half);
                format!("{} to {}", signed(low, decimals), signed(high, decimals))
            }
        }
    }

    /// `0.034`, or `< 0.001`.
    pub fn p_text(&self) -> String {
        match self.p {
            None => "-".to_string(),
            Some(p) if p < 0.001 => "< 0.001".to_string(),
            Some(p) => format!("{p:.3}"),
        }
    }

    /// `paired, 5 seeds`, or `paired, 5 shared seeds` where one of the two has others.
    pub fn test_text(&self) -> String {
        match self.test {
            Test::Paired { seeds, is_all } => {
                let what = if is_all { "seed" } else { "shared seed" };
                format!("paired, {}", count(seeds, what))
            }
            Test::Independent => "independent".to_string(),
        }
    }

    /// Whether it is that of the means of all runs.
    pub fn is_of_means(&self) -> bool {
        !matches!(self.test, Test::Paired { is_all: false, .. })
    }

    /// What the seeds say, in words.
    pub fn outcome_text(&self) -> String {
        match self.outcome {
            Outcome::Settled if self.mean > 0.0 => "settled: larger".to_string(),
            Outcome::Settled => "settled: smaller".to_string(),
            Outcome::Same => "the same in every seed".to_string(),
            Outcome::NoSpread => match self.test {
                Test::Paired { .. } => "the same difference in every seed".to_string(),
                Test::Independent => "not settled: neither has a spread".to_string(),
            },
            Outcome::NeedsMore(seeds) => format!("not settled: {} more", thousands(seeds)),
            Outcome::OutOfReach => format!("not settled: over {} more", thousands(MOST_SEEDS)),
            Outcome::Unknown if !self.mean.is_finite() => {
                "unknown: not all numbers are finite".to_string()
            }
            Outcome::Unknown if self.half_width.is_none() => "unknown: too few runs".to_string(),
            Outcome::Unknown => "not settled: run the same seeds of both".to_string(),
        }
    }
}

/// `+0.0123`, with a true minus sign.
pub fn signed(number: f64, decimals: usize) -> String {
    let text = format!("{number:+.decimals$}");
    let is_zero = !text.contains(|digit: char| ('1'..='9').contains(&digit));
    // Zero has no minus, nor has what is shown as zero.
    text.replace(
        '-',
        if is_zero && number.is_finite() {
            "+"
        } else {
            "\u{2212}"
        },
    )
}

/// How many seeds more than `known` settle an effect (a mean difference over the deviation of differences).
fn more_seeds(effect: f64, known: usize) -> Outcome {
    let suffices = |seeds: usize| power(effect, seeds) >= POWER;
    let mut enough = known + 1;
    while !suffices(enough) {
        if enough >= MOST_SEEDS {
            return Outcome::OutOfReach;
        }
        enough = (2 * enough).min(MOST_SEEDS);
    }
    let (mut too_few, mut enough) = (known, enough);
    while enough - too_few > 1 {
        let middle = (too_few + enough) / 2;
        match suffices(middle) {
            true => enough = middle,
            false => too_few = middle,
        }
    }
    Outcome::NeedsMore(enough - known)
}

/// Probability that the paired test of so many seeds finds an effect, at the level that [`CONFIDENCE`] leaves.
///
/// Student's noncentral distribution as an integral over that of the deviation (Johnson, Kotz and Balakrishnan 1995,
/// "Continuous univariate distributions 2", chapter 31), by Simpson's rule.
fn power(effect: f64, seeds: usize) -> f64 {
    const STEPS: usize = 1600;
    let freedom = (seeds - 1) as f64;
    let (Ok(students), Ok(normal)) = (StudentsT::new(0.0, 1.0, freedom), Normal::new(0.0, 1.0))
    else {
        return 0.0;
    };
    let critical = -students.inverse_cdf((1.0 - CONFIDENCE) / 2.0);
    let shift = effect * (seeds as f64).sqrt();
    // x is the deviation that is found over the true one: chi over the square root of its degrees of freedom.
    let half = freedom / 2.0;
    let log_scale = std::f64::consts::LN_2 + half * half.ln() - ln_gamma(half);
    let density = |x: f64| match x > 0.0 {
        true => (log_scale + (freedom - 1.0) * x.ln() - half * x * x).exp(),
        false if seeds == 2 => log_scale.exp(),
        false => 0.0,
    };
    let found = |x: f64| normal.cdf(shift - critical * x) + normal.cdf(-shift - critical * x);
    let reach = 10.0 / (2.0 * freedom).sqrt();
    let (from, to) = ((1.0 - reach).max(0.0), 1.0 + reach);
    let step = (to - from) / STEPS as f64;
    let weighted = |number: usize| {
        let x = from + number as f64 * step;
        let weight = match number {
            0 | STEPS => 1.0,
            odd if odd % 2 == 1 => 4.0,
            _ => 2.0,
        };
        weight * density(x) * found(x)
    };
    (0..=STEPS).map(weighted).sum::<f64>() * step / 3.0
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// What SciPy makes of the same numbers; the script beside them makes them anew.
    #[derive(Deserialize)]
    struct Answers {
        paired: Vec<Case>,
        independent: Vec<Case>,
        powers: Vec<PowerCase>,
    }

    #[derive(Deserialize)]
    struct Case {
        own: Vec<f64>,
        other: Vec<f64>,
        p: f64,
        low: f64,
        high: f64,
        /// `None` of what is settled.
        more: Option<usize>,
    }

    #[derive(Deserialize)]
    struct PowerCase {
        effect: f64,
        seeds: usize,
        power: f64,
    }

    fn answers() -> Answers {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/peers/statistics/answers.json"
        );
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    #[track_caller]
    fn close(received: f64, expected: f64, tolerance: f64) {
        let off = (received - expected).abs();
        assert!(off <= tolerance, "{received} against {expected}");
    }

    fn check(found: Difference, case: &Case) {
        let half = found.half_width.unwrap();
        close(found.mean - half, case.low, 1e-9);
        close(found.mean + half, case.high, 1e-9);
        close(found.p.unwrap(), case.p, 1e-9);
    }

    #[test]
    fn paired_differences_agree_with_scipy() {
        for case in answers().paired {
            let pairs = case.own.iter().copied().zip(case.other.iter().copied());
            let found = Difference::paired(&pairs.collect::<Vec<_>>(), true).unwrap();
            check(found, &case);
            let expected = case.more.map_or(Outcome::Settled, Outcome::NeedsMore);
            assert_eq!(found.outcome, expected, "{:?}", case.own);
        }
    }

    #[test]
    fn independent_differences_agree_with_scipy() {
        for case in answers().independent {
            let of = |values: &[f64]| spread(values).unwrap();
            let found = Difference::independent(&of(&case.own), &of(&case.other));
            check(found, &case);
        }
    }

    #[test]
    fn the_power_agrees_with_scipy_s_noncentral_distribution() {
        for case in answers().powers {
            close(power(case.effect, case.seeds), case.power, 1e-7);
        }
    }

    #[test]
    fn differences_without_chance_need_no_test() {
        let of = |pairs: &[(f64, f64)]| Difference::paired(pairs, true).unwrap();
        let same = of(&[(0.25, 0.25), (0.5, 0.5)]);
        assert_eq!((same.outcome, same.p), (Outcome::Same, None));
        let shifted = of(&[(0.75, 0.25), (1.0, 0.5), (0.5, 0.0)]);
        let untested = |found: Difference| (found.outcome, found.p, found.half_width);
        assert_eq!(untested(shifted), (Outcome::NoSpread, None, None));
        assert_eq!(shifted.outcome_text(), "the same difference in every seed");
        let of = |numbers: [f64; 2]| spread(&numbers).unwrap();
        let apart = Difference::independent(&of([0.75, 0.75]), &of([0.25, 0.25]));
        assert_eq!(untested(apart), (Outcome::NoSpread, None, None));
        let alike = Difference::independent(&of([0.75, 0.75]), &of([0.75, 0.75]));
        assert_eq!(alike.outcome, Outcome::Same);
        let lost = Difference::paired(&[(f64::INFINITY, 1.0), (2.0, 1.0)], true).unwrap();
        assert_eq!(untested(lost), (Outcome::Unknown, None, None));
        assert_eq!(lost.outcome_text(), "unknown: not all numbers are finite");
    }

    #[test]
    fn what_rounding_makes_is_no_difference_and_no_spread() {
        let of = |pairs: &[(f64, f64)]| Difference::paired(pairs, true).unwrap();
        // 0.49999999999999994 and 0.5.
        let shifted = of(&[(0.8, 0.3), (0.7, 0.2)]);
        assert_ne!(0.8 - 0.3, 0.7 - 0.2);
        assert_eq!((shifted.outcome, shifted.p), (Outcome::NoSpread, None));
        let alike = of(&[(0.1 + 0.2, 0.3), (0.5, 0.5)]);
        assert_eq!((alike.outcome, alike.mean), (Outcome::Same, 0.0));
        let of = |numbers: &[f64]| spread(numbers).unwrap();
        let alike = Difference::independent(&of(&[0.1 + 0.2, 0.3]), &of(&[0.3, 0.3]));
        assert_eq!((alike.outcome, alike.mean), (Outcome::Same, 0.0));
        // However small, what is no rounding is tested.
        let small = Difference::paired(&[(3e-9, 1e-9), (4e-9, 1e-9)], true).unwrap();
        assert!(small.p.is_some());
        let wild = Difference::paired(&[(1e-9, 0.0), (-1.0, 0.0), (1.0, 0.0)], true).unwrap();
        assert_eq!(wild.outcome, Outcome::OutOfReach);
    }
}
