//! Recycled blocks: size classes, the lists of free blocks, and the counts of memory in use.
//!
//! Small blocks come from free lists, one per size class and thread, so allocating and
//! freeing a scalar is a pop and a push. Large blocks come from free lists that all threads share:
//! otherwise blocks that one thread allocates and another frees would pile up in the second thread.
//! The size of the lists is limited; blocks above the limit are returned to the system.

use super::header::{Header, LINE};
use super::huge_pages;
use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::{Cell, UnsafeCell};
use std::ptr::null_mut;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Number of size classes: four for each doubling of the size, from 40 bytes on. The smallest class
/// in use is one cache line. The largest class holds `isize::MAX` bytes: 232 classes where an address
/// has 64 bits, 104 where it has 32.
const CLASSES: usize = (usize::BITS as usize - 6) * 4;
/// Classes below this one (blocks of at most 8 KiB) are small: each thread has its own free lists.
const SMALL: usize = 32;
/// Limits of the free lists in bytes: `KEEP_SMALL` for each small class of a thread, `KEEP_LARGE`
/// for all large classes of the process together. A process with addresses of 32 bits has 2 to 4 GiB,
/// so it keeps less.
const KEEP_SMALL: usize = 4 << 20;
const KEEP_LARGE: usize = if usize::BITS >= 64 { 1 << 30 } else { 256 << 20 };

#[inline]
pub(super) fn class_of(bytes: usize) -> usize {
    let last = bytes.max(LINE) - 1;
    let power = last.ilog2() as usize;
    (power - 5) * 4 + ((last >> (power - 2)) & 3)
}

#[inline]
fn class_size(class: usize) -> usize {
    (class % 4 + 5) << (class / 4 + 3)
}

fn class_layout(class: usize) -> Layout {
    let size = class_size(class);
    // Blocks that are read by vectors are aligned to a cache line. Small blocks would waste half of
    // their memory that way.
    let align = if size <= 256 { 16 } else { LINE };
    // This cannot fail: `Block::new` rejects every size for which it would.
    Layout::from_size_align(size, align).expect("sizes of classes are valid")
}

/// A list of free blocks, linked through `Header::data`.
struct List {
    head: Cell<*mut Header>,
    bytes: Cell<usize>,
}

impl List {
    #[allow(clippy::declare_interior_mutable_const)] // every use makes a new list, as intended
    const EMPTY: List = List { head: Cell::new(null_mut()), bytes: Cell::new(0) };

    #[inline]
    fn pop(&self, class: usize) -> *mut Header {
        let block = self.head.get();
        if !block.is_null() {
            // SAFETY: blocks on a list are allocated, are used by no other code, and were linked by `push`.
            self.head.set(unsafe { (*block).data.cast() });
            self.bytes.set(self.bytes.get() - class_size(class));
        }
        block
    }

    /// Puts a block on the list.
    ///
    /// # Safety
    /// `block` has the class of this list, and no other code uses it.
    #[inline]
    unsafe fn push(&self, block: *mut Header, class: usize) {
        // SAFETY: the caller hands the block over.
        unsafe { (*block).data = self.head.get().cast() };
        self.head.set(block);
        self.bytes.set(self.bytes.get() + class_size(class));
    }

    fn clear(&self, class: usize) {
        loop {
            let block = self.pop(class);
            if block.is_null() {
                return;
            }
            // SAFETY: `pop` hands out a block of this class that no other code has.
            unsafe { dealloc(block.cast(), class_layout(class)) };
        }
    }
}

struct Small([List; SMALL]);
impl Drop for Small {
    fn drop(&mut self) {
        for (class, list) in self.0.iter().enumerate() {
            list.clear(class);
        }
    }
}
thread_local! {
    static LISTS: Small = const { Small([List::EMPTY; SMALL]) };
}

struct Large(UnsafeCell<[List; CLASSES]>);
// SAFETY: only reached through the mutex around it; the blocks on the lists belong to no thread.
unsafe impl Send for Large {}
static LARGE: Mutex<Large> = Mutex::new(Large(UnsafeCell::new([List::EMPTY; CLASSES])));
static LARGE_BYTES: AtomicUsize = AtomicUsize::new(0);
/// Bytes of large blocks in use now, and the maximum so far.
static IN_USE: AtomicUsize = AtomicUsize::new(0);
static MOST_IN_USE: AtomicUsize = AtomicUsize::new(0);

/// Returns the number of bytes that the tensors of this process hold, counting only tensors of 8
/// KiB or more. Memory that is kept for reuse is not counted. Sizes are those of the allocated
/// blocks, which are rounded up by at most a quarter.
pub fn memory_allocated() -> usize {
    IN_USE.load(Ordering::Relaxed)
}

/// Returns the maximum of [`memory_allocated`] since the process began or since the last call of
/// [`reset_max_memory_allocated`].
///
/// ```
/// use wengert::tensor::{Tensor, max_memory_allocated, memory_allocated, reset_max_memory_allocated};
/// reset_max_memory_allocated();
/// let before = memory_allocated();
/// drop(Tensor::zeros(&[1000, 1000])); // four million bytes
/// assert!(max_memory_allocated() - before >= 4_000_000);
/// ```
pub fn max_memory_allocated() -> usize {
    MOST_IN_USE.load(Ordering::Relaxed)
}

/// Resets [`max_memory_allocated`] to the memory that is in use now.
pub fn reset_max_memory_allocated() {
    MOST_IN_USE.store(memory_allocated(), Ordering::Relaxed);
}

/// Returns the memory that is kept for reuse to the system: the small blocks of this thread and all
/// large blocks. Tensors in use are not affected.
pub fn release_memory() {
    let _ = LISTS.try_with(|lists| {
        for (class, list) in lists.0.iter().enumerate() {
            list.clear(class);
        }
    });
    let mut large = LARGE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for (class, list) in large.0.get_mut().iter().enumerate() {
        LARGE_BYTES.fetch_sub(list.bytes.get(), Ordering::Relaxed);
        list.clear(class);
    }
}

#[inline]
pub(super) fn obtain(class: usize) -> *mut Header {
    let listed = if class < SMALL {
        LISTS.try_with(|lists| lists.0[class].pop(class)).unwrap_or(null_mut())
    } else {
        obtain_large(class)
    };
    if listed.is_null() { fresh(class) } else { listed }
}

fn obtain_large(class: usize) -> *mut Header {
    let in_use = IN_USE.fetch_add(class_size(class), Ordering::Relaxed) + class_size(class);
    MOST_IN_USE.fetch_max(in_use, Ordering::Relaxed);
    let mut large = LARGE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let block = large.0.get_mut()[class].pop(class);
    if !block.is_null() {
        LARGE_BYTES.fetch_sub(class_size(class), Ordering::Relaxed);
    }
    block
}

#[cold]
fn fresh(class: usize) -> *mut Header {
    let layout = class_layout(class);
    let large = layout.size() >= huge_pages::LARGE;
    // SAFETY: no class has size zero.
    let block = unsafe { if large { alloc(layout) } else { alloc_zeroed(layout) } };
    if block.is_null() {
        handle_alloc_error(layout)
    }
    if large {
        // Before the first write, which decides about the pages.
        huge_pages::request(block, layout.size());
        // SAFETY: the block has this size.
        unsafe { block.write_bytes(0, layout.size()) };
    }
    block.cast()
}

/// Puts a block on the free list of its class, or returns its memory to the system.
///
/// # Safety
/// `block` came from `obtain(class)`, its header holds nothing to drop, and no code uses it.
#[inline]
pub(super) unsafe fn give_back(block: *mut Header, class: usize) {
    let kept = if class < SMALL {
        LISTS
            .try_with(|lists| {
                let list = &lists.0[class];
                let room = list.bytes.get() < KEEP_SMALL;
                if room {
                    // SAFETY: the caller hands the block over.
                    unsafe { list.push(block, class) };
                }
                room
            })
            .unwrap_or(false)
    } else {
        let size = class_size(class);
        IN_USE.fetch_sub(size, Ordering::Relaxed);
        let room = LARGE_BYTES.load(Ordering::Relaxed) + size <= KEEP_LARGE;
        if room {
            LARGE_BYTES.fetch_add(size, Ordering::Relaxed);
            let mut large = LARGE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            // SAFETY: the caller hands the block over.
            unsafe { large.0.get_mut()[class].push(block, class) };
        }
        room
    };
    if !kept {
        // SAFETY: `obtain` allocated it with this layout.
        unsafe { dealloc(block.cast(), class_layout(class)) };
    }
}

#[cfg(test)]
mod tests {
    use super::super::DATA;
    use super::*;

    #[test]
    fn the_size_class_of_a_block_is_the_smallest_that_fits() {
        for bytes in (LINE..5000).chain([8191, 8192, 8193, 1 << 20, (1 << 20) + 1, 3 << 28]) {
            let class = class_of(bytes);
            assert!(class < CLASSES && class_size(class) >= bytes, "{bytes}");
            assert!(class == 0 || class_size(class - 1) < bytes, "{bytes}");
        }
        assert!(class_size(SMALL) > 8192 && class_size(SMALL - 1) <= 8192);
        assert!(class_of(isize::MAX as usize / 2 + DATA) < CLASSES);
    }
}
