//! Functions that are computed from the logarithm.

#![allow(clippy::excessive_precision)] // the digits of the fitted coefficients, as computed

use super::exp::exp;
use super::pair::{Twofold, fma, power_of_2, product, quick_sum, quotient, root, sum};
use crate::machine::Isa;
use crate::number::math::{Real, f64::ATANH, real::polynomial};
use std::f64::consts::{LOG2_E, LOG10_E};

/// log₁₀ 2 in two parts. The product of the first part and any exponent is exact.
const LOG10_2: [f64; 2] = [0.301029995663157, 8.241712586023572e-13];
const LOG10_E_LOW: f64 = 1.098319650216765e-17;
const LOG2_E_LOW: f64 = 2.0355273740931033e-17;

/// Splits x · 2⁻ᵏ = 1 + f + c with 1 + f within [√½, √2). Returns k, f and c.
#[inline(always)]
fn split((x, x_low): Twofold) -> (f64, f64, f64) {
    let (scale, shift) = x.normaliser();
    let s = (x * scale).split();
    // The factor is meaningless for the largest numbers.
    let low = if x_low == 0.0 { 0.0 } else { x_low * s.unscale };
    (s.exponent - shift, s.mantissa - 1.0, low)
}

/// Returns the logarithm of a pair, times 2 to the power of `more`, as a pair. The number is positive and
/// finite, and below 2¹⁰²⁰ if its second part is not 0.
#[inline(always)]
pub(super) fn ln<I: Isa>(x: Twofold, more: f64) -> Twofold {
    let (k, f, c) = split(x);
    let k = k + more;
    let (f, c) = quick_sum(f, c);
    let [high, low] = f64::K.ln_2;
    let (s, lost) = quick_sum(k * high, f);
    // c / (1 + f), for |c| of an ulp of f at most.
    let c = c * fma::<I>(f, f - 1.0, 1.0);
    quick_sum(s, lost + (f64::ln_tail::<I>(f) + fma::<I>(k, low, c)))
}

/// Returns the logarithm of a positive number as a pair. The special results are those of `Math::ln`.
#[inline(always)]
pub(super) fn ln_of<I: Isa>(x: f64) -> Twofold {
    let (high, low) = ln::<I>((x, 0.0), 0.0);
    let edge = if x == 0.0 { f64::NEG_INFINITY } else { f64::NAN };
    let edge = if x == f64::INFINITY { x } else { edge };
    if x > 0.0 && x < f64::INFINITY { (high, low) } else { (edge, 0.0) }
}

/// Returns ln(x) / ln(base), given log(2) in two parts and log(e) in two parts, in this base.
#[inline(always)]
fn log<I: Isa>(x: f64, of_2: [f64; 2], of_e: Twofold) -> f64 {
    let (k, f, _) = split((x, 0.0));
    let (p, lost) = product::<I>(f, of_e.0);
    let low = fma::<I>(f64::ln_tail::<I>(f), of_e.0, fma::<I>(f, of_e.1, lost));
    let (s, lost) = quick_sum(k * of_2[0], p);
    let y = s + (lost + fma::<I>(k, of_2[1], low));
    let edge = if x == 0.0 { f64::NEG_INFINITY } else { f64::NAN };
    let edge = if x == f64::INFINITY { x } else { edge };
    if x > 0.0 && x < f64::INFINITY { y } else { edge }
}

/// Returns the logarithm to base 2, exactly for powers of 2. The error is at most 1.5 ulp.
#[inline(always)]
pub fn log2<I: Isa>(x: f64) -> f64 {
    log::<I>(x, [1.0, 0.0], (LOG2_E, LOG2_E_LOW))
}

/// Returns the logarithm to base 10. The error is at most 1.5 ulp.
#[inline(always)]
pub fn log10<I: Isa>(x: f64) -> f64 {
    log::<I>(x, LOG10_2, (LOG10_E, LOG10_E_LOW))
}

/// Returns the inverse hyperbolic sine, ln(x + √(x² + 1)). The error is at most 1 ulp.
#[inline(always)]
pub fn asinh<I: Isa>(x: f64) -> f64 {
    let a = x.abs();
    let far = a > 1e9;
    let b = if far { 1.0 } else { a };
    // 1 + a + a² / (1 + √(a² + 1)), where a is not so large that it is 2a.
    let (square, square_low) = product::<I>(b, b);
    let (whole, lost) = sum(1.0, square);
    let (r, r_low) = root::<I>((whole, lost + square_low));
    let (d, d_low) = quick_sum(r, 1.0);
    let q = quotient::<I>((square, square_low), (d, d_low + r_low));
    let (s, lost) = quick_sum(b, q.0);
    let (one, one_low) = sum(1.0, s);
    let near = (one, one_low + (lost + q.1));
    let limit = if a < f64::MAX { a } else { f64::MAX };
    let (high, low) = if far { ln::<I>((limit, 0.0), 1.0) } else { ln::<I>(near, 0.0) };
    let y = if a < 1e-8 { a } else { high + low };
    let y = if a <= f64::MAX { y } else { a };
    y.copysign(x)
}

/// Returns the inverse hyperbolic cosine, ln(x + √(x² - 1)); NaN for x < 1. The error is at most 1 ulp.
#[inline(always)]
pub fn acosh<I: Isa>(x: f64) -> f64 {
    let far = x > 1e9;
    // With t = x - 1: 1 + t + √(2t + t²).
    let (t, t_low) = sum(if far { 2.0 } else { x }, -1.0);
    let (square, square_low) = product::<I>(t, t);
    let (whole, lost) = sum(2.0 * t, square);
    let (r, r_low) = root::<I>((whole, lost + (square_low + 2.0 * t_low)));
    let (s, lost) = sum(t, r);
    let (one, one_low) = sum(1.0, s);
    let near = (one, one_low + (lost + (r_low + t_low)));
    let limit = if x < f64::MAX { x } else { f64::MAX };
    let (high, low) = if far { ln::<I>((limit, 0.0), 1.0) } else { ln::<I>(near, 0.0) };
    let y = if x <= f64::MAX { high + low } else { x };
    if x < 1.0 { f64::NAN } else { y }
}

/// Returns the inverse hyperbolic tangent, ½ ln((1 + x) / (1 - x)); ±∞ at ±1, NaN beyond. The error is at
/// most 1 ulp.
#[inline(always)]
pub fn atanh<I: Isa>(x: f64) -> f64 {
    let a = x.abs();
    let z = a * a;
    let near = fma::<I>(a * z, 0.5 * polynomial::<f64, I>(z, &ATANH), a);
    let b = if a < 1.0 { a } else { 0.5 };
    let (high, low) = ln::<I>(quotient::<I>(sum(1.0, b), sum(1.0, -b)), 0.0);
    let far = 0.5 * (high + low);
    let edge = if a == 1.0 { f64::INFINITY } else { f64::NAN };
    let y = if a < 0.17 { near } else { far };
    (if a < 1.0 { y } else { edge }).copysign(x)
}

/// Returns √(a² + b²) without overflow of the squares; ∞ if either is infinite. The error is at most
/// 1.5 ulp.
#[inline(always)]
pub fn hypot<I: Isa>(a: f64, b: f64) -> f64 {
    let (a, b) = (a.abs(), b.abs());
    let most = if a > b { a } else { b };
    let up = if most < power_of_2(-450) { power_of_2(600) } else { 1.0 };
    let scale = if most > power_of_2(500) { power_of_2(-600) } else { up };
    let (c, d) = (a * scale, b * scale);
    let y = fma::<I>(c, c, d * d).sqrt() * (1.0 / scale);
    if a == f64::INFINITY || b == f64::INFINITY { f64::INFINITY } else { y }
}

/// Returns a ln b, and 0 for a = 0 unless b is NaN. The error is at most 1.5 ulp.
#[inline(always)]
pub fn xlogy<I: Isa>(a: f64, b: f64) -> f64 {
    let (high, low) = ln_of::<I>(b);
    let y = fma::<I>(a, high, a * low);
    let y = if high.is_finite() && a.is_finite() { y } else { a * high };
    if a == 0.0 && !b.is_nan() { 0.0 } else { y }
}

/// Returns ln(eᵃ + eᵇ) without overflow. The error is at most 2 ulp of the greater of |max(a, b)| and the
/// result.
#[inline(always)]
pub fn logaddexp<I: Isa>(a: f64, b: f64) -> f64 {
    let most = if a > b { a } else { b };
    let (d, d_low) = sum(a, -b);
    let (d, d_low) = if d > 0.0 { (d, d_low) } else { (-d, -d_low) };
    let (d, d_low) = if d < 745.0 { (d, d_low) } else { (745.0, 0.0) };
    let ((z, z_low), k) = exp::<I>((-d, -d_low));
    let [first, second] = f64::exp2_halves(k);
    let (one, lost) = quick_sum(1.0, z * first * second);
    let (high, low) = ln::<I>((one, lost + z_low * first * second), 0.0);
    let (s, lost) = sum(most, high);
    // Infinities of one sign, and the largest finite numbers, are not to give NaN.
    let y = if most.is_finite() { s + (lost + low) } else { most };
    let y = if y.is_finite() { y } else { most };
    if a.is_nan() || b.is_nan() { f64::NAN } else { y }
}
