//! The positions of extremes: `argmax` and `argmin`. The extreme is computed first, at full speed;
//! then the first element that equals it is located.

use super::Extremum;
use super::fold::{ReducedSizes, fold, pieces};
use super::reducer::{Max, Min, Reducer};
use crate::machine::{parts, simd};
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
