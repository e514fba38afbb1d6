//! Copies of strided tensors into row-major order.

use super::transpose::{Transpose, Transposed};
use crate::layout::{Collapsed, Cursor};
use crate::machine::{Shared, ranges};
use smallvec::SmallVec;

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

/// Writes the elements of a layout to `out` in row-major order, on several threads.
///
/// # Safety
/// `base` is the first element of the tensor that `layout` belongs to.
unsafe fn copy<T: Transpose + Send + Sync>(base: *const T, layout: Collapsed, out: &mut [T]) {
    let n = layout.numel();
    assert_eq!(n, out.len());
    if n == 0 {
        return;
    }
    if let Some(planes) = Planes::of(&layout) {
        // SAFETY: the same contract.
        return unsafe { planes.copy(base, out) };
    }
    let (base, to) = (Shared(base.cast_mut()), Shared(out.as_mut_ptr()));
    ranges(n, n, 64, |range| {
        // SAFETY: by the contract; `out` is as long as the layout, and the ranges are disjoint.
        unsafe {
            let out = std::slice::from_raw_parts_mut(to.get().add(range.start), range.len());
            Cursor::new(layout, range.start).read(base.get().cast_const(), out);
        }
    });
}

/// A layout whose last axis is strided, and which has another axis of neighbours: for each index of the other
/// axes, these two axes are a transposed matrix.
struct Planes {
    /// The offsets of the matrices in the source and in the result.
    others: [Collapsed; 2],
    /// The axis of neighbours: its size, and its stride in the result.
    rows: (usize, usize),
    /// The last axis: its size, and its stride in the source.
    columns: (usize, isize),
}

impl Planes {
    fn of(layout: &Collapsed) -> Option<Self> {
        let columns = layout.inner();
        if columns.0 < 2 || columns.1 == 1 || columns.1 == 0 {
            return None;
        }
        let (mut sizes, mut steps, mut places) =
            (SmallVec::<[usize; 8]>::new(), SmallVec::<[isize; 8]>::new(), SmallVec::<[isize; 8]>::new());
        let mut rows = None;
        let mut place = layout.numel();
        let outer = layout.outer()?;
        for (size, step) in outer.axes() {
            place /= size;
            if step == 1 && rows.is_none() {
                rows = Some((size, place));
            } else {
                sizes.push(size);
                steps.push(step);
                places.push(place as isize);
            }
        }
        let others = [Collapsed::new(&sizes, &steps), Collapsed::new(&sizes, &places)];
        Some(Planes { others, rows: rows?, columns })
    }

    /// Copies all matrices.
    ///
    /// # Safety
    /// As [`copy`].
    unsafe fn copy<T: Transpose + Send + Sync>(&self, base: *const T, out: &mut [T]) {
        /// Rows that one thread copies at least, to leave whole tiles to the others.
        const STRIPE: usize = 64;
        let ((height, row), (width, step)) = (self.rows, self.columns);
        let stripes = height.div_ceil(STRIPE);
        let n = out.len();
        let (base, to) = (Shared(base.cast_mut()), Shared(out.as_mut_ptr()));
        ranges(n / (height * width) * stripes, n, 1, |range| {
            let [mut from, mut into] =
                self.others.map(|others| Cursor::new(others, range.start / stripes));
            let (mut source, mut target) = (from.next_run(1).0, into.next_run(1).0);
            for (k, at) in range.enumerate() {
                if k > 0 && at % stripes == 0 {
                    (source, target) = (from.next_run(1).0, into.next_run(1).0);
                }
                let first = at % stripes * STRIPE;
                let rows = STRIPE.min(height - first);
                // SAFETY: by the contract; the stripe lies within the layout, and each is copied once.
                unsafe {
                    T::transpose(Transposed {
                        source: base.get().cast_const().offset(source + first as isize),
                        step,
                        target: to.get().offset(target).add(first * row),
                        row,
                        sizes: [rows, width],
                    });
                }
            }
        });
    }
}
