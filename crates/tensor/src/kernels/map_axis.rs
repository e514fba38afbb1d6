//! Applies a map along one axis of a row-major array.

use crate::geometry::SparseRows;
use crate::machine::simd;
use crate::machine::{Shared, cost, ranges};
use crate::number::Real;

/// Applies the map `rows` to the middle axis of `x`. `x` has shape [outer, n, inner] and `out` has
/// shape [outer, rows, inner]. Neither is empty, except that n may be 0.
pub(crate) fn map_axis<T: Real>(x: &[T], n: usize, inner: usize, rows: &SparseRows, out: &mut [T]) {
    let m = rows.len();
    let outer = out.len() / (m * inner);
    let weights: Vec<T> = rows.weights.iter().map(|&weight| T::narrow(weight)).collect();
    let divisors: Vec<T> = rows.divisors.iter().map(|&d| T::narrow(d)).collect();
    let cost = cost(&[outer, inner, rows.inputs.len() + m]);
    let to = Shared(out.as_mut_ptr());
    // Each row of the result is computed independently, so the boundaries of the ranges do not
    // change it.
    ranges(outer * m, cost, m, |range| {
        // SAFETY: the ranges are disjoint parts of the result, which has outer·m·inner elements.
        let out = unsafe {
            std::slice::from_raw_parts_mut(to.get().add(range.start * inner), range.len() * inner)
        };
        let first = range.start / m;
        let x = &x[first * n * inner..];
        let (weights, divisors) = (&weights[..], &divisors[..]);
        simd(
            #[inline(always)]
            move || {
                for (plane, out) in out.chunks_mut(m * inner).enumerate() {
                    let x = &x[plane * n * inner..][..n * inner];
                    if inner == 1 {
                        line(x, rows, weights, divisors, out);
                    } else {
                        plane_of_lines(x, inner, rows, weights, divisors, out);
                    }
                }
            },
        );
    });
}

#[inline(always)]
fn line<T: Real>(x: &[T], rows: &SparseRows, weights: &[T], divisors: &[T], out: &mut [T]) {
    for (o, (y, ends)) in out.iter_mut().zip(rows.starts.windows(2)).enumerate() {
        let entries = ends[0] as usize..ends[1] as usize;
        let divisor = divisors.get(o).copied().filter(|d| *d != T::narrow(0.0));
        let (inputs, weights) = (&rows.inputs[entries.clone()], &weights[entries]);
        let mut sum = T::narrow(0.0);
        *y = if rows.even {
            for &input in inputs {
                sum = sum.add_(x[input as usize]);
            }
            match (weights.first(), divisor) {
                (Some(_), Some(divisor)) => sum / divisor,
                (Some(weight), None) => weight.mul_(sum),
                (None, _) => sum,
            }
        } else {
            for (&input, &weight) in inputs.iter().zip(weights) {
                sum = sum.add_(weight.mul_(x[input as usize]));
            }
            sum
        };
    }
}

/// Applies the map to `inner` lines at once, with vectors along the inner axis. The terms are added
/// in the same order as in `line`.
#[inline(always)]
fn plane_of_lines<T: Real>(
    x: &[T],
    inner: usize,
    rows: &SparseRows,
    weights: &[T],
    divisors: &[T],
    out: &mut [T],
) {
    for (o, (y, ends)) in out.chunks_exact_mut(inner).zip(rows.starts.windows(2)).enumerate() {
        let entries = ends[0] as usize..ends[1] as usize;
        let divisor = divisors.get(o).copied().filter(|d| *d != T::narrow(0.0));
        let (inputs, weights) = (&rows.inputs[entries.clone()], &weights[entries]);
        let times = |w: T| if divisor.is_some() { T::narrow(1.0) } else { w };
        let row = |input: u32| &x[input as usize * inner..][..inner];
        match (inputs, weights) {
            (&[], _) => y.fill(T::narrow(0.0)),
            (&[a], &[w, ..]) => {
                let w = times(w);
                for (y, &a) in y.iter_mut().zip(row(a)) {
                    *y = w.mul_(a);
                }
            }
            (&[a, b, ref rest @ ..], &[w, ..]) if rows.even => {
                let (last, between) = rest.split_last().map_or((None, rest), |(k, b)| (Some(k), b));
                let w = times(w);
                let w_of_two = if last.is_some() { T::narrow(1.0) } else { w };
                for ((y, &a), &b) in y.iter_mut().zip(row(a)).zip(row(b)) {
                    *y = w_of_two.mul_(a.add_(b));
                }
                for &input in between {
                    for (y, &a) in y.iter_mut().zip(row(input)) {
                        *y = y.add_(a);
                    }
                }
                if let Some(&last) = last {
                    for (y, &a) in y.iter_mut().zip(row(last)) {
                        *y = w.mul_(y.add_(a));
                    }
                }
            }
            (&[a, b, ref rest @ ..], &[v, w, ref others @ ..]) => {
                for ((y, &a), &b) in y.iter_mut().zip(row(a)).zip(row(b)) {
                    *y = v.mul_(a).add_(w.mul_(b));
                }
                for (&input, &w) in rest.iter().zip(others) {
                    for (y, &a) in y.iter_mut().zip(row(input)) {
                        *y = y.add_(w.mul_(a));
                    }
                }
            }
            _ => unreachable!("each entry has a weight"),
        }
        if let Some(divisor) = divisor {
            for y in y {
                *y = *y / divisor;
            }
        }
    }
}
