//! What the algorithms of this module need to know about a floating-point type.

use super::Math;
use crate::machine::Isa;
use crate::number::Numeric;
use std::ops::Neg;

/// Constants that depend on the type. All of them are written out, because a conversion would not
/// be a constant.
#[derive(Debug)]
pub struct Constants<T: 'static> {
    pub zero: T,
    pub half: T,
    pub one: T,
    pub two: T,
    pub infinity: T,
    pub neg_infinity: T,
    pub nan: T,
    /// 1.5 · 2^(digits - 1). Adding it rounds a number to an integer and leaves the integer in the
    /// low bits. This replaces the conversion to an integer, which AVX2 lacks for `f64`.
    pub magic: T,
    pub log2_e: T,
    /// ln 2 in two parts. The product of the first part and any exponent is exact.
    pub ln_2: [T; 2],
    /// The range of x in which eˣ may be neither zero nor infinite. Arguments are clamped to it.
    pub exp_range: [T; 2],
    /// The range of x in which eˣ - 1 may be neither -1 nor infinite. Arguments are clamped to it.
    pub exp_m1_range: [T; 2],
    /// (tanh(x)/x - 1) / x² as a polynomial in x², for x up to `tanh_small`.
    pub tanh: &'static [T],
    /// The polynomial of tanh is used below this magnitude.
    pub tanh_small: T,
    /// (eʳ - 1 - r) / r² as a polynomial, for tanh.
    pub tanh_exp: &'static [T],
    /// ln 2 in as many parts as tanh needs.
    pub tanh_ln_2: &'static [T],
    /// From this number on tanh rounds to 1.
    pub tanh_one: T,
    /// erf(x)/x - 1 as a polynomial in x², for x up to 1.
    pub erf: &'static [T],
    /// ln erfc(x) as a polynomial in x - 1, for x from 1 to `erf_one`. Its error counts as an error of
    /// erf, so that it may grow as erfc falls.
    pub ln_erfc: &'static [T],
    /// From this number on erf rounds to 1.
    pub erf_one: T,
    /// (eʳ - 1 - r) / r² as a polynomial in r, for |r| ≤ ln(2) / 2.
    pub exp: &'static [T],
    /// Below this magnitude f(x) rounds to x for every odd f with f'(0) = 1, and for eˣ - 1 and
    /// ln(1 + x).
    pub tiny: T,
    /// √2 - 1
    pub sqrt_2_less_1: T,
    /// 2³⁰ for `f32`, 2⁶⁰ for `f64`: where 1 + x ≈ x.
    pub large: T,
    /// 2⁶⁴
    pub two_64: T,
    /// 2²³ for `f32`, 2⁵² for `f64`: from here on every number is an integer.
    pub whole: T,
}

/// A number split into a mantissa within [√½, √2), its exponent, and 2 to the minus exponent (valid
/// for moderate exponents).
pub struct Frexp<T> {
    pub mantissa: T,
    pub exponent: T,
    pub unscale: T,
}

/// The bits and constants of a floating-point type.
pub trait Real: Numeric + Neg<Output = Self> {
    /// The constants of this type.
    const K: Constants<Self>;
    /// The largest magnitude for which `sin_near` and `cos_near` are valid.
    const NEAR: Self;

    // Arithmetic for loops that are compiled for several instruction sets. Without optimisation,
    // `+` in generic code is a call; these methods are not.

    /// Returns |x|.
    #[doc(hidden)]
    fn abs_(self) -> Self;
    #[doc(hidden)]
    fn add_(self, other: Self) -> Self;
    #[doc(hidden)]
    fn sub_(self, other: Self) -> Self;
    #[doc(hidden)]
    fn mul_(self, other: Self) -> Self;

    /// Returns self · b + c, rounded once. It is a library call unless the instruction set has the
    /// instruction.
    fn fused(self, b: Self, c: Self) -> Self;
    /// Returns |x|.
    fn magnitude(self) -> Self;
    /// Returns |x| with the sign of `sign`.
    fn signed_as(self, sign: Self) -> Self;
    /// Returns √x.
    fn root(self) -> Self;
    /// Returns the remainder of self / b with the sign of self, exactly. A library call.
    #[doc(hidden)]
    fn rem_(self, b: Self) -> Self;

    /// Returns two powers of two, each normal, whose product is 2ᵏ. The argument is k + `magic`.
    fn exp2_halves(k: Self) -> [Self; 2];
    /// Returns 2^(k - less), where it is normal. The argument is k + `magic`.
    fn exp2(k: Self, less: u8) -> Self;
    /// Returns x · 2ᵏ for a normal x, where the product is normal. The second argument is k + `magic`.
    fn times_exp2(self, k: Self) -> Self;
    /// Splits a positive, normal, finite number into mantissa and exponent.
    fn split(self) -> Frexp<Self>;
    /// Returns a power of two that makes a subnormal number normal, and its binary logarithm; 1 and
    /// 0 for other numbers.
    fn normaliser(self) -> (Self, Self);
    /// Returns ln(1 + f) - f for 1 + f within [√½, √2).
    fn ln_tail<I: Isa>(f: Self) -> Self;

    /// Returns k + `magic`, sin r and cos r, where x = k · π/2 + r.
    fn circle<I: Isa>(self) -> (Self, Self, Self);
    /// Returns sin(r + (k + quarters) · π/2), given k + `magic`, sin r and cos r.
    fn rotate(k: Self, quarters: u8, sin: Self, cos: Self) -> Self;
    // The next three methods are never inlined. A loop around an ordinary call stays scalar. The compiler
    // knows the C library's sine, and it vectorised a loop around it in part, which took up to
    // twice the time.

    /// Returns the standard library's sine.
    fn sin_far(self) -> Self;
    /// Returns the standard library's cosine.
    fn cos_far(self) -> Self;

    /// Returns the standard library's xᵖ.
    fn power(self, p: Self) -> Self;
    /// Converts to `f64`.
    fn widen(self) -> f64;
    /// Converts from `f64`, with rounding.
    fn narrow(x: f64) -> Self;
}

/// Evaluates c₀ + c₁ x + c₂ x² + … The even and the odd powers of a long polynomial are summed
/// separately: two short chains of dependent operations instead of a long one (Estrin,
/// "Organization of computer systems", 1960).
#[inline(always)]
pub(super) fn polynomial<T: Math, I: Isa>(x: T, c: &[T]) -> T {
    if c.len() < 6 {
        return every::<T, I>(x, c, 1);
    }
    let s = x * x;
    every::<T, I>(s, &c[1..], 2).fma::<I>(x, every::<T, I>(s, c, 2))
}

/// Evaluates the polynomial whose coefficients are every `step`th element of `c`.
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

/// Clamps x to the limits. NaN stays NaN.
#[inline(always)]
pub(super) fn clamp<T: Real>(x: T, [low, high]: [T; 2]) -> T {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// Evaluates c₀ + c₁ x + c₂ x² + … from the highest power on. Where the sums of the even and of the odd
/// powers cancel, this has smaller rounding errors than [`polynomial`].
#[inline(always)]
pub(super) fn horner<T: Math, I: Isa>(x: T, c: &[T]) -> T {
    every::<T, I>(x, c, 1)
}
