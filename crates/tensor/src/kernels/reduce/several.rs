//! Rows that are reduced beside each other: up to `LEAF` numbers each.
//!
//! Rows below [`SHORT`] are turned to columns, and combined number by number. Of longer rows, each is first combined to
//! `STEP` lanes, as a leaf is. Then the lanes of many rows are turned, and combined together: to combine the lanes of a single
//! vector takes as many steps, for one row.
#![allow(clippy::needless_range_loop)] // the indices are the numbers of lanes

use super::fold::{STEP, first_step, leaf};
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
                _ => {
                    let lanes = leaf::<T, R, I>(x, n, shift(i));
                    let half: [T; 32] = from_fn(|lane| R::join(lanes[lane], lanes[lane + 32]));
                    from_fn(|lane| R::join(half[lane], half[lane + 16]))
                }
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

#[cfg(test)]
mod tests {
    use super::super::fold::{fold, line};
    use super::super::reducer::{Max, Min, Squares, Sum};
    use super::super::tree::LEAF;
    use super::*;
    use crate::machine::Baseline;

    /// A row has the same sum whether it is reduced alone or beside others, and short rows are summed in order.
    #[test]
    fn rows_beside_others_have_the_bits_of_single_rows() {
        fn check<T: Numeric, R: Reducer<T>>(of: impl Fn(usize) -> T, bits: impl Fn(T) -> u64) {
            let lengths = (1..=132).chain([255, 256, 1000, LEAF - 1, LEAF, LEAF + 1, LEAF + 70]);
            for n in lengths {
                for rows in [2, SIDE - 1, SIDE, SIDE + 1, 2 * SIDE + 7] {
                    let x: Vec<T> = (0..n * rows).map(&of).collect();
                    let shifts: Vec<T> = (0..rows)
                        .map(|i| of(3 * i))
                        .take(if R::SHIFTED { rows } else { 0 })
                        .collect();
                    let mut out = vec![T::default(); rows];
                    fold::<T, R>(&x, [rows, n, 1], &shifts, &mut out);
                    for (i, row) in x.chunks(n).enumerate() {
                        let shift = shifts.get(i).copied().unwrap_or_default();
                        let wanted = if n < SHORT {
                            row.iter().fold(R::empty(), |sum, &x| {
                                R::join(sum, R::lift::<Baseline>(x, shift))
                            })
                        } else {
                            line::<T, R>(row, shift)
                        };
                        assert_eq!(bits(out[i]), bits(wanted), "row {i} of {rows}, {n} numbers");
                    }
                }
            }
        }
        let x = |i: usize| match i % 1013 {
            5 => f64::NAN,
            6..9 => f64::INFINITY,
            500..640 => -0.0,
            _ => (i as f64 * 0.37).sin(),
        };
        let bits = |x: f64| if x.is_nan() { 1 } else { x.to_bits() };
        check::<f64, Sum>(x, bits);
        check::<f64, Squares>(x, bits);
        check::<f64, Max>(x, bits);
        check::<f64, Min>(x, bits);
        check::<f32, Sum>(|i| x(i) as f32, |x| bits(x.into()));
        check::<f32, Squares>(|i| x(i) as f32, |x| bits(x.into()));
        check::<f32, Max>(|i| x(i) as f32, |x| bits(x.into()));
        check::<f32, Min>(|i| x(i) as f32, |x| bits(x.into()));
    }

    /// Also the order of the additions in a row is that of plain loops.
    #[test]
    fn rows_are_summed_along_the_tree() {
        for n in [SHORT, 33, 47, 48, 49, 63, 64, 65, 100, 127, 128, 130, 200, 300] {
            let x: Vec<f32> = (0..n * 40).map(|i| (i as f32 * 0.37).sin()).collect();
            let mut out = vec![0.0; 40];
            fold::<f32, Sum>(&x, [40, n, 1], &[], &mut out);
            for (row, sum) in x.chunks(n).zip(out) {
                let mut lanes = [0.0f32; LANES];
                let (rows, rest) = row.as_chunks::<LANES>();
                for lane in 0..LANES {
                    let at = |r: usize| rows[r][lane];
                    let mut r = 1;
                    lanes[lane] = if rows.is_empty() { 0.0 } else { at(0) };
                    while r + 4 <= rows.len() {
                        lanes[lane] += (at(r) + at(r + 1)) + (at(r + 2) + at(r + 3));
                        r += 4;
                    }
                    for r in r..rows.len() {
                        lanes[lane] += at(r);
                    }
                    lanes[lane] += rest.get(lane).copied().unwrap_or_default();
                }
                for half in [32, 16, 8, 4, 2, 1] {
                    for lane in 0..half {
                        lanes[lane] += lanes[lane + half];
                    }
                }
                assert_eq!(sum, lanes[0], "{n}");
            }
        }
    }
}
