//! An estimate of the log-likelihood that a variational auto-encoder gives to the test images.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MeasureInput, Take};
use crate::models::ModelFacts;
use crate::record::{Better, Metric};
use crate::rng::Purpose;
use crate::tagged::Choice;
use crate::value::Positive;

/// Images whose codes are drawn at a time.
const AT_A_TIME: usize = 100;

/// The mean over images of log(1/k sum of p(x|z) p(z) / q(z|x)), k codes z drawn from q: Burda, Grosse and
/// Salakhutdinov, "Importance Weighted Autoencoders", 2015, equation 8. A lower bound that comes nearer with
/// more draws.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogLikelihood {
    /// Codes drawn for each image. Default 100 (Burda et al.: 5000).
    pub draws: Positive,
    /// Test images, spread evenly over all of them; all where there are fewer. Default 1000.
    pub images: Positive,
}

impl Default for LogLikelihood {
    fn default() -> Self {
        LogLikelihood {
            draws: Positive(100),
            images: Positive(1000),
        }
    }
}

impl Choice for LogLikelihood {
    const WHAT: &'static str = "a measure";
}

impl Take for LogLikelihood {
    const METRIC: Metric = Metric {
        unit: Some("nats"),
        better: Some(Better::More),
        shown: true,
        ..Metric::new(
            "test_log_likelihood",
            "importance-weighted estimate of the test images' log-likelihood, mean per image",
        )
    };

    fn obstacle(&self, facts: &ModelFacts) -> Option<String> {
        match (facts.has_gaussian_code, facts.has_likelihood) {
            (false, _) => Some("the model's code is not a `gaussian_code`".to_string()),
            (true, false) => {
                Some("the model's loss is not the logarithm of a likelihood".to_string())
            }
            (true, true) => None,
        }
    }

    fn take(&self, subject: &MeasureInput) -> Option<f64> {
        let (images, labels) = subject.some(self.images.get());
        let size = subject.model.images().len();
        let mut sum = 0.0;
        for (number, part) in images.chunks(AT_A_TIME * size).enumerate() {
            let labels = labels.as_deref();
            let labels = labels.map(|labels| &labels[number * AT_A_TIME..][..part.len() / size]);
            let seed = subject.seed.number(Purpose::Extra, &[0, number as u64]);
            let draws = self.draws.get();
            let weights = subject.model.log_weights(part, labels, draws, seed)?;
            sum += weights.chunks_exact(draws).map(log_mean_exp).sum::<f64>();
        }
        Some(sum / (images.len() / size) as f64)
    }
}

/// `log(mean(exp(values)))` without overflow.
pub(super) fn log_mean_exp(values: &[f64]) -> f64 {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !largest.is_finite() {
        return largest;
    }
    let sum: f64 = values.iter().map(|value| libm::exp(value - largest)).sum();
    largest + libm::log(sum / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Fake;
    use super::*;

    #[test]
    fn very_unlikely_images_do_not_vanish() {
        let mean = log_mean_exp(&[-1000.0, -1001.0, -1002.0]);
        let expected = -1000.0 + ((1.0 + (-1f64).exp() + (-2f64).exp()) / 3.0).ln();
        assert!((mean - expected).abs() < 1e-12);
        assert_eq!(log_mean_exp(&[f64::NEG_INFINITY; 2]), f64::NEG_INFINITY);
    }

    #[test]
    fn the_estimate_is_the_mean_over_the_images_asked_for() {
        // The fake's weight of a draw is its number plus the image's first pixel.
        let model = Fake::new();
        let images: Vec<f32> = (0..250).flat_map(|at| [at as f32, 0.0, 0.0, 0.0]).collect();
        let subject = model.subject(&images, &[0; 250]);
        let fields = LogLikelihood {
            draws: Positive(3),
            images: Positive(125),
        };
        let of_draws = log_mean_exp(&[0.0, 1.0, 2.0]);
        // Every second image, from 0 to 248.
        let taken = fields.take(&subject).unwrap();
        assert!((taken - (of_draws + 124.0)).abs() < 1e-9, "{taken}");
    }
}
