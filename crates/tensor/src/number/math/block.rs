//! Loops over blocks of numbers.
//!
//! They run over slices: a loop through pointers does not vectorise under `debug_assertions`, whose
//! checks of every access are branches. [`sin`], [`cos`] and [`powi`] vectorise only by the block:
//! they branch on the size of the arguments or on an exponent that all numbers share.

use super::Math;
use crate::machine::Isa;
use std::mem::MaybeUninit;
use std::slice::{from_raw_parts, from_raw_parts_mut};

/// Numbers per decision, for sine and cosine.
const SPAN: usize = 256;

/// y = f(x), number by number.
///
/// # Safety
/// `x` holds `n` numbers, `y` has room for `n`, and they do not overlap.
#[inline(always)]
pub unsafe fn map<T: Copy>(x: *const T, y: *mut T, n: usize, f: impl Fn(T) -> T) {
    // SAFETY: by the contract.
    let (x, y) =
        unsafe { (from_raw_parts(x, n), from_raw_parts_mut(y.cast::<MaybeUninit<T>>(), n)) };
    for (y, &x) in y.iter_mut().zip(x) {
        y.write(f(x));
    }
}

/// y = f(a, b), number by number.
///
/// # Safety
/// `a` and `b` hold `n` numbers, `y` has room for `n` and overlaps neither.
#[inline(always)]
pub unsafe fn zip<T: Copy>(a: *const T, b: *const T, y: *mut T, n: usize, f: impl Fn(T, T) -> T) {
    // SAFETY: by the contract.
    let (a, b, y) = unsafe {
        (
            from_raw_parts(a, n),
            from_raw_parts(b, n),
            from_raw_parts_mut(y.cast::<MaybeUninit<T>>(), n),
        )
    };
    for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
        y.write(f(a, b));
    }
}

/// `near` over a span where all arguments allow it, else `any`.
///
/// # Safety
/// As [`map`].
#[inline(always)]
unsafe fn by_size<T: Math>(
    x: *const T,
    y: *mut T,
    n: usize,
    near: impl Fn(T) -> T,
    any: impl Fn(T) -> T,
) {
    for start in (0..n).step_by(SPAN) {
        let length = SPAN.min(n - start);
        // SAFETY: start < n.
        let (x, y) = unsafe { (x.add(start), y.add(start)) };
        // SAFETY: x holds `length` numbers, and nothing is written while the slice lives.
        let all_near = unsafe { from_raw_parts(x, length) }
            .iter()
            .fold(true, |all, a| all & (a.magnitude() <= T::NEAR));
        if all_near {
            // SAFETY: the same contract.
            unsafe { map(x, y, length, &near) }
        } else {
            for i in 0..length {
                // SAFETY: i < length.
                unsafe { y.add(i).write(any(*x.add(i))) }
            }
        }
    }
}

/// y = sin x, number by number.
///
/// # Safety
/// As [`map`].
#[inline(always)]
pub unsafe fn sin<T: Math, I: Isa>(x: *const T, y: *mut T, n: usize) {
    // SAFETY: the same contract.
    unsafe {
        by_size(x, y, n, T::sin_near::<I>, T::sin::<I>);
    }
}

/// y = cos x, number by number.
///
/// # Safety
/// As [`map`].
#[inline(always)]
pub unsafe fn cos<T: Math, I: Isa>(x: *const T, y: *mut T, n: usize) {
    // SAFETY: the same contract.
    unsafe {
        by_size(x, y, n, T::cos_near::<I>, T::cos::<I>);
    }
}

/// y = xᵏ, number by number, as [`Math::powi`].
///
/// # Safety
/// As [`map`].
#[inline(always)]
pub unsafe fn powi<T: Math, I: Isa>(x: *const T, y: *mut T, n: usize, k: i32) {
    /// Numbers per step: a few registers' worth.
    const LANES: usize = 16;
    let whole = n - n % LANES;
    for start in (0..whole).step_by(LANES) {
        // SAFETY: start + LANES ≤ n, and any address will do.
        let lanes: [T; LANES] = unsafe { x.add(start).cast::<[T; LANES]>().read_unaligned() };
        let (mut square, mut power) = (lanes.map(T::widen), [1.0; LANES]);
        let mut bits = k.unsigned_abs();
        while bits != 0 {
            if bits & 1 == 1 {
                for (p, s) in power.iter_mut().zip(&square) {
                    *p *= s;
                }
            }
            for s in &mut square {
                *s *= *s;
            }
            bits >>= 1;
        }
        if k < 0 {
            for p in &mut power {
                *p = 1.0 / *p;
            }
        }
        // SAFETY: as above.
        unsafe {
            y.add(start).cast::<[T; LANES]>().write_unaligned(power.map(T::narrow));
        }
    }
    for i in whole..n {
        // SAFETY: i < n.
        unsafe { y.add(i).write((*x.add(i)).powi::<I>(k)) }
    }
}
