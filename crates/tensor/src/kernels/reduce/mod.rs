//! Reductions along the middle of three axes `[outer, n, inner]` of numbers in row-major order:
//! sums, extremes and their positions, log-sum-exp.
//!
//! The results do not depend on the number of threads: the same numbers give the same bits.

mod columns;
mod fold;
mod leaf;
pub(crate) mod plain;
mod position;
mod reducer;
mod several;
mod tree;
mod turned;

use crate::machine::{Isa, Kernel, dispatch};
use crate::number::Math;
pub(crate) use fold::{Cut, ReducedSizes, cut};
use fold::{across, block, fold, line, pieces};
pub(crate) use position::positions;
use reducer::{Deviations, Exps, Max, Min, Reducer, Sum};
pub(crate) use tree::{BLOCK, LANES, LEAF};

/// The extreme that a reduction takes along the reduced axis.
#[derive(Clone, Copy)]
pub enum Extremum {
    Max,
    Min,
}

/// Computes the extremes along the middle axis.
pub(crate) fn extremes<T: Math>(op: Extremum, x: &[T], sizes: ReducedSizes, out: &mut [T]) {
    match op {
        Extremum::Max => fold::<T, Max>(x, sizes, &[], out),
        Extremum::Min => fold::<T, Min>(x, sizes, &[], out),
    }
}

/// Computes the sums along the middle axis.
pub(crate) fn sum_middle<T: Math>(x: &[T], sizes: ReducedSizes, out: &mut [T]) {
    fold::<T, Sum>(x, sizes, &[], out);
}

pub(crate) fn total<T: Math>(x: &[T]) -> T {
    line::<T, Sum>(x, T::default())
}

/// Computes the sums of the squares of the distances from these means, along the middle axis.
pub(crate) fn squares<T: Math>(x: &[T], sizes: ReducedSizes, means: &[T], out: &mut [T]) {
    fold::<T, Deviations>(x, sizes, means, out);
}

/// Computes the log-sum-exp along the middle axis.
pub(crate) fn log_sum_exp<T: Math>(x: &[T], sizes: ReducedSizes, out: &mut [T]) {
    pieces(x, sizes, out, &|x, sizes, out| {
        fold::<T, Max>(x, sizes, &[], out);
        let mut shifts = out.to_vec();
        for m in &mut shifts {
            // ∞ - ∞ would be NaN. Without a shift the result is correct for infinities.
            if *m == T::K.infinity || *m == T::K.neg_infinity {
                *m = T::default();
            }
        }
        fold::<T, Exps>(x, sizes, &shifts, out);
        dispatch(ShiftedLn { shifts: &shifts, out });
    });
}

/// Returns the sum of at most `BLOCK` numbers, in a kernel.
#[inline(always)]
pub(crate) fn sum_of<T: Math, I: Isa>(x: &[T]) -> T {
    block::<T, Sum, I>(x, T::default())
}

/// Returns the largest of at most `BLOCK` numbers, in a kernel.
#[inline(always)]
pub(crate) fn max_of<T: Math, I: Isa>(x: &[T]) -> T {
    block::<T, Max, I>(x, T::default())
}

/// Returns the sum of the lanes, by repeated halving.
#[inline(always)]
pub(crate) fn sum_of_lanes<T: Math>(lanes: &[T; LANES]) -> T {
    across::<T, Sum>(lanes)
}

/// Returns the larger number; NaN if there is one.
#[inline(always)]
pub(crate) fn larger<T: Math>(a: T, b: T) -> T {
    <Max as Reducer<T>>::join(a, b)
}

struct ShiftedLn<'a, T> {
    shifts: &'a [T],
    out: &'a mut [T],
}

impl<T: Math> Kernel for ShiftedLn<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        for (out, &shift) in self.out.iter_mut().zip(self.shifts) {
            *out = shift + out.ln::<I>();
        }
    }
}
