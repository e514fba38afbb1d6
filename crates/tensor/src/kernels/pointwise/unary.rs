//! The operations of one operand. Each row of the table has the documentation, the name and the
//! formula. A row marked `in f64` is computed in `f64` for both types.
//!
//! To add an operation, add a row to the table, and a derivative rule in `rules/unary.rs` of the
//! crate `wengert-autograd` (CONTRIBUTING.md lists the other places). The row
//! generates the opcode, the method of the tensor (unless the row is marked `in programs`) and the
//! method of [`Expr`](super::Expr).

use crate::machine::Isa;
use crate::number::{Math, block, wide};

macro_rules! constant {
    () => {
        None
    };
    ($c:ident) => {
        Some(f64::from($c))
    };
}

/// Computes a row by the loop that is compiled for each type, or by `$wide` if it is marked `in f64`.
macro_rules! narrow_row {
    ([f64] $wide:ident, $($rest:tt)*) => {
        $wide()
    };
    ([$($marker:ident)?] $wide:ident, $loop:path, $args:tt, $formula:expr) => {
        $crate::kernels::pointwise::unary::call!($loop, $args, $formula)
    };
}
pub(super) use narrow_row;

/// Computes a row by the loop that is compiled for `f64` only.
macro_rules! wide_row {
    ([f64] $loop:path, $args:tt, $formula:expr) => {
        $crate::kernels::pointwise::unary::call!($loop, $args, $formula)
    };
    ([$($marker:ident)?] $($rest:tt)*) => {
        unreachable!("computed in each type")
    };
}
pub(super) use wide_row;

macro_rules! call {
    ($loop:path, ($($arg:expr),*), $formula:expr) => {
        $loop($($arg,)* $formula)
    };
}
pub(super) use call;

macro_rules! unary {
    ($($(#[$doc:meta])* $Op:ident $(($c:ident: $C:ty = $example:expr))? as $method:ident $(in $marker:ident)?: |$x:ident| $y:expr;)*) => {
        /// A pointwise operation of one operand.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Unary { $($(#[$doc])* $Op $(($C))?,)* }

        impl Unary {
            /// All operations. Operations with a constant have an example of it.
            pub const ALL: &'static [Unary] = &[$(Unary::$Op $(($example))?,)*];

            /// Returns the name of the operation.
            pub fn name(self) -> &'static str {
                match self { $(Unary::$Op { .. } => stringify!($method),)* }
            }

            /// Returns the constant that the operation carries, if it carries one.
            pub fn constant(self) -> Option<f64> {
                match self { $(Unary::$Op $(($c))? => constant!($($c)?),)* }
            }
        }

        /// Applies `op` to `n` numbers. `wide` applies an operation that is computed in `f64` for both types.
        ///
        /// # Safety
        /// `x` holds `n` numbers, `y` has room for `n`, and they do not overlap.
        #[inline(always)]
        #[allow(unreachable_patterns)] // the table also contains the operations with their own loops
        pub(super) unsafe fn run<T: Math, I: Isa>(
            op: Unary,
            x: *const T,
            y: *mut T,
            n: usize,
            wide: impl FnOnce(),
        ) {
            // SAFETY: by the contract.
            unsafe {
                match op {
                    // These have their own loops, because they branch on the size of the arguments
                    // or on the exponent.
                    Unary::Sin => block::sin::<T, I>(x, y, n),
                    Unary::Cos => block::cos::<T, I>(x, y, n),
                    Unary::Powi(k) if k != 2 => block::powi::<T, I>(x, y, n, k),
                    // These powers are one operation, which rounds once.
                    Unary::Powf(2.0) => block::map(x, y, n, #[inline(always)] |x| x * x),
                    Unary::Powf(-1.0) => block::map(x, y, n, #[inline(always)] |x| T::K.one / x),
                    Unary::Powf(0.5) => block::map(x, y, n, #[inline(always)] |x| {
                        // Of -0 and -infinity, the power is positive.
                        let low = x == T::K.neg_infinity;
                        if low { T::K.infinity } else { (x + T::default()).sqrt::<I>() }
                    }),
                    Unary::Powf(p) => {
                        let p = T::narrow(p);
                        block::powf::<T, I>(x, #[inline(always)] |_| p, y, n);
                    }
                    $(#[allow(unused_variables)] // the constants of operations in `f64`
                    Unary::$Op $(($c))? => {
                        $(let $c = Constant::<T>::lower($c);)?
                        narrow_row!([$($marker)?] wide, block::map, (x, y, n), #[inline(always)] |$x| $y);
                    })*
                }
            }
        }

        /// Computes the operations that are computed in `f64`.
        ///
        /// # Safety
        /// As [`run`].
        #[inline(always)]
        #[allow(unreachable_patterns)] // the table also contains the operations with their own loops
        pub(super) unsafe fn run_wide<I: Isa>(op: Unary, x: *const f64, y: *mut f64, n: usize) {
            // SAFETY: by the contract.
            unsafe {
                match op {
                    Unary::Tan => block::tan::<I>(x, y, n),
                    $(#[allow(unused_variables)] // the constants of the other operations
                    Unary::$Op $(($c))? => {
                        wide_row!([$($marker)?] block::map, (x, y, n), #[inline(always)] |$x| $y);
                    })*
                }
            }
        }
    };
}

/// Converts the constant of an operation for the loop: `f64` becomes the tensor's type, and an
/// integer exponent stays an integer.
trait Constant<T> {
    type Lowered;
    fn lower(self) -> Self::Lowered;
}
impl<T: Math> Constant<T> for f64 {
    type Lowered = T;
    #[inline(always)]
    fn lower(self) -> T {
        T::narrow(self)
    }
}
impl<T: Math> Constant<T> for i32 {
    type Lowered = i32;
    #[inline(always)]
    fn lower(self) -> i32 {
        self
    }
}

impl<T: Math> Constant<T> for u32 {
    type Lowered = u32;
    #[inline(always)]
    fn lower(self) -> u32 {
        self
    }
}

#[inline(always)]
pub(super) fn one_if<T: Math>(yes: bool) -> T {
    if yes { T::narrow(1.0) } else { T::default() }
}

/// Passes the table to a macro: to [`unary`] in this file, and to the macros that generate the
/// methods of [`Expr`](super::Expr) and of the tensor.
macro_rules! unary_operations {
    ($with:ident) => {
        $with! {
            /// Computes -x.
            Neg as negative in programs: |x| -x;
            /// Computes |x|, the absolute value.
            Abs as abs: |x| x.abs_();
            /// Computes the sign of x: -1, 0 or 1; NaN for NaN.
            Sign as sign: |x| if x > T::default() { T::narrow(1.0) } else if x < T::default() { T::narrow(-1.0) } else { x };
            /// Computes eˣ.
            Exp as exp: |x| x.exp::<I>();
            /// Computes the natural logarithm of x.
            Ln as ln: |x| x.ln::<I>();
            /// Computes ln(1 + x), precise near zero.
            Log1p as log1p: |x| x.ln_1p::<I>();
            /// Computes eˣ - 1, precise near zero.
            Expm1 as expm1: |x| x.exp_m1::<I>();
            /// Computes the logarithm of x to base 2.
            Log2 as log2 in f64: |x| wide::log2::<I>(x);
            /// Computes the logarithm of x to base 10.
            Log10 as log10 in f64: |x| wide::log10::<I>(x);
            /// Computes √x.
            Sqrt as sqrt: |x| x.sqrt::<I>();
            /// Computes 1 / √x.
            Rsqrt as rsqrt: |x| x.sqrt::<I>().recip::<I>();
            /// Computes 1 / x.
            Recip as recip: |x| T::narrow(1.0) / x;
            /// Computes the sine of x in radians.
            Sin as sin: |x| x.sin::<I>();
            /// Computes the cosine of x in radians.
            Cos as cos: |x| x.cos::<I>();
            /// Computes the tangent of x in radians.
            Tan as tan in f64: |x| wide::tan_far(x);
            /// Computes the inverse sine in radians, from -π/2 to π/2; NaN outside -1..1.
            Asin as asin in f64: |x| wide::asin::<I>(x);
            /// Computes the inverse cosine in radians, from 0 to π; NaN outside -1..1.
            Acos as acos in f64: |x| wide::acos::<I>(x);
            /// Computes the inverse tangent in radians, from -π/2 to π/2.
            Atan as atan in f64: |x| wide::atan::<I>(x);
            /// Computes the hyperbolic sine of x.
            Sinh as sinh in f64: |x| wide::sinh::<I>(x);
            /// Computes the hyperbolic cosine of x.
            Cosh as cosh in f64: |x| wide::cosh::<I>(x);
            /// Computes the hyperbolic tangent of x.
            Tanh as tanh: |x| x.tanh::<I>();
            /// Computes the inverse hyperbolic sine, ln(x + √(x² + 1)).
            Asinh as asinh in f64: |x| wide::asinh::<I>(x);
            /// Computes the inverse hyperbolic cosine, ln(x + √(x² - 1)); NaN for x < 1.
            Acosh as acosh in f64: |x| wide::acosh::<I>(x);
            /// Computes the inverse hyperbolic tangent, ½ ln((1 + x) / (1 - x)); ±∞ at ±1, NaN beyond.
            Atanh as atanh in f64: |x| wide::atanh::<I>(x);
            /// Computes the logistic function of x, 1 / (1 + e⁻ˣ).
            Sigmoid as sigmoid: |x| x.sigmoid::<I>();
            /// Computes ln(1 + eˣ) without overflow.
            Softplus as softplus: |x| x.softplus::<I>();
            /// Computes the error function of x, 2/√π ∫₀ˣ exp(-t²) dt.
            Erf as erf: |x| x.erf::<I>();
            /// Computes 1 - erf x, precise where it is small.
            Erfc as erfc in f64: |x| wide::erfc::<I>(x);
            /// Computes the distribution function of the standard normal distribution, ½ erfc(-x/√2), precise
            /// where it is small. The error is at most 4 units in the last place for `f32`, and 2 for `f64`.
            Ndtr as ndtr: |x| x.ndtr::<I>();
            /// Computes the number whose error function is x; ±∞ at ±1, NaN beyond. The error is at most 4
            /// units in the last place.
            Erfinv as erfinv in f64: |x| wide::erfinv::<I>(x);
            /// Computes ln |Γ(x)|; ∞ at 0 and at the negative integers. The error is at most 4 units in the
            /// last place for x > 0, and for x < 0 at most 4 units of the greater of 1 and the result.
            Lgamma as lgamma in f64: |x| wide::lgamma::<I>(x);
            /// Computes the derivative of ln Γ(x); -∞ at 0, ∞ at -0, NaN at the negative integers. The error
            /// is at most 4 units in the last place for x > 0, and for x < 0 at most 4 units of the greatest
            /// of 1, ln |x| and the result.
            Digamma as digamma in f64: |x| wide::digamma::<I>(x);
            /// Computes the nth derivative of digamma, (-1)ⁿ⁺¹ n! Σ (x + k)⁻ⁿ⁻¹ over all
            /// k ≥ 0. At 0 and at the negative integers it is ∞ for odd n and -∞ for even n > 0. The error is
            /// at most 2 n + 4 units in the last place for x > 0.
            Polygamma(n: u32 = 1) as polygamma in f64: |x| wide::polygamma::<I>(n, x);
            /// Computes the greatest integer up to x.
            Floor as floor: |x| x.floor::<I>();
            /// Computes the least integer from x on.
            Ceil as ceil: |x| x.ceil::<I>();
            /// Computes the nearest integer; of two, the even one.
            Round as round: |x| x.round::<I>();
            /// Computes x without its fraction: rounded toward zero.
            Trunc as trunc: |x| x.trunc::<I>();
            /// Computes the fraction of x, with the sign of x: x - trunc x.
            Frac as frac: |x| x - x.trunc::<I>();
            /// Computes max(x, 0); NaN gives NaN.
            Relu as relu: |x| if x < T::default() { T::default() } else { x };
            /// Computes x · c.
            Scale(c: f64 = -1.5) as scale in programs: |x| x * c;
            /// Computes x + c.
            Shift(c: f64 = 0.75) as shift in programs: |x| x + c;
            /// Computes x / c, rounded once.
            DivScalar(c: f64 = -1.7) as div_scalar in programs: |x| x / c;
            /// Computes c / x, rounded once.
            ScalarDiv(c: f64 = -1.7) as scalar_div in programs: |x| c / x;
            /// Computes xⁿ for an integer n.
            Powi(n: i32 = 3) as powi: |x| if n == 2 { x * x } else { x.powi::<I>(n) };
            /// Computes xᵖ; NaN for negative x unless p is an integer.
            Powf(p: f64 = 1.7) as powf: |x| x.powf::<I>(p);
            /// Computes max(x, c); NaN gives NaN.
            ClampMin(c: f64 = 0.25) as clamp_min: |x| if x < c { c } else { x };
            /// Computes min(x, c); NaN gives NaN.
            ClampMax(c: f64 = 0.25) as clamp_max: |x| if x > c { c } else { x };
            /// Returns 1 where x > c, else 0.
            Gt(c: f64 = 0.25) as indicator_gt in programs: |x| one_if(x > c);
            /// Returns 1 where x ≥ c, else 0.
            Ge(c: f64 = 0.25) as indicator_ge in programs: |x| one_if(x >= c);
            /// Returns 1 where x < c, else 0.
            Lt(c: f64 = 0.25) as indicator_lt in programs: |x| one_if(x < c);
            /// Returns 1 where x ≤ c, else 0.
            Le(c: f64 = 0.25) as indicator_le in programs: |x| one_if(x <= c);
            /// Returns 1 where x = c, else 0.
            Eq(c: f64 = 0.25) as indicator_eq in programs: |x| one_if(x == c);
            /// Returns 1 where x ≠ c, else 0.
            Ne(c: f64 = 0.25) as indicator_ne in programs: |x| one_if(x != c);
        }
    };
}
pub(crate) use unary_operations;

unary_operations! { unary }

/// Computes each operation without the kernels, where possible with the standard library, as a
/// reference for tests.
#[cfg(test)]
pub(crate) fn meaning(op: Unary, x: f64) -> f64 {
    let one_if = |yes: bool| f64::from(u8::from(yes));
    match op {
        Unary::Neg => -x,
        Unary::Abs => x.abs(),
        Unary::Sign => {
            if x > 0.0 {
                1.0
            } else if x < 0.0 {
                -1.0
            } else {
                x
            }
        }
        Unary::Exp => x.exp(),
        Unary::Ln => x.ln(),
        Unary::Log1p => x.ln_1p(),
        Unary::Expm1 => x.exp_m1(),
        Unary::Log2 => x.log2(),
        Unary::Log10 => x.log10(),
        Unary::Sqrt => x.sqrt(),
        Unary::Rsqrt => x.sqrt().recip(),
        Unary::Recip => x.recip(),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Tan => x.tan(),
        Unary::Asin => x.asin(),
        Unary::Acos => x.acos(),
        Unary::Atan => x.atan(),
        Unary::Sinh => x.sinh(),
        Unary::Cosh => x.cosh(),
        Unary::Tanh => x.tanh(),
        Unary::Asinh => x.signum() * (x.abs() + x.abs().powi(2) / (1.0 + x.hypot(1.0))).ln_1p(),
        Unary::Acosh => ((x - 1.0) + ((x - 1.0) * (x + 1.0)).sqrt()).ln_1p(),
        Unary::Atanh => 0.5 * x.signum() * (2.0 * x.abs() / (1.0 - x.abs())).ln_1p(),
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Unary::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        Unary::Erf => erf(x),
        Unary::Ndtr => 0.5 * crate::number::special("erfc", -x * std::f64::consts::FRAC_1_SQRT_2),
        Unary::Erfc | Unary::Erfinv | Unary::Lgamma | Unary::Digamma | Unary::Polygamma(_) => {
            crate::number::special(op.name(), x)
        }
        Unary::Floor => x.floor(),
        Unary::Ceil => x.ceil(),
        Unary::Round => x.round_ties_even(),
        Unary::Trunc => x.trunc(),
        Unary::Frac => x.fract(),
        Unary::Relu => {
            if x < 0.0 {
                0.0
            } else {
                x
            }
        }
        Unary::Scale(c) => x * c,
        Unary::Shift(c) => x + c,
        Unary::DivScalar(c) => x / c,
        Unary::ScalarDiv(c) => c / x,
        Unary::Powi(n) => x.powi(n),
        Unary::Powf(p) => x.powf(p),
        Unary::ClampMin(c) => {
            if x < c {
                c
            } else {
                x
            }
        }
        Unary::ClampMax(c) => {
            if x > c {
                c
            } else {
                x
            }
        }
        Unary::Gt(c) => one_if(x > c),
        Unary::Ge(c) => one_if(x >= c),
        Unary::Lt(c) => one_if(x < c),
        Unary::Le(c) => one_if(x <= c),
        Unary::Eq(c) => one_if(x == c),
        Unary::Ne(c) => one_if(x != c),
    }
}

/// Computes the error function, which the standard library lacks, by a series of positive terms:
/// erf x = 2/√π exp(-x²) Σ 2ⁿ x²ⁿ⁺¹ / (1 · 3 · … · (2n + 1)).
#[cfg(test)]
fn erf(x: f64) -> f64 {
    let terms = (1..200).scan(x, |term, n| {
        *term *= 2.0 * x * x / f64::from(2 * n + 1);
        Some(*term)
    });
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * (x + terms.sum::<f64>())
}
