//! What tensors are made of.

use crate::kernels::compiled::{FloatKernels, Kernels};
use crate::kernels::gemm::Gemm;
use crate::kernels::pointwise::Arithmetic;
use crate::kernels::reduce::{self, Reduction};
use crate::number::Math;
use crate::tensor::Figure;
use crate::tensor::Tensor;
use std::cmp::Ordering;
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
    /// The type of a sum of such elements: the type itself for floats, `i64` for integers and
    /// `bool`.
    type Sum: Number;
    /// Converts a number as Rust's `as` does: to a float, the nearest one; to an integer, without
    /// the fraction, saturating at the ends of the range, and 0 for NaN. To `bool`: whether the
    /// number differs from zero, which NaN does.
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
    /// The element with exactly this value, if there is one; `None` for floats.
    #[doc(hidden)]
    fn exactly(x: i128) -> Option<Self>;
    /// Compares with a number: exactly, but for floats, for which the number is first rounded to
    /// this type.
    #[doc(hidden)]
    fn order(self, c: f64) -> Option<Ordering>;
    /// The same with an integer.
    #[doc(hidden)]
    fn order_whole(self, c: i128) -> Option<Ordering>;
    /// The float nearest to this number; else the element with exactly this value, if there is one.
    #[doc(hidden)]
    fn number(x: Figure) -> Option<Self>;
    /// The mean of all.
    #[doc(hidden)]
    fn mean(x: &Tensor<Self>) -> f64;
    /// Sums along axes; `None` if a sum does not fit.
    #[doc(hidden)]
    fn sum_along(x: &Tensor<Self>, reduction: Reduction) -> Option<Tensor<Self::Sum>>;
    /// The sum of all; `None` if it does not fit.
    #[doc(hidden)]
    fn total(x: &[Self]) -> Option<Self::Sum>;
    #[doc(hidden)]
    #[inline(always)]
    #[allow(clippy::eq_op)] // what it means to be no number
    fn is_nan_(self) -> bool {
        self != self
    }
}

/// Elements with arithmetic: all but `bool`. Arithmetic of integers is exact or panics; see the
/// table of [`Tensor`].
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
    /// The sum, and whether it does not fit (then the sum is wrapped).
    #[doc(hidden)]
    fn adding(self, other: Self) -> (Self, bool);
    /// Whether this element is a true sum: `added` was added to some other element by
    /// [`adding`](Number::adding), in parts whose sums may have been wrapped on the way.
    #[doc(hidden)]
    fn holds(self, added: i128) -> bool;
}

/// Elements that can be differentiated: `f32` and `f64`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be differentiated: `f32` and `f64` can",
    label = "not a float",
    note = "`cast` makes floats of other numbers: `x.cast::<f32>()`"
)]
pub trait Float:
    Number + Element<Sum = Self> + FloatKernels + Math + Gemm + Neg<Output = Self>
{
    /// The distance from 1 to the next number.
    const EPSILON: f64;
    /// Negative infinity, the neutral element of the maximum.
    const NEG_INFINITY: Self;
    /// Infinity, the neutral element of the minimum.
    const INFINITY: Self;
    #[doc(hidden)]
    fn abs_(self) -> Self;
    #[doc(hidden)]
    fn add_(self, other: Self) -> Self;
    #[doc(hidden)]
    fn sub_(self, other: Self) -> Self;
    #[doc(hidden)]
    fn mul_(self, other: Self) -> Self;
}

/// Compares an integer with a number, without rounding either.
#[inline(always)]
fn order(x: i128, c: f64) -> Option<Ordering> {
    if c.is_nan() {
        return None;
    }
    // Saturates for infinities and huge numbers, which no `i64` reaches.
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
            fn order_whole(self, c: i128) -> Option<Ordering> {
                self.partial_cmp(&(c as $t))
            }
            fn number(x: Figure) -> Option<Self> {
                Some(match x {
                    Figure::Float(c) => c as $t,
                    Figure::Whole(c) => c as $t,
                })
            }
            fn mean(x: &Tensor<Self>) -> f64 {
                (x.sum_all() / x.numel() as $t).into()
            }
            fn sum_along(x: &Tensor<Self>, reduction: Reduction) -> Option<Tensor<Self>> {
                Some(reduce::sum_axes(x, reduction))
            }
            fn total(x: &[Self]) -> Option<Self> {
                Some(reduce::total(x))
            }
        }
        impl Number for $t {
            #[inline(always)]
            fn adding(self, other: Self) -> (Self, bool) {
                (self + other, false)
            }
            fn holds(self, _: i128) -> bool {
                true
            }
        }
        impl Float for $t {
            const EPSILON: f64 = $t::EPSILON as f64;
            const NEG_INFINITY: Self = $t::NEG_INFINITY;
            const INFINITY: Self = $t::INFINITY;
            #[inline(always)]
            fn abs_(self) -> Self {
                self.abs()
            }
            #[inline(always)]
            fn add_(self, other: Self) -> Self {
                self + other
            }
            #[inline(always)]
            fn sub_(self, other: Self) -> Self {
                self - other
            }
            #[inline(always)]
            fn mul_(self, other: Self) -> Self {
                self * other
            }
        }
    )* };
}
floats! { f32 F32 from_f32 f64 F64 of }

macro_rules! sums_in_i64 {
    () => {
        type Sum = i64;
        fn sum_along(x: &Tensor<Self>, reduction: Reduction) -> Option<Tensor<i64>> {
            reduce::plain::sum_axes(x, reduction)
        }
        fn total(x: &[Self]) -> Option<i64> {
            reduce::plain::total(x)
        }
        #[inline(always)]
        fn order_whole(self, c: i128) -> Option<Ordering> {
            Some(i128::from(self).cmp(&c))
        }
        fn number(x: Figure) -> Option<Self> {
            x.whole().and_then(Self::exactly)
        }
        fn mean(x: &Tensor<Self>) -> f64 {
            let all = x.contiguous();
            reduce::plain::exact(all.as_slice().unwrap_or_default()) as f64 / x.numel() as f64
        }
    };
}

macro_rules! integers {
    ($($t:ident $dtype:ident $cast:ident)*) => { $(
        impl sealed::Sealed for $t {}
        impl Element for $t {
            const DTYPE: Dtype = Dtype::$dtype;
            conversions!();
            sums_in_i64!();
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
        impl Number for $t {
            #[inline(always)]
            fn adding(self, other: Self) -> (Self, bool) {
                self.overflowing_add(other)
            }
            fn holds(self, added: i128) -> bool {
                let sum = i128::from(self);
                let before = (sum - added) as $t; // wrapped as the sums were
                i128::from(before) + added == sum
            }
        }
    )* };
}
integers! { i64 I64 from_i64 u32 U32 from_u32 u8 U8 from_u8 }

impl sealed::Sealed for bool {}
impl Element for bool {
    const DTYPE: Dtype = Dtype::Bool;
    sums_in_i64!();
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
