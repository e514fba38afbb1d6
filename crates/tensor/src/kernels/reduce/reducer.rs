//! The operations by which a reduction combines numbers.

use crate::machine::Isa;
use crate::number::{Math, Numeric};

/// An associative operation on numbers that are first mapped by `lift`.
pub(super) trait Reducer<T>: Send + Sync {
    /// Whether `lift` reads its second argument.
    const SHIFTED: bool = false;
    /// Returns the neutral element.
    fn empty() -> T;
    /// Maps a number before it is combined. `shift` belongs to the result that the number
    /// contributes to.
    fn lift<I: Isa>(x: T, shift: T) -> T;
    /// Combines two numbers.
    fn join(a: T, b: T) -> T;
}

/// Splits the shifts of two ranges of results. Without shifts, both parts are all of `shifts`, which no code reads.
pub(super) fn split<T: Numeric, R: Reducer<T>>(shifts: &[T], at: usize) -> (&[T], &[T]) {
    if R::SHIFTED { shifts.split_at(at) } else { (shifts, shifts) }
}

/// Defines sums of numbers that are mapped before.
macro_rules! sums {
    ($($(#[$doc:meta])* $Name:ident, $shifted:literal, $I:ident, |$x:ident, $shift:ident| $lift:expr;)*) => { $(
        $(#[$doc])*
        pub(super) struct $Name;
        impl<T: Math> Reducer<T> for $Name {
            const SHIFTED: bool = $shifted;
            #[inline(always)]
            fn empty() -> T {
                T::default()
            }
            #[inline(always)]
            fn lift<$I: Isa>($x: T, $shift: T) -> T {
                $lift
            }
            #[inline(always)]
            fn join(a: T, b: T) -> T {
                a + b
            }
        }
    )* };
}
sums! {
    /// Σx.
    Sum, false, I, |x, _shift| x;
    /// Σ exp(x - shift).
    Exps, true, I, |x, shift| (x - shift).exp::<I>();
    /// Σ (x - shift)².
    Deviations, true, I, |x, shift| (x - shift) * (x - shift);
}

/// The largest number; NaN if there is one.
pub(super) struct Max;
impl<T: Math> Reducer<T> for Max {
    #[inline(always)]
    fn empty() -> T {
        T::K.neg_infinity
    }
    #[inline(always)]
    fn lift<I: Isa>(x: T, _: T) -> T {
        x
    }
    #[inline(always)]
    fn join(a: T, b: T) -> T {
        // This is one instruction. It passes on a NaN in `b`, but not a NaN in `a`.
        let greater = if a > b { a } else { b };
        if a.is_nan_() { a } else { greater }
    }
}

/// The smallest number; NaN if there is one.
pub(super) struct Min;
impl<T: Math> Reducer<T> for Min {
    #[inline(always)]
    fn empty() -> T {
        T::K.infinity
    }
    #[inline(always)]
    fn lift<I: Isa>(x: T, _: T) -> T {
        x
    }
    #[inline(always)]
    fn join(a: T, b: T) -> T {
        // This is one instruction. It passes on a NaN in `b`, but not a NaN in `a`.
        let lesser = if a < b { a } else { b };
        if a.is_nan_() { a } else { lesser }
    }
}
