//! What the algorithms need to know about a floating-point type.

use super::Math;
use crate::machine::Isa;
use crate::number::Numeric;
use std::ops::Neg;

/// The numbers that depend on the type. Angles, halves and the like are written out because a
/// conversion would not be a constant.
#[derive(Debug)]
pub struct Constants<T: 'static> {
    pub zero: T,
    pub half: T,
    pub one: T,
    pub two: T,
    pub infinity: T,
    pub neg_infinity: T,
    pub nan: T,
    /// 1.5 · 2^(digits - 1). Adding it rounds to an integer and leaves that in the low bits, which
    /// is how a number becomes an integer without a conversion that AVX2 lacks for `f64`.
    pub magic: T,
    pub log2_e: T,
    /// ln 2 in two pieces; the high one times any exponent is exact.
    pub ln_2: [T; 2],
    /// From here to there eˣ is not yet surely zero or infinite.
    pub exp_range: [T; 2],
    /// From here to there eˣ - 1 is not yet surely -1 or infinite.
    pub exp_m1_range: [T; 2],
    /// (tanh(x)/x - 1) / x² as a polynomial in x², for x up to 0.36.
    pub tanh: &'static [T],
    /// 0.36
    pub tanh_small: T,
    /// From here on tanh is 1.
    pub tanh_one: T,
    /// (eʳ - 1 - r) / r² on |r| ≤ ln(2) / 2.
    pub exp: &'static [T],
    /// Below this, f(x) = x for every odd f with f'(0) = 1, and for eˣ - 1 and ln(1 + x).
    pub tiny: T,
    /// √2 - 1
    pub sqrt_2_less_1: T,
    /// 2³⁰, where 1 + x ≈ x for `f32`; for `f64` 2⁶⁰.
    pub large: T,
}

/// A mantissa within [√½, √2), its exponent, and 2 to the minus exponent (for moderate ones).
pub struct Split<T> {
    pub mantissa: T,
    pub exponent: T,
    pub unscale: T,
}

/// The bits and constants of a floating-point type.
pub trait Real: Numeric + Neg<Output = Self> {
    /// Its constants.
    const K: Constants<Self>;
    /// Up to this magnitude `sin_near` and `cos_near` hold.
    const NEAR: Self;

    // The arithmetic of loops that are compiled for several instruction sets: without optimisation, too,
    // these are no calls, as `+` is in generic code.

    /// |x|
    #[doc(hidden)]
    fn abs_(self) -> Self;
    #[doc(hidden)]
    fn add_(self, other: Self) -> Self;
    #[doc(hidden)]
    fn sub_(self, other: Self) -> Self;
    #[doc(hidden)]
    fn mul_(self, other: Self) -> Self;

    /// self · b + c rounded once: a library call unless the instruction set has it.
    fn fused(self, b: Self, c: Self) -> Self;
    /// |x|
    fn magnitude(self) -> Self;
    /// |x| with the sign of the other.
    fn signed_as(self, sign: Self) -> Self;
    /// √x
    fn root(self) -> Self;

    /// From k + `magic`: two powers of two, each normal, whose product is 2ᵏ.
    fn exp2_halves(k: Self) -> [Self; 2];
    /// From k + `magic`: 2^(k - less), where that is normal.
    fn exp2(k: Self, less: u8) -> Self;
    /// Takes a positive, normal, finite number apart.
    fn split(self) -> Split<Self>;
    /// A power of two and its logarithm, to make a subnormal number normal; 1 and 0 for others.
    fn normaliser(self) -> (Self, Self);
    /// ln(1 + f) - f for 1 + f within [√½, √2).
    fn ln_tail<I: Isa>(f: Self) -> Self;

    /// x = k · π/2 + r: gives k + `magic`, sin r and cos r.
    fn circle<I: Isa>(self) -> (Self, Self, Self);
    /// From k + `magic`, sin r and cos r: sin(r + (k + quarters) · π/2).
    fn rotate(k: Self, quarters: u8, sin: Self, cos: Self) -> Self;
    // These three are never inlined: a loop around a plain call stays a plain loop, while one around
    // the C library's sine, which the compiler knows, became half vectors, at up to twice the time.

    /// The standard library's sine.
    fn sin_far(self) -> Self;
    /// The standard library's cosine.
    fn cos_far(self) -> Self;

    /// The standard library's xᵖ.
    fn power(self, p: Self) -> Self;
    /// As `f64`.
    fn widen(self) -> f64;
    /// From `f64`, rounded.
    fn narrow(x: f64) -> Self;
}

/// c₀ + c₁ x + c₂ x² + … Even and odd powers of a long one go apart: two short chains of dependent
/// operations instead of one long (Estrin, "Organization of computer systems", 1960).
#[inline(always)]
pub(super) fn polynomial<T: Math, I: Isa>(x: T, c: &[T]) -> T {
    if c.len() < 6 {
        return every::<T, I>(x, c, 1);
    }
    let s = x * x;
    every::<T, I>(s, &c[1..], 2).fma::<I>(x, every::<T, I>(s, c, 2))
}

/// The polynomial with every `step`th of the coefficients.
#[inline(always)]
fn every<T: Math, I: Isa>(x: T, c: &[T], step: usize) -> T {
    let mut i = (c.len() - 1) / step * step;
    let mut y = c[i];
    while i > 0 {
        i -= step;
        y = y.fma::<I>(x, c[i]);
    }
    y
}

/// Between the limits; NaN stays NaN.
#[inline(always)]
pub(super) fn clamp<T: Real>(x: T, [low, high]: [T; 2]) -> T {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}
