//! The element types of tensors, and the traits that group them.

use super::arithmetic::Arithmetic;
use super::figure::Figure;
use super::per_type::PerType;
use super::reduce::{FloatReduceKernels, ReduceKernels, Sums};
use crate::kernels::{CompareKernels, CopyKernel, FloatKernels, ScanKernel};
use crate::number::{Dtype, Numeric, Scalar};
use std::cmp::Ordering;
use std::fmt::{Debug, Display};
use std::ops::{Add, Div, Mul, Neg, Sub};

mod sealed {
    pub trait Sealed {}
}

/// A type of elements that a tensor can store: `f32`, `f64`, `i64`, `u32`, `u8`, `bool`.
#[diagnostic::on_unimplemented(
    message = "tensors cannot have elements of type `{Self}`",
    label = "not an element type",
    note = "element types are `f32`, `f64`, `i64`, `u32`, `u8` and `bool`; convert `usize` and `i32` \
         to `i64`"
)]
pub trait Element:
    Copy
    + Default
    + PartialEq
    + PartialOrd
    + Debug
    + Display
    + Send
    + Sync
    + Scalar
    + CompareKernels
    + CopyKernel
    + Sums
    + sealed::Sealed
    + 'static
{
    /// The element type as a value.
    const DTYPE: Dtype;
    /// The type of a sum of such elements: the type itself for floats, `i64` for integers and
    /// `bool`.
    type Sum: Number + ScanKernel;
    /// Converts a number as Rust's `as` does. A float type gives the nearest float. An integer type
    /// drops the fraction, saturates at the ends of its range, and gives 0 for NaN. `bool` gives true
    /// if the number differs from zero, which NaN does.
    fn of(x: f64) -> Self;
    /// Converts to `f64`. Integers beyond 2⁵³ are rounded; `bool` gives 0 or 1.
    fn to(self) -> f64;
    /// Converts to another element type, see [`Tensor::cast`].
    #[doc(hidden)]
    fn cast_<U: Element>(self) -> U;
    /// Converts from each number type as Rust's `as` does.
    #[doc(hidden)]
    fn from_f32(x: f32) -> Self;
    #[doc(hidden)]
    fn from_i64(x: i64) -> Self;
    #[doc(hidden)]
    fn from_u32(x: u32) -> Self;
    #[doc(hidden)]
    fn from_u8(x: u8) -> Self;
    /// Returns the integer or `bool` with exactly this value, or `None` if the type has no such value.
    /// Floats always give `None`.
    #[doc(hidden)]
    fn exactly(x: i128) -> Option<Self>;
    /// Compares with a number. Integers and `bool` compare exactly; for floats the number is first
    /// rounded to the float type.
    #[doc(hidden)]
    fn order(self, c: f64) -> Option<Ordering>;
    /// Compares with an integer, by the same rule.
    #[doc(hidden)]
    fn order_integer(self, c: i128) -> Option<Ordering>;
    /// Returns the float nearest to this number, or the integer or `bool` with exactly this value.
    /// `None` if the type has no such value.
    #[doc(hidden)]
    fn number(x: Figure) -> Option<Self>;
}

/// An element type with arithmetic: every type except `bool`. Integer arithmetic gives the exact result or
/// panics; see the table of [`Tensor`](crate::Tensor).
#[diagnostic::on_unimplemented(
    message = "tensors of `{Self}` do not support arithmetic",
    label = "not a number",
    note = "convert booleans to numbers with `x.cast::<f32>()`"
)]
pub trait Number:
    Element
    + Numeric
    + Arithmetic
    + ReduceKernels
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
{
}

/// An element type that can be differentiated: `f32` or `f64`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be differentiated, unlike `f32` and `f64`",
    label = "not a float",
    note = "convert other numbers to floats with `x.cast::<f32>()`"
)]
pub trait Float:
    Number + Element<Sum = Self> + FloatKernels + FloatReduceKernels + ScanKernel + Neg<Output = Self>
{
    /// The distance from 1 to the next larger number of this type.
    const EPSILON: f64;
    /// Negative infinity, the neutral element of the maximum.
    const NEG_INFINITY: Self;
    /// Infinity, the neutral element of the minimum.
    const INFINITY: Self;
    /// The largest finite number.
    const LARGEST: Self;
    /// Calls the function of this type.
    #[doc(hidden)]
    fn per_type<F: PerType>(args: F::Args<Self>) -> F::Output<Self>;
}

/// Compares an integer with a number without rounding either of them.
#[inline(always)]
fn order(x: i128, c: f64) -> Option<Ordering> {
    if c.is_nan() {
        return None;
    }
    // The cast saturates for infinities and huge numbers, which are beyond the range of every element type.
    let below = c.floor();
    Some(x.cmp(&(below as i128)).then(if below < c { Ordering::Less } else { Ordering::Equal }))
}

macro_rules! conversions {
    () => {
        #[inline(always)]
        fn of(x: f64) -> Self {
            x as Self
        }
        #[inline(always)]
        fn to(self) -> f64 {
            self as f64
        }
        #[inline(always)]
        fn from_f32(x: f32) -> Self {
            x as Self
        }
        #[inline(always)]
        fn from_i64(x: i64) -> Self {
            x as Self
        }
        #[inline(always)]
        fn from_u32(x: u32) -> Self {
            x as Self
        }
        #[inline(always)]
        fn from_u8(x: u8) -> Self {
            x as Self
        }
    };
}

macro_rules! floats {
    ($($t:ident $dtype:ident $cast:ident)*) => { $(
        impl sealed::Sealed for $t {}
        impl Element for $t {
            const DTYPE: Dtype = Dtype::$dtype;
            type Sum = $t;
            conversions!();
            #[inline(always)]
            fn cast_<U: Element>(self) -> U {
                U::$cast(self)
            }
            fn exactly(_: i128) -> Option<Self> {
                None
            }
            #[inline(always)]
            fn order(self, c: f64) -> Option<Ordering> {
                self.partial_cmp(&(c as $t))
            }
            #[inline(always)]
            fn order_integer(self, c: i128) -> Option<Ordering> {
                self.partial_cmp(&(c as $t))
            }
            fn number(x: Figure) -> Option<Self> {
                Some(match x {
                    Figure::Float(c) => c as $t,
                    Figure::Integer(c) => c as $t,
                })
            }
        }
        impl Number for $t {}
        impl Float for $t {
            const EPSILON: f64 = $t::EPSILON as f64;
            const NEG_INFINITY: Self = $t::NEG_INFINITY;
            const INFINITY: Self = $t::INFINITY;
            const LARGEST: Self = $t::MAX;
            #[inline(always)]
            #[track_caller]
            fn per_type<F: PerType>(args: F::Args<$t>) -> F::Output<$t> {
                F::$t(args)
            }
        }
    )* };
}
floats! { f32 F32 from_f32 f64 F64 of }

macro_rules! integer_members {
    () => {
        type Sum = i64;
        #[inline(always)]
        fn order_integer(self, c: i128) -> Option<Ordering> {
            Some(i128::from(self).cmp(&c))
        }
        fn number(x: Figure) -> Option<Self> {
            x.integer().and_then(Self::exactly)
        }
    };
}

macro_rules! integers {
    ($($t:ident $dtype:ident $cast:ident)*) => { $(
        impl sealed::Sealed for $t {}
        impl Element for $t {
            const DTYPE: Dtype = Dtype::$dtype;
            conversions!();
            integer_members!();
            #[inline(always)]
            fn cast_<U: Element>(self) -> U {
                U::$cast(self)
            }
            fn exactly(x: i128) -> Option<Self> {
                x.try_into().ok()
            }
            #[inline(always)]
            fn order(self, c: f64) -> Option<Ordering> {
                order(self.into(), c)
            }
        }
        impl Number for $t {}
    )* };
}
integers! { i64 I64 from_i64 u32 U32 from_u32 u8 U8 from_u8 }

impl sealed::Sealed for bool {}
impl Element for bool {
    const DTYPE: Dtype = Dtype::Bool;
    integer_members!();
    #[inline(always)]
    fn of(x: f64) -> Self {
        x != 0.0
    }
    #[inline(always)]
    fn to(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn cast_<U: Element>(self) -> U {
        U::from_u8(self.into())
    }
    #[inline(always)]
    fn from_f32(x: f32) -> Self {
        x != 0.0
    }
    #[inline(always)]
    fn from_i64(x: i64) -> Self {
        x != 0
    }
    #[inline(always)]
    fn from_u32(x: u32) -> Self {
        x != 0
    }
    #[inline(always)]
    fn from_u8(x: u8) -> Self {
        x != 0
    }
    fn exactly(x: i128) -> Option<Self> {
        [false, true].into_iter().find(|&it| i128::from(it) == x)
    }
    #[inline(always)]
    fn order(self, c: f64) -> Option<Ordering> {
        order(self.into(), c)
    }
}
