//! Packing: copies blocks of A and B into the order in which the micro-kernels read them.

use super::vector::Vector;
use crate::machine::prefetch;
use std::cell::Cell;

/// A panel to be packed: `width` elements for each of `k` steps. Element (w, p) of the source is at
/// `src + w*stride + p*k_stride`. Elements from `valid` on do not exist in the source.
pub struct Panel<T> {
    pub src: *const T,
    pub stride: isize,
    pub k_stride: isize,
    pub width: usize,
    pub valid: usize,
    pub k: usize,
}

/// Writes the panel to `dst` as `k` rows of `width` elements, with zeros where the source ends. Up
/// to one vector beyond the panel's end is overwritten, so panels are packed in ascending order.
#[inline(always)]
pub unsafe fn pack<V: Vector>(panel: &Panel<V::Scalar>, dst: *mut V::Scalar) {
    // SAFETY: the caller promises the source's elements, room at `dst`, and the instructions.
    unsafe {
        if panel.stride == 1 {
            pack_rows::<V>(panel, dst);
        } else if panel.k_stride == 1 {
            pack_transposed::<V>(panel, dst);
        } else {
            pack_any::<V>(panel, 0, dst);
        }
    }
}

/// How many steps ahead the elements of a step are fetched into the cache.
const AHEAD: isize = 16;

/// Packs a panel in which the elements of a step are contiguous.
#[inline(always)]
unsafe fn pack_rows<V: Vector>(panel: &Panel<V::Scalar>, dst: *mut V::Scalar) {
    let &Panel { src, k_stride, width, valid, k, .. } = panel;
    // SAFETY: as `pack`; the last vector of a row runs into the next, which is written afterwards.
    unsafe {
        for p in 0..k {
            let (src, dst) = (src.offset(p as isize * k_stride), dst.add(p * width));
            prefetch(src.wrapping_offset(AHEAD * k_stride), valid);
            let mut w = 0;
            while w + V::LANES <= valid {
                V::load(src.add(w)).store(dst.add(w));
                w += V::LANES;
            }
            // The valid elements of the last vector, then zeros up to the end of the row.
            while w < width {
                let rest = valid.saturating_sub(w);
                V::load_first(src.wrapping_add(w), rest).store(dst.add(w));
                w += V::LANES;
            }
        }
    }
}

/// Packs a panel whose steps are contiguous, by transposing blocks of vectors. The blocks that share the
/// cache lines of the panel are transposed together, along all steps, so that few lines are open at a time. Those that
/// share the cache lines of the source follow each other: rows that are 4 KiB apart compete for one set of the first cache.
#[inline(always)]
unsafe fn pack_transposed<V: Vector>(panel: &Panel<V::Scalar>, dst: *mut V::Scalar) {
    let &Panel { src, stride, width, valid, k, .. } = panel;
    let group = (size_of::<CacheLine>() / size_of::<V>()).max(1);
    let whole = k - k % V::LANES;
    let mut end = width.div_ceil(V::LANES);
    // SAFETY: as `pack`. The last block of a row runs into the next row, so blocks are written
    // from the last to the first.
    unsafe {
        while end > 0 {
            let first = end.saturating_sub(group);
            for line in (0..whole).step_by(group * V::LANES) {
                for block in (first..end).rev() {
                    for p in (line..whole.min(line + group * V::LANES)).step_by(V::LANES) {
                        let w = block * V::LANES;
                        // If no row of a block exists, the block is not read: only its address is computed.
                        let src = src.wrapping_offset(w as isize * stride + p as isize);
                        let dst = dst.add(p * width + w);
                        V::transpose(src, stride, valid.saturating_sub(w), dst, width);
                    }
                }
            }
            end = first;
        }
        pack_any::<V>(panel, whole, dst);
    }
}

/// Packs a panel with any strides, one element at a time, from step `first` on.
#[inline(always)]
unsafe fn pack_any<V: Vector>(panel: &Panel<V::Scalar>, first: usize, dst: *mut V::Scalar) {
    let &Panel { src, stride, k_stride, width, valid, k } = panel;
    // SAFETY: as `pack`.
    unsafe {
        for p in first..k {
            let src = src.offset(p as isize * k_stride);
            for w in 0..valid {
                *dst.add(p * width + w) = *src.offset(w as isize * stride);
            }
            for w in valid..width {
                *dst.add(p * width + w) = V::Scalar::default();
            }
        }
    }
}

#[derive(Clone, Copy)]
#[repr(align(64))]
struct CacheLine(#[allow(dead_code)] [u8; 64]);

/// The purpose of a buffer. One call may hold one buffer for each purpose.
#[derive(Clone, Copy)]
pub enum Use {
    Panels,
    Result,
    /// The packed weights of a convolution.
    Weights,
    /// The planes of the images of a convolution, and intermediate results of one image.
    Images,
}

thread_local! {
    static BUFFERS: [Cell<Vec<CacheLine>>; 4] = const { [const { Cell::new(Vec::new()) }; 4] };
}

/// Calls `f` with a buffer of `len` elements, aligned to a cache line. The thread keeps the buffer
/// from call to call, and its contents are those that the last user left.
pub fn with_buffer<T: Copy>(purpose: Use, len: usize, f: impl FnOnce(*mut T)) {
    let bytes = len.checked_mul(size_of::<T>()).filter(|&bytes| isize::try_from(bytes).is_ok());
    let needed = bytes.expect("a buffer fits the address space").div_ceil(size_of::<CacheLine>());
    let mut f = Some(f);
    with_lines(purpose, needed, &mut |lines| {
        if let Some(f) = f.take() {
            f(lines.cast());
        }
    });
}

fn with_lines(purpose: Use, needed: usize, f: &mut dyn FnMut(*mut CacheLine)) {
    BUFFERS.with(|buffers| {
        let buffer = &buffers[purpose as usize];
        let mut lines = buffer.take();
        if lines.len() < needed {
            drop(std::mem::take(&mut lines));
            lines = vec![CacheLine([0; 64]); needed];
        }
        f(lines.as_mut_ptr());
        buffer.set(lines);
    });
}
