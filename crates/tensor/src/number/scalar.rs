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
    /// Returns a number with the order of the elements: equal elements have equal keys, and NaN has the
    /// largest key.
    #[doc(hidden)]
    fn key(self) -> u64;
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

impl Scalar for bool {
    #[inline(always)]
    fn key(self) -> u64 {
        self.into()
    }
}

macro_rules! floats {
    ($($t:ident)*) => { $(
        impl Scalar for $t {
            #[inline(always)]
            fn key(self) -> u64 {
                // Of both zeros, 0.0 + x gives the positive one.
                let bits = (0.0 + f64::from(self)).to_bits();
                let key = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
                if self.is_nan() { u64::MAX } else { key }
            }
        }
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
        impl Scalar for $t {
            #[inline(always)]
            fn key(self) -> u64 {
                // From i64::MIN on.
                (i64::from(self) as u64) ^ 1 << 63
            }
        }
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
