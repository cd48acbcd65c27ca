//! `avg_pool1d`: the mean of each window.

use super::pooling::{mean, pool_layer};
use crate::value::Positive;

pool_layer! {
    /// Average pooling: `[batch, steps, features]` to `[batch, steps out, features]`.
    pub struct AvgPool1d<1> {
        /// Length of the window. Default 2.
        size: Positive = Positive(2),
        /// `valid` (default), or `same`, whose padded places do not count, as in TensorFlow; or how many zeros on all
        /// sides, which count, as in PyTorch.
        padding,
    }
    mean as "AveragePool"
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_finite_differences, check_layer, expect, outputs};

    #[test]
    fn avg_pool1d_keeps_the_promises_of_every_layer() {
        check_layer("avg_pool1d = { size = 2 }", &[7, 2], expect(&[3, 2], 0));
        check_layer(
            "avg_pool1d = { size = 3, stride = 2, padding = 'same' }",
            &[8, 2],
            expect(&[4, 2], 0),
        );
    }

    #[test]
    fn avg_pool1d_gradients_match_finite_differences() {
        check_finite_differences("avg_pool1d = { size = 2 }", &[7, 2]);
        check_finite_differences(
            "avg_pool1d = { size = 3, stride = 2, padding = 'same' }",
            &[8, 2],
        );
    }

    #[test]
    fn padded_places_do_not_count() {
        let layer = "avg_pool1d = { size = 2, padding = 'same' }";
        let y = outputs(layer, &[3, 2], &[1.0, -6.0, 2.0, -5.0, 3.0, -4.0]);
        assert_eq!(y, [1.5, -5.5, 3.0, -4.0]);
    }
}
