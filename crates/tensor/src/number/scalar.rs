//! The traits of elements that loops need.

use std::ops::{Add, Div, Mul, Sub};

/// A type that a tensor can store, as loops see it.
pub trait Scalar: Copy + Default + PartialEq + PartialOrd + Send + Sync + 'static {
    #[doc(hidden)]
    #[inline(always)]
    #[allow(clippy::eq_op)] // the definition of NaN
    fn is_nan_(self) -> bool {
        self != self
    }
}

/// Scalars with arithmetic: floats and integers. Every bit pattern is a valid value.
pub trait Numeric:
    Scalar + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// Returns the sum, and whether it overflowed. A sum that overflowed is wrapped.
    #[doc(hidden)]
    fn adding(self, other: Self) -> (Self, bool);
    /// Returns whether this number is the true sum after `added` was added to some number by
    /// [`adding`](Numeric::adding). `added` may have been added in several parts, whose
    /// intermediate sums may have been wrapped.
    #[doc(hidden)]
    fn holds(self, added: i128) -> bool;
}

impl Scalar for bool {}

macro_rules! floats {
    ($($t:ident)*) => { $(
        impl Scalar for $t {}
        impl Numeric for $t {
            #[inline(always)]
            fn adding(self, other: Self) -> (Self, bool) {
                (self + other, false)
            }
            fn holds(self, _: i128) -> bool {
                true
            }
        }
    )* };
}
floats! { f32 f64 }

macro_rules! integers {
    ($($t:ident)*) => { $(
        impl Scalar for $t {}
        impl Numeric for $t {
            #[inline(always)]
            fn adding(self, other: Self) -> (Self, bool) {
                self.overflowing_add(other)
            }
            fn holds(self, added: i128) -> bool {
                let sum = i128::from(self);
                let before = (sum - added) as $t; // wrapped, as the intermediate sums were
                i128::from(before) + added == sum
            }
        }
    )* };
}
integers! { i64 u32 u8 }
