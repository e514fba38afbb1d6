//! What tensors are made of.

use crate::compiled::{FloatKernels, Kernels};
use crate::gemm::Gemm;
use crate::math::Math;
use crate::pointwise::Arithmetic;
use std::fmt::{Debug, Display};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// The type of a tensor's elements, as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names say it
pub enum Dtype {
    F32,
    F64,
    I64,
    U32,
    U8,
    Bool,
}

impl Display for Dtype {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Dtype::F32 => "f32",
            Dtype::F64 => "f64",
            Dtype::I64 => "i64",
            Dtype::U32 => "u32",
            Dtype::U8 => "u8",
            Dtype::Bool => "bool",
        })
    }
}

mod sealed {
    pub trait Sealed {}
}

/// Anything a tensor can store: `f32`, `f64`, `i64`, `u32`, `u8`, `bool`.
#[diagnostic::on_unimplemented(
    message = "tensors have no elements of type `{Self}`",
    label = "no element type",
    note = "element types are `f32`, `f64`, `i64`, `u32`, `u8` and `bool`; `usize` and `i32` become `i64`"
)]
pub trait Element:
    Copy + Default + PartialEq + PartialOrd + Debug + Display + Send + Sync + sealed::Sealed + 'static
{
    /// The type as a value.
    const DTYPE: Dtype;
    /// The nearest element: as Rust's `as` for numbers; for `bool`, whether it is not zero.
    fn of(x: f64) -> Self;
    /// As `f64`: exact but for the largest `i64`; `bool` gives 0 or 1.
    fn to(self) -> f64;
    #[doc(hidden)]
    #[inline(always)]
    #[allow(clippy::eq_op)] // what it means to be no number
    fn is_nan_(self) -> bool {
        self != self
    }
}

/// Elements with arithmetic: all but `bool`. Integers wrap on overflow, as in NumPy, and dividing
/// them by zero panics.
#[diagnostic::on_unimplemented(
    message = "tensors of `{Self}` have no arithmetic",
    label = "not a number",
    note = "`cast` makes numbers of booleans: `x.cast::<f32>()`"
)]
pub trait Number:
    Element
    + Arithmetic
    + Kernels
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
{
    #[doc(hidden)]
    fn add_(self, other: Self) -> Self;
    #[doc(hidden)]
    fn sub_(self, other: Self) -> Self;
    #[doc(hidden)]
    fn mul_(self, other: Self) -> Self;
}

/// Elements that can be differentiated: `f32` and `f64`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be differentiated: `f32` and `f64` can",
    label = "not a float",
    note = "`cast` makes floats of other numbers: `x.cast::<f32>()`"
)]
pub trait Float: Number + FloatKernels + Math + Gemm + Neg<Output = Self> {
    /// The distance from 1 to the next number.
    const EPSILON: f64;
    /// Negative infinity, the neutral element of the maximum.
    const NEG_INFINITY: Self;
    /// Infinity, the neutral element of the minimum.
    const INFINITY: Self;
    #[doc(hidden)]
    fn abs_(self) -> Self;
}

macro_rules! numbers {
    ($($t:ident $dtype:ident)*) => { $(
        impl sealed::Sealed for $t {}
        impl Element for $t {
            const DTYPE: Dtype = Dtype::$dtype;
            #[inline(always)]
            fn of(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn to(self) -> f64 {
                self as f64
            }
        }
    )* };
}
numbers! { f32 F32 f64 F64 i64 I64 u32 U32 u8 U8 }

impl sealed::Sealed for bool {}
impl Element for bool {
    const DTYPE: Dtype = Dtype::Bool;
    fn of(x: f64) -> Self {
        x != 0.0
    }
    fn to(self) -> f64 {
        f64::from(self)
    }
}

macro_rules! arithmetic {
    ($($t:ident)*: $add:ident $sub:ident $mul:ident) => { $(
        impl Number for $t {
            #[inline(always)]
            fn add_(self, other: Self) -> Self {
                Self::$add(self, other)
            }
            #[inline(always)]
            fn sub_(self, other: Self) -> Self {
                Self::$sub(self, other)
            }
            #[inline(always)]
            fn mul_(self, other: Self) -> Self {
                Self::$mul(self, other)
            }
        }
    )* };
}
arithmetic! { i64 u32 u8: wrapping_add wrapping_sub wrapping_mul }
arithmetic! { f32 f64: add sub mul }

macro_rules! floats {
    ($($t:ident)*) => { $(
        impl Float for $t {
            const EPSILON: f64 = $t::EPSILON as f64;
            const NEG_INFINITY: Self = $t::NEG_INFINITY;
            const INFINITY: Self = $t::INFINITY;
            #[inline(always)]
            fn abs_(self) -> Self {
                self.abs()
            }
        }
    )* };
}
floats! { f32 f64 }
