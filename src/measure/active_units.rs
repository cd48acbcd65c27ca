//! How many units of a gaussian code say anything of the image.

use super::{MeasureInput, Rows, Take};
use crate::models::ModelFacts;
use crate::record::Metric;

/// A unit's mean varies by more than this over the test set if it is active (Burda et al. 2015).
const ACTIVE: f64 = 0.01;

/// The units of a gaussian code whose mean's variance over the test set exceeds 0.01: Burda, Grosse and
/// Salakhutdinov, "Importance Weighted Autoencoders", 2015, section 5.2.
pub(super) struct ActiveUnits;

impl Take for ActiveUnits {
    const METRIC: Metric = Metric {
        decimals: 1,
        shown: true,
        ..Metric::new(
            "active_units",
            "units of a gaussian code whose means vary over the test set",
        )
    };

    fn obstacle(&self, facts: &ModelFacts) -> Option<String> {
        (!facts.has_gaussian_code).then(|| "the model's code is not a `gaussian_code`".to_string())
    }

    fn take(&self, subject: &MeasureInput) -> Option<f64> {
        let codes = subject.codes();
        let variances = Rows::new(&codes, subject.model.facts().code?.len()).variances();
        let active = variances.iter().filter(|&&variance| variance > ACTIVE);
        Some(active.count() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Fake;
    use super::*;

    #[test]
    fn units_that_stay_where_they_are_are_not_active() {
        // The fake's codes are the images' first two pixels: one varies, one stays nearly the same.
        let images = [
            0.0, 0.50, 0.0, 0.0, 0.5, 0.55, 0.0, 0.0, 1.0, 0.45, 0.0, 0.0,
        ];
        let model = Fake::new();
        let subject = model.subject(&images, &[0, 1, 0]);
        assert_eq!(ActiveUnits.take(&subject), Some(1.0));
    }
}
