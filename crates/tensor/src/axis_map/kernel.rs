//! A map applied to every line of a row-major array.

use super::Rows;
use crate::element::Float;
use crate::parallel::{Shared, ranges};
use crate::simd::simd;

/// `x` is [outer, n, inner], `out` [outer, rows, inner], neither empty but for n = 0.
pub(crate) fn map_lines<T: Float>(x: &[T], n: usize, inner: usize, rows: &Rows, out: &mut [T]) {
    let m = rows.len();
    let outer = out.len() / (m * inner);
    let weights: Vec<T> = rows.weights.iter().map(|&weight| T::of(weight)).collect();
    let cost = outer * inner * (rows.inputs.len() + m);
    let to = Shared(out.as_mut_ptr());
    // Each row of the result is computed by itself, so where the ranges meet makes no difference.
    ranges(outer * m, cost, m, |range| {
        // SAFETY: the ranges are disjoint parts of the result, which has outer·m·inner elements.
        let out = unsafe {
            std::slice::from_raw_parts_mut(to.get().add(range.start * inner), range.len() * inner)
        };
        let first = range.start / m;
        let x = &x[first * n * inner..];
        let weights = &weights[..];
        simd(
            #[inline(always)]
            move || {
                for (plane, out) in out.chunks_mut(m * inner).enumerate() {
                    let x = &x[plane * n * inner..][..n * inner];
                    if inner == 1 {
                        line(x, rows, weights, out);
                    } else {
                        plane_of_lines(x, inner, rows, weights, out);
                    }
                }
            },
        );
    });
}

#[inline(always)]
fn line<T: Float>(x: &[T], rows: &Rows, weights: &[T], out: &mut [T]) {
    for (y, ends) in out.iter_mut().zip(rows.starts.windows(2)) {
        let entries = ends[0] as usize..ends[1] as usize;
        let mut sum = T::of(0.0);
        for (&input, &weight) in rows.inputs[entries.clone()].iter().zip(&weights[entries]) {
            sum = sum.add_(weight.mul_(x[input as usize]));
        }
        *y = sum;
    }
}

#[inline(always)]
fn plane_of_lines<T: Float>(x: &[T], inner: usize, rows: &Rows, weights: &[T], out: &mut [T]) {
    for (y, ends) in out.chunks_exact_mut(inner).zip(rows.starts.windows(2)) {
        let entries = ends[0] as usize..ends[1] as usize;
        let row = |k: usize| &x[rows.inputs[k] as usize * inner..][..inner];
        let mut k = entries.start;
        match entries.len() {
            0 => y.fill(T::of(0.0)),
            1 => {
                for (y, &a) in y.iter_mut().zip(row(k)) {
                    *y = weights[k].mul_(a);
                }
            }
            _ => {
                let (v, w) = (weights[k], weights[k + 1]);
                for ((y, &a), &b) in y.iter_mut().zip(row(k)).zip(row(k + 1)) {
                    *y = v.mul_(a).add_(w.mul_(b));
                }
            }
        }
        k += 2;
        while k < entries.end {
            let w = weights[k];
            for (y, &a) in y.iter_mut().zip(row(k)) {
                *y = y.add_(w.mul_(a));
            }
            k += 1;
        }
    }
}
