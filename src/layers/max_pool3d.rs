//! `max_pool3d`: the largest value of each window.

use super::pooling::{largest, pool_layer};
use crate::value::Triple;

pool_layer! {
    /// Max pooling: `[batch, channels, depth, height, width]` to `[batch, channels, slices, rows, columns]`.
    pub struct MaxPool3d<3> {
        /// Depth, height and width of the window. Default 2.
        size: Triple = Triple::all(2),
        /// `valid` (default) or `same`, or how many places on all sides, as PyTorch; padded places never win.
        padding,
    }
    largest as "MaxPool"
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_finite_differences, check_layer, expect, outputs};

    #[test]
    fn max_pool3d_keeps_the_promises_of_every_layer() {
        check_layer(
            "max_pool3d = { size = 2 }",
            &[2, 5, 7, 6],
            expect(&[2, 2, 3, 3], 0),
        );
        check_layer(
            "max_pool3d = { size = 3, stride = 2, padding = 'same' }",
            &[2, 4, 5, 8],
            expect(&[2, 2, 3, 4], 0),
        );
    }

    #[test]
    fn max_pool3d_gradients_match_finite_differences() {
        check_finite_differences("max_pool3d = { size = 2 }", &[2, 5, 7, 6]);
        check_finite_differences(
            "max_pool3d = { size = 3, stride = 2, padding = 'same' }",
            &[2, 4, 5, 8],
        );
    }

    #[test]
    fn a_window_reaches_over_all_three_axes() {
        let values: Vec<f32> = (0..27).map(|value| value as f32).collect();
        let layer = "max_pool3d = { size = 2, stride = 1 }";
        let y = outputs(layer, &[1, 3, 3, 3], &values);
        assert_eq!(y, [13.0, 14.0, 16.0, 17.0, 22.0, 23.0, 25.0, 26.0]);
    }
}
