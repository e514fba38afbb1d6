//! The other side of a function of two operands: a variable or a number.

use super::var::Var;
use wengert_tensor::{Figure, Float};

mod sealed {
    pub trait Sealed {}
}

/// What a function of two operands takes beside the variable it is called on: a variable of the same
/// tape, or a number, `f64` or an integer, which is rounded to the tape's type.
///
/// ```
/// use wengert_autograd::{Tape, Var};
/// use wengert_tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.watch(Tensor::from([-1.0, 0.5, 2.0]));
/// assert_eq!(x.gt(0).value().to_vec(), [false, true, true]);
/// assert_eq!(x.le(0.5).value().to_vec(), [true, true, false]);
/// assert_eq!(x.pow(2).value().to_vec(), [1.0, 0.25, 4.0]);
/// assert_eq!(Var::where_(x.gt(0), x, 0.1 * x).value().to_vec(), [-0.1, 0.5, 2.0]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a variable of `{T}` nor a number",
    note = "operands are variables, which are copied and not borrowed, `f64` and integers; \
            tape.constant(x) makes a variable of a tensor, `f64::from(x)` an `f64` of an `f32`"
)]
pub trait Operand<'t, T: Float>: sealed::Sealed {
    /// The operand.
    #[doc(hidden)]
    fn operand(self) -> Given<'t, T>;
}

/// What an [`Operand`] is.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub enum Given<'t, T: Float> {
    Var(Var<'t, T>),
    Number(Figure),
}

impl<T: Float> sealed::Sealed for Var<'_, T> {}
impl<'t, T: Float> Operand<'t, T> for Var<'t, T> {
    #[inline]
    fn operand(self) -> Given<'t, T> {
        Given::Var(self)
    }
}
macro_rules! numbers {
    ($($t:ident)*) => { $(
        impl sealed::Sealed for $t {}
        impl<'t, T: Float> Operand<'t, T> for $t {
            #[inline]
            fn operand(self) -> Given<'t, T> {
                Given::Number(self.into())
            }
        }
    )* };
}
// No `f32`: so a float literal is an `f64` without a choice.
numbers! { f64 i32 i64 usize u8 u32 }
