//! Reductions of the first axis of a matrix: rows are combined column by column, with vectors along
//! the rows.

use super::reducer::{Reducer, split};
use super::tree::{BLOCK, LANES};
use crate::machine::{Isa, Kernel, dispatch, join};
use crate::number::Numeric;
use std::marker::PhantomData;

/// Maximum number of rows that a column kernel combines one after the other.
pub(super) const LEAF_ROWS: usize = 128;
/// Minimum width of the pieces in which columns are distributed over threads.
const WIDE: usize = 512;
/// Fewer columns than this do not fill the vectors.
pub(super) const NARROW: usize = 32;

/// Combines `x[r*stride + c]` over the `n ≥ 1` rows `r` into `out[c]`.
pub(super) fn columns<T: Numeric, R: Reducer<T>>(
    x: &[T],
    stride: usize,
    n: usize,
    shifts: &[T],
    out: &mut [T],
) {
    let width = out.len();
    if width < NARROW && stride == width && n >= 4 * NARROW {
        return narrow::<T, R>(x, n, shifts, out);
    }
    if n * width > BLOCK && width >= 2 * WIDE {
        let half = (width / 2).next_multiple_of(LANES);
        let (out1, out2) = out.split_at_mut(half);
        let (shifts1, shifts2) = split::<T, R>(shifts, half);
        return join(n * width, &mut || columns::<T, R>(x, stride, n, shifts1, out1), &mut || {
            columns::<T, R>(&x[half..], stride, n, shifts2, out2);
        });
    }
    if n > LEAF_ROWS {
        let half = 1 << (n - 1).ilog2();
        let mut lower = vec![R::empty(); width];
        join(n * width, &mut || columns::<T, R>(x, stride, half, shifts, out), &mut || {
            columns::<T, R>(&x[half * stride..], stride, n - half, shifts, &mut lower);
        });
        return combine::<T, R>(out, &lower);
    }
    dispatch(Columns::<T, R> { x, stride, n, shifts, out, reducer: PhantomData });
}

fn combine<T: Numeric, R: Reducer<T>>(out: &mut [T], other: &[T]) {
    for (a, &b) in out.iter_mut().zip(other) {
        *a = R::join(*a, b);
    }
}

/// Reduces few columns: several rows are read as one wide row, whose parts are combined at the end.
fn narrow<T: Numeric, R: Reducer<T>>(x: &[T], n: usize, shifts: &[T], out: &mut [T]) {
    let width = out.len();
    let rows = (2 * NARROW).div_ceil(width).next_power_of_two();
    let wide = rows * width;
    let (body, rest) = x.split_at(n / rows * wide);
    let mut sums = vec![R::empty(); wide];
    columns::<T, R>(body, wide, n / rows, &shifts.repeat(rows), &mut sums);
    let mut half = wide / 2;
    while half >= width {
        let (upper, lower) = sums[..2 * half].split_at_mut(half);
        combine::<T, R>(upper, lower);
        half /= 2;
    }
    out.copy_from_slice(&sums[..width]);
    if !rest.is_empty() {
        let sums = &mut sums[..width];
        columns::<T, R>(rest, width, n % rows, shifts, sums);
        combine::<T, R>(out, sums);
    }
}

struct Columns<'a, T, R> {
    x: &'a [T],
    stride: usize,
    n: usize,
    shifts: &'a [T],
    out: &'a mut [T],
    reducer: PhantomData<R>,
}

impl<T: Numeric, R: Reducer<T>> Kernel for Columns<'_, T, R> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Columns { x, stride, n, shifts, out, .. } = self;
        let shifts = if R::SHIFTED { &shifts[..out.len()] } else { &x[..out.len()] };
        down::<T, R, I>(x, stride, n, |c| shifts[c], out);
    }
}

/// Combines `x[r*stride + c]` over the `n ≥ 1` rows `r` into `out[c]`.
#[inline(always)]
pub(super) fn down<T: Numeric, R: Reducer<T>, I: Isa>(
    x: &[T],
    stride: usize,
    n: usize,
    shift: impl Fn(usize) -> T,
    out: &mut [T],
) {
    first_row::<T, R, I>(x, &shift, out);
    let mut r = 1;
    while r + 4 <= n {
        four_rows::<T, R, I>(&x[r * stride..], stride, &shift, out);
        r += 4;
    }
    for r in r..n {
        one_row::<T, R, I>(&x[r * stride..], &shift, out);
    }
}

/// Begins the columns with the row at the start of `x`.
#[inline(always)]
pub(super) fn first_row<T: Numeric, R: Reducer<T>, I: Isa>(
    x: &[T],
    shift: impl Fn(usize) -> T,
    out: &mut [T],
) {
    let x = &x[..out.len()];
    for c in 0..out.len() {
        out[c] = R::lift::<I>(x[c], shift(c));
    }
}

/// Combines the columns with the four rows at the start of `x`, so that each result is read and written once for four
/// numbers. The loop vectorises because the results are in memory and no sum is carried from one iteration to the
/// next.
#[inline(always)]
pub(super) fn four_rows<T: Numeric, R: Reducer<T>, I: Isa>(
    x: &[T],
    stride: usize,
    shift: impl Fn(usize) -> T,
    out: &mut [T],
) {
    let width = out.len();
    let row = |r: usize| &x[r * stride..][..width];
    let (x0, x1, x2, x3) = (row(0), row(1), row(2), row(3));
    for c in 0..width {
        let a = R::join(R::lift::<I>(x0[c], shift(c)), R::lift::<I>(x1[c], shift(c)));
        let b = R::join(R::lift::<I>(x2[c], shift(c)), R::lift::<I>(x3[c], shift(c)));
        out[c] = R::join(out[c], R::join(a, b));
    }
}

/// Combines the columns with the row at the start of `x`.
#[inline(always)]
pub(super) fn one_row<T: Numeric, R: Reducer<T>, I: Isa>(
    x: &[T],
    shift: impl Fn(usize) -> T,
    out: &mut [T],
) {
    let x = &x[..out.len()];
    for c in 0..out.len() {
        out[c] = R::join(out[c], R::lift::<I>(x[c], shift(c)));
    }
}
