//! The positions of extremes: `argmax` and `argmin`. The extreme is computed first, at full speed;
//! then the first element that equals it is located. Of short rows, many are searched at a time, in one pass.
#![allow(clippy::needless_range_loop)] // the indices are the numbers of lanes

use super::Extremum;
use super::fold::{ReducedSizes, fold, pieces};
use super::reducer::{Max, Min, Reducer};
use super::turned::{Aligned, COLUMNS, SIDE, Square};
use crate::machine::{Isa, Kernel, dispatch, parts, simd};
use crate::number::{Math, Numeric};
use std::marker::PhantomData;
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
        if inner == 1 && n <= SHORT && out.len() > 1 {
            return dispatch(Short::<T, R> { x, n, out, reducer: PhantomData });
        }
        let mut extremes = vec![T::default(); out.len()];
        fold::<T, R>(x, sizes, &[], &mut extremes);
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

/// Rows of `n` numbers, one in each lane. The extreme so far and its position are kept together.
struct Short<'a, T, R> {
    x: &'a [T],
    n: usize,
    out: &'a mut [i64],
    reducer: PhantomData<R>,
}

impl<T: Numeric, R: Reducer<T>> Kernel for Short<'_, T, R> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Short { x, n, out, .. } = self;
        let mut square = Square::new();
        for (k, out) in out.chunks_mut(SIDE).enumerate() {
            let rows = &x[k * SIDE * n..];
            let mut extremes = Aligned([T::default(); SIDE]);
            let mut found = Aligned([0u32; SIDE]);
            for left in (0..n).step_by(COLUMNS) {
                let columns = COLUMNS.min(n - left);
                square.fill(&rows[left..], n, columns, out.len());
                if left == 0 {
                    extremes.0 = square.0[0];
                }
                for (j, numbers) in square.0[..columns].iter().enumerate() {
                    for lane in 0..SIDE {
                        let old = extremes.0[lane];
                        let new = R::join(old, numbers[lane]);
                        extremes.0[lane] = new;
                        // Of equal numbers, the first stays; after NaN, every number does.
                        let kept = is(old, new);
                        found.0[lane] = if kept { found.0[lane] } else { (left + j) as u32 };
                    }
                }
            }
            for (out, &found) in out.iter_mut().zip(&found.0) {
                *out = found.into();
            }
        }
    }
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
        for n in [1, 2, 3, 4, 5, 8, 10, 31, 32, 33, 100, SHORT, SHORT + 1, 300] {
            for rows in [1, 2, 31, 32, 33, 64, 70] {
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
