//! Rows that are reduced beside each other: up to `LEAF` numbers each.
//!
//! Rows below [`SHORT`] are turned to columns, and combined number by number. Of longer rows, each is first combined to
//! `STEP` lanes, as a leaf is. Then the lanes of many rows are turned, and combined together: to combine the lanes of a single
//! vector takes as many steps, for one row.
#![allow(clippy::needless_range_loop)] // the indices are the numbers of lanes

use super::leaf::{STEP, first_step, halved_twice, leaf};
use super::reducer::Reducer;
use super::tree::LANES;
use super::turned::{Aligned, SIDE, Square};
use crate::machine::Isa;
use crate::number::Numeric;
use std::array::from_fn;

/// Rows shorter than this are combined number by number.
pub(super) const SHORT: usize = 32;

/// Reduces rows of `n < SHORT` numbers, from the first number to the last.
#[inline(always)]
pub(super) fn in_order<T: Numeric, R: Reducer<T>, I: Isa>(
    x: &[T],
    n: usize,
    shift: impl Fn(usize) -> T,
    out: &mut [T],
) {
    let mut square = Square::new();
    let mut shifts = [T::default(); SIDE];
    for (k, out) in out.chunks_mut(SIDE).enumerate() {
        square.fill(&x[k * SIDE * n..], n, n, out.len());
        if R::SHIFTED {
            for (i, to) in shifts[..out.len()].iter_mut().enumerate() {
                *to = shift(k * SIDE + i);
            }
        }
        let mut sums = [R::empty(); SIDE];
        for numbers in &square.0[..n] {
            for lane in 0..SIDE {
                sums[lane] = R::join(sums[lane], R::lift::<I>(numbers[lane], shifts[lane]));
            }
        }
        put(&sums, out);
    }
}

/// Reduces rows of at least `SHORT` and at most `LEAF` numbers along the tree of `block`.
#[inline(always)]
pub(super) fn along_tree<T: Numeric, R: Reducer<T>, I: Isa>(
    x: &[T],
    n: usize,
    shift: impl Fn(usize) -> T,
    out: &mut [T],
) {
    let mut square = Square::new();
    let mut rows = Aligned([[R::empty(); STEP]; SIDE]);
    for (k, out) in out.chunks_mut(SIDE).enumerate() {
        for (i, row) in rows.0[..out.len()].iter_mut().enumerate() {
            let i = k * SIDE + i;
            let x = &x[i * n..];
            *row = match n.div_ceil(STEP) {
                0..=2 => steps::<T, R, I, 2>(x, n, shift(i)),
                3 => steps::<T, R, I, 3>(x, n, shift(i)),
                4 if n < LANES => steps::<T, R, I, 4>(x, n, shift(i)),
                _ => halved_twice::<T, R>(&leaf::<T, R, I>(x, n, shift(i))),
            };
        }
        square.fill(rows.0.as_flattened(), STEP, STEP, out.len());
        for half in [8, 4, 2, 1] {
            for j in 0..half {
                for lane in 0..SIDE {
                    square.0[j][lane] = R::join(square.0[j][lane], square.0[j + half][lane]);
                }
            }
        }
        put(&square.0[0], out);
    }
}

/// Copies the first results. All of them are copied without a call.
#[inline(always)]
fn put<T: Copy>(sums: &[T; SIDE], out: &mut [T]) {
    match <&mut [T; SIDE]>::try_from(&mut *out) {
        Ok(out) => *out = *sums,
        Err(_) => out.copy_from_slice(&sums[..out.len()]),
    }
}

/// Reduces the first `n` numbers, `n ≤ C·STEP` and `n < LANES`, to `STEP` accumulators: those of a leaf after two halvings.
/// Numbers behind them may be read, too.
#[inline(always)]
fn steps<T: Numeric, R: Reducer<T>, I: Isa, const C: usize>(
    x: &[T],
    n: usize,
    shift: T,
) -> [T; STEP] {
    let mut padded = [R::empty(); STEP];
    let last = first_step(&x[(C - 1) * STEP..], &mut padded);
    let (whole, _) = x.as_chunks::<STEP>();
    let parts: [&[T; STEP]; C] = from_fn(|k| if k < C - 1 { &whole[k] } else { last });
    let mut sums = [R::empty(); STEP];
    for lane in 0..STEP {
        let part = |k: usize| {
            let lifted = R::lift::<I>(parts[k][lane], shift);
            R::join(R::empty(), if k * STEP + lane < n { lifted } else { R::empty() })
        };
        sums[lane] = match C {
            1 => part(0),
            2 => R::join(part(0), part(1)),
            3 => R::join(R::join(part(0), part(2)), part(1)),
            _ => R::join(R::join(part(0), part(2)), R::join(part(1), part(3))),
        };
    }
    sums
}
