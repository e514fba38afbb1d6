//! The positions of extremes: `argmax` and `argmin`. The extreme is computed first, at full speed;
//! then the first element that equals it is located.

use super::Extremum;
use super::fold::{ReducedSizes, fold, pieces};
use super::reducer::{Max, Min, Reducer};
use crate::machine::{Isa, Kernel, dispatch, parts, simd};
use crate::number::{Math, Numeric};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Computes the positions of the extremes along the middle axis, which is not empty.
pub(crate) fn positions<T: Math>(op: Extremum, x: &[T], sizes: ReducedSizes, out: &mut [i64]) {
    match op {
        Extremum::Min => find::<T, Min>(x, sizes, out),
        Extremum::Max => find::<T, Max>(x, sizes, out),
    }
}

fn find<T: Numeric, R: Reducer<T>>(x: &[T], sizes: ReducedSizes, out: &mut [i64]) {
    pieces(x, sizes, out, &|x, sizes, out: &mut [i64]| {
        let [_, n, inner] = sizes;
        let mut extremes = vec![T::default(); out.len()];
        fold::<T, R>(x, sizes, &[], &mut extremes);
        if inner == 1 && n <= SHORT {
            return dispatch(Short { x, n, extremes: &extremes, out });
        }
        let planes = x.chunks_exact(n * inner).zip(extremes.chunks_exact(inner));
        for ((x, extremes), out) in planes.zip(out.chunks_exact_mut(inner)) {
            if inner == 1 {
                out[0] = first(x, extremes[0]) as i64;
            } else {
                firsts(x, extremes, out);
            }
        }
    });
}

/// Rows up to this length are searched many at a time.
const SHORT: usize = 128;

/// Number of rows that are searched at a time.
const SIDE: usize = 16;

/// Searches rows of `n` numbers for the first position of their extreme. Rows are searched together from the
/// last column to the first, so that the first position is written last.
struct Short<'a, T> {
    x: &'a [T],
    n: usize,
    extremes: &'a [T],
    out: &'a mut [i64],
}

impl<T: Numeric> Kernel for Short<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Short { x, n, extremes, out } = self;
        let groups = x.chunks(n * SIDE).zip(extremes.chunks(SIDE)).zip(out.chunks_mut(SIDE));
        for ((rows, extremes), out) in groups {
            if let Ok(extremes) = extremes.try_into() {
                out.copy_from_slice(&together(rows, n, extremes));
                continue;
            }
            for ((row, &extreme), out) in rows.chunks_exact(n).zip(extremes).zip(out) {
                let at = row.iter().position(|&x| is(x, extreme));
                *out = at.expect("the extreme is one of the elements") as i64;
            }
        }
    }
}

/// Searches `SIDE` rows.
#[inline(always)]
fn together<T: Numeric>(rows: &[T], n: usize, extremes: &[T; SIDE]) -> [i64; SIDE] {
    let mut found = [0i64; SIDE];
    for column in (0..n).rev() {
        let mut numbers = [T::default(); SIDE];
        for (lane, to) in numbers.iter_mut().enumerate() {
            *to = rows[lane * n + column];
        }
        for lane in 0..SIDE {
            let hit = is(numbers[lane], extremes[lane]);
            found[lane] = if hit { column as i64 } else { found[lane] };
        }
    }
    found
}

/// Returns whether `x` equals the extreme. NaN equals NaN here.
#[inline(always)]
fn is<T: Numeric>(x: T, extreme: T) -> bool {
    (x == extreme) | (x.is_nan_() & extreme.is_nan_())
}

/// Returns the first position of the extreme in a row.
fn first<T: Numeric>(x: &[T], extreme: T) -> usize {
    const PIECE: usize = 256;
    const BLOCK: usize = 1 << 15;
    let within = |x: &[T]| {
        simd(
            #[inline(always)]
            || {
                // Each piece is tested as a whole, without the position, so that the loop
                // vectorises.
                let hit = |piece: &&[T]| piece.iter().fold(false, |hit, &x| hit | is(x, extreme));
                let before = x.chunks(PIECE).take_while(|piece| !hit(piece)).count() * PIECE;
                x[before.min(x.len())..].iter().position(|&x| is(x, extreme)).map(|at| before + at)
            },
        )
    };
    let found = AtomicUsize::new(usize::MAX);
    parts(x.len().div_ceil(BLOCK), x.len(), &|block| {
        let start = block * BLOCK;
        if start < found.load(Relaxed)
            && let Some(at) = within(&x[start..x.len().min(start + BLOCK)])
        {
            found.fetch_min(start + at, Relaxed);
        }
    });
    let found = found.into_inner();
    assert!(found < x.len(), "the extreme is one of the elements");
    found
}

/// Computes the first position of the extreme in each column.
fn firsts<T: Numeric>(x: &[T], extremes: &[T], out: &mut [i64]) {
    simd(
        #[inline(always)]
        move || {
            // From the last row to the first, so that the first position is written last.
            for (r, row) in x.chunks_exact(out.len()).enumerate().rev() {
                for ((out, &x), &extreme) in out.iter_mut().zip(row).zip(extremes) {
                    *out = if is(x, extreme) { r as i64 } else { *out };
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_in_rows_agree_with_loops() {
        for n in [1, 2, 3, 10, 31, 32, 100, SHORT, SHORT + 1, 300] {
            for rows in [1, 15, 16, 17, 48, 70] {
                // Few different numbers, so that there are ties; now and then NaN, which is greatest.
                let x: Vec<f32> = (0..n * rows)
                    .map(|i| if i % 97 == 96 { f32::NAN } else { (i * 31 % 7) as f32 })
                    .collect();
                let wanted = |better: fn(f32, f32) -> bool| -> Vec<i64> {
                    let first = |row: &[f32]| {
                        (0..n).fold(0, |best, i| {
                            let nan = row[i].is_nan() && !row[best].is_nan();
                            if nan || better(row[i], row[best]) { i } else { best }
                        }) as i64
                    };
                    x.chunks(n).map(first).collect()
                };
                let mut out = vec![-1; rows];
                positions(Extremum::Max, &x, [rows, n, 1], &mut out);
                assert_eq!(out, wanted(|a, b| a > b), "max of {rows} rows of {n}");
                positions(Extremum::Min, &x, [rows, n, 1], &mut out);
                assert_eq!(out, wanted(|a, b| a < b), "min of {rows} rows of {n}");
            }
        }
    }
}
