//! Results that are written past the caches.
//!
//! An ordinary store into a line that is not in the cache first reads the line from memory, and later
//! evicts another line. Where the result is larger than the caches, both are wasted. A *streaming* store
//! (non-temporal in the manuals) sends whole lines to memory and reads nothing: adding two tensors of 64 MB
//! moves 192 MB instead of 256.
//!
//! A result that fits the last cache is written as usual, because the next operation finds it there.

#[cfg(all(target_arch = "x86_64", not(miri)))]
use super::LINE;

/// Results of at least this many bytes are streamed: the last cache of most processors holds no more. In tests, small
/// results are streamed, too.
const STREAMED: usize = if cfg!(test) { 1 << 14 } else { 32 << 20 };

/// Returns whether a new result of this size is written past the caches.
#[inline]
pub(crate) fn is_streamed(bytes: usize) -> bool {
    cfg!(all(target_arch = "x86_64", not(miri))) && bytes >= STREAMED
}

/// Streaming stores of one thread. Other threads may read what was written when the value is dropped.
pub(crate) struct Streaming(());

impl Streaming {
    pub fn new() -> Self {
        Streaming(())
    }

    /// Copies `n` elements past the caches.
    ///
    /// # Safety
    /// `from` holds `n` elements, `to` has room for `n`, and they do not overlap.
    #[allow(clippy::unused_self)] // the value shows that `drop` follows
    pub unsafe fn copy<T: Copy>(&self, from: *const T, to: *mut T, n: usize) {
        let bytes = n * size_of::<T>();
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        let done = if to.addr().is_multiple_of(LINE) {
            // SAFETY: by the contract; only whole lines are copied.
            unsafe { lines(from.cast(), to.cast(), bytes / LINE) };
            bytes / LINE * LINE
        } else {
            0
        };
        #[cfg(not(all(target_arch = "x86_64", not(miri))))]
        let done = 0;
        // SAFETY: by the contract; the bytes from `done` on are left.
        unsafe {
            std::ptr::copy_nonoverlapping(
                from.cast::<u8>().add(done),
                to.cast::<u8>().add(done),
                bytes - done,
            );
        }
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        // Streaming stores are not ordered with other stores, such as the one that tells another thread
        // that the result is complete.
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        // SAFETY: every processor of this architecture has the instruction.
        unsafe {
            std::arch::x86_64::_mm_sfence();
        }
    }
}

/// Copies whole cache lines.
///
/// # Safety
/// Both pointers have room for `n` lines that do not overlap; `to` is aligned to a line.
#[cfg(all(target_arch = "x86_64", not(miri)))]
unsafe fn lines(from: *const u8, to: *mut u8, n: usize) {
    use super::x86;
    // SAFETY: by the contract; `level` names instructions that the processor has.
    unsafe {
        match x86::level() {
            x86::AVX512 => lines_of_64(from, to, n),
            x86::AVX2 => lines_of_32(from, to, n),
            _ => lines_of_16(from, to, n),
        }
    }
}

macro_rules! lines_of {
    ($name:ident $($feature:literal)?: $vector:ident $load:ident $store:ident) => {
        /// Copies lines by vectors of one size.
        ///
        /// # Safety
        /// As [`lines`], and the processor has the instructions.
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        $(#[target_feature(enable = $feature)])?
        unsafe fn $name(from: *const u8, to: *mut u8, n: usize) {
            use std::arch::x86_64::{$load, $store, $vector};
            const SIZE: usize = size_of::<$vector>();
            for i in 0..n {
                for part in 0..LINE / SIZE {
                    let at = i * LINE + part * SIZE;
                    // SAFETY: by the contract.
                    unsafe { $store(to.add(at).cast(), $load(from.add(at).cast())) };
                }
            }
        }
    };
}
lines_of!(lines_of_64 "avx512f": __m512i _mm512_loadu_si512 _mm512_stream_si512);
lines_of!(lines_of_32 "avx": __m256i _mm256_loadu_si256 _mm256_stream_si256);
lines_of!(lines_of_16: __m128i _mm_loadu_si128 _mm_stream_si128);

#[cfg(test)]
mod tests {
    use super::*;

    /// Every length, and every place of the target within a line.
    #[test]
    fn streamed_copies_agree_with_copies() {
        let from: Vec<u8> = (0..700u32).map(|i| (i * 7 % 251) as u8).collect();
        for n in [0, 1, 63, 64, 65, 128, 500] {
            for start in [0, 1, 16, 64, 100] {
                let mut to = vec![255u8; 700];
                let streaming = Streaming::new();
                // SAFETY: both have 700 bytes.
                unsafe { streaming.copy(from.as_ptr().add(3), to.as_mut_ptr().add(start), n) };
                drop(streaming);
                assert_eq!(to[start..start + n], from[3..3 + n], "{n} bytes to {start}");
                let rest = to[..start].iter().chain(&to[start + n..]);
                assert!(rest.copied().all(|x| x == 255), "{n} bytes to {start}");
            }
        }
    }
}
