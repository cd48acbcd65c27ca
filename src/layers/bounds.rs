//! Bounds of values that leave NaN what it is.
//!
//! Burn's CPU backend compares for a bound, and no comparison with NaN holds: a value that is no
//! number would come out as a sound one. As PyTorch has it, NaN stays NaN. For all other values the bits are Burn's.

use burn::tensor::Tensor;

use crate::backend::Kernels;

/// `max(least, x)`.
pub fn at_least<B: Kernels, const D: usize>(x: Tensor<B, D>, least: f64) -> Tensor<B, D> {
    let below = x.clone().lower_elem(least);
    x.mask_fill(below, least)
}

/// `min(most, x)`.
pub fn at_most<B: Kernels, const D: usize>(x: Tensor<B, D>, most: f64) -> Tensor<B, D> {
    let above = x.clone().greater_elem(most);
    x.mask_fill(above, most)
}

#[cfg(test)]
mod tests {
    use super::super::testing::outputs;
    use super::*;
    use crate::backend::math;
    use crate::backend::testing::test_device;
    use burn::backend::{Autodiff, Flex};
    use burn::tensor::activation;
    use burn::tensor::backend::Backend;

    /// Of both signs, zeros of both signs, the smallest, the largest, and the infinite.
    fn values() -> Vec<f32> {
        let mut values = vec![
            0.0,
            -0.0,
            f32::MIN_POSITIVE,
            -f32::MIN_POSITIVE,
            1e-45,
            -1e-45,
        ];
        values.extend([
            f32::MAX,
            f32::MIN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            6.0,
            20.0,
        ]);
        values.extend((-500..500).map(|at| at as f32 * 0.0371));
        values
    }

    fn bits<B: Backend>(x: Tensor<B, 1>) -> Vec<u32> {
        let values: Vec<f32> = x.into_data().into_vec().expect("floats");
        values.into_iter().map(f32::to_bits).collect()
    }

    fn x<B: Backend>(values: &[f32]) -> Tensor<B, 1> {
        Tensor::from_floats(values, &Default::default())
    }

    #[test]
    fn the_bits_are_burns_where_there_is_no_nan() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        let x = || x::<Flex>(&values());
        assert_eq!(bits(math::relu(x())), bits(activation::relu(x())));
        assert_eq!(bits(at_least(x(), -15.0)), bits(x().clamp_min(-15.0)));
        assert_eq!(bits(at_most(x(), 20.0)), bits(x().clamp_max(20.0)));
    }

    #[test]
    fn the_gradients_are_burns() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        let gradients = |f: &dyn Fn(Tensor<Autodiff<Flex>, 1>) -> Tensor<Autodiff<Flex>, 1>| {
            let x = x::<Autodiff<Flex>>(&values()).require_grad();
            let weight = Tensor::from_floats(values().as_slice(), &Default::default()) + 3.0;
            let gradients = (f(x.clone()) * weight).backward();
            bits(x.grad(&gradients).expect("a gradient"))
        };
        assert_eq!(gradients(&math::relu), gradients(&activation::relu));
        let beside_nan = |x: Tensor<Autodiff<Flex>, 1>| {
            let nan = Tensor::from_floats([f32::NAN], &x.device());
            let count = x.dims()[0];
            math::relu(Tensor::cat(vec![x, nan], 0)).narrow(0, 0, count)
        };
        assert_eq!(gradients(&beside_nan), gradients(&activation::relu));
        assert_eq!(
            gradients(&|x| at_most(x, 6.0)),
            gradients(&|x| x.clamp_max(6.0))
        );
    }

    #[test]
    fn a_window_with_nan_has_no_largest_value() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        if !test_device().is_cpu() {
            return;
        }
        let nan = f32::NAN;
        let row = [1.0, nan, 3.0, f32::INFINITY, f32::NEG_INFINITY, 2.0];
        let is_nan = |layer: &str, input: &[usize]| -> Vec<bool> {
            let y = outputs(layer, input, &row);
            y.iter().map(|value| value.is_nan()).collect()
        };
        let pool = is_nan("max_pool1d = { size = 2 }", &[6, 1]);
        assert_eq!(pool, [true, false, false]);
        let pool = is_nan("max_pool2d = { size = [1, 3] }", &[1, 1, 6]);
        assert_eq!(pool, [true, false]);
        let pool = is_nan("max_pool2d = { size = 2, padding = 'same' }", &[1, 2, 3]);
        assert_eq!(pool, [true, false]);
        let pool = is_nan("adaptive_max_pool2d = { size = [1, 3] }", &[1, 1, 6]);
        assert_eq!(pool, [true, false, false]);
        let pool = is_nan("global_max_pool = {}", &[2, 1, 3]);
        assert_eq!(pool, [true, false]);
        let infinite = outputs("max_pool1d = { size = 2 }", &[6, 1], &row);
        assert_eq!(infinite[1..], [f32::INFINITY, 2.0]);
    }

    #[test]
    fn nan_stays_nan() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        let x = || x::<Flex>(&[-1.0, f32::NAN, 2.0]);
        // Burn's own, where it keeps to this.
        let clamped = x().clamp(-3.0, 3.0);
        for y in [
            math::relu(x()),
            at_least(x(), 0.0),
            at_most(x(), 9.0),
            clamped,
        ] {
            let y: Vec<f32> = y.into_data().into_vec().unwrap();
            let is_nan: Vec<bool> = y.iter().map(|value| value.is_nan()).collect();
            assert_eq!(is_nan, [false, true, false], "{y:?}");
        }
    }
}
