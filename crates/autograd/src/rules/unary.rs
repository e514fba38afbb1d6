//! Operations of one operand: a table of the methods, the values that the derivative rules read, the
//! intervals on which the tests check the rules, and the rules.

use crate::graph::{Call, Reads, Var};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, LN_2, LN_10};
use wengert_tensor::{Float, Unary};

/// Makes the method of a variable. A row without a name gets none, because operators compute it.
macro_rules! method {
    ([] $($row:tt)*) => {};
    ([$method:ident $(($k:ident: $C:ty))?] $(#[$doc:meta])* $Op:ident) => {
        $(#[$doc])*
        #[inline]
        #[track_caller]
        pub fn $method(self $(, $k: $C)?) -> Self {
            self.unary(Unary::$Op $(($k))?)
        }
    };
}

/// A part of the row `{ reads; intervals; rule }`, or what `{ flat }` stands for: a derivative that is zero
/// everywhere.
macro_rules! part {
    (differentiable flat) => { false };
    (differentiable $($row:tt)*) => { true };
    (reads flat) => { Reads::NOTHING };
    (reads $($read:ident)+; $domain:expr; $rule:expr) => { Reads::NOTHING$(.and(Reads::$read))+ };
    (domain flat) => { None };
    (domain $($read:ident)+; $domain:expr; $rule:expr) => { Some(Vec::from($domain)) };
    (rule ($gy:ident) flat) => { $gy.tape.zeros(&$gy.shape()) };
    (rule ($gy:ident) $($read:ident)+; $domain:expr; $rule:expr) => { $rule };
}

macro_rules! rules {
    (|$gy:ident, $x:ident, $y:ident|
        $($(#[$doc:meta])* $Op:ident $(($c:ident))? $(as $method:ident $(($k:ident: $C:ty))?)? { $($row:tt)* })*
    ) => {
        /// Elementwise functions.
        impl<T: Float> Var<'_, T> {
            $(method! { [$($method $(($k: $C))?)?] $(#[$doc])* $Op })*
        }

        /// Returns whether the derivative can differ from zero.
        pub(crate) fn is_differentiable(op: Unary) -> bool {
            match op { $(Unary::$Op { .. } => part!(differentiable $($row)*),)* }
        }

        /// Returns the values that the rule reads.
        pub(super) fn reads(op: Unary) -> Reads {
            match op { $(Unary::$Op { .. } => part!(reads $($row)*),)* }
        }

        /// Returns the cotangent of the operand.
        #[inline]
        #[allow(unused_variables)] // not every rule reads every value and constant
        pub(crate) fn vjp<'t, T: Float>(op: Unary, c: &Call<'_, 't, T>) -> Var<'t, T> {
            let [$gy, $x, $y] = c.of_one_operand();
            match op { $(Unary::$Op $(($c))? => part!(rule ($gy) $($row)*),)* }
        }

        /// The intervals on which each derivative is checked: the derivative is large there, and kinks are
        /// farther away than the finite differences reach. `None` if the derivative is zero everywhere.
        #[cfg(test)]
        #[allow(unused_variables)] // not every interval depends on the constant
        pub(super) fn domain(op: Unary) -> Option<Vec<(f64, f64)>> {
            match op { $(Unary::$Op $(($c))? => part!(domain $($row)*),)* }
        }
    };
}
rules! { |gy, x, y|
    Neg { NOTHING; [(-2.0, 2.0)]; -gy }
    /// Returns |x|, elementwise.
    Abs as abs { X0; apart(0.0); x.eq(0.0).gate(gy * x.sign()) }
    /// Returns the sign of x: -1, 0 or 1. Its derivative is zero.
    Sign as sign { flat }
    /// Returns eˣ.
    Exp as exp { Y0; [(-1.5, 1.5)]; gy * y }
    /// Returns the natural logarithm.
    Ln as ln { X0; [(0.3, 2.5)]; gy / x }
    /// Returns ln(1 + x), precise near zero.
    Log1p as log1p { X0; [(-0.6, 2.0)]; gy / (x + 1.0) }
    /// Returns eˣ - 1, precise near zero.
    Expm1 as expm1 { Y0; [(-1.5, 1.5)]; gy * (y + 1.0) }
    /// Returns the logarithm to base 2.
    Log2 as log2 { X0; [(0.3, 2.5)]; gy / (x * LN_2) }
    /// Returns the logarithm to base 10.
    Log10 as log10 { X0; [(0.3, 2.5)]; gy / (x * LN_10) }
    /// Returns √x.
    Sqrt as sqrt { Y0; [(0.3, 2.5)]; 0.5 * gy / y }
    /// Returns 1 / √x.
    Rsqrt as rsqrt { Y0; [(0.4, 2.5)]; -0.5 * gy * y.powi(3) }
    /// Returns 1 / x.
    Recip as recip { Y0; [(-2.0, -0.5), (0.5, 2.0)]; -gy * (y * y) }
    /// Returns the sine of an angle in radians.
    Sin as sin { X0; [(-3.0, 3.0)]; gy * x.cos() }
    /// Returns the cosine of an angle in radians.
    Cos as cos { X0; [(-3.0, 3.0)]; -gy * x.sin() }
    /// Returns the tangent of an angle in radians.
    Tan as tan { Y0; [(-1.0, 1.0)]; gy * (y * y + 1.0) }
    /// Returns the inverse sine in radians, from -π/2 to π/2; NaN outside -1..1. The derivative is ∞ at ±1.
    Asin as asin { X0; [(-0.7, 0.7)]; gy * ((1.0 - x) * (x + 1.0)).rsqrt() }
    /// Returns the inverse cosine in radians, from 0 to π; NaN outside -1..1. The derivative is -∞ at ±1.
    Acos as acos { X0; [(-0.7, 0.7)]; -gy * ((1.0 - x) * (x + 1.0)).rsqrt() }
    /// Returns the inverse tangent in radians, from -π/2 to π/2.
    Atan as atan { X0; [(-2.0, 2.0)]; gy / (x * x + 1.0) }
    /// Returns the hyperbolic sine.
    Sinh as sinh { X0; [(-1.5, 1.5)]; gy * x.cosh() }
    /// Returns the hyperbolic cosine.
    Cosh as cosh { X0; [(-1.5, 1.5)]; gy * x.sinh() }
    /// Returns the hyperbolic tangent.
    Tanh as tanh { Y0; [(-1.5, 1.5)]; gy * (1.0 - y * y) }
    /// Returns the inverse hyperbolic sine.
    Asinh as asinh { X0; [(-2.0, 2.0)]; gy * (x * x + 1.0).rsqrt() }
    /// Returns the inverse hyperbolic cosine; NaN for x < 1. The derivative is ∞ at 1.
    Acosh as acosh { X0; [(1.4, 3.0)]; gy * ((x - 1.0) * (x + 1.0)).rsqrt() }
    /// Returns the inverse hyperbolic tangent; ±∞ at ±1, NaN beyond. The derivative is ∞ at ±1.
    Atanh as atanh { X0; [(-0.7, 0.7)]; gy / ((1.0 - x) * (x + 1.0)) }
    /// Returns the logistic function, 1 / (1 + e⁻ˣ).
    Sigmoid as sigmoid { Y0; [(-1.5, 1.5)]; gy * (y * (1.0 - y)) }
    /// Returns ln(1 + eˣ), computed without overflow.
    Softplus as softplus { X0; [(-1.5, 1.5)]; gy * x.sigmoid() }
    /// Returns the error function, 2/√π ∫₀ˣ exp(-t²) dt.
    Erf as erf { X0; [(-1.5, 1.5)]; FRAC_2_SQRT_PI * gy * (-x.square()).exp() }
    /// Returns 1 - erf x, precise where it is small.
    Erfc as erfc { X0; [(-1.5, 1.5)]; -FRAC_2_SQRT_PI * gy * (-x.square()).exp() }
    /// Returns the distribution function of the standard normal distribution, ½ erfc(-x/√2), precise where it
    /// is small.
    Ndtr as ndtr { X0; [(-1.5, 1.5)]; 0.5 * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI * gy * (-0.5 * x.square()).exp() }
    /// Returns the number whose error function is x; ±∞ at ±1, NaN beyond. The derivative is ∞ at ±1.
    Erfinv as erfinv { Y0; [(-0.7, 0.7)]; 1.0 / FRAC_2_SQRT_PI * gy * y.square().exp() }
    /// Returns ln |Γ(x)|; ∞ at 0 and at the negative integers, where the derivative is that of
    /// [`digamma`](Var::digamma).
    Lgamma as lgamma { X0; [(0.6, 1.2), (1.8, 3.0)]; gy * x.digamma() }
    /// Returns the derivative of ln Γ(x); -∞ at 0, ∞ at -0, NaN at the negative integers.
    Digamma as digamma { X0; [(0.7, 3.0)]; gy * x.polygamma(1) }
    /// Returns the nth derivative of [`digamma`](Var::digamma), (-1)ⁿ⁺¹ n! Σ (x + k)⁻ⁿ⁻¹ over all k ≥ 0. At 0
    /// and at the negative integers it is ∞ for odd n and -∞ for even n > 0.
    Polygamma(n) as polygamma(n: u32) { X0; [(0.8, 3.0)]; gy * x.polygamma(n.saturating_add(1)) }
    /// Returns the greatest integer up to x. Its derivative is zero.
    Floor as floor { flat }
    /// Returns the least integer from x on. Its derivative is zero.
    Ceil as ceil { flat }
    /// Returns the nearest integer, and of two the even one. Its derivative is zero.
    Round as round { flat }
    /// Returns x rounded toward zero. Its derivative is zero.
    Trunc as trunc { flat }
    /// Returns the fraction of x, with the sign of x. Its derivative is 1, also at integers.
    Frac as frac { NOTHING; [(-0.8, -0.2), (0.2, 0.8)]; gy }
    /// Returns max(x, 0).
    Relu as relu { Y0; apart(0.0); y.eq(0.0).gate(gy) }
    Scale(k) { NOTHING; [(-2.0, 2.0)]; k * gy }
    Shift(_k) { NOTHING; [(-2.0, 2.0)]; gy }
    DivScalar(k) { NOTHING; [(-2.0, 2.0)]; gy / k }
    ScalarDiv(_k) { X0 Y0; [(-2.0, -0.5), (0.5, 2.0)]; -gy * y / x }
    /// Returns xⁿ.
    Powi(n) as powi(n: i32) { X0; [(-1.5, -0.4), (0.4, 1.5)]; match n {
        // x⁰ is constant, also at 0, where the formula would give 0 · x⁻¹ = NaN.
        0 => gy.tape.zeros(&gy.shape()),
        // Avoids a power with exponent 1.
        2 => 2.0 * gy * x,
        i32::MIN => f64::from(i32::MIN) * gy * x.powf(f64::from(i32::MIN) - 1.0),
        n => f64::from(n) * gy * x.powi(n - 1),
    } }
    /// Returns xᵖ. The result is NaN for negative x unless p is an integer.
    Powf(p) as powf(p: f64) { X0; [(0.4, 2.0)]; if p == 0.0 {
        gy.tape.zeros(&gy.shape())
    } else {
        p * gy * x.powf(p - 1.0)
    } }
    /// Returns max(x, k).
    ClampMin(k) as clamp_min(k: f64) { X0; apart(k); x.lt(k).gate(gy) }
    /// Returns min(x, k).
    ClampMax(k) as clamp_max(k: f64) { X0; apart(k); x.gt(k).gate(gy) }
    Gt(_k) { flat }
    Ge(_k) { flat }
    Lt(_k) { flat }
    Le(_k) { flat }
    Eq(_k) { flat }
    Ne(_k) { flat }
}

/// How an operation with a constant derivative passes a cotangent on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ConstantSlope {
    /// The derivative is 1: the cotangent is passed on as it is.
    One,
    /// The operation is linear: its rule applies the operation itself to the cotangent.
    Linear,
}

/// Returns how a cotangent is passed on, if the rule of the operation needs nothing else.
#[inline]
pub(crate) fn constant_slope(op: Unary) -> Option<ConstantSlope> {
    match op {
        Unary::Shift(_) | Unary::Frac => Some(ConstantSlope::One),
        Unary::Neg | Unary::Scale(_) | Unary::DivScalar(_) => Some(ConstantSlope::Linear),
        _ => None,
    }
}

/// Intervals on both sides of a kink.
#[cfg(test)]
fn apart(k: f64) -> Vec<(f64, f64)> {
    vec![(k - 1.5, k - 0.2), (k + 0.2, k + 1.5)]
}

impl<T: Float> Var<'_, T> {
    /// Returns x².
    #[inline]
    #[track_caller]
    pub fn square(self) -> Self {
        self.unary(Unary::Powi(2))
    }

    /// Returns min(max(x, low), high).
    ///
    /// # Panics
    /// If `low > high`.
    #[track_caller]
    pub fn clamp(self, low: f64, high: f64) -> Self {
        assert!(low <= high, "clamp: the lower bound {low} is greater than the upper bound {high}");
        self.clamp_min(low).clamp_max(high)
    }

    #[inline]
    #[track_caller]
    pub(crate) fn unary(self, op: Unary) -> Self {
        let id = self.tape.unary(op, self.id);
        Var { id, ..self }
    }
}
