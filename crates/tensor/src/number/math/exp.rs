//! The exponential and the functions that are computed from it.
//!
//! x = k ln 2 + r with |r| ≤ ln(2)/2 and an integer k, so that eˣ = 2ᵏ eʳ; eʳ - 1 is a polynomial.

use super::Math;
use super::real::{clamp, polynomial};
use crate::machine::Isa;

/// Returns r and k + `magic`.
#[inline(always)]
pub(super) fn remainder<T: Math, I: Isa>(x: T) -> (T, T) {
    let k = x.fma::<I>(T::K.log2_e, T::K.magic);
    let n = k - T::K.magic;
    let [high, low] = T::K.ln_2;
    (n.fma::<I>(-low, n.fma::<I>(-high, x)), k)
}

/// Returns eʳ - 1.
#[inline(always)]
pub(super) fn small_exp_m1<T: Math, I: Isa>(r: T) -> T {
    (r * r).fma::<I>(polynomial::<T, I>(r, T::K.exp), r)
}

/// Returns eʳ - 1 and k + `magic`.
#[inline(always)]
fn reduce<T: Math, I: Isa>(x: T) -> (T, T) {
    let (r, k) = remainder::<T, I>(x);
    (small_exp_m1::<T, I>(r), k)
}

#[inline(always)]
pub fn exp<T: Math, I: Isa>(x: T) -> T {
    let (p, k) = reduce::<T, I>(clamp(x, T::K.exp_range));
    // 2ᵏ may be outside the range of the type although the result is not, and it may be subnormal.
    // Therefore the result is multiplied by two powers of two. The first product is exact, so a
    // subnormal result is rounded once.
    let [a, b] = T::exp2_halves(k);
    (T::K.one + p) * a * b
}

/// Returns 2⁶⁴ eˣ for x ≤ 0, with eˣ = 0 below the range of the type. The result is never subnormal, so that one sum
/// of integers multiplies by 2ᵏ. NaN is not kept.
#[inline(always)]
pub fn exp_times_2_64<T: Math, I: Isa>(x: T) -> T {
    let [lowest, _] = T::K.exp_range;
    let (p, k) = reduce::<T, I>(if x < lowest { lowest } else { x });
    T::times_exp2(p.fma::<I>(T::K.two_64, T::K.two_64), k)
}

/// Keeps the rounding errors of r and of the sum 2ᵏ eʳ - 1, which would be as large as that of the result
/// where x is about ±½.
#[inline(always)]
pub fn exp_m1<T: Math, I: Isa>(x: T) -> T {
    let a = clamp(x, T::K.exp_m1_range);
    let k = a.fma::<I>(T::K.log2_e, T::K.magic);
    let n = k - T::K.magic;
    let [high, low] = T::K.ln_2;
    let first = n.fma::<I>(-high, a);
    let r = n.fma::<I>(-low, first);
    let lost = n.fma::<I>(-low, first - r);
    let p = (r * r).fma::<I>(polynomial::<T, I>(r, T::K.exp), lost);
    // Scale by 2ᵏ⁻¹, because 2ᵏ may be infinite where the result is finite.
    let s = T::exp2(k, 1);
    let (b, c) = (r * s, s - T::K.half);
    let sum = b + c;
    let t = sum - b;
    let error = (b - (sum - t)) + (c - t);
    let y = (sum + p.fma::<I>(s, error)) * T::K.two;
    if x.magnitude() < T::K.tiny { x } else { y }
}

/// Computes tanh |x| = (e²ˣ - 1) / (e²ˣ - 1 + 2), or a polynomial near zero, where the quotient has
/// too many rounding errors, and applies the sign of x. An error of e²ˣ changes the quotient less and less as x grows,
/// so the polynomial of eʳ and the product k ln 2 may be less precise than for eˣ.
#[inline(always)]
pub fn tanh<T: Math, I: Isa>(x: T) -> T {
    let a = x.magnitude();
    let a = if a > T::K.tanh_one { T::K.tanh_one } else { a };
    let k = (a + a).fma::<I>(T::K.log2_e, T::K.magic);
    let n = k - T::K.magic;
    let mut r = a + a;
    for &part in T::K.tanh_ln_2 {
        r = n.fma::<I>(-part, r);
    }
    let p = (r * r).fma::<I>(polynomial::<T, I>(r, T::K.tanh_exp), r);
    let s = T::exp2(k, 0);
    let e = p.fma::<I>(s, s - T::K.one);
    let z = a * a;
    let near = (a * z).fma::<I>(polynomial::<T, I>(z, T::K.tanh), a);
    (if a < T::K.tanh_small { near } else { e / (e + T::K.two) }).signed_as(x)
}

/// Computes the logistic function from z = exp(-|x|), which cannot overflow: 1 / (1 + z), or z / (1 + z) for
/// negative x.
#[inline(always)]
pub fn sigmoid<T: Math, I: Isa>(x: T) -> T {
    let z = exp::<T, I>(-x.magnitude());
    (if x < T::K.zero { z } else { T::K.one }) / (T::K.one + z)
}

/// Computes max(x, 0) + ln(1 + exp(-|x|)).
#[inline(always)]
pub fn softplus<T: Math, I: Isa>(x: T) -> T {
    let z = exp::<T, I>(-x.magnitude());
    // Write 1 + z as 1 + f, or as 2 (1 + f) if it is above √2, so that 1 + f stays near 1.
    let double = z > T::K.sqrt_2_less_1;
    let f = if double { (z - T::K.one) * T::K.half } else { z };
    let n = if double { T::K.one } else { T::K.zero };
    let [high, low] = T::K.ln_2;
    let l = n * high + (f + n.fma::<I>(low, T::ln_tail::<I>(f)));
    l + if x > T::K.zero { x } else { T::K.zero }
}
