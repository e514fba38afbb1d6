//! The operations of two operands, a row each: what it means, its name, its loop.

use super::program::Expr;
use super::unary::one_if;
use crate::machine::Isa;
use crate::number::{Math, Scalar, block};

macro_rules! binary {
    ($($(#[$doc:meta])* $Op:ident as $method:ident: |$a:ident, $b:ident| $y:expr;)*) => {
        /// An operation of two operands of equal shape (broadcasting is a view made before).
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Binary { $($(#[$doc])* $Op,)* }

        impl Binary {
            /// Every operation.
            pub const ALL: &'static [Binary] = &[$(Binary::$Op,)*];

            /// The operation's name.
            pub fn name(self) -> &'static str {
                match self { $(Binary::$Op => stringify!($method),)* }
            }
        }

        impl Expr<'_> { $(
            $(#[$doc])*
            #[allow(clippy::should_implement_trait)] // the operators are there too
            pub fn $method(self, other: Self) -> Self {
                self.binary(Binary::$Op, other)
            }
        )* }

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

/// The greater; NaN if either is NaN (the order of the tests lets one in either operand through).
#[inline(always)]
fn greater<T: Scalar>(a: T, b: T) -> T {
    if a > b || a.is_nan_() { a } else { b }
}

/// The lesser; NaN if either is NaN.
#[inline(always)]
fn lesser<T: Scalar>(a: T, b: T) -> T {
    if a < b || a.is_nan_() { a } else { b }
}

binary! {
    /// a + b
    Add as add: |a, b| a + b;
    /// a - b
    Sub as sub: |a, b| a - b;
    /// a · b
    Mul as mul: |a, b| a * b;
    /// a / b
    Div as div: |a, b| a / b;
    /// aᵇ; NaN for negative a unless b is whole.
    Pow as pow: |a, b| a.powf::<I>(b);
    /// The greater; NaN if either is NaN.
    Maximum as maximum: |a, b| greater(a, b);
    /// The lesser; NaN if either is NaN.
    Minimum as minimum: |a, b| lesser(a, b);
    /// 1 where a > b, else 0.
    Gt as gt: |a, b| one_if(a > b);
    /// 1 where a ≥ b, else 0.
    Ge as ge: |a, b| one_if(a >= b);
    /// 1 where a < b, else 0.
    Lt as lt: |a, b| one_if(a < b);
    /// 1 where a ≤ b, else 0.
    Le as le: |a, b| one_if(a <= b);
    /// 1 where a = b, else 0.
    Eq as eq: |a, b| one_if(a == b);
    /// 1 where a ≠ b, else 0.
    Ne as ne: |a, b| one_if(a != b);
    /// b where a is 0, else 0, whatever b is: the gate through which a cotangent passes, or does not.
    Gate as gate: |a, b| if a == T::default() { b } else { T::default() };
}
