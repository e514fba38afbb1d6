//! The logarithm.
//!
//! x = 2ᵏ (1 + f) with 1 + f within [√½, √2), so that ln x = k ln 2 + ln(1 + f).

use super::Math;
use crate::machine::Isa;

/// Returns k ln 2 + ln(1 + f), adding the small parts first.
#[inline(always)]
fn compose<T: Math, I: Isa>(k: T, f: T) -> T {
    let [high, low] = T::K.ln_2;
    k.fma::<I>(high, f + k.fma::<I>(low, T::ln_tail::<I>(f)))
}

/// Returns y, or the special result where x has no finite logarithm: -∞ for 0, ∞ for ∞, else NaN.
#[inline(always)]
fn or_special<T: Math>(x: T, y: T) -> T {
    let edge = if x == T::K.zero { -T::K.infinity } else { T::K.nan };
    let y = if x > T::K.zero { y } else { edge };
    if x == T::K.infinity { x } else { y }
}

#[inline(always)]
pub fn ln<T: Math, I: Isa>(x: T) -> T {
    let (scale, shift) = x.normaliser();
    let s = (x * scale).split();
    or_special(x, compose::<T, I>(s.exponent - shift, s.mantissa - T::K.one))
}

#[inline(always)]
pub fn ln_1p<T: Math, I: Isa>(x: T) -> T {
    let u = T::K.one + x;
    // The rounding error of the sum. It is added at the scale of the mantissa.
    let lost = if x > T::K.one { T::K.one - (u - x) } else { x - (u - T::K.one) };
    let s = u.split();
    let lost = if u < T::K.large { lost * s.unscale } else { T::K.zero };
    let y = or_special(u, compose::<T, I>(s.exponent, (s.mantissa - T::K.one) + lost));
    if x.magnitude() < T::K.tiny { x } else { y }
}
