//! Scans: running results along the middle of three axes `[outer, n, inner]`, forwards or backwards.
//!
//! Floats are accumulated in `f64`, integers in `i128`, one element after the other. The results do
//! not depend on the number of threads: whether a long line is scanned in blocks depends on the sizes alone.

use crate::machine::{Shared, cost, ranges};
use std::ops::{Add, Range};
use std::sync::atomic::{AtomicBool, Ordering};

/// What a scan accumulates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// yᵢ = yᵢ₋₁ + xᵢ
    Sum,
    /// yᵢ = yᵢ₋₁ · xᵢ
    Product,
    /// yᵢ = ln (exp yᵢ₋₁ + exp xᵢ)
    LogSumExp,
    /// yᵢ = aᵢ · yᵢ₋₁ + bᵢ, starting from 0. Where a is 0, y is b, also after ∞ or NaN.
    Linear,
}

/// The sizes of a scan, and its direction.
#[derive(Clone, Copy, Debug)]
pub struct ScanSizes {
    /// `[outer, n, inner]`
    pub sizes: [usize; 3],
    /// Whether the scan runs from the last index to the first.
    pub reverse: bool,
    /// Whether only the last result of each line must fit its type.
    pub last_counts: bool,
}

/// Scans of one element type, compiled once in this crate.
pub trait ScanKernel: Copy {
    /// Writes the running results, and returns whether all of them fit the type. `x` holds the
    /// elements; for [`Scan::Linear`] it holds a, then b.
    #[doc(hidden)]
    fn scan(op: Scan, how: ScanSizes, x: [&[Self]; 2], out: &mut [Self]) -> bool;
}

/// Columns that are scanned together.
const TILE: usize = 64;

/// Calls `step` with the state, the elements of both operands at this place, and `store` with the
/// new state and the number of the step.
fn walk<T: Copy + Send + Sync, A: Copy + Sync>(
    how: ScanSizes,
    [a, b]: [&[T]; 2],
    out: &mut [T],
    start: A,
    step: impl Fn(A, T, T) -> A + Sync,
    store: impl Fn(A, usize) -> T + Sync,
) {
    let [outer, n, inner] = how.sizes;
    assert!(a.len() == outer * n * inner && b.len() == a.len() && out.len() == a.len());
    let tiles = inner.div_ceil(TILE);
    let to = Shared(out.as_mut_ptr());
    ranges(outer * tiles, cost(&[outer, n, inner]), 1, |range| {
        for item in range {
            let (block, first) = (item / tiles, item % tiles * TILE);
            let width = TILE.min(inner - first);
            let mut states = [start; TILE];
            for k in 0..n {
                let row = if how.reverse { n - 1 - k } else { k };
                let at = (block * n + row) * inner + first;
                let (a, b) = (&a[at..at + width], &b[at..at + width]);
                // SAFETY: items are disjoint parts of the result, which is as long as the operands.
                let out = unsafe { std::slice::from_raw_parts_mut(to.get().add(at), width) };
                for (((state, out), &a), &b) in states.iter_mut().zip(out).zip(a).zip(b) {
                    *state = step(*state, a, b);
                    *out = store(*state, k);
                }
            }
        }
    });
}

/// Elements of a block of a long line.
const BLOCK: usize = 1 << 12;
/// Blocks that one thread scans side by side, so that a step need not wait for the step before.
const GROUP: usize = 8;
/// Lines are long from this number of elements on.
pub(crate) const LONG: usize = 2 * GROUP * BLOCK;
/// With more lines than this, each is scanned as a whole.
const FEW: usize = 16;

/// Calls `meet` with the state of each block of a group of blocks, an element's place, and the number of its step.
#[inline(always)]
fn each_of_group<A>(
    how: ScanSizes,
    item: usize,
    states: &mut [A],
    mut meet: impl FnMut(&mut A, usize, usize),
) {
    let [_, n, inner] = how.sizes;
    let groups = n.div_ceil(GROUP * BLOCK);
    let (line, first) = (item / groups, item % groups * GROUP * BLOCK);
    let origin = line / inner * n * inner + line % inner;
    let place = |k: usize| origin + if how.reverse { n - 1 - k } else { k } * inner;
    for k in first..first + BLOCK {
        for (block, state) in states.iter_mut().enumerate() {
            let k = k + block * BLOCK;
            if k < n {
                meet(state, place(k), k);
            }
        }
    }
}

/// Writes the running sums of a few long lines, in blocks: first the totals of the blocks, then the sum before each
/// block, then the blocks. Returns whether it did: not if the lines are short or many, or a total is not `sound`: it
/// may have overflowed where the running sum does not.
fn sum_in_blocks<T: Copy + Send + Sync, A: Copy + Default + Add<Output = A> + Send + Sync>(
    how: ScanSizes,
    x: &[T],
    out: &mut [T],
    wide: impl Fn(T) -> A + Sync,
    sound: impl Fn(&A) -> bool,
    store: impl Fn(A, usize) -> T + Sync,
) -> bool {
    let [outer, n, inner] = how.sizes;
    let lines = outer * inner;
    if n < LONG || lines > FEW {
        return false;
    }
    assert!(x.len() == lines * n && out.len() == x.len());
    let groups = n.div_ceil(GROUP * BLOCK);
    let mut sums = vec![A::default(); lines * groups * GROUP];
    let walk = |sums: &mut [A], meet: &(dyn Fn(Range<usize>, Shared<A>) + Sync)| {
        let sums = Shared(sums.as_mut_ptr());
        ranges(lines * groups, cost(&[lines, n]), 1, |items| meet(items, sums));
    };
    let of = |item: usize, sums: Shared<A>| {
        // SAFETY: each item has sums of its own.
        unsafe { std::slice::from_raw_parts_mut(sums.get().add(item * GROUP), GROUP) }
    };
    walk(&mut sums, &|items, sums| {
        for item in items {
            each_of_group(how, item, of(item, sums), |sum, at, _| *sum = *sum + wide(x[at]));
        }
    });
    if !sums.iter().all(sound) {
        return false;
    }
    for line in sums.chunks_exact_mut(groups * GROUP) {
        let mut running = A::default();
        for total in line {
            (*total, running) = (running, running + *total);
        }
    }
    let to = Shared(out.as_mut_ptr());
    walk(&mut sums, &|items, sums| {
        for item in items {
            each_of_group(how, item, of(item, sums), |sum, at, k| {
                *sum = *sum + wide(x[at]);
                // SAFETY: each element belongs to one item, and `out` is as long as `x`.
                unsafe { *to.get().add(at) = store(*sum, k) }
            });
        }
    });
    true
}

/// Returns ln (eᵃ + eᵇ).
fn ln_add_exp(a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    // The difference of equal infinities would be NaN.
    if high == low { high + std::f64::consts::LN_2 } else { high + (low - high).exp().ln_1p() }
}

macro_rules! floats {
    ($($t:ident)*) => { $(
        impl ScanKernel for $t {
            fn scan(op: Scan, how: ScanSizes, x: [&[$t]; 2], out: &mut [$t]) -> bool {
                let wide = |x: $t| f64::from(x);
                let store = |y: f64, _| y as $t;
                let finite = |sum: &f64| sum.is_finite();
                if op == Scan::Sum && sum_in_blocks(how, x[0], out, wide, finite, store) {
                    return true;
                }
                match op {
                    Scan::Sum => walk(how, x, out, 0.0, |y, x, _| y + wide(x), store),
                    Scan::Product => walk(how, x, out, 1.0, |y, x, _| y * wide(x), store),
                    Scan::LogSumExp => {
                        let step = |y, x, _| ln_add_exp(y, wide(x));
                        walk(how, x, out, f64::NEG_INFINITY, step, store);
                    }
                    Scan::Linear => {
                        let step = |y, a, b| if a == 0.0 { wide(b) } else { wide(a) * y + wide(b) };
                        walk(how, x, out, 0.0, step, store);
                    }
                }
                true
            }
        }
    )* };
}
floats! { f32 f64 }

impl ScanKernel for i64 {
    fn scan(op: Scan, how: ScanSizes, x: [&[i64]; 2], out: &mut [i64]) -> bool {
        let fits = AtomicBool::new(true);
        let store = |y: i128, k: usize| {
            i64::try_from(y).unwrap_or_else(|_| {
                if !how.last_counts || k + 1 == how.sizes[1] {
                    fits.store(false, Ordering::Relaxed);
                }
                0
            })
        };
        // A saturated product is out of range until it is multiplied by 0, as the true one.
        match op {
            Scan::Sum if sum_in_blocks(how, x[0], out, i128::from, |_| true, store) => {}
            Scan::Sum => walk(how, x, out, 0, |y, x, _| y + i128::from(x), store),
            Scan::Product => {
                walk(how, x, out, 1, |y: i128, x, _| y.saturating_mul(x.into()), store);
            }
            Scan::LogSumExp | Scan::Linear => unreachable!("for floats only"),
        }
        fits.into_inner()
    }
}
