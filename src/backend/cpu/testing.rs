//! Numbers and comparisons for the tests of the kernels.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::simd::Simd;

pub(super) fn chance(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// From -1 to 1.
pub(super) fn numbers(chance: &mut ChaCha8Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| chance.random_range(-1.0..1.0)).collect()
}

pub(super) fn is_same(a: &[f32], b: &[f32]) -> bool {
    let is_same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    a.len() == b.len() && a.iter().zip(b).all(is_same)
}

/// What the portable kernels make, after a comparison of all sets with them, bit by bit.
pub(super) fn by_every_set(what: &str, make: impl Fn(Simd) -> Vec<f32>) -> Vec<f32> {
    let expected = make(Simd::Portable);
    for set in Simd::supported() {
        assert!(is_same(&make(set), &expected), "{what}: {}", set.name());
    }
    expected
}

/// No further off than rounding of `terms` products allows.
pub(super) fn near(what: &str, received: &[f32], expected: &[f64], terms: usize) {
    assert_eq!(received.len(), expected.len(), "{what}");
    let most = 1e-6 * (terms as f64 + 1.0);
    for (received, expected) in received.iter().zip(expected) {
        let off = (f64::from(*received) - expected).abs();
        assert!(off <= most, "{what}: {received} instead of {expected}");
    }
}
