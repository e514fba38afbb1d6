//! Elementary functions that vectorise.
//!
//! The standard library's `exp`, `ln`, `tanh`, … are calls into the C library, one number at a
//! time. The functions of this module are plain arithmetic without branches, calls or tables, and
//! `#[inline(always)]`, so that the compiler vectorises a loop over them inside
//! [`dispatch`](crate::machine::dispatch).
//!
//! Each function reduces its argument to a small interval and evaluates a polynomial there. The
//! polynomials are minimax in relative error, computed with the Remez exchange; after each
//! coefficient was rounded to the type, the coefficients of higher order were fitted again.
//!
//! Error bounds are in ulp, the distance between neighbouring numbers at the exact result. The
//! tests measure them, with and without fused multiply-add. Subnormal arguments and results are not
//! flushed to zero. NaN gives NaN.
//!
//! Loops over `sin`, `cos` and `powi` do not vectorise; the functions of [`block`] do. The functions of
//! [`wide`] are computed in `f64` for both types.

pub(crate) mod block;
mod erf;
mod exp;
mod f32;
mod f64;
mod ln;
mod real;
#[cfg(test)]
mod tests;
pub(crate) mod wide;

use crate::machine::Isa;
pub(crate) use f64::sin_cos_of_turns;
pub use real::Real;
#[cfg(test)]
pub(crate) use tests::special_function as special;

/// Elementary functions of `f32` and `f64`. On a concrete type, where the standard library has
/// methods of the same names, write `Math::exp::<I>(x)`.
pub trait Math: Real {
    /// Returns self · b + c. It is rounded once if the instruction set has a fused multiply-add
    /// ([`Isa::FMA`]), else twice.
    #[inline(always)]
    fn fma<I: Isa>(self, b: Self, c: Self) -> Self {
        if I::FMA { self.fused(b, c) } else { self * b + c }
    }

    /// Returns |x|, exactly.
    #[inline(always)]
    fn abs<I: Isa>(self) -> Self {
        self.magnitude()
    }

    /// Returns √x, correctly rounded; NaN for negative x.
    #[inline(always)]
    fn sqrt<I: Isa>(self) -> Self {
        self.root()
    }

    /// Returns 1 / x, correctly rounded.
    #[inline(always)]
    fn recip<I: Isa>(self) -> Self {
        Self::K.one / self
    }

    /// Returns eˣ. The error is at most 1.1 ulp, also where the result is subnormal.
    #[inline(always)]
    fn exp<I: Isa>(self) -> Self {
        exp::exp::<Self, I>(self)
    }

    /// Returns 2⁶⁴ eˣ for x ≤ 0. The error is at most 1.1 ulp, also where eˣ would be subnormal. eˣ = 0 counts as
    /// 2⁻¹⁵¹ for `f32` and 2⁻¹⁰⁷⁶ for `f64`, which a product with 2⁻⁶⁴ rounds to 0. NaN is not kept.
    #[inline(always)]
    fn exp_times_2_64<I: Isa>(self) -> Self {
        exp::exp_times_2_64::<Self, I>(self)
    }

    /// Returns eˣ - 1, precise near zero. The error is at most 1.5 ulp.
    #[inline(always)]
    fn exp_m1<I: Isa>(self) -> Self {
        exp::exp_m1::<Self, I>(self)
    }

    /// Returns the greatest integer up to x. Zeros keep their sign.
    #[inline(always)]
    fn floor<I: Isa>(self) -> Self {
        let y = self.round::<I>();
        (if y > self { y - Self::K.one } else { y }).signed_as(self)
    }

    /// Returns the least integer from x on. Zeros have the sign of x.
    #[inline(always)]
    fn ceil<I: Isa>(self) -> Self {
        let y = self.round::<I>();
        (if y < self { y + Self::K.one } else { y }).signed_as(self)
    }

    /// Returns the nearest integer, and of two the even one. Zeros have the sign of x.
    #[inline(always)]
    fn round<I: Isa>(self) -> Self {
        // The sum has no room for a fraction. The processor's rounding instruction is not in the baseline.
        let a = self.magnitude();
        let y = (a + Self::K.whole) - Self::K.whole;
        (if a < Self::K.whole { y } else { a }).signed_as(self)
    }

    /// Returns x rounded toward zero. Zeros have the sign of x.
    #[inline(always)]
    fn trunc<I: Isa>(self) -> Self {
        self.magnitude().floor::<I>().signed_as(self)
    }

    /// Returns the natural logarithm. The error is at most 1 ulp. ln 0 is -∞; negative x give NaN.
    #[inline(always)]
    fn ln<I: Isa>(self) -> Self {
        ln::ln::<Self, I>(self)
    }

    /// Returns ln(1 + x), precise near zero. The error is at most 1.5 ulp. x = -1 gives -∞; smaller
    /// x give NaN.
    #[inline(always)]
    fn ln_1p<I: Isa>(self) -> Self {
        ln::ln_1p::<Self, I>(self)
    }

    /// Returns the hyperbolic tangent. The error is at most 2 ulp.
    #[inline(always)]
    fn tanh<I: Isa>(self) -> Self {
        exp::tanh::<Self, I>(self)
    }

    /// Returns the logistic function, 1 / (1 + e⁻ˣ). The error is at most 2.5 ulp.
    #[inline(always)]
    fn sigmoid<I: Isa>(self) -> Self {
        exp::sigmoid::<Self, I>(self)
    }

    /// Returns ln(1 + eˣ) without overflow, precise for very negative x. The error is at most 2
    /// ulp.
    #[inline(always)]
    fn softplus<I: Isa>(self) -> Self {
        exp::softplus::<Self, I>(self)
    }

    /// Returns the error function, 2/√π times the integral of exp(-t²) from 0 to x. The error is at
    /// most 1.5 ulp.
    #[inline(always)]
    fn erf<I: Isa>(self) -> Self {
        erf::erf::<Self, I>(self)
    }

    /// Returns the distribution function of the standard normal distribution, ½ erfc(-x/√2), precise where it is
    /// small. The error is at most 4 ulp for `f32` and 2 ulp for `f64`.
    fn ndtr<I: Isa>(self) -> Self;

    /// Returns the sine of x in radians. The error is at most 2 ulp for `f32` and 1 ulp for `f64`.
    /// For |x| above [`Real::NEAR`] it calls the standard library. A loop over it does not
    /// vectorise; [`block::sin`] does.
    #[inline(always)]
    fn sin<I: Isa>(self) -> Self {
        if self.magnitude() <= Self::NEAR { self.sin_near::<I>() } else { self.sin_far() }
    }

    /// Returns the cosine of x in radians. The error is at most 2 ulp for `f32` and 1 ulp for
    /// `f64`. For |x| above [`Real::NEAR`] it calls the standard library. A loop over it does not
    /// vectorise; [`block::cos`] does.
    #[inline(always)]
    fn cos<I: Isa>(self) -> Self {
        if self.magnitude() <= Self::NEAR { self.cos_near::<I>() } else { self.cos_far() }
    }

    /// Returns [`sin`](Math::sin) for |x| ≤ [`Real::NEAR`], without a branch. For larger |x| the
    /// result is meaningless.
    #[inline(always)]
    fn sin_near<I: Isa>(self) -> Self {
        let (quarter, sin, cos) = self.circle::<I>();
        let y = Self::rotate(quarter, 0, sin, cos);
        // sin x rounds to x here. Returning x keeps the sign of -0.
        if self.magnitude() < Self::K.tiny { self } else { y }
    }

    /// Returns [`cos`](Math::cos) for |x| ≤ [`Real::NEAR`], without a branch. For larger |x| the
    /// result is meaningless.
    #[inline(always)]
    fn cos_near<I: Isa>(self) -> Self {
        let (quarter, sin, cos) = self.circle::<I>();
        Self::rotate(quarter, 1, sin, cos)
    }

    /// Returns xᵏ by repeated squaring, computed in `f64` for both types. The error is at most 0.6
    /// ulp for `f32` (|k| ≤ 2²⁰) and at most |k| + 1 ulp for `f64`. For `f64` with k < 0, results
    /// below 2⁻¹⁰²² are flushed to zero, and results from 2¹⁰²² on lose digits. x⁰ is 1 even for
    /// NaN. A loop over it does not vectorise; [`block::powi`] does.
    #[inline(always)]
    fn powi<I: Isa>(self, k: i32) -> Self {
        let (mut power, mut square, mut bits) = (1.0, self.widen(), k.unsigned_abs());
        while bits != 0 {
            if bits & 1 == 1 {
                power *= square;
            }
            square *= square;
            bits >>= 1;
        }
        Self::narrow(if k < 0 { 1.0 / power } else { power })
    }

    /// Returns xᵖ: 1 for p = 0, NaN for negative x unless p is an integer. It calls the standard
    /// library once per number and does not vectorise.
    #[inline(always)]
    fn powf<I: Isa>(self, p: Self) -> Self {
        self.power(p)
    }
}

impl Math for f32 {
    #[inline(always)]
    fn ndtr<I: Isa>(self) -> f32 {
        erf::ndtr::<I>(self)
    }
}

impl Math for f64 {
    #[inline(always)]
    fn ndtr<I: Isa>(self) -> f64 {
        wide::ndtr::<I>(self)
    }
}
