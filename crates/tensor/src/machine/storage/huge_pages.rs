//! Large blocks in large pages.
//!
//! A pass over a block of 64 MB touches 16,384 pages of 4 KiB: as many faults when the block is new, and
//! misses of the translation cache in every later pass. Linux has pages of 2 MiB for programs that ask for
//! them (`madvise`, unless the administrator turned them off). A sum over 64 MB takes two thirds of
//! the time with them.

/// The size of a large page on `x86_64` and, with base pages of 4 KiB, on `aarch64`.
const PAGE: usize = 2 << 20;
/// Blocks from this size on ask for large pages: each contains one at least, and the memory that a page
/// may add at the end of the block is a small part of it.
pub(super) const LARGE: usize = 2 * PAGE;

/// Asks the system for large pages inside `bytes` bytes that nothing was written to. The request changes
/// neither addresses nor contents, and the system may refuse it.
#[cfg(all(target_os = "linux", target_pointer_width = "64", not(miri)))]
pub(super) fn request(start: *mut u8, bytes: usize) {
    use std::ffi::{c_int, c_void};
    // Part of the C library that the standard library is linked to.
    unsafe extern "C" {
        fn madvise(start: *mut c_void, length: usize, advice: c_int) -> c_int;
    }
    /// `MADV_HUGEPAGE`, on every architecture.
    const HUGE: c_int = 14;
    let first = start.addr().next_multiple_of(PAGE);
    let end = (start.addr() + bytes) & !(PAGE - 1);
    if first < end {
        // SAFETY: the whole pages from `first` to `end` belong to the block, and the advice does not
        // change what is read from them. An error means that nothing has changed.
        unsafe { madvise(start.add(first - start.addr()).cast(), end - first, HUGE) };
    }
}

/// Does nothing: this system is not asked.
#[cfg(not(all(target_os = "linux", target_pointer_width = "64", not(miri))))]
pub(super) fn request(_: *mut u8, _: usize) {}
