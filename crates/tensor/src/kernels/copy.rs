//! Copies of strided tensors into row-major order.

use super::transpose::{Transpose, Transposed};
use crate::layout::{Collapsed, Cursor};
use crate::machine::{Shared, each_part, moves, ranges};
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
    if let Some(planes) = SwappedPlanes::of(&layout) {
        // SAFETY: the same contract.
        return unsafe { planes.copy(base, out) };
    }
    let base = Shared(base.cast_mut());
    each_part(out, 1, moves::<T>(n), 64, |range, out| {
        // SAFETY: by the contract; `out` is the part of the result at the range.
        unsafe { Cursor::new(layout, range.start).read(base.get().cast_const(), out) };
    });
}

/// A layout whose last axis is strided, and which has another axis of neighbours: for each index of the other
/// axes, these two axes are a transposed matrix.
struct SwappedPlanes {
    /// The offsets of the matrices in the source and in the result.
    others: [Collapsed; 2],
    /// The axis of neighbours: its size, and its stride in the result.
    rows: (usize, usize),
    /// The last axis: its size, and its stride in the source.
    columns: (usize, isize),
}

impl SwappedPlanes {
    fn of(layout: &Collapsed) -> Option<Self> {
        if !layout.is_transposed() {
            return None;
        }
        let columns = layout.inner();
        let (mut sizes, mut steps, mut places) = (
            SmallVec::<[usize; 8]>::new(),
            SmallVec::<[isize; 8]>::new(),
            SmallVec::<[isize; 8]>::new(),
        );
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
        Some(SwappedPlanes { others, rows: rows?, columns })
    }

    /// Copies all matrices.
    ///
    /// # Safety
    /// As [`copy`].
    unsafe fn copy<T: Transpose + Send + Sync>(&self, base: *const T, out: &mut [T]) {
        let ((height, row), (width, step)) = (self.rows, self.columns);
        // Rows that one thread copies at least, to leave whole tiles, or some thousand elements, to the others.
        let stripe = if width < 16 { 1024 } else { 64 };
        let stripes = height.div_ceil(stripe);
        let n = out.len();
        let (base, to) = (Shared(base.cast_mut()), Shared(out.as_mut_ptr()));
        ranges(n / (height * width) * stripes, moves::<T>(n), 1, |range| {
            let [mut from, mut into] =
                self.others.map(|others| Cursor::new(others, range.start / stripes));
            let (mut source, mut target) = (from.next_run(1).0, into.next_run(1).0);
            for (k, at) in range.enumerate() {
                if k > 0 && at % stripes == 0 {
                    (source, target) = (from.next_run(1).0, into.next_run(1).0);
                }
                let first = at % stripes * stripe;
                let rows = stripe.min(height - first);
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Debug;

    /// Compares with a loop over all indices.
    fn check<T: CopyKernel + Default + PartialEq + Debug>(
        numbers: &[T],
        shape: &[usize],
        strides: &[isize],
        offset: usize,
    ) {
        let n = shape.iter().product();
        let (mut got, mut wanted) = (vec![T::default(); n], Vec::new());
        for mut position in 0..n {
            let mut at = offset as isize;
            for (&size, &stride) in shape.iter().zip(strides).rev() {
                at += (position % size) as isize * stride;
                position /= size;
            }
            wanted.push(numbers[at as usize]);
        }
        // SAFETY: the loop above has met every element.
        unsafe { T::copy(numbers[offset..].as_ptr(), Collapsed::new(shape, strides), &mut got) }
        assert!(got == wanted, "shape {shape:?}, strides {strides:?}");
    }

    fn check_all<T: CopyKernel + Default + PartialEq + Debug>(of: impl Fn(usize) -> T) {
        let numbers: Vec<T> = (0..40_000).map(of).collect();
        let tiles = [(1, 9), (8, 8), (7, 9), (16, 16), (16, 33), (35, 48), (70, 37), (37, 130)];
        // Few rows or columns; several pieces of them.
        let few =
            [(2, 77), (77, 2), (200, 3), (3, 200), (33, 4), (4, 65), (5, 30), (30, 5), (1100, 3)];
        for (rows, columns) in tiles.into_iter().chain(few) {
            let (r, c) = (rows as isize, columns as isize);
            // Transposed; with gaps between the columns; behind an offset; with rows in reverse.
            check(&numbers, &[rows, columns], &[1, r], 0);
            check(&numbers, &[rows, columns], &[1, r + 3], 5);
            check(&numbers, &[rows, columns], &[1, -r], rows * columns);
            check(&numbers, &[rows, columns], &[-1, r], rows);
            check(&numbers, &[rows, columns], &[c, 1], 1);
            check(&numbers, &[rows, columns], &[0, 2], 1);
            // Many matrices, before, between and around the two axes.
            check(&numbers, &[2, rows, columns], &[r * c, 1, r], 0);
            check(&numbers, &[rows, 2, columns], &[1, r * c, r], 0);
            check(&numbers, &[rows, 3, columns], &[1, 0, r], 0);
            check(&numbers, &[2, rows, 2, columns], &[2 * r * c, 1, r * c, r], 3);
            check(&numbers, &[columns, rows, 2], &[r, 1, r * c], 0);
            check(&numbers, &[1, rows, 1, columns], &[7, 1, 9, r], 0);
        }
        // Rows of the result at distances of powers of two.
        check(&numbers, &[20, 1024], &[1, 20], 0);
        check(&numbers, &[35, 1024], &[1, 36], 3);
        check(&numbers, &[9, 4096], &[1, 9], 0);
        check(&numbers, &[17, 3, 256], &[1, 17 * 256, 17], 1);
        check(&numbers, &[0, 5], &[1, 9], 0);
        check(&numbers, &[5, 0], &[1, 9], 0);
        check(&numbers, &[], &[], 4);
        // Two axes of neighbours, which overlap.
        check(&numbers, &[9, 10, 11], &[1, 1, 12], 0);
    }

    #[test]
    fn copies_agree_with_loops_f32() {
        // Every pattern of bits is kept, also of NaN.
        check_all(|i| i as u32 * 107_374);
        check_all(|i| f32::from_bits(0x7f80_0000 - i as u32));
    }

    #[test]
    fn copies_agree_with_loops_f64() {
        check_all(|i| i as f64 * 0.5);
        check_all(|i| (i as i64).wrapping_mul(0x1234_5678_9abc));
    }

    #[test]
    fn copies_agree_with_loops_bytes() {
        check_all(|i| (i * 7 % 251) as u8);
        check_all(|i| i % 3 == 0);
    }
}
