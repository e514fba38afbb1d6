//! The header of a block: what lies before its elements. The methods of a block are in `storage.rs`.

use crate::layout::{MAX_RANK, Strides};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;

#[repr(C)]
pub(super) struct Header {
    pub refs: AtomicU32,
    pub class: u16,
    pub rank: u16,
    /// Pointer to the first element. While the block is on a free list: the next free block.
    pub data: *mut u8,
    /// Only for views: the strides, and the block that owns the elements.
    pub view: Option<Box<ViewOf>>,
    /// The sizes of the axes, in 32 bits so that a scalar and its header share one cache line.
    pub sizes: [u32; MAX_RANK],
}

pub(super) struct ViewOf {
    /// `None` if the view is row-major.
    pub strides: Option<Strides>,
    pub owner: Block,
}

/// A reference-counted handle to a block. It does not know the element type.
pub(crate) struct Block(pub(super) NonNull<Header>);

// SAFETY: the header is immutable while shared, the count is atomic, and the numbers are written
// only through a handle that is the only one (`Block::is_unique`); elements are `Send + Sync`.
unsafe impl Send for Block {}
// SAFETY: as above.
unsafe impl Sync for Block {}
