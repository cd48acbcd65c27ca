//! `avg_pool3d`: the mean of each window.

use super::pooling::{mean, pool_layer};
use crate::value::Triple;

pool_layer! {
    /// Average pooling: `[batch, channels, depth, height, width]` to `[batch, channels, slices, rows, columns]`.
    pub struct AvgPool3d<3> {
        /// Depth, height and width of the window. Default 2.
        size: Triple = Triple::all(2),
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
    fn avg_pool3d_keeps_the_promises_of_every_layer() {
        check_layer(
            "avg_pool3d = { size = 2 }",
            &[2, 5, 7, 6],
            expect(&[2, 2, 3, 3], 0),
        );
        check_layer(
            "avg_pool3d = { size = 3, stride = 2, padding = 'same' }",
            &[2, 4, 5, 8],
            expect(&[2, 2, 3, 4], 0),
        );
    }

    #[test]
    fn avg_pool3d_gradients_match_finite_differences() {
        check_finite_differences("avg_pool3d = { size = 2 }", &[2, 5, 7, 6]);
        check_finite_differences(
            "avg_pool3d = { size = 3, stride = 2, padding = 'same' }",
            &[2, 4, 5, 8],
        );
    }

    #[test]
    fn padded_places_do_not_count() {
        let values: Vec<f32> = (0..27).map(|value| value as f32).collect();
        let layer = "avg_pool3d = { size = 2, padding = 'same' }";
        let y = outputs(layer, &[1, 3, 3, 3], &values);
        assert_eq!(y, [6.5, 8.0, 11.0, 12.5, 20.0, 21.5, 24.5, 26.0]);
    }
}
