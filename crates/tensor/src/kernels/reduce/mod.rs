//! Reductions of numbers in row-major order along the middle of three axes, `[outer, n, inner]`: sums,
//! extremes and where they are, log-sum-exp.
//!
//! Nothing depends on the number of threads: the same numbers give the same bits.

mod columns;
mod kernel;
pub(crate) mod plain;
mod position;
mod reducer;

use crate::machine::{Isa, Kernel, dispatch};
use crate::number::Math;
pub(crate) use kernel::{Cut, Sizes, cut, join};
use kernel::{fold, line, pieces};
pub(crate) use position::positions;
use reducer::{Exps, Max, Min, Sum};

/// Which element along the reduced axes is taken.
#[derive(Clone, Copy)]
pub enum Fold {
    Max,
    Min,
}

/// The extremes along the middle axis.
pub(crate) fn extremes<T: Math>(op: Fold, x: &[T], sizes: Sizes, out: &mut [T]) {
    match op {
        Fold::Max => fold::<T, Max>(x, sizes, &[], out),
        Fold::Min => fold::<T, Min>(x, sizes, &[], out),
    }
}

/// The sums along the middle axis.
pub(crate) fn sum_middle<T: Math>(x: &[T], sizes: Sizes, out: &mut [T]) {
    fold::<T, Sum>(x, sizes, &[], out);
}

pub(crate) fn total<T: Math>(x: &[T]) -> T {
    line::<T, Sum>(x, T::default())
}

/// The log-sum-exp along the middle axis.
pub(crate) fn log_sum_exp<T: Math>(x: &[T], sizes: Sizes, out: &mut [T]) {
    pieces(x, sizes, out, &|x, sizes, out| {
        fold::<T, Max>(x, sizes, &[], out);
        let mut shifts = out.to_vec();
        for m in &mut shifts {
            // Infinity less itself would be NaN; without a shift an infinity comes out right.
            if *m == T::K.infinity || *m == T::K.neg_infinity {
                *m = T::default();
            }
        }
        fold::<T, Exps>(x, sizes, &shifts, out);
        dispatch(ShiftedLn { shifts: &shifts, out });
    });
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
