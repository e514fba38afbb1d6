//! Splitting work over threads.

use std::ops::Range;

/// Below this many numbers (times steps) a call stays on its thread: waking another costs some
/// 20 to 40 µs, in which one thread does this much by itself.
pub(crate) const PARALLEL: usize = 1 << 17;

/// A number of elementary steps: a product, or the largest number if it cannot be counted.
pub(crate) fn cost(factors: &[usize]) -> usize {
    factors.iter().fold(1usize, |product, &factor| product.saturating_mul(factor))
}

/// Calls `work` with ranges that together cover `0..n`, on several threads if `cost`, the number of
/// elementary steps of the whole, is worth it. Ranges start at multiples of `align`.
pub(crate) fn ranges(n: usize, cost: usize, align: usize, work: impl Fn(Range<usize>) + Sync) {
    let threads = if cost < PARALLEL { 1 } else { rayon::current_num_threads() };
    if threads == 1 {
        return work(0..n);
    }
    let size = n.div_ceil(threads).next_multiple_of(align).max(1);
    rayon::scope(|scope| {
        for start in (size..n).step_by(size) {
            let work = &work;
            scope.spawn(move |_| work(start..n.min(start + size)));
        }
        work(0..n.min(size));
    });
}

/// A pointer that may cross threads, for writing disjoint parts of one result.
#[derive(Clone, Copy)]
pub struct Shared<T>(pub *mut T);
// SAFETY: whoever writes through it keeps to a part of its own.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// The pointer; a method, so that a closure captures the whole.
    pub fn get(self) -> *mut T {
        self.0
    }
}
