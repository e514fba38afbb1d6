//! The operations of two operands. Each row of the table has the documentation, the name and the
//! formula.

use super::unary::{narrow_row, one_if, wide_row};
use crate::machine::Isa;
use crate::number::{Math, Scalar, block, wide};
use std::slice::from_raw_parts;

macro_rules! binary {
    ($($(#[$doc:meta])* $Op:ident as $method:ident $(in $marker:ident)?: |$a:ident, $b:ident| $y:expr;)*) => {
        /// A pointwise operation of two operands of equal shape. The caller broadcasts them
        /// with views.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Binary { $($(#[$doc])* $Op,)* }

        impl Binary {
            /// All operations.
            pub const ALL: &'static [Binary] = &[$(Binary::$Op,)*];

            /// Returns the name of the operation.
            pub fn name(self) -> &'static str {
                match self { $(Binary::$Op => stringify!($method),)* }
            }
        }

        /// Applies `op` to `n` pairs of numbers. `wide` applies an operation that is computed in `f64` for both types.
        ///
        /// # Safety
        /// `a` and `b` hold `n` numbers, `y` has room for `n` and overlaps neither.
        #[inline(always)]
        #[allow(unreachable_patterns)] // the table also contains the operation with its own loop
        pub(super) unsafe fn run<T: Math, I: Isa>(
            op: Binary,
            a: *const T,
            b: *const T,
            y: *mut T,
            n: usize,
            wide: impl FnOnce(),
        ) {
            // SAFETY: by the contract.
            unsafe {
                match op {
                    // It has its own loop, because it branches on the size of the arguments.
                    Binary::Pow => {
                        let b = from_raw_parts(b, n);
                        block::powf::<T, I>(a, #[inline(always)] |i| b[i], y, n);
                    }
                    $(Binary::$Op => {
                        narrow_row!([$($marker)?] wide, block::zip, (a, b, y, n), #[inline(always)] |$a, $b| $y);
                    })*
                }
            }
        }

        /// Computes the operations that are computed in `f64`.
        ///
        /// # Safety
        /// As [`run`].
        #[inline(always)]
        pub(super) unsafe fn run_wide<I: Isa>(
            op: Binary,
            a: *const f64,
            b: *const f64,
            y: *mut f64,
            n: usize,
        ) {
            // SAFETY: by the contract.
            unsafe {
                match op {
                    $(Binary::$Op => {
                        wide_row!([$($marker)?] block::zip, (a, b, y, n), #[inline(always)] |$a, $b| $y);
                    })*
                }
            }
        }
    };
}

/// Returns the greater number; NaN if either is NaN. The order of the tests passes NaN through from
/// either operand.
#[inline(always)]
fn greater<T: Scalar>(a: T, b: T) -> T {
    if a > b || a.is_nan_() { a } else { b }
}

/// Returns the lesser number; NaN if either is NaN.
#[inline(always)]
fn lesser<T: Scalar>(a: T, b: T) -> T {
    if a < b || a.is_nan_() { a } else { b }
}

/// Passes the table to a macro: to [`binary`] in this file, and to the macro that generates the methods of
/// [`Expr`](super::Expr).
macro_rules! binary_operations {
    ($with:ident) => {
        $with! {
            /// Computes a + b.
            Add as add: |a, b| a + b;
            /// Computes a - b.
            Sub as sub: |a, b| a - b;
            /// Computes a · b.
            Mul as mul: |a, b| a * b;
            /// Computes a / b.
            Div as div: |a, b| a / b;
            /// Computes aᵇ. It is NaN for negative a unless b is an integer.
            Pow as pow: |a, b| a.powf::<I>(b);
            /// Returns the greater number; NaN if either is NaN.
            Maximum as maximum: |a, b| greater(a, b);
            /// Returns the lesser number; NaN if either is NaN.
            Minimum as minimum: |a, b| lesser(a, b);
            /// Computes the angle of the point (b, a) in radians, from -π to π.
            Atan2 as atan2 in f64: |a, b| wide::atan2::<I>(a, b);
            /// Computes √(a² + b²) without overflow of the squares.
            Hypot as hypot in f64: |a, b| wide::hypot::<I>(a, b);
            /// Computes the remainder of a / b with the sign of a, exactly.
            Fmod as fmod: |a, b| a.rem_(b);
            /// Computes the remainder of a / b with the sign of b: a - b ⌊a / b⌋.
            Remainder as remainder: |a, b| {
                let r = a.rem_(b);
                if r != T::default() && (r < T::default()) != (b < T::default()) { r + b } else { r }
            };
            /// Returns |a| with the sign of b.
            Copysign as copysign: |a, b| a.signed_as(b);
            /// Computes a ln b; 0 for a = 0 unless b is NaN.
            Xlogy as xlogy in f64: |a, b| wide::xlogy::<I>(a, b);
            /// Computes ln(eᵃ + eᵇ) without overflow.
            Logaddexp as logaddexp in f64: |a, b| wide::logaddexp::<I>(a, b);
            /// Returns 1 where a > b, else 0.
            Gt as gt: |a, b| one_if(a > b);
            /// Returns 1 where a ≥ b, else 0.
            Ge as ge: |a, b| one_if(a >= b);
            /// Returns 1 where a < b, else 0.
            Lt as lt: |a, b| one_if(a < b);
            /// Returns 1 where a ≤ b, else 0.
            Le as le: |a, b| one_if(a <= b);
            /// Returns 1 where a = b, else 0.
            Eq as eq: |a, b| one_if(a == b);
            /// Returns 1 where a ≠ b, else 0.
            Ne as ne: |a, b| one_if(a != b);
            /// Returns b where a is 0, else 0, whatever b is. Rules use it to pass a cotangent or to block
            /// it.
            Gate as gate: |a, b| if a == T::default() { b } else { T::default() };
        }
    };
}
pub(super) use binary_operations;

binary_operations! { binary }
