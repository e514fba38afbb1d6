//! The operations of one operand, a row each: what it means, its name, its loop.
//!
//! A new row here (and its rule in the rule book of `autograd`) is all a new operation takes: the
//! opcode, the tensor's method (but for a row marked `in programs`) and the one for programs come from
//! it.

use super::program::Expr;
use crate::machine::Isa;
use crate::number::{Math, block};

macro_rules! constant {
    () => {
        None
    };
    ($c:ident) => {
        Some(f64::from($c))
    };
}

macro_rules! unary {
    ($($(#[$doc:meta])* $Op:ident $(($c:ident: $C:ty = $example:expr))? as $method:ident $(in $programs:ident)?: |$x:ident| $y:expr;)*) => {
        /// An operation of one operand.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Unary { $($(#[$doc])* $Op $(($C))?,)* }

        impl Unary {
            /// Every operation; those with a constant carry an example of it.
            pub const ALL: &'static [Unary] = &[$(Unary::$Op $(($example))?,)*];

            /// The operation's name.
            pub fn name(self) -> &'static str {
                match self { $(Unary::$Op { .. } => stringify!($method),)* }
            }

            /// The number that the operation carries, if it carries one.
            pub fn constant(self) -> Option<f64> {
                match self { $(Unary::$Op $(($c))? => constant!($($c)?),)* }
            }
        }

        impl Expr<'_> { $(
            $(#[$doc])*
            pub fn $method(self $(, $c: $C)?) -> Self {
                self.unary(Unary::$Op $(($c))?)
            }
        )* }

        /// # Safety
        /// `x` holds `n` numbers, `y` has room for `n`, and they do not overlap.
        #[inline(always)]
        #[allow(unreachable_patterns)] // what has a loop of its own is in the table as well
        pub(super) unsafe fn run<T: Math, I: Isa>(op: Unary, x: *const T, y: *mut T, n: usize) {
            // SAFETY: by the contract.
            unsafe {
                match op {
                    // Loops of their own: these branch, on the size of the argument or on the exponent.
                    Unary::Sin => block::sin::<T, I>(x, y, n),
                    Unary::Cos => block::cos::<T, I>(x, y, n),
                    Unary::Powi(k) if k != 2 => block::powi::<T, I>(x, y, n, k),
                    $(Unary::$Op $(($c))? => {
                        $(let $c = Constant::<T>::lower($c);)?
                        block::map(x, y, n, #[inline(always)] |$x| $y);
                    })*
                }
            }
        }
    };
}

/// Constants are `f64` at the surface and of the tensor's type in the loop; exponents stay whole.
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

#[inline(always)]
pub(super) fn one_if<T: Math>(yes: bool) -> T {
    if yes { T::narrow(1.0) } else { T::default() }
}

/// The table, handed to a macro: to [`unary`] here, to the one that writes the methods of the tensor there.
macro_rules! unary_operations {
    ($with:ident) => {
        $with! {
            /// -x
            Neg as negative in programs: |x| -x;
            /// |x|
            Abs as abs: |x| x.abs_();
            /// -1, 0 or 1; NaN for NaN.
            Sign as sign: |x| if x > T::default() { T::narrow(1.0) } else if x < T::default() { T::narrow(-1.0) } else { x };
            /// eˣ
            Exp as exp: |x| x.exp::<I>();
            /// Natural logarithm.
            Ln as ln: |x| x.ln::<I>();
            /// √x
            Sqrt as sqrt: |x| x.sqrt::<I>();
            /// 1 / x
            Recip as recip: |x| T::narrow(1.0) / x;
            /// Sine of radians.
            Sin as sin: |x| x.sin::<I>();
            /// Cosine of radians.
            Cos as cos: |x| x.cos::<I>();
            /// Hyperbolic tangent.
            Tanh as tanh: |x| x.tanh::<I>();
            /// The logistic function, 1 / (1 + e⁻ˣ).
            Sigmoid as sigmoid: |x| x.sigmoid::<I>();
            /// ln(1 + eˣ), without overflow.
            Softplus as softplus: |x| x.softplus::<I>();
            /// max(x, 0); NaN stays NaN.
            Relu as relu: |x| if x < T::default() { T::default() } else { x };
            /// x · c
            Scale(c: f64 = -1.5) as scale in programs: |x| x * c;
            /// x + c
            Shift(c: f64 = 0.75) as shift in programs: |x| x + c;
            /// x / c, rounded once.
            DivScalar(c: f64 = -1.7) as div_scalar in programs: |x| x / c;
            /// c / x, rounded once.
            ScalarDiv(c: f64 = -1.7) as scalar_div in programs: |x| c / x;
            /// xⁿ
            Powi(n: i32 = 3) as powi: |x| if n == 2 { x * x } else { x.powi::<I>(n) };
            /// xᵖ; NaN for negative x unless p is whole.
            Powf(p: f64 = 1.7) as powf: |x| x.powf::<I>(p);
            /// max(x, c); NaN stays NaN.
            ClampMin(c: f64 = 0.25) as clamp_min: |x| if x < c { c } else { x };
            /// min(x, c); NaN stays NaN.
            ClampMax(c: f64 = 0.25) as clamp_max: |x| if x > c { c } else { x };
            /// 1 where x > c, else 0.
            Gt(c: f64 = 0.25) as indicator_gt in programs: |x| one_if(x > c);
            /// 1 where x ≥ c, else 0.
            Ge(c: f64 = 0.25) as indicator_ge in programs: |x| one_if(x >= c);
            /// 1 where x < c, else 0.
            Lt(c: f64 = 0.25) as indicator_lt in programs: |x| one_if(x < c);
            /// 1 where x ≤ c, else 0.
            Le(c: f64 = 0.25) as indicator_le in programs: |x| one_if(x <= c);
            /// 1 where x = c, else 0.
            Eq(c: f64 = 0.25) as indicator_eq in programs: |x| one_if(x == c);
            /// 1 where x ≠ c, else 0.
            Ne(c: f64 = 0.25) as indicator_ne in programs: |x| one_if(x != c);
        }
    };
}
pub(crate) use unary_operations;

unary_operations! { unary }

/// What each operation means, from the standard library.
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
        Unary::Sqrt => x.sqrt(),
        Unary::Recip => x.recip(),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Tanh => x.tanh(),
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Unary::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
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
