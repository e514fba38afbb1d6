//! Recycled blocks: size classes, the lists of free blocks, and the counts of memory in use.
//!
//! Small blocks come from free lists, one per size class and thread, so allocating and
//! freeing a scalar is a pop and a push. Large blocks come from free lists that all threads share:
//! otherwise blocks that one thread allocates and another frees would pile up in the second thread.
//! The size of the lists is limited; blocks above the limit are returned to the system.

use super::header::Header;
use super::huge_pages;
use crate::machine::LINE;
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
const fn class_size(class: usize) -> usize {
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

/// The number of blocks of each small class that a thread keeps: [`KEEP_SMALL`] bytes of each.
const KEPT: [usize; SMALL] = {
    let mut kept = [0; SMALL];
    let mut class = 0;
    while class < SMALL {
        kept[class] = KEEP_SMALL.div_ceil(class_size(class));
        class += 1;
    }
    kept
};

/// A list of free blocks, linked through `Header::data`.
struct List {
    head: Cell<*mut Header>,
    /// The number of blocks on the list. (To count bytes, each call would compute the size of the class.)
    length: Cell<usize>,
}

impl List {
    #[allow(clippy::declare_interior_mutable_const)] // every use makes a new list, as intended
    const EMPTY: List = List { head: Cell::new(null_mut()), length: Cell::new(0) };
    /// A list without blocks that takes none, because it seems to be full.
    #[allow(clippy::declare_interior_mutable_const)] // likewise
    const CLOSED: List = List { head: Cell::new(null_mut()), length: Cell::new(usize::MAX) };

    #[inline]
    fn pop(&self) -> *mut Header {
        let block = self.head.get();
        if !block.is_null() {
            // SAFETY: blocks on a list are allocated, are used by no other code, and were linked by `push`.
            self.head.set(unsafe { (*block).data.cast() });
            self.length.set(self.length.get() - 1);
        }
        block
    }

    /// Puts a block on the list.
    ///
    /// # Safety
    /// `block` has the class of this list, and no other code uses it.
    #[inline]
    unsafe fn push(&self, block: *mut Header) {
        // SAFETY: the caller hands the block over.
        unsafe { (*block).data = self.head.get().cast() };
        self.head.set(block);
        self.length.set(self.length.get() + 1);
    }

    fn clear(&self, class: usize) {
        loop {
            let block = self.pop();
            if block.is_null() {
                return;
            }
            // SAFETY: `pop` hands out a block of this class that no other code has.
            unsafe { dealloc(block.cast(), class_layout(class)) };
        }
    }
}

/// The free lists of a thread. They have no destructor, because every access to a thread-local variable with a
/// destructor tests whether it has run. [`CloseLists`] frees the blocks instead when the thread ends. The lists are
/// closed before the thread gives back its first block, and after `CloseLists` has run.
struct Small {
    lists: [List; SMALL],
    /// Whether the lists have been opened.
    opened: Cell<bool>,
}

impl Small {
    /// Opens the lists, unless they were opened before. Returns whether it did.
    fn open(&self) -> bool {
        let now = !self.opened.replace(true) && CLOSE_LISTS.try_with(|CloseLists| ()).is_ok();
        if now {
            self.lists.iter().for_each(|list| list.length.set(0));
        }
        now
    }
}

/// Its destructor frees the blocks on the lists of a thread, and closes the lists. Blocks that the thread gives back
/// afterwards, in destructors of other thread-local variables, go to the system.
struct CloseLists;
impl Drop for CloseLists {
    fn drop(&mut self) {
        let _ = LISTS.try_with(|small| {
            for (class, list) in small.lists.iter().enumerate() {
                list.clear(class);
                list.length.set(usize::MAX);
            }
        });
    }
}

thread_local! {
    static LISTS: Small = const { Small { lists: [List::CLOSED; SMALL], opened: Cell::new(false) } };
    static CLOSE_LISTS: CloseLists = const { CloseLists };
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
    let _ = LISTS.try_with(|small| {
        for (class, list) in small.lists.iter().enumerate() {
            list.clear(class);
        }
    });
    let mut large = LARGE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for (class, list) in large.0.get_mut().iter().enumerate() {
        LARGE_BYTES.fetch_sub(list.length.get() * class_size(class), Ordering::Relaxed);
        list.clear(class);
    }
}

#[inline]
pub(super) fn obtain(class: usize) -> *mut Header {
    let listed = if class < SMALL {
        LISTS.try_with(|small| small.lists[class].pop()).unwrap_or(null_mut())
    } else {
        obtain_large(class)
    };
    if listed.is_null() { fresh(class) } else { listed }
}

#[inline(never)]
fn obtain_large(class: usize) -> *mut Header {
    let in_use = IN_USE.fetch_add(class_size(class), Ordering::Relaxed) + class_size(class);
    MOST_IN_USE.fetch_max(in_use, Ordering::Relaxed);
    let mut large = LARGE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let block = large.0.get_mut()[class].pop();
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
    let listed = class < SMALL
        && LISTS
            .try_with(|small| {
                let list = &small.lists[class];
                let room = list.length.get() < KEPT[class];
                if room {
                    // SAFETY: the caller hands the block over.
                    unsafe { list.push(block) };
                }
                room
            })
            .unwrap_or(false);
    if !listed {
        // SAFETY: the same contract.
        unsafe { give_back_unlisted(block, class) }
    }
}

/// Gives back a block that is not small, or for which the list of the thread has no room. A function of its own,
/// so that the frequent case saves no registers.
///
/// # Safety
/// As [`give_back`].
#[inline(never)]
unsafe fn give_back_unlisted(block: *mut Header, class: usize) {
    if class < SMALL {
        let opened = LISTS.try_with(Small::open).unwrap_or(false);
        if opened {
            // SAFETY: the same contract. The lists are not opened a second time.
            return unsafe { give_back(block, class) };
        }
    } else {
        let size = class_size(class);
        IN_USE.fetch_sub(size, Ordering::Relaxed);
        if LARGE_BYTES.load(Ordering::Relaxed) + size <= KEEP_LARGE {
            LARGE_BYTES.fetch_add(size, Ordering::Relaxed);
            let mut large = LARGE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            // SAFETY: the caller hands the block over.
            return unsafe { large.0.get_mut()[class].push(block) };
        }
    }
    // SAFETY: `obtain` allocated it with this layout.
    unsafe { dealloc(block.cast(), class_layout(class)) };
}

#[cfg(test)]
mod tests {
    use super::super::DATA;
    use super::*;

    #[test]
    fn a_thread_frees_its_blocks_when_it_ends_and_keeps_none_afterwards() {
        /// Gives a block back in the destructor of a thread-local variable, after the lists were closed.
        struct Late;
        impl Drop for Late {
            fn drop(&mut self) {
                let class = class_of(LINE);
                // SAFETY: the block was obtained with this class, and nothing else has it.
                unsafe { give_back(obtain(class), class) };
                let state = LISTS.with(|small| {
                    let list = &small.lists[class];
                    (small.opened.get(), list.head.get().is_null(), list.length.get())
                });
                assert_eq!(state, (true, true, usize::MAX));
            }
        }
        thread_local! { static LATE: Late = const { Late }; }
        let thread = std::thread::spawn(|| {
            LATE.with(|_| ()); // registered first, so its destructor runs last
            let class = class_of(LINE);
            for _ in 0..2 {
                // SAFETY: as above.
                unsafe { give_back(obtain(class), class) };
            }
            LISTS.with(|small| (small.opened.get(), small.lists[class].length.get()))
        });
        assert_eq!(thread.join().expect("no panic"), (true, 1));
    }

    #[test]
    fn a_list_keeps_at_least_its_share_of_bytes() {
        for (class, &kept) in KEPT.iter().enumerate() {
            assert!(kept * class_size(class) >= KEEP_SMALL, "{class}");
            assert!((kept - 1) * class_size(class) < KEEP_SMALL, "{class}");
        }
    }

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
