//! What loops ask of the numbers they run over.

use std::ops::{Add, Div, Mul, Sub};

/// Whatever a tensor can store, as loops see it.
pub trait Scalar: Copy + Default + PartialEq + PartialOrd + Send + Sync + 'static {
    #[doc(hidden)]
    #[inline(always)]
    #[allow(clippy::eq_op)] // what it means to be no number
    fn is_nan_(self) -> bool {
        self != self
    }
}

/// Scalars with arithmetic: floats and integers. Every pattern of bits is such a number.
pub trait Numeric:
    Scalar + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// The sum, and whether it does not fit (then the sum is wrapped).
    #[doc(hidden)]
    fn adding(self, other: Self) -> (Self, bool);
    /// Whether this number is a true sum: `added` was added to some other number by
    /// [`adding`](Numeric::adding), in parts whose sums may have been wrapped on the way.
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
                let before = (sum - added) as $t; // wrapped as the sums were
                i128::from(before) + added == sum
            }
        }
    )* };
}
integers! { i64 u32 u8 }
