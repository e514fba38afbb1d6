//! Elementary functions over blocks of numbers.
//!
//! The loops run over slices: a loop through pointers does not vectorise under `debug_assertions`,
//! because the checks of every access are branches. [`sin`], [`cos`], [`tan`], [`powf`] and [`powi`] vectorise only
//! for whole blocks: they branch on the size of the arguments, or on an exponent that all numbers
//! share.

use super::{Math, Real, wide};
use crate::machine::Isa;
use std::mem::MaybeUninit;
use std::slice::{from_raw_parts, from_raw_parts_mut};

/// Numbers per check of the arguments, for sine, cosine, tangent and powers.
const SPAN: usize = 256;

/// Computes y = f(x) for each number.
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

/// Computes y = f(a, b) for each pair of numbers.
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

/// Applies `near` to each span in which all arguments are within `Real::NEAR`, and `any` to the
/// other spans.
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

/// Computes y = sin x for each number.
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

/// Computes y = cos x for each number.
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

/// Computes y = tan x for each number.
///
/// # Safety
/// As [`map`].
#[inline(always)]
pub unsafe fn tan<I: Isa>(x: *const f64, y: *mut f64, n: usize) {
    // SAFETY: the same contract.
    unsafe {
        by_size(
            x,
            y,
            n,
            wide::tan_near::<I>,
            #[inline(always)]
            |x| if x.abs() <= f64::NEAR { wide::tan_near::<I>(x) } else { wide::tan_far(x) },
        );
    }
}

/// Computes y = xᵏ for each number, as [`Math::powi`] does.
///
/// # Safety
/// As [`map`].
#[inline(always)]
pub unsafe fn powi<T: Math, I: Isa>(x: *const T, y: *mut T, n: usize, k: i32) {
    /// Numbers per iteration, enough to fill a few vector registers.
    const LANES: usize = 16;
    let full = n - n % LANES;
    for start in (0..full).step_by(LANES) {
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
    for i in full..n {
        // SAFETY: i < n.
        unsafe { y.add(i).write((*x.add(i)).powi::<I>(k)) }
    }
}

/// Computes y = aᵇ for each pair of numbers, where `b(i)` is the exponent of number i.
///
/// Powers of `f32` are computed in `f64` as exp(b ln a), whose error is far below the last bit of an `f32`. This
/// holds for finite numbers with a ≥ 0; the standard library computes the others, and powers of `f64`. The formula depends on
/// the number alone, not on its neighbours: a range of numbers may begin anywhere.
///
/// # Safety
/// As [`map`].
#[inline(always)]
pub unsafe fn powf<T: Math, I: Isa>(a: *const T, b: impl Fn(usize) -> T, y: *mut T, n: usize) {
    let single = size_of::<T>() < size_of::<f64>();
    for start in (0..n).step_by(SPAN) {
        let length = SPAN.min(n - start);
        // SAFETY: start < n.
        let (a, y) = unsafe { (from_raw_parts(a.add(start), length), y.add(start)) };
        // SAFETY: by the contract.
        let y = unsafe { from_raw_parts_mut(y.cast::<MaybeUninit<T>>(), length) };
        // -0 has the sign of a negative number, and NaN is not below infinity.
        let plain = |a: T| T::K.one.signed_as(a) > T::K.zero && a < T::K.infinity;
        let by_formula = |i: usize, a: T| plain(a) & (b(start + i).magnitude() < T::K.infinity);
        let mut all = single;
        if single {
            for (i, (y, &a)) in y.iter_mut().zip(a).enumerate() {
                let b = b(start + i).widen();
                let power = Math::exp::<I>(b * Math::ln::<I>(a.widen()));
                // 0 · ln 0 is NaN.
                y.write(T::narrow(if b == 0.0 { 1.0 } else { power }));
            }
            all = a.iter().enumerate().fold(true, |all, (i, &a)| all & by_formula(i, a));
        }
        if !all {
            for (i, (y, &a)) in y.iter_mut().zip(a).enumerate() {
                if !(single && by_formula(i, a)) {
                    y.write(a.powf::<I>(b(start + i)));
                }
            }
        }
    }
}
