//! Functions of single values by one polynomial each, the same on every processor.
//!
//! The system's own differ from machine to machine and take one value at a time. These are off by no more than two
//! units in the last place (`elu` five, the tails of `gelu` more), keep NaN, and are right for infinities and the smallest
//! numbers. Coefficients are those of the Cephes library.

use super::simd::{Simd, on_every_set};
use super::sums::sum_of;
use crate::backend::constants::{LEAST_PROBABILITY, NORMAL_PEAK};

/// `2^n * e^r` with `|r|` up to half of `ln 2`.
#[inline(always)]
fn exp_of(x: f32) -> f32 {
    // Beyond these the result is infinite or 0; NaN passes both comparisons.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    // Added to a small number, it leaves the nearest whole one in the last bits.
    const WHOLE: f32 = 12_582_912.0;
    let shifted = x.mul_add(std::f32::consts::LOG2_E, WHOLE);
    let n = shifted - WHOLE;
    let bits = shifted.to_bits().wrapping_sub(WHOLE.to_bits()) as i32;
    let r = n.mul_add(-LN_2_HIGH, x);
    let r = n.mul_add(-LN_2_LOW, r);
    let p = 1.987_569_1e-4f32;
    let p = p.mul_add(r, 1.398_199_9e-3);
    let p = p.mul_add(r, 8.333_452e-3);
    let p = p.mul_add(r, 4.166_579_6e-2);
    let p = p.mul_add(r, 0.166_666_66);
    let p = p.mul_add(r, 0.5);
    let y = p.mul_add(r * r, r) + 1.0;
    // In two steps: a power below the smallest or above the largest number has no bits of its own.
    let half = bits >> 1;
    y * power_of_2(half) * power_of_2(bits.wrapping_sub(half))
}

/// `ln 2` in two parts, the first with few bits, so that whole numbers times it are exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// For exponents of normal numbers.
#[inline(always)]
fn power_of_2(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

#[inline(always)]
pub(super) fn ln_of(x: f32) -> f32 {
    let is_small = x < f32::MIN_POSITIVE;
    let scaled = if is_small { x * 8_388_608.0 } else { x };
    let shift = if is_small { -23.0 } else { 0.0 };
    // `m * 2^n` with `m` from the root of 1/2 to that of 2.
    let bits = scaled.to_bits();
    let above = bits.wrapping_sub(0x3f35_04f3);
    let n = ((above as i32) >> 23) as f32 + shift;
    let z = f32::from_bits(bits.wrapping_sub(above & 0xff80_0000)) - 1.0;
    let p = 7.037_683_6e-2f32;
    let p = p.mul_add(z, -0.115_146_1);
    let p = p.mul_add(z, 0.116_769_99);
    let p = p.mul_add(z, -0.124_201_41);
    let p = p.mul_add(z, 0.142_493_23);
    let p = p.mul_add(z, -0.166_680_57);
    let p = p.mul_add(z, 0.200_007_15);
    let p = p.mul_add(z, -0.249_999_94);
    let p = p.mul_add(z, 0.333_333_3);
    let square = z * z;
    let y = n.mul_add(LN_2_LOW, p * (z * square));
    let y = square.mul_add(-0.5, y);
    let y = n.mul_add(LN_2_HIGH, z + y);
    let y = if x == f32::INFINITY { x } else { y };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    // Not a comparison with 0, which NaN would fail.
    if x >= 0.0 { y } else { f32::NAN }
}

#[inline(always)]
fn ln_1p_of(x: f32) -> f32 {
    let sum = 1.0 + x;
    // What the sum lost, in proportion; at both ends of the range there is nothing to mend.
    let lost = (x - (sum - 1.0)) / sum;
    let lost = if sum == 0.0 || sum == f32::INFINITY {
        0.0
    } else {
        lost
    };
    ln_of(sum) + lost
}

#[inline(always)]
fn tanh_of(x: f32) -> f32 {
    let size = x.abs();
    let square = x * x;
    let p = -5.704_988_6e-3f32;
    let p = p.mul_add(square, 2.063_909e-2);
    let p = p.mul_add(square, -5.373_971_5e-2);
    let p = p.mul_add(square, 0.133_314_42);
    let p = p.mul_add(square, -0.333_332_8);
    let small = (p * square).mul_add(x, x);
    let large = 1.0 - 2.0 / (exp_of(2.0 * size) + 1.0);
    if size < 0.625 {
        small
    } else {
        large.copysign(x)
    }
}

#[inline(always)]
fn sigmoid_of(x: f32) -> f32 {
    // Of the side where nothing overflows.
    let e = exp_of(-x.abs());
    let top = if x < 0.0 { e } else { 1.0 };
    top / (1.0 + e)
}

/// `ln(1 + e^x)`
#[inline(always)]
fn softplus_of(x: f32) -> f32 {
    let above = if x > 0.0 { x } else { 0.0 };
    above + ln_1p_of(exp_of(-x.abs()))
}

/// `x` above 0, else `e^x - 1`.
#[inline(always)]
fn elu_of(x: f32) -> f32 {
    // `e^x - 1` itself has no digits left where `e^x` is about 1.
    let half = tanh_of(0.5 * x);
    let below = 2.0 * half / (1.0 - half);
    if x > 0.0 { x } else { below }
}

#[inline(always)]
fn elu_slope(x: f32) -> f32 {
    let below = exp_of(x);
    if x > 0.0 { 1.0 } else { below }
}

/// The share of a standard normal distribution below `x`; the error function is one polynomial on every machine, too.
#[inline(always)]
fn normal_share(x: f32) -> f32 {
    0.5 * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2))
}

#[inline(always)]
fn gelu_of(x: f32) -> f32 {
    x * normal_share(x)
}

#[inline(always)]
fn gelu_slope(x: f32) -> f32 {
    let density = exp_of(x * x * -0.5) * NORMAL_PEAK;
    x.mul_add(density, normal_share(x))
}

#[inline(always)]
fn relu_of(x: f32) -> f32 {
    if x <= 0.0 { 0.0 } else { x }
}

/// The binary cross-entropy of a probability with a value from 0 to 1.
#[inline(always)]
fn binary_cross_entropy_of(p: f32, value: f32) -> f32 {
    let p = p.clamp(LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY);
    -(ln_of(p) * value + ln_of(1.0 - p) * (1.0 - value))
}

#[inline(always)]
fn binary_cross_entropy_slope(p: f32, value: f32) -> f32 {
    let q = p.clamp(LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY);
    let slope = (1.0 - value) / (1.0 - q) - value / q;
    // What is held at a bound does not move.
    if q == p || p.is_nan() { slope } else { 0.0 }
}

/// A function of every value, in its place: `x[i] = of(x[i])`.
macro_rules! each_value {
    ($(#[$doc:meta] $name:ident: $of:expr;)+) => {
        $(on_every_set! {
            #[$doc]
            pub fn $name(x: &mut [f32]) {
                for x in x {
                    *x = $of(*x);
                }
            }
        })+
    };
}

each_value! {
    /// `e^x`
    exp: exp_of;
    /// The natural logarithm.
    ln: ln_of;
    /// `ln(1 + x)`
    ln_1p: ln_1p_of;
    /// The hyperbolic tangent.
    tanh: tanh_of;
    /// `1 / (1 + e^-x)`
    sigmoid: sigmoid_of;
    /// `ln(1 + e^x)`
    softplus: softplus_of;
    /// `x` above 0, else `e^x - 1`.
    elu: elu_of;
    /// `x` times the share of a standard normal distribution below it.
    gelu: gelu_of;
    /// The larger of `x` and 0.
    relu: relu_of;
}

/// A function of pairs, in the first one's place: `a[i] = of(a[i], b[i])`. What is `a gradient` is that of the input from the
/// output's, the other value being the function's input or its output, as named.
macro_rules! each_pair {
    ($(#[$doc:meta] $name:ident: $of:expr;)+) => {
        $(on_every_set! {
            #[$doc]
            pub fn $name(a: &mut [f32], b: &[f32]) {
                for (a, b) in a.iter_mut().zip(b) {
                    *a = $of(*a, *b);
                }
            }
        })+
    };
}

each_pair! {
    /// Of [`exp`], from gradients and values of the output.
    exp_gradient: |gradient: f32, y: f32| gradient * y;
    /// Of [`ln`], from gradients of the output and the input.
    ln_gradient: |gradient: f32, x: f32| gradient / x;
    /// Of [`ln_1p`], from gradients of the output and the input.
    ln_1p_gradient: |gradient: f32, x: f32| gradient / (1.0 + x);
    /// Of [`tanh`], from gradients and values of the output.
    tanh_gradient: |gradient: f32, y: f32| gradient * (-y).mul_add(y, 1.0);
    /// Of [`sigmoid`], from gradients and values of the output.
    sigmoid_gradient: |gradient: f32, y: f32| gradient * (y * (1.0 - y));
    /// Of [`softplus`], from gradients of the output and the input.
    softplus_gradient: |gradient: f32, x: f32| gradient * sigmoid_of(x);
    /// Of [`elu`], from gradients of the output and the input.
    elu_gradient: |gradient: f32, x: f32| gradient * elu_slope(x);
    /// Of [`gelu`], from gradients of the output and the input.
    gelu_gradient: |gradient: f32, x: f32| gradient * gelu_slope(x);
    /// Of [`relu`], from gradients of the output and the input.
    relu_gradient: |gradient: f32, x: f32| if x <= 0.0 { 0.0 } else { gradient };
    /// `a * b`
    multiply: |a: f32, b: f32| a * b;
    /// Of probabilities and values: the loss of each.
    binary_cross_entropy: binary_cross_entropy_of;
    /// Of probabilities and values: the gradient of the probability.
    binary_cross_entropy_gradient: binary_cross_entropy_slope;
}

/// Each row of `[rows, classes]` less its largest value and the logarithm of the sum of the exponentials.
pub fn log_softmax(simd: Simd, x: &[f32], classes: usize, to: &mut [f32]) {
    for (x, to) in x.chunks_exact(classes).zip(to.chunks_exact_mut(classes)) {
        log_softmax_row(simd, x, to);
    }
}

on_every_set! {
    fn log_softmax_row(x: &[f32], to: &mut [f32]) {
        // NaN is larger than all.
        let larger = |a: f32, b: f32| if a > b || a.is_nan() { a } else { b };
        let largest = x.iter().copied().fold(f32::NEG_INFINITY, larger);
        for (to, x) in to.iter_mut().zip(x) {
            *to = exp_of(x - largest);
        }
        let rest = largest + ln_of(sum_of(to));
        for (to, x) in to.iter_mut().zip(x) {
            *to = x - rest;
        }
    }
}

/// The gradient of [`log_softmax`]'s inputs, from its outputs and their gradients.
pub fn log_softmax_gradient(
    simd: Simd,
    y: &[f32],
    grad_output: &[f32],
    classes: usize,
    to: &mut [f32],
) {
    let rows = y
        .chunks_exact(classes)
        .zip(grad_output.chunks_exact(classes));
    for ((y, grad_output), to) in rows.zip(to.chunks_exact_mut(classes)) {
        log_softmax_row_gradient(simd, y, grad_output, to);
    }
}

on_every_set! {
    fn log_softmax_row_gradient(y: &[f32], grad_output: &[f32], to: &mut [f32]) {
        let sum = sum_of(grad_output);
        for ((to, y), gradient) in to.iter_mut().zip(y).zip(grad_output) {
            *to = (-sum).mul_add(exp_of(*y), *gradient);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::by_every_set;
    use super::*;

    /// Both signs of every exponent, some values each, and what is special.
    fn arguments() -> Vec<f32> {
        let patterns =
            (0..=0xffff_u32).map(|high| f32::from_bits((high << 16) | ((high * 40_503) & 0xffff)));
        let special = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
            f32::MIN_POSITIVE,
            1e-45,
            -1e-45,
            f32::MAX,
            f32::MIN,
            88.72,
            88.73,
            -87.4,
            -103.9,
            -104.1,
        ];
        let near = (-4000..4000).map(|step| step as f32 * 0.0037);
        patterns.chain(special).chain(near).collect()
    }

    /// Units in the last place between a value and the true one.
    fn off(received: f32, exact: f64) -> f64 {
        let nearest = exact as f32;
        if received == nearest {
            return 0.0;
        }
        let size = nearest.abs().clamp(f32::MIN_POSITIVE, f32::MAX / 2.0);
        let unit = f64::from(f32::from_bits(size.to_bits() + 1)) - f64::from(size);
        (f64::from(received) - exact).abs() / unit
    }

    type Function = fn(Simd, &mut [f32]);
    type Exact<'a> = &'a dyn Fn(f64) -> f64;

    #[test]
    fn they_are_exact_within_units_in_the_last_place_and_the_same_for_every_set() {
        let softplus_exact = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
        let elu_exact = |x: f64| if x > 0.0 { x } else { x.exp_m1() };
        let functions: [(&str, Function, Exact); 8] = [
            ("elu", elu, &elu_exact),
            ("exp", exp, &f64::exp),
            ("ln", ln, &f64::ln),
            ("ln_1p", ln_1p, &f64::ln_1p),
            ("tanh", tanh, &f64::tanh),
            ("sigmoid", sigmoid, &|x| 1.0 / (1.0 + (-x).exp())),
            ("softplus", softplus, &softplus_exact),
            ("relu", relu, &|x| {
                if x > 0.0 { x } else { 0.0 * x.abs().min(1.0) }
            }),
        ];
        let x = arguments();
        for (name, function, exact) in functions {
            let y = by_every_set(name, |simd| {
                let mut y = x.clone();
                function(simd, &mut y);
                y
            });
            for (x, y) in x.iter().zip(y) {
                let exact = if x.is_nan() {
                    f64::NAN
                } else {
                    exact(f64::from(*x))
                };
                assert_eq!(y.is_nan(), exact.is_nan(), "{name}({x}) is {y}");
                let most = if name == "elu" { 5.5 } else { 2.5 };
                assert!(
                    y.is_nan() || off(y, exact) < most,
                    "{name}({x}) is {y}, not {exact}"
                );
            }
        }
    }

    #[test]
    fn gradients_are_the_same_for_every_set() {
        type Pair = fn(Simd, &mut [f32], &[f32]);
        let pairs: [(&str, Pair); 11] = [
            ("exp", exp_gradient),
            ("ln", ln_gradient),
            ("ln_1p", ln_1p_gradient),
            ("tanh", tanh_gradient),
            ("sigmoid", sigmoid_gradient),
            ("softplus", softplus_gradient),
            ("elu", elu_gradient),
            ("gelu", gelu_gradient),
            ("relu", relu_gradient),
            ("binary cross-entropy", binary_cross_entropy),
            ("its slope", binary_cross_entropy_gradient),
        ];
        let a = arguments();
        let b: Vec<f32> = a.iter().rev().copied().collect();
        for (name, pair) in pairs {
            by_every_set(name, |simd| {
                let mut y = a.clone();
                pair(simd, &mut y, &b);
                y
            });
        }
    }

    #[test]
    fn a_softmax_of_anything() {
        let x = [
            [1.0, 2.0, 3.0],
            [1000.0, 0.0, -1000.0],
            [f32::NEG_INFINITY, 0.0, 0.0],
            [f32::NAN, 0.0, 0.0],
        ];
        let x = x.as_flattened();
        let y = by_every_set("log_softmax", |simd| {
            let mut y = vec![0.0; x.len()];
            log_softmax(simd, x, 3, &mut y);
            y
        });
        let near = |a: f32, b: f32| (a - b).abs() < 1e-6 || a == b;
        let expected = [-2.407_606, -1.407_606, -0.407_606, 0.0, -1000.0, -2000.0];
        assert!(y.iter().zip(expected).all(|(a, b)| near(*a, b)), "{y:?}");
        assert!(near(y[6], f32::NEG_INFINITY) && near(y[7], -std::f32::consts::LN_2));
        assert!(y[9..].iter().all(|y| y.is_nan()));
    }
}
