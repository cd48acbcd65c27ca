//! Random numbers by their place: any part of a tensor can be made by itself, on any device and any number of threads.
//!
//! The generator is Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): each counter
//! gives four words. Sixteen counters give a block of 64 values, first all their first words.

use rayon::prelude::*;

use super::functions::ln_of;
use super::simd::{Simd, on_every_set};
use crate::backend::distribution::Distribution;
use crate::rng::Draw;

/// Counters of a block.
pub const COUNTERS: usize = 16;

/// Values of a block.
pub const BLOCK: usize = 4 * COUNTERS;

/// What counters are multiplied by, and what is added to the keys from round to round.
pub const MULTIPLIERS: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
pub const INCREMENTS: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
pub const ROUNDS: usize = 10;

/// Blocks that are worth a thread.
const SHARED: usize = 512;

/// Fills in the values of a draw from the one with this number on.
pub fn fill(simd: Simd, draw: Draw, distribution: Distribution, from: u64, to: &mut [f32]) {
    let (block, skipped) = (from / BLOCK as u64, (from % BLOCK as u64) as usize);
    if skipped > 0 && !to.is_empty() {
        // It begins inside a block.
        let mut whole = [0.0; BLOCK];
        blocks(simd, draw, distribution, block, &mut whole);
        let head = (BLOCK - skipped).min(to.len());
        let (begin, rest) = to.split_at_mut(head);
        begin.copy_from_slice(&whole[skipped..][..head]);
        return fill(simd, draw, distribution, from + head as u64, rest);
    }
    let parts = to.par_chunks_mut(SHARED * BLOCK).enumerate();
    parts.for_each(|(part, to)| {
        let block = block + (part * SHARED) as u64;
        blocks(simd, draw, distribution, block, to);
    });
}

fn blocks(simd: Simd, draw: Draw, distribution: Distribution, first: u64, to: &mut [f32]) {
    match distribution {
        Distribution::Uniform => uniform(simd, draw, first, to),
        Distribution::Normal => normal(simd, draw, first, to),
        Distribution::Bernoulli(probability) => match most(probability) {
            None => to.fill(0.0),
            Some(most) => bernoulli(simd, draw, most, first, to),
        },
    }
}

/// The largest word that stands for 1, of 2^32; none where the probability is 0.
pub fn most(probability: f64) -> Option<u32> {
    let words = (probability * 4_294_967_296.0).round() as u64;
    words
        .checked_sub(1)
        .map(|last| last.min(u64::from(u32::MAX)) as u32)
}

/// The words of a block.
#[inline(always)]
fn words(draw: Draw, block: u64) -> [u32; BLOCK] {
    let first = block * COUNTERS as u64;
    let counters: [u64; COUNTERS] = std::array::from_fn(|lane| first + lane as u64);
    let mut a = counters.map(|counter| counter as u32);
    let mut b = counters.map(|counter| (counter >> 32) as u32);
    let (mut c, mut d) = ([draw.number; COUNTERS], [0; COUNTERS]);
    let mut key = [draw.key as u32, (draw.key >> 32) as u32];
    for _ in 0..ROUNDS {
        for lane in 0..COUNTERS {
            let of_a = u64::from(a[lane]) * u64::from(MULTIPLIERS[0]);
            let of_c = u64::from(c[lane]) * u64::from(MULTIPLIERS[1]);
            a[lane] = (of_c >> 32) as u32 ^ b[lane] ^ key[0];
            b[lane] = of_c as u32;
            c[lane] = (of_a >> 32) as u32 ^ d[lane] ^ key[1];
            d[lane] = of_a as u32;
        }
        key = [0, 1].map(|word| key[word].wrapping_add(INCREMENTS[word]));
    }
    let mut words = [0; BLOCK];
    for (to, from) in words.chunks_exact_mut(COUNTERS).zip([a, b, c, d]) {
        to.copy_from_slice(&from);
    }
    words
}

/// From 0 to below 1 in steps of 2^-24: all of them are numbers of 32 bits.
#[inline(always)]
fn uniform_of(word: u32) -> f32 {
    (word >> 8) as i32 as f32 / 16_777_216.0
}

/// By the inverse of the error function (Giles 2010, "Approximating the erfinv function", single precision): the first bit
/// is the sign, the others the share of what lies further out.
#[inline(always)]
fn normal_of(word: u32) -> f32 {
    let outside = ((word & 0x7fff_ffff) as i32 as f32 + 0.5) / 4_294_967_296.0;
    let x = 1.0 - 2.0 * outside;
    let w = -ln_of(4.0 * outside * (1.0 - outside));
    let near = w - 2.5;
    let p = 2.810_226_4e-8f32;
    let p = p.mul_add(near, 3.432_739_4e-7);
    let p = p.mul_add(near, -3.523_387_7e-6);
    let p = p.mul_add(near, -4.391_506_5e-6);
    let p = p.mul_add(near, 2.185_808_7e-4);
    let p = p.mul_add(near, -1.253_725e-3);
    let p = p.mul_add(near, -4.177_681_6e-3);
    let p = p.mul_add(near, 0.246_640_73);
    let central = p.mul_add(near, 1.501_409_4);
    let far = w.sqrt() - 3.0;
    let p = -2.002_142_6e-4f32;
    let p = p.mul_add(far, 1.009_505_6e-4);
    let p = p.mul_add(far, 1.349_343_2e-3);
    let p = p.mul_add(far, -3.673_428_4e-3);
    let p = p.mul_add(far, 5.739_507_7e-3);
    let p = p.mul_add(far, -7.622_461_3e-3);
    let p = p.mul_add(far, 9.438_870_5e-3);
    let p = p.mul_add(far, 1.001_674);
    let tail = p.mul_add(far, 2.832_976_8);
    let size = if w < 5.0 { central } else { tail } * x * std::f32::consts::SQRT_2;
    f32::from_bits(size.to_bits() ^ (word & 0x8000_0000))
}

/// Values of whole blocks from one on, by the word of each.
macro_rules! of_words {
    ($($name:ident($($argument:ident: $type:ty)?): $of:expr;)+) => {
        $(on_every_set! {
            fn $name(draw: Draw, $($argument: $type,)? first: u64, to: &mut [f32]) {
                for (block, to) in (first..).zip(to.chunks_mut(BLOCK)) {
                    let values = words(draw, block).map($of);
                    to.copy_from_slice(&values[..to.len()]);
                }
            }
        })+
    };
}

of_words! {
    uniform(): uniform_of;
    normal(): normal_of;
    bernoulli(most: u32): |word| if word <= most { 1.0 } else { 0.0 };
}

#[cfg(test)]
mod tests {
    use super::super::testing::by_every_set;
    use super::*;

    const DRAW: Draw = Draw {
        key: 0x0123_4567_89ab_cdef,
        number: 3,
        first: 0,
    };

    fn drawn(distribution: Distribution, from: u64, count: usize) -> Vec<f32> {
        by_every_set(&format!("{distribution:?}"), |simd| {
            let mut values = vec![7.0; count];
            fill(simd, DRAW, distribution, from, &mut values);
            values
        })
    }

    #[test]
    fn words_are_those_of_the_published_generator() {
        // Known answers of the Random123 library for a counter of zeros.
        let draw = Draw {
            key: 0,
            number: 0,
            first: 0,
        };
        let words = words(draw, 0);
        let of_first: Vec<u32> = words.iter().step_by(COUNTERS).copied().collect();
        assert_eq!(
            of_first,
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
    }

    #[test]
    fn any_part_is_what_it_is_in_the_whole() {
        let distributions = [
            Distribution::Uniform,
            Distribution::Normal,
            Distribution::Bernoulli(0.3),
        ];
        for distribution in distributions {
            let whole = drawn(distribution, 0, 70_000);
            for (from, count) in [
                (0, 5),
                (1, 63),
                (3, 5),
                (64, 64),
                (70, 200),
                (40_000, 30_000),
            ] {
                assert_eq!(
                    drawn(distribution, from as u64, count),
                    whole[from..][..count]
                );
            }
        }
    }

    #[test]
    fn values_have_the_moments_of_their_distribution() {
        const COUNT: usize = 1 << 20;
        let moments = |values: &[f32]| {
            [1, 2, 3, 4].map(|power| {
                let powers = values.iter().map(|&value| f64::from(value).powi(power));
                powers.sum::<f64>() / COUNT as f64
            })
        };
        let near = |values: &[f32], expected: [f64; 4]| {
            let received = moments(values);
            for (received, expected) in received.into_iter().zip(expected) {
                assert!((received - expected).abs() < 0.02, "{received} {expected}");
            }
        };
        near(
            &drawn(Distribution::Uniform, 0, COUNT),
            [0.5, 1.0 / 3.0, 0.25, 0.2],
        );
        near(&drawn(Distribution::Normal, 0, COUNT), [0.0, 1.0, 0.0, 3.0]);
        near(&drawn(Distribution::Bernoulli(0.3), 0, COUNT), [0.3; 4]);
        assert!(
            drawn(Distribution::Bernoulli(0.0), 0, 1000)
                .iter()
                .all(|&value| value == 0.0)
        );
        assert!(
            drawn(Distribution::Bernoulli(1.0), 0, 1000)
                .iter()
                .all(|&value| value == 1.0)
        );
    }

    #[test]
    fn a_normal_number_has_the_share_of_its_word_beyond_it() {
        // The upper tail of the normal distribution: a continued fraction far out, a series near 0.
        let beyond = |z: f64| {
            let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
            match z > 2.5 {
                true => density / (1..200).rev().fold(z, |below, n| z + f64::from(n) / below),
                false => {
                    let (mut term, mut sum) = (z, z);
                    for n in 1..100 {
                        term *= z * z / f64::from(2 * n + 1);
                        sum += term;
                    }
                    0.5 - density * sum
                }
            }
        };
        for word in (0..0x8000_0000u32)
            .step_by(99_991)
            .chain([1, 10, 1000, 0x7fff_ffff])
        {
            let share = (f64::from(word) + 0.5) / 4_294_967_296.0;
            let z = normal_of(word);
            assert_eq!(-z, normal_of(word | 0x8000_0000));
            let received = beyond(f64::from(z));
            // The formula is made for shares down to 2^-24.
            let most = if word < 1 << 8 { 0.02 } else { 1e-4 };
            assert!(
                (received / share - 1.0).abs() < most,
                "{word}: {z} {received} {share}"
            );
        }
    }
}
