//! Blocks of elements: how operands of any layout reach loops over slices.
//!
//! A loop over slices vectorises, and a layout does not matter to it. [`BlockReader`] gives the elements of
//! an operand block by block: in place where they are neighbours, else collected in a buffer that stays in the
//! innermost cache. Nothing of the size of the result is copied. [`zip`] and [`choose`] apply such a loop to whole
//! tensors, on several threads.

use crate::layout::{Collapsed, Cursor};
use crate::machine::{each_part, moves};
use crate::number::Scalar;
use std::slice::{from_raw_parts, from_raw_parts_mut};
use std::sync::atomic::{AtomicBool, Ordering};

/// Elements per block: 2 KiB of `f32`.
pub(super) const BLOCK: usize = 512;

/// A loop over equally long slices: two operands and the result. Returns whether the results are valid.
pub(super) type ZipLoop<T, U> = fn(&[T], &[T], &mut [U]) -> bool;

/// A loop over equally long slices: a mask, two operands and the result.
pub(super) type Choose<T> = fn(&[bool], &[T], &[T], &mut [T]);

/// Calls `f` for the elements of `a`, `b` and `out`, piece by piece, on several threads. Returns whether all
/// calls returned true.
///
/// # Safety
/// Each source has as many elements as `out`.
pub(super) unsafe fn zip<T: Scalar, U: Scalar>(
    sources: [&NumberSource<T>; 2],
    out: &mut [U],
    f: ZipLoop<T, U>,
) -> bool {
    let (n, valid) = (out.len(), AtomicBool::new(true));
    each_part(out, 1, moves::<T>(n), BLOCK, |range, out| {
        let in_order = sources.iter().all(|source| source.layout.is_none());
        // SAFETY: by the contract; `out` is the part of the result at the range.
        let all = unsafe {
            if in_order {
                let [a, b] = sources.map(|s| from_raw_parts(s.base.add(range.start), range.len()));
                f(a, b, out)
            } else {
                zip_blocks(sources, range.start, out, f)
            }
        };
        if !all {
            valid.store(false, Ordering::Relaxed);
        }
    });
    valid.into_inner()
}

/// Calls `f` block by block for the elements from `first` on, whose results are `out`.
///
/// # Safety
/// Each source has the elements from `first` on that `out` has room for.
unsafe fn zip_blocks<T: Scalar, U>(
    sources: [&NumberSource<T>; 2],
    first: usize,
    out: &mut [U],
    f: ZipLoop<T, U>,
) -> bool {
    let mut buffers = [[T::default(); BLOCK]; 2];
    let [of_a, of_b] = &mut buffers;
    let mut a = BlockReader::new(sources[0], first, of_a.as_mut_ptr());
    let mut b = BlockReader::new(sources[1], first, of_b.as_mut_ptr());
    let mut valid = true;
    for (start, out) in (first..).step_by(BLOCK).zip(out.chunks_mut(BLOCK)) {
        // SAFETY: by the contract.
        let (a, b) = unsafe { (a.slice(start, out.len()), b.slice(start, out.len())) };
        valid &= f(a, b, out);
    }
    valid
}

/// Writes the element of the first source where the mask is true, else that of the second.
///
/// # Safety
/// The mask and each source have as many elements as `out`.
pub(super) unsafe fn choose<T: Scalar>(
    mask: &NumberSource<bool>,
    [a, b]: [&NumberSource<T>; 2],
    out: &mut [T],
    f: Choose<T>,
) {
    let n = out.len();
    each_part(out, 1, moves::<T>(n), BLOCK, |range, out| {
        let (mut masks, mut buffers) = ([false; BLOCK], [[T::default(); BLOCK]; 2]);
        let [first, second] = &mut buffers;
        let mut masks = BlockReader::new(mask, range.start, masks.as_mut_ptr());
        let mut a = BlockReader::new(a, range.start, first.as_mut_ptr());
        let mut b = BlockReader::new(b, range.start, second.as_mut_ptr());
        for (start, out) in range.step_by(BLOCK).zip(out.chunks_mut(BLOCK)) {
            let n = out.len();
            // SAFETY: by the contract.
            let (mask, a, b) =
                unsafe { (masks.slice(start, n), a.slice(start, n), b.slice(start, n)) };
            f(mask, a, b, out);
        }
    });
}

/// Where the elements of an operand are: one after the other, or to be collected by a layout. Most are one after the
/// other, and a source is moved several times: so a layout is apart.
pub struct NumberSource<T> {
    pub(super) base: *const T,
    layout: Option<Box<Collapsed>>,
}
// SAFETY: read only, or written where the same thread reads (updates in place).
unsafe impl<T: Sync> Sync for NumberSource<T> {}

impl<T> NumberSource<T> {
    /// Creates a source. `layout` is `None` if the numbers are contiguous from `base` on.
    #[inline(always)]
    pub(crate) fn new(base: *const T, layout: Option<Collapsed>) -> Self {
        NumberSource { base, layout: layout.map(Box::new) }
    }

    /// Returns the same source of elements of another type of the same size.
    pub(super) fn cast<U>(&self) -> NumberSource<U> {
        debug_assert_eq!(size_of::<T>(), size_of::<U>());
        NumberSource { base: self.base.cast(), layout: self.layout.clone() }
    }

    /// Creates a source that repeats one element `n` times.
    pub(crate) fn repeated(element: &T, n: usize) -> Self {
        NumberSource::new(element, Some(Collapsed::new(&[n], &[0])))
    }
}

/// Provides an input block by block.
#[allow(clippy::large_enum_variant)] // a few on the stack, and none is moved
pub(super) enum BlockReader<'a, T> {
    InOrder(*const T),
    Collect {
        base: *const T,
        cursor: Cursor<&'a Collapsed>,
        block: *mut T,
        /// The offset of the number that fills the whole block, if one number does.
        filled: Option<isize>,
    },
}

impl<'a, T: Copy> BlockReader<'a, T> {
    #[inline]
    pub fn new(source: &'a NumberSource<T>, start: usize, block: *mut T) -> Self {
        let Some(layout) = source.layout.as_deref() else {
            return BlockReader::InOrder(source.base);
        };
        let cursor = Cursor::new(layout, start);
        BlockReader::Collect { base: source.base, cursor, block, filled: None }
    }

    /// Returns the `n` elements from `start` on, which follow those of the call before.
    ///
    /// # Safety
    /// The source has these elements, and `n` is `BLOCK` at most.
    #[inline]
    unsafe fn slice(&mut self, start: usize, n: usize) -> &[T] {
        // SAFETY: by the contract.
        unsafe { from_raw_parts(self.next(start, n), n) }
    }

    #[inline]
    pub fn next(&mut self, start: usize, n: usize) -> *const T {
        match self {
            // SAFETY: `start` is within the input.
            BlockReader::InOrder(base) => unsafe { base.add(start) },
            BlockReader::Collect { base, cursor, block, filled } => {
                if let Some(offset) = cursor.adjacent(n) {
                    cursor.next_run(n);
                    // SAFETY: the cursor stays within the input.
                    return unsafe { base.offset(offset) };
                }
                let repeated = cursor.repeated(n);
                match repeated {
                    Some(_) if *filled == repeated => _ = cursor.next_run(n),
                    Some(offset) => {
                        cursor.next_run(n);
                        // SAFETY: the cursor stays within the input, and the block has room for
                        // `BLOCK` numbers.
                        unsafe {
                            from_raw_parts_mut(*block, BLOCK).fill(*base.offset(offset));
                        }
                    }
                    // SAFETY: the cursor belongs to this input, and `n` is `BLOCK` at most.
                    None => unsafe {
                        cursor.read(*base, from_raw_parts_mut(*block, n));
                    },
                }
                *filled = repeated;
                *block
            }
        }
    }
}
