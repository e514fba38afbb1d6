//! The error function.

use super::Math;
use super::exp::exp;
use super::real::polynomial;
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
