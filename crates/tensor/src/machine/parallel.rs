//! Distributes work over threads.

use super::crew::{has_help, share};
use rayon::{ThreadPoolBuildError, ThreadPoolBuilder};
use std::error::Error as _;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::thread::available_parallelism;

/// The reason why [`set_num_threads`] did not set the number of threads.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ThreadsError {
    /// The number was 0.
    #[error("set_num_threads: the number of threads must be at least 1, got 0")]
    Zero,
    /// The threads have started already, and their number cannot change.
    #[error(
        "set_num_threads: {wanted} threads requested, but {running} have started already: call it before \
         the first operation on tensors, or run the operations in a `rayon::ThreadPool` of {wanted} threads \
         (`pool.install(|| …)`)"
    )]
    Started {
        /// The number that was requested.
        wanted: usize,
        /// The number of threads that run.
        running: usize,
    },
    /// The system does not start that many threads. `wasm32` without atomic instructions has one thread.
    #[error("set_num_threads: the system cannot start {wanted} threads: {cause}")]
    System {
        /// The number that was requested.
        wanted: usize,
        /// The error of the system.
        #[source]
        cause: ThreadPoolBuildError,
    },
}

crate::debug_is_display!(ThreadsError);

/// Sets the number of threads of this process that compute large operations, including the calling thread
/// while it waits.
///
/// Call this function at the start of a program. The first large operation, the first call of
/// [`num_threads`] and the first use of rayon by other code start the threads; after that their number is
/// fixed, and this function succeeds only for the number that runs. The same bits come out for every number
/// of threads.
///
/// The threads are rayon's global pool, which all users of rayon in the process share:
/// - Without a call, the number is that of the environment variable `RAYON_NUM_THREADS`; if it is not set,
///   the number of processors that the process may use. A call overrides the
///   variable and the number of processors.
/// - A thread that has helped stays awake for 200 µs and looks for more work.
/// - Inside `pool.install(|| …)` of a `rayon::ThreadPool`, operations use the threads of that pool. This is
///   the way to compute one part of a program with another number of threads.
///
/// ```
/// use wengert::tensor::{num_threads, set_num_threads};
/// set_num_threads(2).unwrap();
/// assert_eq!(num_threads(), 2);
/// assert!(set_num_threads(3).is_err()); // two threads have started
/// ```
///
/// # Errors
/// If `threads` is 0, if another number of threads has started already, or if the system cannot start so many
/// threads.
pub fn set_num_threads(threads: usize) -> Result<(), ThreadsError> {
    if threads == 0 {
        return Err(ThreadsError::Zero);
    }
    let system = |cause| ThreadsError::System { wanted: threads, cause };
    // The global pool has one chance: after a failed start, every later use of it panics. So numbers that the
    // system may refuse are tried in another pool first.
    if threads > available_parallelism().map_or(1, usize::from) {
        drop(pool(threads).build().map_err(system)?);
    }
    match pool(threads).build_global() {
        Ok(()) => Ok(()),
        // Errors of the system have a source.
        Err(cause) if cause.source().is_some() => Err(system(cause)),
        Err(_) if num_threads() == threads => Ok(()),
        Err(_) => Err(ThreadsError::Started { wanted: threads, running: num_threads() }),
    }
}

/// Returns a pool of this many threads. Where the system has no threads, the pool has one thread, the
/// calling thread.
fn pool(threads: usize) -> ThreadPoolBuilder {
    let builder = ThreadPoolBuilder::new().num_threads(threads);
    let one = cfg!(all(target_family = "wasm", not(target_feature = "atomics"))) && threads == 1;
    if one { builder.use_current_thread() } else { builder }
}

/// Returns the number of threads that compute large operations called from here: that of the `rayon` pool
/// whose thread is the caller, or else of the global pool. It starts the global pool if needed, so
/// [`set_num_threads`] comes first.
pub fn num_threads() -> usize {
    rayon::current_num_threads()
}

/// Number of elementary steps from which a call shares its work with threads that are awake: some microseconds.
pub(crate) const PARALLEL: usize = 1 << 14;
/// Number of elementary steps from which a call wakes other threads. Waking a thread takes some 20 to 40 µs, and one
/// thread computes about this many steps in that time.
const WAKE: usize = 1 << 17;

/// Returns the product of `factors`, a number of elementary steps. It saturates at `usize::MAX`.
pub(crate) fn cost(factors: &[usize]) -> usize {
    factors.iter().fold(1usize, |product, &factor| product.saturating_mul(factor))
}

/// Returns the number of threads that a call of this many elementary steps uses.
pub(crate) fn threads_for(cost: usize) -> usize {
    match cost {
        PARALLEL.. if has_help(cost >= WAKE) => num_threads(),
        _ => 1,
    }
}

/// Returns the number of elementary steps of a loop that moves `n` elements: vectors hold more bytes than numbers of 32
/// bits.
pub(crate) fn moves<T>(n: usize) -> usize {
    n / (4 / size_of::<T>().clamp(1, 4))
}

/// Calls `work` with ranges that together cover `0..n`. Uses several threads if `cost`, the number
/// of elementary steps of the whole call, is at least [`WAKE`], or at least [`PARALLEL`] while other threads are awake. Every range
/// starts at a multiple of `align`.
pub(crate) fn ranges(n: usize, cost: usize, align: usize, work: impl Fn(Range<usize>) + Sync) {
    let threads = threads_for(cost);
    let work: &(dyn Fn(Range<usize>) + Sync) = &work; // its loops are compiled once
    if threads == 1 {
        return work(0..n);
    }
    let size = n.div_ceil(threads).next_multiple_of(align).max(1);
    let range = |part: usize| part * size..n.min((part + 1) * size);
    share(n.div_ceil(size), cost >= WAKE, &|part| work(range(part)));
}

/// Cuts `out` into pieces of `unit` elements. Calls `work` with ranges that together cover the pieces, and with the
/// elements of the pieces in each range. Uses several threads as [`ranges`] does.
pub(crate) fn each_part<T: Copy + Send>(
    out: &mut [T],
    unit: usize,
    cost: usize,
    align: usize,
    work: impl Fn(Range<usize>, &mut [T]) + Sync,
) {
    let pieces = out.len() / unit;
    let to = Shared(out.as_mut_ptr());
    ranges(pieces, cost, align, |range| {
        // SAFETY: the ranges are disjoint, and their pieces lie within `out`.
        let part = unsafe {
            std::slice::from_raw_parts_mut(to.get().add(range.start * unit), range.len() * unit)
        };
        work(range, part);
    });
}

/// Calls `work` with each number below `parts`. Uses several threads as [`ranges`] does.
pub(crate) fn parts(parts: usize, cost: usize, work: &(dyn Fn(usize) + Sync)) {
    if threads_for(cost) == 1 {
        return (0..parts).for_each(work);
    }
    share(parts, cost >= WAKE, work);
}

/// Calls both functions, on two threads as [`ranges`] does.
pub(crate) fn join<'a>(
    cost: usize,
    a: &mut (dyn FnMut() + Send + 'a),
    b: &mut (dyn FnMut() + Send + 'a),
) {
    let both = [Mutex::new(a), Mutex::new(b)];
    parts(2, cost, &|part| both[part].lock().unwrap_or_else(PoisonError::into_inner)());
}

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
