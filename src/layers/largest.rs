//! Which values of a row are its largest.

use burn::tensor::{IndexingUpdateOp, Tensor};

use crate::backend::Kernels;

/// 1 for the `count` largest values of each row and 0 for the others, `[rows, values]`, without a gradient; of
/// equal values any.
///
/// Burn sorts on the host where the device has no sort of its own, so that a graphics card waits for it.
pub(super) fn largest<B: Kernels>(rows: Tensor<B, 2>, count: usize) -> Tensor<B, 2> {
    let [height, width] = rows.dims();
    let device = rows.device();
    if count >= width {
        return Tensor::ones([height, width], &device);
    }
    let places = match count {
        1 => rows.argmax(1),
        _ => rows.argsort_descending(1).narrow(1, 0, count),
    };
    let ones = Tensor::ones([height, count], &device);
    Tensor::zeros([height, width], &device).scatter(1, places, ones, IndexingUpdateOp::Add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::backend::Flex;

    fn of(count: usize) -> Vec<f32> {
        let rows = [[3.0, -1.0, 7.0, 2.0], [-4.0, -3.0, -2.0, -1.0]];
        let rows = Tensor::<Flex, 2>::from_floats(rows, &Default::default());
        largest(rows, count).into_data().into_vec().expect("floats")
    }

    #[test]
    fn the_largest_of_each_row_are_marked() {
        assert_eq!(of(1), [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        assert_eq!(of(2), [1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
        assert_eq!(of(4), [1.0; 8]);
        assert_eq!(of(9), [1.0; 8]);
    }

    #[test]
    fn of_equal_values_no_more_are_marked_than_asked_for() {
        let rows = Tensor::<Flex, 2>::ones([3, 5], &Default::default());
        for count in [1, 2] {
            let marked: f32 = largest(rows.clone(), count).sum().into_scalar();
            assert_eq!(marked, 3.0 * count as f32);
        }
    }
}
