//! `avg_pool2d`: the mean of each window.

use super::pooling::{mean, pool_layer};
use crate::value::Pair;

pool_layer! {
    /// Average pooling: `[batch, channels, height, width]` to `[batch, channels, rows, columns]`.
    pub struct AvgPool2d<2> {
        /// Height and width of the window. Default 2.
        size: Pair = Pair::all(2),
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
    fn avg_pool2d_keeps_the_promises_of_every_layer() {
        check_layer(
            "avg_pool2d = { size = 2 }",
            &[2, 7, 7],
            expect(&[2, 3, 3], 0),
        );
        check_layer(
            "avg_pool2d = { size = 3, stride = 2, padding = 'same' }",
            &[2, 8, 8],
            expect(&[2, 4, 4], 0),
        );
    }

    #[test]
    fn avg_pool2d_gradients_match_finite_differences() {
        check_finite_differences("avg_pool2d = { size = 2 }", &[2, 7, 7]);
        check_finite_differences(
            "avg_pool2d = { size = 3, stride = 2, padding = 'same' }",
            &[2, 8, 8],
        );
    }

    #[test]
    fn padded_places_do_not_count() {
        let means = outputs(
            "avg_pool2d = { size = 2, padding = 'same' }",
            &[1, 3, 3],
            &[1.0; 9],
        );
        assert_eq!(means, [1.0; 4]);
    }
}
