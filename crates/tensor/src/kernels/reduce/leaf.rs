//! Leaves of the tree: up to `LEAF` numbers, added to `LANES` accumulators.

use super::columns::down;
use super::reducer::Reducer;
use super::tree::LANES;
use crate::machine::Isa;
use crate::number::Numeric;
use std::array::from_fn;

/// Number of accumulators that are processed at a time for the tail.
pub(super) const STEP: usize = 16;

/// Reduces the first `n ≤ LEAF` numbers to accumulators. Numbers behind them may be read, too.
#[inline(always)]
pub(super) fn leaf<T: Numeric, R: Reducer<T>, I: Isa>(x: &[T], n: usize, shift: T) -> [T; LANES] {
    let mut sums = [R::empty(); LANES];
    let rows = n / LANES;
    if rows > 0 {
        down::<T, R, I>(x, LANES, rows, |_| shift, &mut sums);
    }
    // The tail is padded, so that it is processed in vectors, too.
    let (x, rest) = (&x[rows * LANES..], n % LANES);
    let (parts, _) = sums.as_chunks_mut::<STEP>();
    for (k, sums) in parts.iter_mut().enumerate() {
        if k * STEP >= rest {
            break;
        }
        let mut padded = [R::empty(); STEP];
        let x = first_step(&x[k * STEP..], &mut padded);
        let mut numbers = [R::empty(); STEP];
        for lane in 0..STEP {
            let lifted = R::lift::<I>(x[lane], shift);
            numbers[lane] = if k * STEP + lane < rest { lifted } else { R::empty() };
        }
        for lane in 0..STEP {
            sums[lane] = R::join(sums[lane], numbers[lane]);
        }
    }
    sums
}

/// Returns the first `STEP` numbers, from `padded` if there are fewer.
#[inline(always)]
pub(super) fn first_step<'a, T: Copy>(x: &'a [T], padded: &'a mut [T; STEP]) -> &'a [T; STEP] {
    x.first_chunk().unwrap_or_else(
        #[inline(always)]
        || {
            padded[..x.len()].copy_from_slice(x);
            padded
        },
    )
}

/// Combines the accumulators by halving them twice.
#[inline(always)]
pub(super) fn halved_twice<T: Numeric, R: Reducer<T>>(sums: &[T; LANES]) -> [T; STEP] {
    let half: [T; 2 * STEP] = from_fn(|lane| R::join(sums[lane], sums[lane + 2 * STEP]));
    from_fn(|lane| R::join(half[lane], half[lane + STEP]))
}
