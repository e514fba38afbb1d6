//! Where the extremes are: `argmax`, `argmin`. The extreme itself is found first, at full speed;
//! then the first element that equals it.

use super::Fold;
use super::kernel::{fold, pieces};
use super::layout::Reduction;
use super::reducer::Reducer;
use crate::machine::PARALLEL;
use crate::machine::simd;
use crate::shapes::{self, OrPanic};
use crate::tensor::Number;
use crate::tensor::Tensor;
use rayon::prelude::*;

#[track_caller]
pub(super) fn along<T: Number>(
    op: &str,
    which: Fold,
    x: &Tensor<T>,
    axis: isize,
    keepdim: bool,
) -> Tensor<i64> {
    let reduced = shapes::extreme(op, &x.shape(), &[axis]).or_panic();
    T::position(which, x, Reduction::new(x, &reduced, keepdim))
}

pub(super) fn find<T: Number, R: Reducer<T>>(x: &Tensor<T>, reduction: Reduction) -> Tensor<i64> {
    if x.numel() == 0 {
        return reduction.empty(0);
    }
    reduction.whole(x, |x, sizes, out| {
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
    })
}

/// Whether this is the extreme, which may be NaN.
#[inline(always)]
fn is<T: Number>(x: T, extreme: T) -> bool {
    (x == extreme) | (x.is_nan_() & extreme.is_nan_())
}

/// Where in a row.
fn first<T: Number>(x: &[T], extreme: T) -> usize {
    const PIECE: usize = 256;
    const BLOCK: usize = 1 << 15;
    let within = |x: &[T]| {
        simd(
            #[inline(always)]
            || {
                // Whole pieces are searched without looking where, which makes vectors.
                let hit = |piece: &&[T]| piece.iter().fold(false, |hit, &x| hit | is(x, extreme));
                let before = x.chunks(PIECE).take_while(|piece| !hit(piece)).count() * PIECE;
                x[before.min(x.len())..].iter().position(|&x| is(x, extreme)).map(|at| before + at)
            },
        )
    };
    let found = if x.len() < PARALLEL {
        within(x)
    } else {
        x.par_chunks(BLOCK).enumerate().find_map_first(|(i, x)| within(x).map(|at| i * BLOCK + at))
    };
    found.expect("the extreme is one of the elements")
}

/// Where in each column.
fn firsts<T: Number>(x: &[T], extremes: &[T], out: &mut [i64]) {
    simd(
        #[inline(always)]
        move || {
            // From the last row up: what is written last is the first position.
            for (r, row) in x.chunks_exact(out.len()).enumerate().rev() {
                for ((out, &x), &extreme) in out.iter_mut().zip(row).zip(extremes) {
                    *out = if is(x, extreme) { r as i64 } else { *out };
                }
            }
        },
    );
}
