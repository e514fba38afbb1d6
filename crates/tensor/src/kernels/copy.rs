//! Copies of strided tensors into row-major order.

use crate::layout::{Collapsed, Cursor};

/// Side of the square tiles in which a transposed matrix is copied: a tile of the source and a tile
/// of the target stay in the cache.
const TILE: usize = 16;

/// Copies of one element type, compiled once in this crate.
pub trait CopyKernel: Copy {
    /// Writes the elements of a layout to `out` in row-major order.
    ///
    /// # Safety
    /// As [`copy`].
    #[doc(hidden)]
    unsafe fn copy(base: *const Self, layout: Collapsed, out: &mut [Self]);
}

macro_rules! copy_kernels {
    ($($t:ident)*) => { $(
        impl CopyKernel for $t {
            unsafe fn copy(base: *const $t, layout: Collapsed, out: &mut [$t]) {
                // SAFETY: the same contract.
                unsafe { copy(base, layout, out) }
            }
        }
    )* };
}
copy_kernels! { f32 f64 i64 u32 u8 bool }

/// Writes the elements of a layout to `out` in row-major order.
///
/// # Safety
/// `base` is the first element of the tensor that `layout` belongs to.
unsafe fn copy<T: Copy>(base: *const T, layout: Collapsed, out: &mut [T]) {
    assert_eq!(layout.numel(), out.len());
    if out.is_empty() {
        return;
    }
    let (len, step) = layout.inner();
    let transposed =
        layout.outer().filter(|outer| step != 1 && step != 0 && outer.inner().1 == 1 && len >= 4);
    let Some(rows) = transposed else {
        // SAFETY: by the contract; `out` is as long as the layout.
        unsafe { Cursor::new(layout, 0).read(base, out) };
        return;
    };
    // The rows of the result are strided in memory, and its columns are contiguous: copy square
    // tiles.
    let (height, _) = rows.inner();
    let mut planes = rows.outer().map(|planes| Cursor::new(planes, 0));
    for plane in out.chunks_exact_mut(height * len) {
        let offset = planes.as_mut().map_or(0, |planes| planes.next_run(1).0);
        for top in (0..height).step_by(TILE) {
            for left in (0..len).step_by(TILE) {
                for i in top..height.min(top + TILE) {
                    for j in left..len.min(left + TILE) {
                        // SAFETY: rows and columns stay within the layout.
                        plane[i * len + j] =
                            unsafe { *base.offset(offset + i as isize + j as isize * step) };
                    }
                }
            }
        }
    }
}
