//! Memory: a tensor is one pointer to a counted block, and blocks are recycled.
//!
//! A block is a header followed by the numbers. A view is a block that has an owner in place of
//! numbers. Small blocks come from free lists, one per size class and thread: a scalar's whole life
//! is a push and a pop. Large ones come from lists that all threads share, so that what one thread
//! makes and another drops is not hoarded by the second. Both are capped; what is over goes back
//! to the system.
//!
//! **Every byte a block hands out has been written before**: fresh blocks are zeroed (which costs
//! nothing where the system hands out zeroed pages), recycled ones hold what they held. Memory
//! with unspecified contents is therefore still memory with *some* contents, and a slice of numbers
//! over it is sound; only `bool`, for which most bytes are no value, must be cleared first.

use crate::layout::{MAX_NUMEL, MAX_RANK, MAX_SIZE, Shape, Strides, product};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::{Cell, UnsafeCell};
use std::ptr::{NonNull, null_mut};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering, fence};

#[repr(C)]
struct Header {
    refs: AtomicU32,
    class: u16,
    rank: u16,
    /// The first number; the next free block while on a list.
    data: *mut u8,
    /// What only views have: strides, and the block that owns the numbers.
    view: Option<Box<View>>,
    /// Narrow, so that a scalar and its header share one cache line.
    sizes: [u32; MAX_RANK],
}

struct View {
    /// `None`: row-major.
    strides: Option<Strides>,
    owner: Block,
}

const LINE: usize = 64;
const HEADER: usize = size_of::<Header>();
/// Large data starts here, on a line of its own.
const DATA: usize = HEADER.next_multiple_of(LINE);
/// What fits between the header and the next line lies there: a scalar needs no second line.
const INLINE: usize = DATA - HEADER;
const _: () = assert!(HEADER + size_of::<f64>() == LINE);

/// Four sizes to each doubling, from 40 bytes on (the least in use is one line).
const CLASSES: usize = 232;
/// Blocks below this class (8 KiB) are small: listed per thread.
const SMALL: usize = 32;
/// What a thread keeps of each small class, and all threads together of the large ones, in bytes.
const KEEP_SMALL: usize = 4 << 20;
const KEEP_LARGE: usize = 1 << 30;

/// The bytes of the largest tensor.
const MAX_BYTES: usize = 8 * MAX_NUMEL;

#[inline]
fn class_of(bytes: usize) -> usize {
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
    // Lines of their own for what is read by vectors; small blocks would waste half their memory.
    let align = if size <= 256 { 16 } else { LINE };
    // Cannot fail: `Block::new` admits no size for which it would.
    Layout::from_size_align(size, align).expect("sizes of classes are valid")
}

/// Free blocks, chained through `Header::data`.
struct List {
    head: Cell<*mut Header>,
    bytes: Cell<usize>,
}

impl List {
    #[allow(clippy::declare_interior_mutable_const)] // each use is a list of its own, as meant
    const EMPTY: List = List { head: Cell::new(null_mut()), bytes: Cell::new(0) };

    #[inline]
    fn pop(&self, class: usize) -> *mut Header {
        let block = self.head.get();
        if !block.is_null() {
            // SAFETY: blocks on a list are allocated, belong to nobody else, and were linked by `push`.
            self.head.set(unsafe { (*block).data.cast() });
            self.bytes.set(self.bytes.get() - class_size(class));
        }
        block
    }

    /// # Safety
    /// `block` is of this list's class and nobody else's.
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
            // SAFETY: `pop` hands out a block of this class that nobody else has.
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
    static POOL: Small = const { Small([List::EMPTY; SMALL]) };
}

struct Large(UnsafeCell<[List; CLASSES]>);
// SAFETY: only reached through the mutex around it; the blocks on the lists belong to no thread.
unsafe impl Send for Large {}
static LARGE: Mutex<Large> = Mutex::new(Large(UnsafeCell::new([List::EMPTY; CLASSES])));
static LARGE_BYTES: AtomicUsize = AtomicUsize::new(0);
/// The bytes of large blocks in use, and the most there were at a time.
static IN_USE: AtomicUsize = AtomicUsize::new(0);
static MOST_IN_USE: AtomicUsize = AtomicUsize::new(0);

/// How many bytes the tensors of this process hold that take 8 KiB or more each: the smaller ones are not
/// counted, nor is memory that is kept for reuse. Sizes are rounded up as memory is handed out, by a
/// quarter at most.
pub fn memory_allocated() -> usize {
    IN_USE.load(Ordering::Relaxed)
}

/// The most that [`memory_allocated`] was since the process began or since
/// [`reset_max_memory_allocated`].
///
/// ```
/// use wengert_tensor::{Tensor, max_memory_allocated, memory_allocated, reset_max_memory_allocated};
/// reset_max_memory_allocated();
/// let before = memory_allocated();
/// drop(Tensor::zeros(&[1000, 1000])); // four million bytes
/// assert!(max_memory_allocated() - before >= 4_000_000);
/// ```
pub fn max_memory_allocated() -> usize {
    MOST_IN_USE.load(Ordering::Relaxed)
}

/// From now on [`max_memory_allocated`] is the most since now.
pub fn reset_max_memory_allocated() {
    MOST_IN_USE.store(memory_allocated(), Ordering::Relaxed);
}

/// Gives the memory that is kept for reuse back to the system: this thread's small blocks and all
/// large ones. Tensors in use are not touched.
pub fn release_memory() {
    let _ = POOL.try_with(|pool| {
        for (class, list) in pool.0.iter().enumerate() {
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
fn obtain(class: usize) -> *mut Header {
    let listed = if class < SMALL {
        POOL.try_with(|pool| pool.0[class].pop(class)).unwrap_or(null_mut())
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
    // SAFETY: no class has size zero.
    let block = unsafe { alloc_zeroed(layout) };
    if block.is_null() {
        handle_alloc_error(layout)
    }
    block.cast()
}

/// Field by field: a header that is put together elsewhere and copied in wider pieces waits for the
/// narrow stores to reach the cache, which takes longer than everything else here.
///
/// # Safety
/// `block` came from `obtain(class)`, and its header holds nothing to drop.
#[inline(always)]
unsafe fn write_header(
    block: *mut Header,
    class: usize,
    data: *mut u8,
    view: Option<Box<View>>,
    shape: &Shape,
) {
    // SAFETY: the block has room for a header and belongs to the caller.
    unsafe {
        (&raw mut (*block).refs).write(AtomicU32::new(1));
        (&raw mut (*block).class).write(class as u16);
        (&raw mut (*block).rank).write(shape.rank() as u16);
        (&raw mut (*block).data).write(data);
        (&raw mut (*block).view).write(view);
        let sizes = (&raw mut (*block).sizes).cast::<u32>();
        for (axis, &size) in shape.iter().enumerate() {
            sizes.add(axis).write(size as u32);
        }
    }
}

/// # Safety
/// `block` came from `obtain(class)`, its header holds nothing to drop, and nobody uses it.
#[inline]
unsafe fn give_back(block: *mut Header, class: usize) {
    let kept = if class < SMALL {
        POOL.try_with(|pool| {
            let list = &pool.0[class];
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

/// A counted handle to a block. Knows nothing of the type of the numbers.
pub(crate) struct Block(NonNull<Header>);

// SAFETY: the header is immutable while shared, the count is atomic, and the numbers are written
// only through a handle that is the only one (`Block::is_unique`); elements are `Send + Sync`.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}

impl Block {
    /// Room for the elements of `shape`, of `size` bytes each. The contents are unspecified.
    #[inline(always)]
    #[track_caller]
    pub fn new(shape: &Shape, size: usize) -> Self {
        let (mut bytes, mut fits) = (size, true);
        for &n in shape.iter() {
            let (product, over) = bytes.overflowing_mul(n);
            bytes = product;
            fits = fits && !over && n <= MAX_SIZE;
        }
        if !fits || bytes > MAX_BYTES {
            too_large(*shape)
        }
        if bytes == 0 {
            check_empty(shape);
        }
        let start = if bytes <= INLINE { HEADER } else { DATA };
        let class = class_of(start + bytes);
        let block = obtain(class);
        // SAFETY: `obtain` gives at least `start + bytes` bytes, aligned for the header.
        unsafe {
            let data = block.cast::<u8>().add(start);
            write_header(block, class, data, None, shape);
            Block(NonNull::new_unchecked(block))
        }
    }

    /// The numbers of `self`, from byte `offset` on, under another shape.
    ///
    /// # Safety
    /// Every element that shape and strides lead to lies within the numbers of `self`.
    #[track_caller]
    pub unsafe fn view(&self, shape: Shape, strides: Option<Strides>, offset: isize) -> Self {
        check_axes(&shape);
        let class = class_of(HEADER);
        let block = obtain(class);
        // A view of a view refers to the owner itself: no chains.
        let owner = self.header().view.as_ref().map_or(self, |view| &view.owner).clone();
        // SAFETY: `obtain` gives room for a header; the offset is in bounds by the contract.
        unsafe {
            let data = self.header().data.offset(offset);
            let view = Some(Box::new(View { strides, owner }));
            write_header(block, class, data, view, &shape);
            Block(NonNull::new_unchecked(block))
        }
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: the handle keeps the block alive, and nobody changes a header that is shared.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    pub fn rank(&self) -> usize {
        usize::from(self.header().rank)
    }

    /// The sizes of the axes.
    #[inline]
    fn sizes(&self) -> &[u32] {
        &self.header().sizes[..self.rank()]
    }

    #[inline]
    pub fn shape(&self) -> Shape {
        Shape::from_narrow(self.sizes())
    }

    #[inline]
    pub fn has_shape(&self, shape: &Shape) -> bool {
        let header = self.header();
        shape.is_narrow(usize::from(header.rank), &header.sizes)
    }

    #[inline]
    pub fn numel(&self) -> usize {
        self.sizes().iter().map(|&n| n as usize).product()
    }

    /// `None`: row-major.
    #[inline]
    pub fn strides(&self) -> Option<&Strides> {
        self.header().view.as_ref().and_then(|view| view.strides.as_ref())
    }

    #[inline]
    pub fn data(&self) -> *mut u8 {
        self.header().data
    }

    /// Whether this handle is the only way to its numbers.
    #[inline]
    pub fn is_unique(&self) -> bool {
        let sole = |header: &Header| header.refs.load(Ordering::Acquire) == 1;
        sole(self.header())
            && self.header().view.as_ref().is_none_or(|view| sole(view.owner.header()))
    }

    /// Where the block lies that owns the numbers: blocks that share memory give the same.
    pub fn owner(&self) -> usize {
        self.header().view.as_ref().map_or(self.0, |view| view.owner.0).as_ptr() as usize
    }
}

#[inline]
#[track_caller]
fn check_axes(shape: &Shape) {
    if shape.iter().any(|&n| n > MAX_SIZE) || product(shape).is_none() {
        too_large(*shape)
    }
}

/// Zeros hide nothing: strides are products of the sizes behind them.
#[cold]
#[inline(never)]
#[track_caller]
fn check_empty(shape: &Shape) {
    check_axes(shape);
}

#[cold]
#[track_caller]
fn too_large(shape: Shape) -> ! {
    panic!(
        "a tensor of shape {shape} is too large: its elements must fit the address space, each axis 32 bits"
    )
}

impl Clone for Block {
    #[inline]
    fn clone(&self) -> Self {
        // Relaxed is enough: whoever clones has a handle already. An overflow would need 2³² handles.
        let before = self.header().refs.fetch_add(1, Ordering::Relaxed);
        if before > u32::MAX / 2 {
            std::process::abort()
        }
        Block(self.0)
    }
}

impl Drop for Block {
    #[inline]
    fn drop(&mut self) {
        let header = self.header();
        // The last owner needs no locked instruction: nobody else can count up from one.
        if header.refs.load(Ordering::Acquire) != 1 {
            if header.refs.fetch_sub(1, Ordering::Release) != 1 {
                return;
            }
            fence(Ordering::Acquire);
        }
        let block = self.0.as_ptr();
        let class = header.class as usize;
        // SAFETY: the count said that this was the last handle.
        unsafe {
            if (*block).view.is_some() {
                (*block).view = None;
            }
            give_back(block, class);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_what_they_promise() {
        for bytes in (LINE..5000).chain([8191, 8192, 8193, 1 << 20, (1 << 20) + 1, 3 << 30]) {
            let class = class_of(bytes);
            assert!(class < CLASSES && class_size(class) >= bytes, "{bytes}");
            assert!(class == 0 || class_size(class - 1) < bytes, "{bytes}");
        }
        assert!(class_size(SMALL) > 8192 && class_size(SMALL - 1) <= 8192);
        assert!(class_of(isize::MAX as usize / 2 + DATA) < CLASSES);
    }

    #[test]
    fn blocks_are_recycled() {
        for n in [1usize, 1000, 100_000] {
            let first = Block::new(&Shape::new(&[n]), 4);
            let at = first.data();
            drop(first);
            // Large lists are shared with other tests, so any of them may have taken the block.
            let second = Block::new(&Shape::new(&[n]), 4);
            assert!(n > 1000 || second.data() == at);
            assert!(n == 1 || (second.data() as usize).is_multiple_of(LINE));
        }
    }

    #[test]
    fn views_keep_their_owner() {
        let owner = Block::new(&Shape::new(&[4]), 4);
        // SAFETY: elements 1 and 2 of four.
        let view = unsafe { owner.view(Shape::new(&[2]), None, 4) };
        assert!(view.owner() == owner.owner() && !view.is_unique());
        drop(owner);
        assert!(view.is_unique());
        let other = view.clone();
        assert!(!view.is_unique());
        drop(other);
        release_memory();
        // SAFETY: the view keeps the numbers alive.
        #[allow(clippy::cast_ptr_alignment)] // four bytes into an aligned block
        unsafe {
            view.data().cast::<f32>().write(1.0);
        };
    }

    #[test]
    fn blocks_cross_threads() {
        let blocks: Vec<Block> = (0..100).map(|_| Block::new(&Shape::SCALAR, 8)).collect();
        std::thread::spawn(move || drop(blocks)).join().unwrap();
    }

    #[test]
    #[should_panic(expected = "too large")]
    fn absurd_sizes_panic() {
        Block::new(&Shape::new(&[usize::MAX, 2]), 4);
    }
}
