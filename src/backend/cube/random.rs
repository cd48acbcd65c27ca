//! Random numbers by their place, as the CPU makes them: the same words, and values of the same formulas.

use burn::tensor::DType;
use burn_cubecl::CubeRuntime;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{UNITS, array, check, cubes, units};
use crate::backend::cpu::random::{BLOCK, COUNTERS, INCREMENTS, MULTIPLIERS, ROUNDS, most};
use crate::backend::distribution::Distribution;
use crate::backend::kernels::first_value;
use crate::rng::Draw;

/// How words become values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    Bernoulli,
    Uniform,
    Normal,
}

#[cube]
fn normal(word: u32) -> f32 {
    let outside = (f32::cast_from(word & 0x7fff_ffff) + 0.5) / 4_294_967_296.0;
    let x = 1.0 - 2.0 * outside;
    let w = -(4.0 * outside * (1.0 - outside)).ln();
    let near = w - 2.5;
    let mut central = f32::new(2.810_226_4e-8);
    central = central * near + 3.432_739_4e-7;
    central = central * near - 3.523_387_7e-6;
    central = central * near - 4.391_506_5e-6;
    central = central * near + 2.185_808_7e-4;
    central = central * near - 1.253_725e-3;
    central = central * near - 4.177_681_6e-3;
    central = central * near + 0.246_640_73;
    central = central * near + 1.501_409_4;
    let far = max(w, 0.0).sqrt() - 3.0;
    let mut tail = f32::new(-2.002_142_6e-4);
    tail = tail * far + 1.009_505_6e-4;
    tail = tail * far + 1.349_343_2e-3;
    tail = tail * far - 3.673_428_4e-3;
    tail = tail * far + 5.739_507_7e-3;
    tail = tail * far - 7.622_461_3e-3;
    tail = tail * far + 9.438_870_5e-3;
    tail = tail * far + 1.001_674;
    tail = tail * far + 2.832_976_8;
    let size = select(w < 5.0, central, tail) * x * comptime!(std::f32::consts::SQRT_2);
    select(word >> 31 == 1, -size, size)
}

/// A unit a counter; `skipped` values of the first block are not asked for.
#[cube(launch_unchecked)]
fn kernel(
    out: &mut Array<f32>,
    values: u32,
    skipped: u32,
    first_low: u32,
    first_high: u32,
    number: u32,
    key_low: u32,
    key_high: u32,
    most: u32,
    #[comptime] form: Form,
) {
    let at = ABSOLUTE_POS as u32;
    let per_block = comptime!(COUNTERS as u32);
    let low = first_low + at;
    let mut a = low;
    let mut b = first_high + select(low < first_low, 1u32, 0u32);
    let mut c = number;
    let mut d = 0u32;
    let mut key_a = key_low;
    let mut key_b = key_high;
    #[unroll]
    for _ in 0..comptime!(ROUNDS as u32) {
        let first = comptime!(MULTIPLIERS[0]);
        let second = comptime!(MULTIPLIERS[1]);
        let next_a = u32::mul_hi(c, second) ^ b ^ key_a;
        let next_c = u32::mul_hi(a, first) ^ d ^ key_b;
        b = c * second;
        d = a * first;
        a = next_a;
        c = next_c;
        key_a += comptime!(INCREMENTS[0]);
        key_b += comptime!(INCREMENTS[1]);
    }
    let begin = at / per_block * comptime!(BLOCK as u32) + at % per_block;
    #[unroll]
    for index in 0..4u32 {
        let word = if comptime!(index == 0) {
            a
        } else if comptime!(index == 1) {
            b
        } else if comptime!(index == 2) {
            c
        } else {
            d
        };
        let place = begin + index * per_block;
        if place >= skipped && place - skipped < values {
            out[(place - skipped) as usize] = if comptime!(form == Form::Bernoulli) {
                select(word <= most, 1.0, 0.0)
            } else if comptime!(form == Form::Uniform) {
                f32::cast_from(word >> 8) / 16_777_216.0
            } else {
                normal(word)
            };
        }
    }
}

/// [`Passes::random`](crate::backend::passes::Passes::random); none where all are 0.
pub(super) fn random<R: CubeRuntime>(
    shape: &[usize],
    distribution: Distribution,
    draw: Draw,
    device: &R::Device,
) -> Option<CubeTensor<R>> {
    let (form, most) = match distribution {
        Distribution::Bernoulli(probability) => (Form::Bernoulli, most(probability)?),
        Distribution::Uniform => (Form::Uniform, 0),
        Distribution::Normal => (Form::Normal, 0),
    };
    let values: usize = shape.iter().product();
    check(values + BLOCK);
    let client = R::client(device);
    let shape_out = shape.to_vec().into();
    let out = empty_device_contiguous_dtype(client, device.clone(), shape_out, DType::F32);
    let from = first_value(shape, draw);
    let (block, skipped) = (from / BLOCK as u64, (from % BLOCK as u64) as usize);
    let first = block * COUNTERS as u64;
    let counters = (skipped + values).div_ceil(BLOCK) * COUNTERS;
    // SAFETY: a unit compares places with the number of values before it writes.
    unsafe {
        kernel::launch_unchecked(
            &out.client,
            cubes(counters),
            units(UNITS),
            array(&out),
            values as u32,
            skipped as u32,
            first as u32,
            (first >> 32) as u32,
            draw.number,
            draw.key as u32,
            (draw.key >> 32) as u32,
            most,
            form,
        );
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Tensor;

    use crate::backend::TrainingBackend;
    use crate::backend::distribution::Distribution;
    use crate::backend::kernels::random_values;
    use crate::backend::testing::on_test_device;
    use crate::rng::Draw;

    #[test]
    fn the_numbers_are_those_of_the_cpu() {
        on_test_device!(compare() -> ());
    }

    fn compare<B: TrainingBackend>(device: &B::Device) {
        let distributions = [
            Distribution::Uniform,
            Distribution::Normal,
            Distribution::Bernoulli(0.3),
            Distribution::Bernoulli(0.0),
            Distribution::Bernoulli(1.0),
        ];
        for first in [0, 7, 1 << 33] {
            let draw = Draw {
                key: 0x0123_4567_89ab_cdef,
                number: 3,
                first,
            };
            for distribution in distributions {
                let shape = [70, 999];
                let made: Tensor<B, 2> = B::random(shape, distribution, draw, device);
                let made: Vec<f32> = made.into_data().into_vec().unwrap();
                let expected = random_values(&shape, distribution, draw);
                let is_near = |(a, b): (&f32, &f32)| match distribution {
                    Distribution::Normal => (a - b).abs() < 1e-5 * b.abs().max(1.0),
                    _ => a == b,
                };
                assert!(
                    made.iter().zip(&expected).all(is_near),
                    "{distribution:?}, {first}"
                );
            }
        }
    }
}
