//! What a reduction combines, and how: the part that differs from one to the next.

use crate::machine::Isa;
use crate::number::Math;

/// An associative operation, over numbers that are first mapped by `lift`.
pub(super) trait Reducer<T>: Send + Sync {
    /// Whether `lift` reads its second argument.
    const SHIFTED: bool = false;
    /// The neutral element.
    fn empty() -> T;
    /// What becomes of a number before it is combined; `shift` belongs to its result.
    fn lift<I: Isa>(x: T, shift: T) -> T;
    /// Combines two.
    fn join(a: T, b: T) -> T;
}

/// Σx.
pub(super) struct Sum;
impl<T: Math> Reducer<T> for Sum {
    #[inline(always)]
    fn empty() -> T {
        T::default()
    }
    #[inline(always)]
    fn lift<I: Isa>(x: T, _: T) -> T {
        x
    }
    #[inline(always)]
    fn join(a: T, b: T) -> T {
        a + b
    }
}

/// Σ exp(x - shift).
pub(super) struct Exps;
impl<T: Math> Reducer<T> for Exps {
    const SHIFTED: bool = true;
    #[inline(always)]
    fn empty() -> T {
        T::default()
    }
    #[inline(always)]
    fn lift<I: Isa>(x: T, shift: T) -> T {
        (x - shift).exp::<I>()
    }
    #[inline(always)]
    fn join(a: T, b: T) -> T {
        a + b
    }
}

/// The largest; NaN if there is one.
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
        // An instruction of its own, which passes a NaN in `b` on but not one in `a`.
        let greater = if a > b { a } else { b };
        if a.is_nan_() { a } else { greater }
    }
}

/// The smallest; NaN if there is one.
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
        // An instruction of its own, which passes a NaN in `b` on but not one in `a`.
        let lesser = if a < b { a } else { b };
        if a.is_nan_() { a } else { lesser }
    }
}
