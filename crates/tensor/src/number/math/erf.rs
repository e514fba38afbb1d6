//! The error function, and the distribution function of the normal distribution in `f32`.

use super::Math;
use super::exp::{exp, remainder, small_exp_m1};
use super::real::{Real, polynomial};
use crate::machine::Isa;

/// Computes erf |x| and applies the sign of x. Below 1: x + x p(x²) with a polynomial p. From 1 on:
/// 1 - exp(q(x - 1)), where the polynomial q is ln erfc. There erfc x is less than 0.16, so that its
/// rounding errors are a small part of the unit in the last place of the result.
#[inline(always)]
pub fn erf<T: Math, I: Isa>(x: T) -> T {
    let a = x.magnitude();
    let a = if a > T::K.erf_one { T::K.erf_one } else { a };
    let near = a.fma::<I>(polynomial::<T, I>(a * a, T::K.erf), a);
    let far = T::K.one - exp::<T, I>(polynomial::<T, I>(a - T::K.one, T::K.ln_erfc));
    (if a < T::K.one { near } else { far }).signed_as(x)
}

/// (1 + a) exp(a²/2) Φ(-a) as a polynomial in (a - 3) / (a + 3), for a from 0 to 14.5. Relative error 2⁻²⁷.
const NDTR: [f32; 11] = [
    0.4860558,
    -0.09652677,
    -0.016432242,
    0.04516447,
    -0.022727553,
    0.0011556727,
    0.0029938242,
    -0.00034051892,
    -0.00047271527,
    1.1254032e-5,
    4.7004134e-5,
];

/// Computes Φ(-|x|) as exp(-x²/2) times a quotient that falls slowly. The square is a sum of two
/// numbers, because an error of the exponent is an error of the result relative to it.
#[inline(always)]
pub fn ndtr<I: Isa>(x: f32) -> f32 {
    let a = x.abs();
    let a = if a > 14.5 { 14.5 } else { a };
    // Half of the digits, so that their square is exact.
    let high = f32::from_bits(a.to_bits() & !0xfff);
    let (r, k) = remainder::<f32, I>(-0.5 * high * high);
    let p = small_exp_m1::<f32, I>(r - 0.5 * (a - high) * (a + high));
    let slow = polynomial::<f32, I>((a - 3.0) / (a + 3.0), &NDTR) / (1.0 + a);
    let [first, second] = f32::exp2_halves(k);
    let y = p.fma::<I>(slow, slow) * first * second;
    if x < 0.0 { y } else { 1.0 - y }
}
