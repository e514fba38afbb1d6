//! Functions that are computed from the exponential.

#![allow(clippy::excessive_precision)] // the digits of the fitted coefficients, as computed

use super::pair::{Twofold, fma, quick_sum};
use crate::machine::Isa;
use crate::number::math::{Real, real::polynomial};

/// (sinh(x)/x - 1) / x² as a polynomial in x², for x up to 1.
const SINH: [f64; 7] = [
    0.16666666666666666,
    0.008333333333333299,
    0.00019841269841324198,
    2.75573191913818156e-6,
    2.50521176959078228e-8,
    1.6057679623801635e-10,
    7.74617859301892725e-13,
];
/// Returns e to the power of a pair as a pair and k + `magic`: the pair is to be multiplied by 2ᵏ.
#[inline(always)]
pub(super) fn exp<I: Isa>((x, x_low): Twofold) -> (Twofold, f64) {
    let k = fma::<I>(x, f64::K.log2_e, f64::K.magic);
    let n = k - f64::K.magic;
    let [ln_2, ln_2_low] = f64::K.ln_2;
    let first = fma::<I>(n, -ln_2, x);
    let r = fma::<I>(n, -ln_2_low, first);
    let (r, r_low) = quick_sum(r, fma::<I>(n, -ln_2_low, first - r) + x_low);
    let tail = fma::<I>(r * r, polynomial::<f64, I>(r, f64::K.exp), fma::<I>(r, r_low, r_low));
    let (high, low) = quick_sum(1.0, r);
    (quick_sum(high, low + tail), k)
}

/// Returns half of e to the power of |x| as a pair. Where it is infinite, the pair is (∞, 0).
#[inline(always)]
fn half_exp<I: Isa>(x: f64) -> Twofold {
    let a = x.abs();
    let ((high, low), k) = exp::<I>((if a > 711.0 { 711.0 } else { a }, 0.0));
    let [first, second] = f64::exp2_halves(k - 1.0);
    (high * first * second, low * first * second)
}

/// Returns the hyperbolic sine. The error is at most 1 ulp.
#[inline(always)]
pub fn sinh<I: Isa>(x: f64) -> f64 {
    let a = x.abs();
    let z = a * a;
    let near = fma::<I>(a * z, polynomial::<f64, I>(z, &SINH), a);
    let (high, low) = half_exp::<I>(x);
    let (s, lost) = quick_sum(high, -0.25 / high);
    let far = if s == f64::INFINITY { s } else { s + (lost + low) };
    (if a < 1.0 { near } else { far }).copysign(x)
}

/// Returns the hyperbolic cosine. The error is at most 1 ulp.
#[inline(always)]
pub fn cosh<I: Isa>(x: f64) -> f64 {
    let (high, low) = half_exp::<I>(x);
    let q = 0.25 / high;
    let (s, lost) = quick_sum(high, q);
    if s == f64::INFINITY { s } else { s + (lost + low * (1.0 - 4.0 * q * q)) }
}
