//! The second operand of a function: a variable or a number.

use super::var::Var;
use wengert_tensor::{Figure, Float};

mod sealed {
    pub trait Sealed {}
}

/// The second operand of a function: a variable of the same tape, or a number. A number is an `f64` or
/// an integer and is rounded to the type of the tape.
///
/// ```
/// use wengert::autograd::{Tape, Var};
/// use wengert::tensor::Tensor;
/// let tape = Tape::new();
/// let x = tape.watch(Tensor::from([-1.0, 0.5, 2.0]));
/// assert_eq!(x.gt(0).value().to_vec(), [false, true, true]);
/// assert_eq!(x.le(0.5).value().to_vec(), [true, true, false]);
/// assert_eq!(x.pow(2).value().to_vec(), [1.0, 0.25, 4.0]);
/// assert_eq!(Var::where_(x.gt(0), x, 0.1 * x).value().to_vec(), [-0.1, 0.5, 2.0]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a variable of `{T}` nor a number",
    note = "operands are variables (by value, without `&`), `f64` and integers; convert a tensor to \
         a variable with `tape.constant(x)`, and an `f32` to `f64` with `f64::from(x)`"
)]
pub trait Operand<'t, T: Float>: sealed::Sealed {
    /// Returns the operand as a variable or a number.
    #[doc(hidden)]
    fn operand(self) -> Given<'t, T>;
}

/// An [`Operand`] as a variable or a number.
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
// `f32` is left out on purpose: the type of a float literal is then always inferred as `f64`.
numbers! { f64 i32 i64 usize u8 u32 }
