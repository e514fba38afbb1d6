//! Reductions of integers: plain loops. Integers here are labels, indices and pixels on their way
//! to floating point; kernels for every instruction set would cost each build more than they save.

use super::Fold;
use super::layout::Reduction;
use crate::element::Number;
use crate::tensor::Tensor;

fn join<T: Number>(op: Fold, a: T, b: T) -> T {
    match op {
        Fold::Sum => a.add_(b),
        Fold::Max => {
            if b > a {
                b
            } else {
                a
            }
        }
        Fold::Min => {
            if b < a {
                b
            } else {
                a
            }
        }
    }
}

pub(crate) fn fold_axes<T: Number>(op: Fold, x: &Tensor<T>, reduction: Reduction) -> Tensor<T> {
    if x.numel() == 0 {
        return reduction.empty(T::default());
    }
    reduction.whole(x, |x, [_, n, inner], out| {
        for (x, out) in x.chunks_exact(n * inner).zip(out.chunks_exact_mut(inner)) {
            out.copy_from_slice(&x[..inner]);
            for row in x.chunks_exact(inner).skip(1) {
                for (out, &x) in out.iter_mut().zip(row) {
                    *out = join(op, *out, x);
                }
            }
        }
    })
}

pub(crate) fn total<T: Number>(x: &[T]) -> T {
    x.iter().fold(T::default(), |sum, &x| sum.add_(x))
}

pub(crate) fn position_along<T: Number>(
    op: Fold,
    x: &Tensor<T>,
    reduction: Reduction,
) -> Tensor<i64> {
    if x.numel() == 0 {
        return reduction.empty(0);
    }
    reduction.whole(x, |x, [_, n, inner], out: &mut [i64]| {
        for (x, out) in x.chunks_exact(n * inner).zip(out.chunks_exact_mut(inner)) {
            for (column, out) in out.iter_mut().enumerate() {
                let at = |i: usize| x[i * inner + column];
                let better = |best: usize, i: usize| {
                    if join(op, at(best), at(i)) == at(best) { best } else { i }
                };
                *out = (1..n).fold(0, better) as i64;
            }
        }
    })
}
