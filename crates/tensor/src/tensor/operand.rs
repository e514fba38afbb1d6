//! The second operand of a function of two operands: a tensor or a number.

use crate::tensor::{Element, Figure, Float, Tensor};
use std::cmp::Ordering;

mod sealed {
    pub trait Sealed {}
}

/// The second operand of a function of two operands: a tensor of the same element type, by reference or by
/// value, or a number (`f64` or an integer).
///
/// If the element type is a float, a number is rounded to it. If the element type is an integer or `bool`
/// (0 or 1), comparisons are exact, and a function that puts the number into its result panics if the
/// number does not fit the type.
///
/// ```
/// use wengert::tensor::Tensor;
/// let x = Tensor::from([-1.0, 0.5, 2.0]);
/// assert_eq!(x.gt(0).to_vec(), [false, true, true]);
/// assert_eq!(x.le(0.5).to_vec(), [true, true, false]);
/// assert_eq!(x.eq(&x.relu()).to_vec(), [false, true, true]);
/// assert_eq!(x.maximum(0).to_vec(), [0.0, 0.5, 2.0]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a tensor of `{T}` nor a number",
    note = "operands are tensors of the same element type, `f64` and integers; convert an `f32` to \
         `f64` with `f64::from(x)`, and the type of a tensor with `cast`"
)]
pub trait Operand<T: Element>: sealed::Sealed {
    /// Returns the operand as a tensor or a number.
    #[doc(hidden)]
    fn operand(&self) -> Given<'_, T>;
}

/// The two kinds of [`Operand`].
#[doc(hidden)]
#[derive(Clone, Copy)]
pub enum Given<'a, T: Element> {
    Tensor(&'a Tensor<T>),
    Number(Figure),
}

impl<T: Element> Given<'_, T> {
    /// Returns the operand as a tensor. A number becomes a scalar tensor.
    #[track_caller]
    pub(crate) fn tensor(self, op: &str) -> Tensor<T> {
        match self {
            Given::Tensor(x) => x.clone(),
            Given::Number(c) => Tensor::scalar_of(c.element(op)),
        }
    }
}

/// The number as an element.
impl Figure {
    /// Compares an element with this number.
    #[inline(always)]
    pub(crate) fn order<T: Element>(self, x: T) -> Option<Ordering> {
        match self {
            Figure::Float(c) => x.order(c),
            Figure::Integer(c) => x.order_integer(c),
        }
    }

    /// Returns the number as an operation on floats of type `T` records it.
    #[inline]
    pub fn nearest<T: Float>(self) -> f64 {
        match self {
            Figure::Float(c) => c,
            Figure::Integer(_) => self.element::<T>("").to(),
        }
    }

    /// Returns the number as an element: the nearest float, or the integer with this value.
    ///
    /// # Panics
    /// If the type has no such element.
    #[track_caller]
    pub fn element<T: Element>(self, op: &str) -> T {
        let dtype = T::DTYPE;
        match T::number(self) {
            Some(element) => element,
            None if self.integer().is_none() => panic!(
                "{op}: {self} is not an integer, and the tensor holds {dtype}: cast first, for \
                 example x.cast::<f64>()"
            ),
            None => {
                panic!("{op}: {self} does not fit {dtype}: cast first, for example x.cast::<f64>()")
            }
        }
    }
}

impl<T: Element> sealed::Sealed for Tensor<T> {}
impl<T: Element> Operand<T> for Tensor<T> {
    #[inline]
    fn operand(&self) -> Given<'_, T> {
        Given::Tensor(self)
    }
}
impl<T: Element> sealed::Sealed for &Tensor<T> {}
impl<T: Element> Operand<T> for &Tensor<T> {
    #[inline]
    fn operand(&self) -> Given<'_, T> {
        Given::Tensor(self)
    }
}
impl sealed::Sealed for f64 {}
impl<T: Element> Operand<T> for f64 {
    #[inline]
    fn operand(&self) -> Given<'_, T> {
        Given::Number(Figure::Float(*self))
    }
}
// `f32` is not implemented, so that a float literal is an `f64` without ambiguity.
macro_rules! integers {
    ($($t:ident)*) => { $(
        impl sealed::Sealed for $t {}
        impl<T: Element> Operand<T> for $t {
            #[inline]
            fn operand(&self) -> Given<'_, T> {
                Given::Number(Figure::from(*self))
            }
        }
    )* };
}
integers! { i32 i64 usize u8 u32 }
impl sealed::Sealed for bool {}
impl Operand<bool> for bool {
    #[inline]
    fn operand(&self) -> Given<'_, bool> {
        Given::Number(Figure::Integer(i128::from(*self)))
    }
}

#[cfg(test)]
mod tests;
