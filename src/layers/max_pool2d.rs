//! `max_pool2d`: the largest value of each window.

use super::pooling::{largest, pool_layer};
use crate::value::Pair;

pool_layer! {
    /// Max pooling: `[batch, channels, height, width]` to `[batch, channels, rows, columns]`.
    pub struct MaxPool2d<2> {
        /// Height and width of the window. Default 2.
        size: Pair = Pair::all(2),
        /// `valid` (default) or `same`, or how many places on all sides, as PyTorch; padded places never win.
        padding,
    }
    largest as "MaxPool"
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_finite_differences, check_layer, expect, flaw};

    #[test]
    fn max_pool2d_keeps_the_promises_of_every_layer() {
        check_layer(
            "max_pool2d = { size = 2 }",
            &[2, 7, 7],
            expect(&[2, 3, 3], 0),
        );
        check_layer(
            "max_pool2d = { size = 3, stride = 2, padding = 'same' }",
            &[2, 8, 8],
            expect(&[2, 4, 4], 0),
        );
    }

    #[test]
    fn max_pool2d_gradients_match_finite_differences() {
        check_finite_differences("max_pool2d = { size = 2 }", &[2, 7, 7]);
        check_finite_differences(
            "max_pool2d = { size = 3, stride = 2, padding = 'same' }",
            &[2, 8, 8],
        );
    }

    #[test]
    fn a_window_must_fit() {
        let flaw = flaw("max_pool2d = { size = [2, 3] }", &[4, 7, 2]);
        assert_eq!(
            flaw.message,
            "has a 2x3 window, larger than its input (4x7x2)"
        );
    }
}
