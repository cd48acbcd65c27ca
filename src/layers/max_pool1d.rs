//! `max_pool1d`: the largest value of each window.

use super::pooling::{largest, pool_layer};
use crate::value::Positive;

pool_layer! {
    /// Max pooling: `[batch, steps, features]` to `[batch, steps out, features]`.
    pub struct MaxPool1d<1> {
        /// Length of the window. Default 2.
        size: Positive = Positive(2),
        /// `valid` (default) or `same`, or how many places on all sides, as PyTorch; padded places never win.
        padding,
    }
    largest as "MaxPool"
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_finite_differences, check_layer, expect, outputs};

    #[test]
    fn max_pool1d_keeps_the_promises_of_every_layer() {
        check_layer("max_pool1d = { size = 2 }", &[7, 2], expect(&[3, 2], 0));
        check_layer(
            "max_pool1d = { size = 3, stride = 2, padding = 'same' }",
            &[8, 2],
            expect(&[4, 2], 0),
        );
    }

    #[test]
    fn max_pool1d_gradients_match_finite_differences() {
        check_finite_differences("max_pool1d = { size = 2 }", &[7, 2]);
        check_finite_differences(
            "max_pool1d = { size = 3, stride = 2, padding = 'same' }",
            &[8, 2],
        );
    }

    #[test]
    fn steps_are_pooled_and_features_stay_apart() {
        let layer = "max_pool1d = { size = 2, padding = 'same' }";
        let y = outputs(layer, &[3, 2], &[1.0, -6.0, 2.0, -5.0, 3.0, -4.0]);
        assert_eq!(y, [2.0, -5.0, 3.0, -4.0]);
    }
}
