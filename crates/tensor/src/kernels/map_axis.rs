//! Applies a map along one axis of a row-major array.
//!
//! Vectors lie along the axes behind the mapped one. Along the last axis they would read elements apart. So eight
//! lines at a time (four of `f64`) are transposed, mapped as eight columns, and transposed back.

use super::lanes::{Lanes, for_vectors};
use super::scratch::Scratch;
use crate::geometry::SparseRows;
use crate::machine::{cost, each_part, simd};
use crate::number::Real;

/// The least number of lines that are mapped as columns.
const LINES: usize = 8;

/// Applies the map `rows` to the middle axis of `x`. `x` has shape [outer, n, inner] and `out` has
/// shape [outer, rows, inner]. Neither is empty, except that n may be 0.
pub(crate) fn map_axis<T: MapColumns>(
    x: &[T],
    n: usize,
    inner: usize,
    rows: &SparseRows,
    out: &mut [T],
) {
    let m = rows.len();
    let outer = out.len() / (m * inner);
    let weights: Vec<T> = rows.weights.iter().map(|&weight| T::narrow(weight)).collect();
    let divisors: Vec<T> = rows.divisors.iter().map(|&d| T::narrow(d)).collect();
    let cost = cost(&[outer, inner, rows.inputs.len() + m]);
    // Each row of the result is computed independently, so the boundaries of the ranges do not
    // change it.
    let transposed = inner == 1 && outer >= LINES && n > 0;
    each_part(out, inner, cost, if transposed { LINES * m } else { m }, |range, out| {
        let first = range.start / m;
        let x = &x[first * n * inner..];
        let (weights, divisors) = (&weights[..], &divisors[..]);
        if transposed {
            let x = &x[..range.len() / m * n];
            return columns(MappedLines { x, n, rows, weights, divisors, out: out.as_mut_ptr() });
        }
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

/// Lines that are mapped as columns.
struct MappedLines<'a, T> {
    x: &'a [T],
    /// Length of a line.
    n: usize,
    rows: &'a SparseRows,
    weights: &'a [T],
    divisors: &'a [T],
    out: *mut T,
}

for_vectors! {
    /// Lines mapped as columns, compiled for the instruction sets.
    MapColumns: columns(ColumnWork) = columns_of_lines, narrow
}

/// Lines, and the room for as many of them as a vector has lanes.
pub struct ColumnWork<'a, T> {
    lines: MappedLines<'a, T>,
    /// Room for the columns before and after the map, with a block more.
    columns: [*mut T; 2],
    /// Room for lines before and after the map, with a block more.
    apart: [*mut T; 2],
}

/// Maps lines. The caller has made sure that the slices have room.
fn columns<T: MapColumns>(lines: MappedLines<T>) {
    let sizes = [lines.n, lines.rows.len()].map(|len| (len + LINES) * LINES);
    let mut room = Scratch::new(2 * (sizes[0] + sizes[1]));
    let room = room.numbers();
    room.fill(T::default());
    let first = room.as_mut_ptr();
    let [a, b, c] =
        [sizes[0], sizes[0] + sizes[1], 2 * sizes[0] + sizes[1]].map(|at| first.wrapping_add(at));
    // SAFETY: the lines have their length, and the buffers have room for `LINES` of them and a block more.
    unsafe { T::columns(&ColumnWork { lines, columns: [first, a], apart: [b, c] }) }
}

/// # Safety
/// The buffers have room, and the processor has the instructions.
#[inline(always)]
unsafe fn columns_of_lines<V: Lanes>(work: &ColumnWork<V::Scalar>)
where
    V::Scalar: Real,
{
    let &MappedLines { x, n, rows, weights, divisors, out } = &work.lines;
    let (m, lanes) = (rows.len(), V::LANES);
    let count = x.len().checked_div(n).unwrap_or_default();
    let mut line = 0;
    while line < count {
        // A transposed block may begin in a line and end in the following ones, so the last lines are
        // copied to where a block more may be read and written.
        let here = lanes.min(count - line);
        let last = (count - line - here) * n.min(m) < lanes;
        let (mut from, mut to) = (x.as_ptr().wrapping_add(line * n), out.wrapping_add(line * m));
        // SAFETY: the caller promises the room and the instructions. Blocks are written from the last to the first,
        // because a block of a line may overwrite the beginning of the next line.
        unsafe {
            if last {
                work.apart[0].copy_from_nonoverlapping(from, here * n);
                (from, to) = (work.apart[0].cast_const(), work.apart[1]);
            }
            let [before, after] = work.columns;
            for block in 0..n.div_ceil(lanes) {
                let at = block * lanes;
                V::transpose(from.add(at), n as isize, lanes, before.add(at * lanes), lanes);
            }
            let before = std::slice::from_raw_parts(before.cast_const(), n * lanes);
            let mapped = std::slice::from_raw_parts_mut(after, m * lanes);
            plane_of_lines(before, lanes, rows, weights, divisors, mapped);
            for block in (0..m.div_ceil(lanes)).rev() {
                let at = block * lanes;
                V::transpose(after.add(at * lanes), lanes as isize, lanes, to.add(at), m);
            }
            if last {
                let to = out.wrapping_add(line * m);
                to.copy_from_nonoverlapping(work.apart[1], here * m);
            }
        }
        line += lanes;
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
