//! Sequences of rotations of neighbouring columns, recorded first and applied to many rows at once.

use rayon::prelude::*;
use wengert_tensor::simd;

/// The number of rows that are rotated together. A column of them is long enough for the widest vectors.
const LANES: usize = 32;

/// Fewer multiplications than this number stay on one thread.
const PARALLEL: usize = 1 << 18;

/// From this number of rotations on, `are_many` returns true.
const MANY: usize = 1 << 16;

/// Recorded rotations. A sweep rotates columns i and i + 1, then i + 1 and i + 2, and so on, or the same downwards.
#[derive(Default)]
pub(crate) struct Rotations {
    sweeps: Vec<Sweep>,
    turns: Vec<[f64; 2]>,
}

struct Sweep {
    first: usize,
    /// The place of the first rotation in `turns`.
    start: usize,
    upwards: bool,
}

impl Rotations {
    /// Starts a sweep at column `first`.
    pub fn sweep(&mut self, first: usize, upwards: bool) {
        self.sweeps.push(Sweep { first, start: self.turns.len(), upwards });
    }

    /// Adds a rotation to the sweep: the column x that the sweep has reached and the next one, y, become c·x + s·y and
    /// c·y - s·x.
    pub fn push(&mut self, c: f64, s: f64) {
        self.turns.push([c, s]);
    }

    /// Returns whether the memory for further rotations should be saved.
    pub fn are_many(&self) -> bool {
        self.turns.len() >= MANY
    }

    /// Applies the rotations to the columns of a matrix with `n` columns, and forgets them.
    pub fn apply(&mut self, a: &mut [f64], n: usize) {
        let this: &Self = self;
        let turn = |rows: &mut [f64]| {
            simd(
                #[inline(always)]
                move || this.turn(rows, n),
            );
        };
        // Rows are independent, so threads do not change the bits.
        if this.turns.len() * a.len() / n.max(1) >= PARALLEL {
            a.par_chunks_mut(LANES * n).for_each(turn);
        } else if n > 0 {
            a.chunks_mut(LANES * n).for_each(turn);
        }
        self.sweeps.clear();
        self.turns.clear();
    }

    /// Rotates the columns of up to `LANES` rows.
    #[inline(always)]
    fn turn(&self, rows: &mut [f64], n: usize) {
        let mut columns = vec![[0.0; LANES]; n];
        for (lane, row) in rows.chunks_exact(n).enumerate() {
            for (column, x) in columns.iter_mut().zip(row) {
                column[lane] = *x;
            }
        }
        for (i, sweep) in self.sweeps.iter().enumerate() {
            let end = self.sweeps.get(i + 1).map_or(self.turns.len(), |next| next.start);
            let turns = &self.turns[sweep.start..end];
            if sweep.upwards {
                chain(columns[sweep.first..].iter_mut(), turns);
            } else {
                chain(columns[..=sweep.first].iter_mut().rev(), turns);
            }
        }
        for (lane, row) in rows.chunks_exact_mut(n).enumerate() {
            for (column, x) in columns.iter().zip(row) {
                *x = column[lane];
            }
        }
    }
}

/// Rotates the first column with the second one, the second one with the third one, and so on.
#[inline(always)]
fn chain<'a>(mut columns: impl Iterator<Item = &'a mut [f64; LANES]>, turns: &[[f64; 2]]) {
    let Some(mut to) = columns.next() else { return };
    let mut x = *to;
    for (&[c, s], next) in turns.iter().zip(columns) {
        for ((to, x), y) in to.iter_mut().zip(&mut x).zip(&*next) {
            (*to, *x) = (c * *x + s * y, c * y - s * *x);
        }
        to = next;
    }
    *to = x;
}

/// Returns c, s and r with c·x + s·y = r and c·y - s·x = 0.
#[inline]
pub(crate) fn rotation(x: f64, y: f64) -> [f64; 3] {
    if y == 0.0 {
        return [1.0, 0.0, x];
    }
    let r = norm(x, y).copysign(x);
    [x / r, y / r, r]
}

/// Returns √(x² + y²).
#[inline]
pub(crate) fn norm(x: f64, y: f64) -> f64 {
    let sum = x * x + y * y;
    if (1e-280..1e280).contains(&sum) { sum.sqrt() } else { x.hypot(y) }
}
