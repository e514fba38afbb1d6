//! The loops of the reductions: `[outer, n, inner] → [outer, inner]` over numbers in row-major
//! order.
//!
//! Every result is combined along a tree that depends only on the sizes, not on the number of
//! threads, so the same numbers give the same bits with any number of threads. A number passes
//! through at most `16 + log2 n` combinations if a whole tensor is reduced to one number, and
//! through at most `40 + log2 n` otherwise. The error of a sum is therefore at most that many units
//! of rounding times `Σ|x|` (Higham, Accuracy and Stability of Numerical Algorithms, 2002, §4.2).

use super::columns::{LEAF_ROWS, NARROW, columns, first_row, four_rows, one_row};
use super::leaf::{halved_twice, leaf};
use super::reducer::{Reducer, split};
use super::several::{SHORT, along_tree, in_order};
use super::tree::{BLOCK, LANES, LEAF};
use crate::machine::{Isa, Kernel, dispatch, join};
use crate::number::Numeric;
use std::array::from_fn;
use std::marker::PhantomData;

/// The sizes `[outer, n, inner]` of numbers in row-major order whose middle axis is reduced.
pub(crate) type ReducedSizes = [usize; 3];

/// The work on a piece: reads numbers of these sizes and writes results.
type Work<'a, T, U> = &'a (dyn Fn(&[T], ReducedSizes, &mut [U]) + Sync);

/// Splits the outer axis until a piece is small or has one outer index, and calls `work` (numbers,
/// sizes, results) for each piece. Uses several threads if there are many numbers.
pub(super) fn pieces<T: Numeric, U: Send>(
    x: &[T],
    sizes: ReducedSizes,
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
    join(x.len(), &mut || pieces(x1, [half, n, inner], out1, work), &mut || {
        pieces(x2, [outer - half, n, inner], out2, work);
    });
}

/// How [`fold`] divides its work. A caller that computes the numbers piece by piece divides them in
/// the same way to get the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The sizes are reduced in one call.
    Uncut,
    /// The first part has this many outer indices; the second has the rest.
    Outer(usize),
    /// The first part has this many indices of the middle axis. Its results and those of the rest
    /// are added.
    Middle(usize),
}

/// Returns how sums of these sizes are divided.
pub(crate) fn cut([outer, n, inner]: ReducedSizes) -> Cut {
    if outer * n * inner <= BLOCK {
        Cut::Uncut
    } else if outer > 1 {
        Cut::Outer(outer / 2)
    } else if inner == 1 || (inner >= NARROW && n > LEAF_ROWS) {
        Cut::Middle(1 << (n - 1).ilog2()) // the same split as in `line` and `columns`
    } else {
        Cut::Uncut
    }
}

/// Reduces the middle axis. `shifts` has one number for each result, or is empty if `R` takes no
/// shift.
pub(super) fn fold<T: Numeric, R: Reducer<T>>(
    x: &[T],
    sizes: ReducedSizes,
    shifts: &[T],
    out: &mut [T],
) {
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
            &mut || {
                fold::<T, R>(x1, [half, n, inner], shifts1, out1);
            },
            &mut || {
                fold::<T, R>(x2, [outer - half, n, inner], shifts2, out2);
            },
        );
    }
    if inner == 1 && outer == 1 {
        out[0] = line::<T, R>(x, shifts.first().copied().unwrap_or_default());
    } else if inner == 1 {
        dispatch(ReduceRows::<T, R> { x, n, shifts, out, reducer: PhantomData });
    } else if outer > 1 && inner < NARROW {
        // Few columns in many planes: transposed, they are rows.
        let turned = turned(x, n, inner);
        dispatch(ReduceRows::<T, R> { x: &turned, n, shifts, out, reducer: PhantomData });
    } else {
        for (o, out) in out.chunks_exact_mut(inner).enumerate() {
            let (_, shifts) = split::<T, R>(shifts, o * inner);
            let (shifts, _) = split::<T, R>(shifts, inner);
            columns::<T, R>(&x[o * n * inner..][..n * inner], inner, n, shifts, out);
        }
    }
}

/// Transposes `[outer, n, inner] → [outer, inner, n]`.
fn turned<T: Numeric>(x: &[T], n: usize, inner: usize) -> Vec<T> {
    let mut out = Vec::with_capacity(x.len());
    for plane in x.chunks_exact(n * inner) {
        for i in 0..inner {
            out.extend((0..n).map(|j| plane[j * inner + i]));
        }
    }
    out
}

/// Reduces one row of any length: it is split at powers of two down to blocks.
pub(super) fn line<T: Numeric, R: Reducer<T>>(x: &[T], shift: T) -> T {
    part::<T, R>(x, shift, size_of_val(x) >= FAR)
}

/// Reduces a part of a row. `far` says whether the row comes from memory rather than from a cache.
fn part<T: Numeric, R: Reducer<T>>(x: &[T], shift: T, far: bool) -> T {
    if x.is_empty() {
        return R::empty();
    }
    if x.len() <= BLOCK {
        let (n, shifts, mut out) = (x.len(), &[shift], [R::empty()]);
        dispatch(ReduceRows::<T, R> { x, n, shifts, out: &mut out, reducer: PhantomData });
        return out[0];
    }
    if far && x.len() == STREAMS * BLOCK {
        let [a, b, c, d] = dispatch(Streams::<T, R> { x, shift, reducer: PhantomData });
        return R::join(R::join(a, b), R::join(c, d));
    }
    let (x1, x2) = x.split_at(1 << (x.len() - 1).ilog2());
    let (mut a, mut b) = (R::empty(), R::empty());
    join(x.len(), &mut || a = part::<T, R>(x1, shift, far), &mut || {
        b = part::<T, R>(x2, shift, far);
    });
    R::join(a, b)
}

/// Rows of at least this many bytes are read in [`STREAMS`]. Shorter ones may lie in the last cache, from which
/// one stream is faster.
const FAR: usize = 32 << 20;

/// Number of blocks that are reduced side by side. A processor fetches memory ahead within each page that it
/// reads, so reading in four places keeps more fetches under way than reading in one.
const STREAMS: usize = 4;
/// Number of rows of a leaf.
const ROWS: usize = LEAF / LANES;

/// `STREAMS` neighbouring blocks, each along the tree of [`block`].
struct Streams<'a, T, R> {
    x: &'a [T],
    shift: T,
    reducer: PhantomData<R>,
}

impl<T: Numeric, R: Reducer<T>> Kernel for Streams<'_, T, R> {
    type Output = [T; STREAMS];
    #[inline(always)]
    fn run<I: Isa>(self) -> [T; STREAMS] {
        let mut waiting = [[[R::empty(); LANES]; LEVELS]; STREAMS];
        for leaf in 0..BLOCK / LEAF {
            let starts = from_fn(|stream| stream * BLOCK + leaf * LEAF);
            let sums = leaves::<T, R, I>(self.x, starts, self.shift);
            for (waiting, sums) in waiting.iter_mut().zip(&sums) {
                carry::<T, R>(waiting, leaf, sums);
            }
        }
        from_fn(|stream| across::<T, R>(&waiting[stream][LEVELS - 1]))
    }
}

/// Number of levels of the tree inside a block, above the leaves.
const LEVELS: usize = (BLOCK / LEAF).ilog2() as usize + 1;

/// Adds the accumulators of leaf number `leaf` to those that wait on each level, as a binary counter carries.
#[inline(always)]
fn carry<T: Numeric, R: Reducer<T>>(
    waiting: &mut [[T; LANES]; LEVELS],
    leaf: usize,
    sums: &[T; LANES],
) {
    let carries = leaf.trailing_ones() as usize;
    let mut sums = *sums;
    for left in &waiting[..carries] {
        sums = joined::<T, R>(left, &sums);
    }
    waiting[carries] = sums;
}

/// Combines two sets of accumulators.
#[inline(always)]
fn joined<T: Numeric, R: Reducer<T>>(a: &[T; LANES], b: &[T; LANES]) -> [T; LANES] {
    let mut sums = *b;
    for lane in 0..LANES {
        sums[lane] = R::join(a[lane], sums[lane]);
    }
    sums
}

/// Reduces a whole leaf in each stream to accumulators, as [`leaf`] does, by four rows of each stream in turn.
#[inline(always)]
fn leaves<T: Numeric, R: Reducer<T>, I: Isa>(
    x: &[T],
    starts: [usize; STREAMS],
    shift: T,
) -> [[T; LANES]; STREAMS] {
    let shift = |_| shift;
    let leaves = starts.map(|start| &x[start..start + LEAF]);
    let mut sums = [[R::empty(); LANES]; STREAMS];
    for stream in 0..STREAMS {
        first_row::<T, R, I>(leaves[stream], shift, &mut sums[stream]);
    }
    for r in (1..=ROWS - 4).step_by(4) {
        for stream in 0..STREAMS {
            four_rows::<T, R, I>(&leaves[stream][r * LANES..], LANES, shift, &mut sums[stream]);
        }
    }
    for r in ROWS - (ROWS - 1) % 4..ROWS {
        for stream in 0..STREAMS {
            one_row::<T, R, I>(&leaves[stream][r * LANES..], shift, &mut sums[stream]);
        }
    }
    sums
}

/// Reduces at most `BLOCK` numbers. Leaves are combined as a binary counter carries, which gives
/// the tree of `line` without recursion. Lanes stay apart until the end: to combine the lanes of each leaf would take
/// about as long as to read it.
#[inline(always)]
pub(super) fn block<T: Numeric, R: Reducer<T>, I: Isa>(x: &[T], shift: T) -> T {
    if x.len() <= LEAF {
        return across::<T, R>(&leaf::<T, R, I>(x, x.len(), shift));
    }
    let mut waiting = [[R::empty(); LANES]; LEVELS];
    let mut count = 0usize;
    for piece in x.chunks(LEAF) {
        carry::<T, R>(&mut waiting, count, &leaf::<T, R, I>(piece, piece.len(), shift));
        count += 1;
    }
    let mut level = count.trailing_zeros() as usize;
    let mut sums = waiting[level];
    count >>= level + 1;
    while count != 0 {
        level += 1;
        if count & 1 == 1 {
            sums = joined::<T, R>(&waiting[level], &sums);
        }
        count >>= 1;
    }
    across::<T, R>(&sums)
}

/// Combines the accumulators by repeated halving.
#[inline(always)]
pub(super) fn across<T: Numeric, R: Reducer<T>>(sums: &[T; LANES]) -> T {
    let half = halved_twice::<T, R>(sums);
    let half: [T; 8] = from_fn(|lane| R::join(half[lane], half[lane + 8]));
    let half: [T; 4] = from_fn(|lane| R::join(half[lane], half[lane + 4]));
    R::join(R::join(half[0], half[2]), R::join(half[1], half[3]))
}

/// Rows of at most `BLOCK` numbers.
struct ReduceRows<'a, T, R> {
    x: &'a [T],
    n: usize,
    shifts: &'a [T],
    out: &'a mut [T],
    reducer: PhantomData<R>,
}

impl<T: Numeric, R: Reducer<T>> Kernel for ReduceRows<'_, T, R> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let ReduceRows { x, n, shifts, out, .. } = self;
        let shift = |i: usize| if R::SHIFTED { shifts[i] } else { T::default() };
        if out.len() > 1 && n < SHORT {
            return in_order::<T, R, I>(x, n, shift, out);
        }
        if out.len() > 1 && n <= LEAF {
            return along_tree::<T, R, I>(x, n, shift, out);
        }
        // A single row, however short, is reduced along the tree of `line`.
        for (i, (row, out)) in x.chunks_exact(n).zip(out).enumerate() {
            *out = block::<T, R, I>(row, shift(i));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::reducer::{Deviations, Max, Min, Sum};
    use super::super::turned::SIDE;
    use super::*;
    use crate::machine::Baseline;

    /// The number of streams changes the order in which memory is read, not the order of the additions.
    #[test]
    fn sums_in_streams_have_the_same_bits() {
        fn check<T: Numeric, R: Reducer<T>>(of: impl Fn(f64) -> T, bits: impl Fn(T) -> u64) {
            for n in [STREAMS * BLOCK, STREAMS * BLOCK + 5, 9 * BLOCK + 77] {
                let x: Vec<T> = (0..n).map(|i| of((i as f64 * 0.37).sin())).collect();
                let [near, far] = [false, true].map(|far| bits(part::<T, R>(&x, of(0.0), far)));
                assert_eq!(near, far, "{n}");
            }
        }
        check::<f32, Sum>(|x| x as f32, |x| x.to_bits().into());
        check::<f64, Sum>(|x| x, f64::to_bits);
        check::<f32, Max>(|x| x as f32, |x| x.to_bits().into());
    }

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
        check::<f64, Deviations>(x, bits);
        check::<f64, Max>(x, bits);
        check::<f64, Min>(x, bits);
        check::<f32, Sum>(|i| x(i) as f32, |x| bits(x.into()));
        check::<f32, Deviations>(|i| x(i) as f32, |x| bits(x.into()));
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
