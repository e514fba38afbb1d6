//! Reductions of integers and booleans, as plain loops. Integers are labels, indices, and pixels
//! before their conversion to floating point. Kernels for every instruction set would cost more
//! build time than they save.

use super::{Extremum, ReducedSizes};
use crate::number::{Numeric, Scalar};

/// Elements that are summed exactly in `i64` or `i128`.
pub(crate) trait Integer: Scalar {
    /// A type that holds every sum of 2³¹ such elements.
    type Wide: Copy + Default + std::ops::AddAssign + Into<i128>;
    fn wide(self) -> Self::Wide;
}

macro_rules! integers {
    ($($t:ident $wide:ident)*) => { $(
        impl Integer for $t {
            type Wide = $wide;
            #[inline(always)]
            fn wide(self) -> $wide {
                self.into()
            }
        }
    )* };
}
integers! { bool i64 u8 i64 u32 i64 i64 i128 }

/// Number of elements that are added before the sum moves to an `i128`.
const PIECE: usize = 1 << 31;

/// Returns the sum of all elements. The sum is exact, so the order makes no difference.
pub(crate) fn exact<T: Integer>(x: &[T]) -> i128 {
    let piece = |x: &[T]| {
        let mut sum = T::Wide::default();
        for &x in x {
            sum += x.wide();
        }
        sum.into()
    };
    x.chunks(PIECE).map(piece).sum()
}

/// Returns the sum of all elements, or `None` if it does not fit in an `i64`.
pub(crate) fn total<T: Integer>(x: &[T]) -> Option<i64> {
    exact(x).try_into().ok()
}

/// Computes the sum of each of `inner` columns. Returns whether all sums fit in an `i64`.
fn columns<T: Integer>(x: &[T], inner: usize, out: &mut [i64]) -> bool {
    let mut totals = vec![0i128; inner];
    for rows in x.chunks(PIECE.saturating_mul(inner)) {
        let mut sums = vec![T::Wide::default(); inner];
        for row in rows.chunks_exact(inner) {
            for (sum, &x) in sums.iter_mut().zip(row) {
                *sum += x.wide();
            }
        }
        for (total, sum) in totals.iter_mut().zip(sums) {
            *total += sum.into();
        }
    }
    let mut fit = true;
    for (out, total) in out.iter_mut().zip(totals) {
        *out = total.try_into().unwrap_or_else(|_| {
            fit = false;
            0
        });
    }
    fit
}

/// Computes the sums along the middle axis. Returns whether all sums fit in an `i64`.
pub(crate) fn sums<T: Integer>(x: &[T], [_, n, inner]: ReducedSizes, out: &mut [i64]) -> bool {
    let mut fit = true;
    for (x, out) in x.chunks_exact(n * inner).zip(out.chunks_exact_mut(inner)) {
        if inner > 1 {
            fit &= columns(x, inner, out);
        } else if let Some(sum) = total(x) {
            out[0] = sum;
        } else {
            fit = false;
        }
    }
    fit
}

fn join<T: Numeric>(op: Extremum, a: T, b: T) -> T {
    let better = match op {
        Extremum::Max => b > a,
        Extremum::Min => b < a,
    };
    if better { b } else { a }
}

/// Computes the extremes along the middle axis, which is not empty.
pub(crate) fn extremes<T: Numeric>(
    op: Extremum,
    x: &[T],
    [_, n, inner]: ReducedSizes,
    out: &mut [T],
) {
    if inner == 1 {
        return match op {
            Extremum::Max => row_extremes(x, n, out, |a, b| if b > a { b } else { a }),
            Extremum::Min => row_extremes(x, n, out, |a, b| if b < a { b } else { a }),
        };
    }
    for (x, out) in x.chunks_exact(n * inner).zip(out.chunks_exact_mut(inner)) {
        out.copy_from_slice(&x[..inner]);
        for row in x.chunks_exact(inner).skip(1) {
            for (out, &x) in out.iter_mut().zip(row) {
                *out = join(op, *out, x);
            }
        }
    }
}

/// Computes the extremes of rows of `n` numbers.
fn row_extremes<T: Numeric>(x: &[T], n: usize, out: &mut [T], join: impl Fn(T, T) -> T) {
    for (row, out) in x.chunks_exact(n).zip(out) {
        *out = row.iter().fold(row[0], |best, &x| join(best, x));
    }
}

/// Computes the position of the first extreme along the middle axis, which is not empty.
pub(crate) fn positions<T: Numeric>(
    op: Extremum,
    x: &[T],
    [_, n, inner]: ReducedSizes,
    out: &mut [i64],
) {
    if inner == 1 {
        return match op {
            Extremum::Max => row_positions(x, n, out, |a, b| b > a),
            Extremum::Min => row_positions(x, n, out, |a, b| b < a),
        };
    }
    for (x, out) in x.chunks_exact(n * inner).zip(out.chunks_exact_mut(inner)) {
        for (column, out) in out.iter_mut().enumerate() {
            let at = |i: usize| x[i * inner + column];
            let better = |best: usize, i: usize| {
                if join(op, at(best), at(i)) == at(best) { best } else { i }
            };
            *out = (1..n).fold(0, better) as i64;
        }
    }
}

/// Computes the position of the first extreme of rows of `n` numbers.
fn row_positions<T: Numeric>(x: &[T], n: usize, out: &mut [i64], better: impl Fn(T, T) -> bool) {
    for (row, out) in x.chunks_exact(n).zip(out) {
        let (mut best, mut at) = (row[0], 0);
        for (i, &x) in row.iter().enumerate() {
            // Without a branch, which would be foreseen badly.
            let better = better(best, x);
            at = if better { i } else { at };
            best = if better { x } else { best };
        }
        *out = at as i64;
    }
}
