//! Elementary functions that vectorise.
//!
//! The standard library's `exp`, `ln`, `tanh`, … are calls into the C library, one number at a
//! time. Those here are plain arithmetic without branches, calls or tables, `#[inline(always)]`,
//! so that a loop over them inside [`dispatch`](crate::machine::dispatch) turns into vectors.
//!
//! Each function is an argument reduction to a small interval and a polynomial there. The
//! polynomials are minimax in relative error, found with the Remez exchange; after each coefficient
//! was rounded to the type, those of higher order were fitted again.
//!
//! Error bounds are in ulp, the distance between neighbouring numbers at the exact result; the
//! tests measure them, with and without fused multiply-add. Subnormal numbers are not flushed,
//! neither as arguments nor as results, and NaN gives NaN.
//!
//! `sin`, `cos` and `powi` do not vectorise as they stand; [`block`] has loops over them that do.

pub(crate) mod block;
mod exp;
mod f32;
mod f64;
mod ln;
mod real;
#[cfg(test)]
mod tests;

use crate::machine::Isa;
pub use real::Real;

/// Elementary functions of `f32` and `f64`. On a concrete type, where the standard library's
/// methods have the same names, write `Math::exp::<I>(x)`.
pub trait Math: Real {
    /// self · b + c, rounded once where the instruction set has it ([`Isa::FMA`]), else twice.
    #[inline(always)]
    fn fma<I: Isa>(self, b: Self, c: Self) -> Self {
        if I::FMA { self.fused(b, c) } else { self * b + c }
    }

    /// |x|, exact.
    #[inline(always)]
    fn abs<I: Isa>(self) -> Self {
        self.magnitude()
    }

    /// √x, correctly rounded; NaN below zero.
    #[inline(always)]
    fn sqrt<I: Isa>(self) -> Self {
        self.root()
    }

    /// 1 / x, correctly rounded.
    #[inline(always)]
    fn recip<I: Isa>(self) -> Self {
        Self::K.one / self
    }

    /// eˣ; error at most 1.1 ulp, also where the result is subnormal.
    #[inline(always)]
    fn exp<I: Isa>(self) -> Self {
        exp::exp::<Self, I>(self)
    }

    /// eˣ - 1, precise near zero; error at most 2 ulp, for `f64` 2.2.
    #[inline(always)]
    fn exp_m1<I: Isa>(self) -> Self {
        exp::exp_m1::<Self, I>(self)
    }

    /// Natural logarithm; error at most 1 ulp. -∞ at zero, NaN below.
    #[inline(always)]
    fn ln<I: Isa>(self) -> Self {
        ln::ln::<Self, I>(self)
    }

    /// ln(1 + x), precise near zero; error at most 1.5 ulp. -∞ at -1, NaN below.
    #[inline(always)]
    fn ln_1p<I: Isa>(self) -> Self {
        ln::ln_1p::<Self, I>(self)
    }

    /// Hyperbolic tangent; error at most 2 ulp.
    #[inline(always)]
    fn tanh<I: Isa>(self) -> Self {
        exp::tanh::<Self, I>(self)
    }

    /// 1 / (1 + e⁻ˣ); error at most 2.5 ulp.
    #[inline(always)]
    fn sigmoid<I: Isa>(self) -> Self {
        exp::sigmoid::<Self, I>(self)
    }

    /// ln(1 + eˣ) without overflow, precise for very negative x; error at most 2 ulp.
    #[inline(always)]
    fn softplus<I: Isa>(self) -> Self {
        exp::softplus::<Self, I>(self)
    }

    /// Sine of radians; error at most 2 ulp, for `f64` 1. Beyond [`Real::NEAR`] it is the standard library's.
    /// A loop vectorises only as [`block::sin`].
    #[inline(always)]
    fn sin<I: Isa>(self) -> Self {
        if self.magnitude() <= Self::NEAR { self.sin_near::<I>() } else { self.sin_far() }
    }

    /// Cosine of radians; error at most 2 ulp, for `f64` 1. Beyond [`Real::NEAR`] it is the standard
    /// library's. A loop vectorises only as [`block::cos`].
    #[inline(always)]
    fn cos<I: Isa>(self) -> Self {
        if self.magnitude() <= Self::NEAR { self.cos_near::<I>() } else { self.cos_far() }
    }

    /// [`sin`](Math::sin) for |x| ≤ [`Real::NEAR`], without a branch; meaningless beyond.
    #[inline(always)]
    fn sin_near<I: Isa>(self) -> Self {
        let (quarter, sin, cos) = self.circle::<I>();
        let y = Self::rotate(quarter, 0, sin, cos);
        // sin x = x here; keeps the sign of -0.
        if self.magnitude() < Self::K.tiny { self } else { y }
    }

    /// [`cos`](Math::cos) for |x| ≤ [`Real::NEAR`], without a branch; meaningless beyond.
    #[inline(always)]
    fn cos_near<I: Isa>(self) -> Self {
        let (quarter, sin, cos) = self.circle::<I>();
        Self::rotate(quarter, 1, sin, cos)
    }

    /// xᵏ by repeated squaring, in `f64` for either type. For `f32` the error is at most 0.6 ulp
    /// (|k| ≤ 2²⁰), for `f64` at most |k| + 1 ulp; there, with k < 0, results below 2⁻¹⁰²² are
    /// flushed to zero and those from 2¹⁰²² lose digits. x⁰ is 1 even for NaN. A loop vectorises only as
    /// [`block::powi`].
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

    /// xᵖ: 1 for p = 0, NaN for negative x unless p is an integer. The standard library's, one call
    /// per number: not vectorised.
    #[inline(always)]
    fn powf<I: Isa>(self, p: Self) -> Self {
        self.power(p)
    }
}

impl Math for f32 {}
impl Math for f64 {}
