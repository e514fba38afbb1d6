//! Scans: running results along the middle of three axes `[outer, n, inner]`, forwards or backwards.
//!
//! Floats are accumulated in `f64`, integers in `i128`, one element after the other. The results do
//! not depend on the number of threads.

use crate::machine::{Shared, cost, ranges};
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
            Scan::Sum => walk(how, x, out, 0, |y, x, _| y + i128::from(x), store),
            Scan::Product => {
                walk(how, x, out, 1, |y: i128, x, _| y.saturating_mul(x.into()), store);
            }
            Scan::LogSumExp | Scan::Linear => unreachable!("for floats only"),
        }
        fits.into_inner()
    }
}
