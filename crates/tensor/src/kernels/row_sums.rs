//! Sums of the rows that have the same number: the gradient of a table from which rows were looked up.
//!
//! Adding each row to zeros would write the table three times: zeros, and then each sum, which is read before.
//! Here the rows with the same number are found first, so that each row of the table is written once while it is in
//! the innermost cache. For each number, a chain of places leads through its rows in their order: so the order of the
//! additions is that of the rows, and does not depend on the number of threads.

use super::index::add_row;
use crate::layout::{Collapsed, Cursor};
use crate::machine::{Shared, each_part, simd};
use crate::number::Numeric;
use std::sync::atomic::{AtomicBool, Ordering};

/// The width of a row from which it pays to find the rows of each sum first.
pub(crate) const MIN_WIDTH: usize = 8;
/// The end of a chain.
const NONE: u32 = u32::MAX;

/// The rows of one number, and the others with the same number.
struct Chains {
    first: Vec<u32>,
    next: Vec<u32>,
}

impl Chains {
    /// Chains the places in `index` that have the same number, in ascending order, for numbers below `len`.
    fn new(index: &[i64], len: usize) -> Self {
        let (mut first, mut next) = (vec![NONE; len], vec![NONE; index.len()]);
        for (place, &number) in index.iter().enumerate().rev() {
            next[place] = std::mem::replace(&mut first[number as usize], place as u32);
        }
        Chains { first, next }
    }

    #[inline(always)]
    fn of(&self, number: usize) -> impl Iterator<Item = usize> {
        let start = self.first[number];
        let next = |&place: &u32| Some(self.next[place as usize]).filter(|&next| next != NONE);
        std::iter::successors(Some(start).filter(|&place| place != NONE), next)
            .map(|place| place as usize)
    }
}

/// Writes to each row of `out` the sum of the rows with its number, for each position of the outer axes. `out` has shape
/// `[outer, len, width]`, and `rows` is the layout of the axes `[outer, index]` of the operand. Returns whether a
/// sum was wrapped.
///
/// # Safety
/// `base` is the first element of a tensor with this layout, whose rows are `width` neighbouring elements. Each
/// number in `index` is below `len`. `out`, `index` and the width are not empty, and the index has less than 2³² numbers.
pub(crate) unsafe fn sum_rows<T: Numeric>(
    base: *const T,
    rows: Collapsed,
    width: usize,
    index: &[i64],
    len: usize,
    out: &mut [T],
) -> bool {
    let chains = Chains::new(index, len);
    let offsets = offsets(rows);
    debug_assert!(offsets.len() == out.len() / (len * width) * index.len());
    let base = Shared(base.cast_mut());
    let wrapped = AtomicBool::new(false);
    let (chains, offsets) = (&chains, &offsets[..]);
    let cost = out.len() + offsets.len() * width;
    each_part(out, width, cost, 1, |range, sums| {
        let over = simd(
            #[inline(always)]
            move || {
                let mut wrapped = false;
                for (sum, sums) in range.zip(sums.chunks_exact_mut(width)) {
                    let (block, number) = (sum / len, sum % len);
                    let of_block = &offsets[block * index.len()..][..index.len()];
                    sums.fill(T::default());
                    for place in chains.of(number) {
                        // SAFETY: by the contract, the layout leads to rows of the operand.
                        let row = unsafe {
                            std::slice::from_raw_parts(base.get().offset(of_block[place]), width)
                        };
                        wrapped |= add_row(sums, row);
                    }
                }
                wrapped
            },
        );
        if over {
            wrapped.store(true, Ordering::Relaxed);
        }
    });
    wrapped.into_inner()
}

/// Returns the offsets of all elements of a layout.
fn offsets(layout: Collapsed) -> Vec<isize> {
    let n = layout.numel();
    let mut cursor = Cursor::new(layout, 0);
    let mut all = Vec::with_capacity(n);
    while all.len() < n {
        let (start, step, count) = cursor.next_run(n);
        all.extend((0..count as isize).map(|i| start + i * step));
    }
    all
}
