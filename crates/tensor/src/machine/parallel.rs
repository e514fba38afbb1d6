//! Distributes work over threads.

use std::ops::Range;

/// Number of elementary steps below which a call stays on its thread. Waking another thread costs
/// some 20 to 40 µs, and one thread computes about this many steps in that time.
pub(crate) const PARALLEL: usize = 1 << 17;

/// Returns the product of `factors`, a number of elementary steps. It saturates at `usize::MAX`.
pub(crate) fn cost(factors: &[usize]) -> usize {
    factors.iter().fold(1usize, |product, &factor| product.saturating_mul(factor))
}

/// Calls `work` with ranges that together cover `0..n`. Uses several threads if `cost`, the number
/// of elementary steps of the whole call, is at least [`PARALLEL`]. Every range starts at a
/// multiple of `align`.
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

/// Sets the number of threads that operations use, for the whole process; 0 means one thread per core, which
/// is the default. Call it before the first operation. The environment variable `RAYON_NUM_THREADS` sets the
/// number without a call.
///
/// # Errors
/// If the threads are already running: after a large operation, or after an earlier call.
pub fn set_num_threads(threads: usize) -> Result<(), ThreadsError> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|error| ThreadsError { threads, reason: error.to_string() })
}

/// The error of [`set_num_threads`].
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "set_num_threads: {threads} threads cannot be set: {reason}; call it once, before the first operation"
)]
pub struct ThreadsError {
    threads: usize,
    reason: String,
}

crate::debug_is_display!(ThreadsError);

/// A pointer that can be sent to other threads, so that they write disjoint parts of one result.
#[derive(Clone, Copy)]
pub struct Shared<T>(pub *mut T);
// SAFETY: everyone who writes through it writes only to a part of its own.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Returns the pointer. It is a method so that a closure captures the whole struct, which is
    /// `Send`.
    pub fn get(self) -> *mut T {
        self.0
    }
}
