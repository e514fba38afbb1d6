//! Requests memory before it is read.

/// Bytes of a line of the caches, and the greatest alignment of a vector.
pub(crate) const LINE: usize = 64;

/// Requests the whole cache lines of a block of numbers for the second cache: requests for the first one are few at a
/// time, and loops wait for them. The address need not be valid: a request for an address without memory is dropped.
#[inline(always)]
pub(crate) fn prefetch<T>(at: *const T, numbers: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        for line in 0..numbers * size_of::<T>() / LINE {
            let at = at.wrapping_byte_add(line * LINE);
            // SAFETY: SSE is part of every x86-64, and the instruction has no effect on memory and never faults.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (at, numbers);
}
