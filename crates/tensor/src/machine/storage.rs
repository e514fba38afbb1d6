//! Memory of tensors: a tensor is one pointer to a reference-counted block. Freed blocks are recycled
//! (`free_lists`).
//!
//! A block is a header followed by the elements. A view is a block that has an owner instead of
//! elements.
//!
//! **Every byte of a block has been initialised**: new blocks are zeroed, and recycled blocks keep their
//! old contents. "Unspecified contents" therefore still means initialised memory, and a slice of numbers over it is sound.
//! Only `bool`, for which most byte values are invalid, must be cleared first.

mod free_lists;
mod header;
mod huge_pages;

use super::LINE;
use crate::layout::{MAX_NUMEL, MAX_SIZE, Shape, Strides, product};
use free_lists::{class_of, give_back, obtain};
pub use free_lists::{
    max_memory_allocated, memory_allocated, release_memory, reset_max_memory_allocated,
};
pub(crate) use header::Block;
use header::{Header, ViewOf};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering, fence};

const HEADER: usize = size_of::<Header>();
/// Offset of the elements of a large block, aligned to a cache line.
const DATA: usize = HEADER.next_multiple_of(LINE);
/// Bytes between the header and the next cache line. Elements that fit are stored there, so a
/// scalar occupies one cache line.
const INLINE: usize = DATA - HEADER;
// The element of a scalar of any type follows the header in the first cache line. With pointers of
// 64 bits an `f64` fills the rest of that line.
const _: () = assert!(INLINE >= size_of::<f64>() && HEADER.is_multiple_of(size_of::<f64>()));
const _: () = assert!(DATA == LINE);

/// Writes the header field by field. A header that is built elsewhere and copied in wider pieces
/// causes a store-forwarding stall: the wide loads wait until the narrow stores have reached the
/// cache, which takes longer than the rest of the allocation.
///
/// # Safety
/// `block` came from `obtain(class)`, and its header holds nothing to drop.
#[inline(always)]
unsafe fn write_header(
    block: *mut Header,
    class: usize,
    data: *mut u8,
    view: Option<Box<ViewOf>>,
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

impl Block {
    /// Allocates a block for the elements of `shape`, `size` bytes each. The contents are
    /// unspecified.
    #[inline(always)]
    #[track_caller]
    pub fn new(shape: &Shape, size: usize) -> Self {
        let (mut bytes, mut fits) = (size, true);
        for &n in shape.iter() {
            let (product, over) = bytes.overflowing_mul(n);
            bytes = product;
            fits = fits && !over && n <= MAX_SIZE;
        }
        if !fits || bytes > size * MAX_NUMEL {
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

    /// Returns a view of the elements of `self` with another shape, starting at byte `offset`.
    ///
    /// # Safety
    /// Every element of the view lies within the elements of `self`.
    #[track_caller]
    pub unsafe fn view(&self, shape: Shape, strides: Option<Strides>, offset: isize) -> Self {
        check_axes(&shape);
        let class = class_of(HEADER);
        let block = obtain(class);
        // A view of a view refers to the owner of the elements, so there are no chains of views.
        let owner = self.header().view.as_ref().map_or(self, |view| &view.owner).clone();
        // SAFETY: `obtain` gives room for a header; the offset is in bounds by the contract.
        unsafe {
            let data = self.header().data.offset(offset);
            let view = Some(Box::new(ViewOf { strides, owner }));
            write_header(block, class, data, view, &shape);
            Block(NonNull::new_unchecked(block))
        }
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: the handle keeps the block alive, and no code changes a header that is shared.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    pub fn rank(&self) -> usize {
        usize::from(self.header().rank)
    }

    /// Returns the sizes of the axes.
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

    /// Returns the strides, or `None` if the block is row-major.
    #[inline]
    pub fn strides(&self) -> Option<&Strides> {
        self.header().view.as_ref().and_then(|view| view.strides.as_ref())
    }

    #[inline]
    pub fn data(&self) -> *mut u8 {
        self.header().data
    }

    /// Returns whether this handle is the only one through which the elements can be reached.
    #[inline]
    pub fn is_unique(&self) -> bool {
        let sole = |header: &Header| header.refs.load(Ordering::Acquire) == 1;
        sole(self.header())
            && self.header().view.as_ref().is_none_or(|view| sole(view.owner.header()))
    }

    /// Returns whether the block is no view and this handle is the only one.
    #[inline]
    pub fn is_sole(&self) -> bool {
        self.header().view.is_none() && self.is_unique()
    }

    /// Returns the address of the block that owns the elements. It is equal for blocks that share
    /// memory.
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

/// Checks the shape of an empty tensor. An axis of size 0 does not make the other sizes irrelevant:
/// the strides are products of the sizes of later axes and must not overflow.
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
        "allocation: a tensor of shape {shape} is too large: it may have at most {MAX_NUMEL} elements, and at \
         most {MAX_SIZE} along an axis"
    )
}

impl Clone for Block {
    #[inline]
    fn clone(&self) -> Self {
        // Relaxed is enough: the caller already has a handle. An overflow would need 2³² handles.
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
        // If this is the last handle, no atomic read-modify-write is needed: no other thread can
        // clone a handle that it does not have.
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
    fn blocks_are_recycled() {
        for n in [1usize, 1000, 100_000] {
            let first = Block::new(&Shape::new(&[n]), 4);
            let at = first.data();
            drop(first);
            // All threads share the free lists of large blocks, so another test may have taken the block.
            let second = Block::new(&Shape::new(&[n]), 4);
            assert!(n > 1000 || second.data() == at);
            assert!(n == 1 || (second.data() as usize).is_multiple_of(LINE));
        }
    }

    #[test]
    fn a_view_keeps_its_owner_alive() {
        let owner = Block::new(&Shape::new(&[4]), 4);
        // SAFETY: the view has elements 1 and 2 of the four elements.
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
    fn blocks_can_be_dropped_on_another_thread() {
        let blocks: Vec<Block> = (0..100).map(|_| Block::new(&Shape::SCALAR, 8)).collect();
        std::thread::spawn(move || drop(blocks)).join().unwrap();
    }

    #[test]
    #[should_panic(expected = "too large")]
    fn sizes_beyond_the_address_space_panic() {
        Block::new(&Shape::new(&[usize::MAX, 2]), 4);
    }
}
