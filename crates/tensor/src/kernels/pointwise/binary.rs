//! The operations of two operands. Each row of the table has the documentation, the name and the
//! formula.

use super::unary::one_if;
use crate::machine::Isa;
use crate::number::{Math, Scalar, block};

macro_rules! binary {
    ($($(#[$doc:meta])* $Op:ident as $method:ident: |$a:ident, $b:ident| $y:expr;)*) => {
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

        /// # Safety
        /// `a` and `b` hold `n` numbers, `y` has room for `n` and overlaps neither.
        #[inline(always)]
        pub(super) unsafe fn run<T: Math, I: Isa>(
            op: Binary,
            a: *const T,
            b: *const T,
            y: *mut T,
            n: usize,
        ) {
            // SAFETY: by the contract.
            unsafe {
                match op {
                    $(Binary::$Op => block::zip(a, b, y, n, #[inline(always)] |$a, $b| $y),)*
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
