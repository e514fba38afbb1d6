//! The loops of the reductions: `[outer, n, inner] → [outer, inner]` over neighbouring numbers.
//!
//! Every result is combined along a tree that depends on the sizes alone, never on the number of
//! threads, so the same numbers give the same bits on any of them. A number
//! passes through at most `16 + log2 n` combinations when all of a tensor becomes one number, and
//! at most `40 + log2 n` otherwise, so a sum errs by no more than that many units of rounding times
//! `Σ|x|` (Higham, Accuracy and Stability of Numerical Algorithms, 2002, §4.2).

use super::columns::{LEAF_ROWS, NARROW, columns, down};
use super::reducer::Reducer;
use crate::machine::PARALLEL;
use crate::machine::{Isa, Kernel, dispatch};
use crate::number::Numeric;
use std::array::from_fn;
use std::marker::PhantomData;

/// Accumulators side by side: enough vectors to hide the latency of an addition.
pub(super) const LANES: usize = 64;
/// How many of them a short rest fills up.
const STEP: usize = 16;
/// What the accumulators take up before they are combined.
const LEAF: usize = 16 * LANES;
/// Pieces that one call of a kernel works through, in elements; a multiple of `LEAF` by a power
/// of two, so that the tree is the same above and below.
pub(super) const BLOCK: usize = 32 * LEAF;
/// Rows below this length are reduced many at a time, one in each lane.
const SHORT: usize = 32;
/// How many of them.
const SIDE: usize = 32;
/// The sizes `[outer, n, inner]` of numbers in row-major order whose middle axis is reduced.
pub(crate) type Sizes = [usize; 3];

pub(crate) fn join(elements: usize, a: impl FnOnce() + Send, b: impl FnOnce() + Send) {
    if elements >= PARALLEL {
        rayon::join(a, b);
    } else {
        a();
        b();
    }
}

/// Numbers, sizes, results.
type Work<'a, T, U> = &'a (dyn Fn(&[T], Sizes, &mut [U]) + Sync);

/// Splits the outer axis until a piece is small or has one element there, and hands each piece to
/// `work` (numbers, sizes, results), on several threads if there are many numbers.
pub(super) fn pieces<T: Numeric, U: Send>(
    x: &[T],
    sizes: Sizes,
    out: &mut [U],
    work: Work<'_, T, U>,
) {
    let [outer, n, inner] = sizes;
    if outer <= 1 || x.len() <= BLOCK {
        return work(x, sizes, out);
    }
    let half = outer / 2;
    let (x1, x2) = x.split_at(half * n * inner);
    let (out1, out2) = out.split_at_mut(half * inner);
    join(
        x.len(),
        || pieces(x1, [half, n, inner], out1, work),
        || pieces(x2, [outer - half, n, inner], out2, work),
    );
}

/// How [`fold`] divides its work, for whoever makes the numbers piece by piece and wants its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// One call.
    Whole,
    /// So many outer indices first, then the rest.
    Outer(usize),
    /// So many of the middle axis, added to the rest.
    Middle(usize),
}

/// Where sums of these sizes are cut.
pub(crate) fn cut([outer, n, inner]: Sizes) -> Cut {
    if outer * n * inner <= BLOCK {
        Cut::Whole
    } else if outer > 1 {
        Cut::Outer(outer / 2)
    } else if inner == 1 || (inner >= NARROW && n > LEAF_ROWS) {
        Cut::Middle(1 << (n - 1).ilog2()) // as `line` and `columns`
    } else {
        Cut::Whole
    }
}

/// Reduces the middle axis. `shifts` has one number for each result, or none if `R` takes none.
pub(super) fn fold<T: Numeric, R: Reducer<T>>(x: &[T], sizes: Sizes, shifts: &[T], out: &mut [T]) {
    let [outer, n, inner] = sizes;
    debug_assert!(x.len() == outer * n * inner && out.len() == outer * inner);
    debug_assert_eq!(shifts.len(), if R::SHIFTED { out.len() } else { 0 });
    if n == 0 {
        return out.fill(R::empty());
    }
    if outer > 1 && x.len() > BLOCK {
        let half = outer / 2;
        let (x1, x2) = x.split_at(half * n * inner);
        let (out1, out2) = out.split_at_mut(half * inner);
        let (shifts1, shifts2) = split::<T, R>(shifts, half * inner);
        return join(
            x.len(),
            || fold::<T, R>(x1, [half, n, inner], shifts1, out1),
            || fold::<T, R>(x2, [outer - half, n, inner], shifts2, out2),
        );
    }
    if inner == 1 && outer == 1 {
        out[0] = line::<T, R>(x, shifts.first().copied().unwrap_or_default());
    } else if inner == 1 {
        dispatch(Rows::<T, R> { x, n, shifts, out, reducer: PhantomData });
    } else if outer > 1 && inner < NARROW {
        // Few columns, many times: turned round they are rows.
        let turned = turned(x, n, inner);
        dispatch(Rows::<T, R> { x: &turned, n, shifts, out, reducer: PhantomData });
    } else {
        for (o, out) in out.chunks_exact_mut(inner).enumerate() {
            let (_, shifts) = split::<T, R>(shifts, o * inner);
            let (shifts, _) = split::<T, R>(shifts, inner);
            columns::<T, R>(&x[o * n * inner..][..n * inner], inner, n, shifts, out);
        }
    }
}

pub(super) fn split<T: Numeric, R: Reducer<T>>(shifts: &[T], at: usize) -> (&[T], &[T]) {
    if R::SHIFTED { shifts.split_at(at) } else { (shifts, shifts) }
}

/// `[outer, n, inner] → [outer, inner, n]`.
fn turned<T: Numeric>(x: &[T], n: usize, inner: usize) -> Vec<T> {
    let mut out = Vec::with_capacity(x.len());
    for plane in x.chunks_exact(n * inner) {
        for i in 0..inner {
            out.extend((0..n).map(|j| plane[j * inner + i]));
        }
    }
    out
}

/// One row of any length, halved at powers of two down to blocks.
pub(super) fn line<T: Numeric, R: Reducer<T>>(x: &[T], shift: T) -> T {
    if x.len() <= BLOCK {
        return dispatch(Line::<T, R> { x, shift, reducer: PhantomData });
    }
    let (x1, x2) = x.split_at(1 << (x.len() - 1).ilog2());
    let (mut a, mut b) = (R::empty(), R::empty());
    join(x.len(), || a = line::<T, R>(x1, shift), || b = line::<T, R>(x2, shift));
    R::join(a, b)
}

struct Line<'a, T, R> {
    x: &'a [T],
    shift: T,
    reducer: PhantomData<R>,
}

impl<T: Numeric, R: Reducer<T>> Kernel for Line<'_, T, R> {
    type Output = T;
    #[inline(always)]
    fn run<I: Isa>(self) -> T {
        block::<T, R, I>(self.x, self.shift)
    }
}

/// At most `BLOCK` numbers: leaves are combined as the bits of a counter carry, which makes the
/// tree of `line` without recursion.
#[inline(always)]
fn block<T: Numeric, R: Reducer<T>, I: Isa>(x: &[T], shift: T) -> T {
    if x.len() <= LEAF {
        return leaf::<T, R, I>(x, shift);
    }
    let mut waiting = [R::empty(); (BLOCK / LEAF).ilog2() as usize + 1];
    let mut count = 0usize;
    for piece in x.chunks(LEAF) {
        let mut sum = leaf::<T, R, I>(piece, shift);
        let carries = count.trailing_ones() as usize;
        for &left in &waiting[..carries] {
            sum = R::join(left, sum);
        }
        waiting[carries] = sum;
        count += 1;
    }
    let mut level = count.trailing_zeros() as usize;
    let mut sum = waiting[level];
    count >>= level + 1;
    while count != 0 {
        level += 1;
        if count & 1 == 1 {
            sum = R::join(waiting[level], sum);
        }
        count >>= 1;
    }
    sum
}

#[inline(always)]
fn leaf<T: Numeric, R: Reducer<T>, I: Isa>(x: &[T], shift: T) -> T {
    let mut sums = [R::empty(); LANES];
    let rows = x.len() / LANES;
    if rows > 0 {
        down::<T, R, I>(x, LANES, rows, |_| shift, &mut sums);
    }
    // The rest is padded, so that it runs in vectors too.
    let rest = &x[rows * LANES..];
    let mut padded = [R::empty(); LANES];
    padded[..rest.len()].copy_from_slice(rest);
    for (k, (sums, numbers)) in
        sums.chunks_exact_mut(STEP).zip(padded.chunks_exact(STEP)).enumerate()
    {
        if k * STEP >= rest.len() {
            break;
        }
        for lane in 0..STEP {
            let lifted = R::lift::<I>(numbers[lane], shift);
            let padding = k * STEP + lane >= rest.len();
            sums[lane] = R::join(sums[lane], if padding { R::empty() } else { lifted });
        }
    }
    across::<T, R>(&sums)
}

/// Combines the accumulators, halving them.
#[inline(always)]
fn across<T: Numeric, R: Reducer<T>>(sums: &[T; LANES]) -> T {
    let half: [T; 32] = from_fn(|lane| R::join(sums[lane], sums[lane + 32]));
    let half: [T; 16] = from_fn(|lane| R::join(half[lane], half[lane + 16]));
    let half: [T; 8] = from_fn(|lane| R::join(half[lane], half[lane + 8]));
    let half: [T; 4] = from_fn(|lane| R::join(half[lane], half[lane + 4]));
    R::join(R::join(half[0], half[2]), R::join(half[1], half[3]))
}

/// Many rows of at most `BLOCK` numbers.
struct Rows<'a, T, R> {
    x: &'a [T],
    n: usize,
    shifts: &'a [T],
    out: &'a mut [T],
    reducer: PhantomData<R>,
}

impl<T: Numeric, R: Reducer<T>> Kernel for Rows<'_, T, R> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Rows { x, n, shifts, out, .. } = self;
        let shift = |i: usize| if R::SHIFTED { shifts[i] } else { T::default() };
        if n >= SHORT {
            for (i, (row, out)) in x.chunks_exact(n).zip(out).enumerate() {
                *out = block::<T, R, I>(row, shift(i));
            }
            return;
        }
        // A row in each lane.
        let mut square = [T::default(); SHORT * SIDE];
        let mut lane_shifts = [T::default(); SIDE];
        for (k, (rows, out)) in x.chunks(n * SIDE).zip(out.chunks_mut(SIDE)).enumerate() {
            let count = out.len();
            for j in 0..n {
                let to = &mut square[j * SIDE..][..SIDE];
                for lane in 0..count {
                    to[lane] = rows[lane * n + j];
                }
            }
            for (lane, to) in lane_shifts[..count].iter_mut().enumerate() {
                *to = shift(k * SIDE + lane);
            }
            let mut sums = [R::empty(); SIDE];
            let (turned, _) = square.as_chunks::<SIDE>();
            for numbers in &turned[..n] {
                for lane in 0..SIDE {
                    sums[lane] =
                        R::join(sums[lane], R::lift::<I>(numbers[lane], lane_shifts[lane]));
                }
            }
            for (to, from) in out.iter_mut().zip(sums) {
                *to = from;
            }
        }
    }
}
