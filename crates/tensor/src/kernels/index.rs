//! Indexing by positions that are data: reading elements, adding to them, and choosing by a mask.
//! The caller has checked the positions.

use crate::layout::{Collapsed, Cursor, Shape, Strides};
use crate::machine::{Shared, ranges, simd};
use crate::number::{Numeric, Scalar};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// Copies the rows at these indices, for each position of the outer axes. `out` has shape
/// `[outer, index, row]`.
///
/// # Safety
/// `base` is the first element of a tensor; `outer` and `rows` are its layouts before and behind
/// the indexed axis, and `step` is the stride of this axis. Each index is within the axis. `out` is
/// not empty and has as many elements as `[outer, index, row]`.
pub(crate) unsafe fn select<T: Scalar>(
    base: *const T,
    [outer, rows]: [Collapsed; 2],
    step: isize,
    index: &[i64],
    out: &mut [T],
) {
    let adjacent = Cursor::new(rows, 0).adjacent(rows.numel()).is_some();
    let width = rows.numel();
    let (base, to) = (Shared(base.cast_mut()), Shared(out.as_mut_ptr()));
    if width == 1 {
        return ranges(out.len(), out.len(), 1, |range| {
            let base = base.get().cast_const();
            let (block, mut first) = (range.start / index.len(), range.start % index.len());
            let mut outer = Cursor::new(outer, block);
            let mut done = range.start;
            while done < range.end {
                let start = outer.next_run(1).0;
                let index = &index[first..index.len().min(first + range.end - done)];
                // SAFETY: by the contract; the cursor stays within its layout, and the ranges are disjoint.
                let out =
                    unsafe { std::slice::from_raw_parts_mut(to.get().add(done), index.len()) };
                // SAFETY: as above.
                unsafe { pick(base.offset(start), 0, step, index, out) };
                done += index.len();
                first = 0;
            }
        });
    }
    ranges(out.len() / width, out.len(), 1, |lines| {
        let base = base.get().cast_const();
        let (block, mut at) = (lines.start / index.len(), lines.start % index.len());
        let mut outer = Cursor::new(outer, block);
        let mut start = outer.next_run(1).0;
        for line in lines {
            if at == index.len() {
                (start, at) = (outer.next_run(1).0, 0);
            }
            // SAFETY: by the contract; the cursors stay within their layouts, and the lines are disjoint
            // parts of the result.
            unsafe {
                let row = to.get().add(line * width);
                let from = base.offset(start + index[at] as isize * step);
                if adjacent {
                    std::ptr::copy_nonoverlapping(from, row, width);
                } else {
                    let row = std::slice::from_raw_parts_mut(row, width);
                    Cursor::new(rows, 0).read(from, row);
                }
            }
            at += 1;
        }
    });
}

/// Reads one element for each element of an index tensor of shape `of_index`: the index replaces
/// the position along `axis`.
///
/// # Safety
/// `base` is the first element of a tensor with these strides that contains all these positions.
/// `out` has as many elements as `index`.
pub(crate) unsafe fn gather<T: Scalar>(
    base: *const T,
    strides: &Strides,
    of_index: Shape,
    axis: usize,
    index: &[i64],
    out: &mut [T],
) {
    let (base, to) = (Shared(base.cast_mut()), Shared(out.as_mut_ptr()));
    ranges(index.len(), index.len(), 1, |range| {
        let base = base.get().cast_const();
        let (mut cursor, step) = places(of_index, axis, strides, range.start);
        let mut at = range.start;
        while at < range.end {
            let (start, by, n) = cursor.next_run(range.end - at);
            // SAFETY: by the contract; the ranges are disjoint parts of the result.
            unsafe {
                let out = std::slice::from_raw_parts_mut(to.get().add(at), n);
                pick(base.offset(start), by, step, &index[at..at + n], out);
            }
            at += n;
        }
    });
}

/// Reads one element for each index: number j from `from + j·by + index[j]·step`. The usual strides have loops of their
/// own, with fewer multiplications.
///
/// # Safety
/// All these elements exist, and `index` and `out` have the same length.
#[inline(always)]
unsafe fn pick<T: Copy>(from: *const T, by: isize, step: isize, index: &[i64], out: &mut [T]) {
    let each = out.iter_mut().zip(index);
    // SAFETY: by the contract.
    unsafe {
        match (by, step) {
            (0, 1) => each.for_each(|(to, &i)| *to = *from.offset(i as isize)),
            (0, _) => each.for_each(|(to, &i)| *to = *from.offset(i as isize * step)),
            (1, _) => each.zip(0..).for_each(|((to, &i), j)| {
                *to = *from.offset(j + i as isize * step);
            }),
            _ => each.zip(0..).for_each(|((to, &i), j)| {
                *to = *from.offset(j * by + i as isize * step);
            }),
        }
    }
}

/// Calls `meet` for each of these numbers with its offset in a tensor with these strides: the index
/// replaces the position along `axis`.
#[inline]
pub(crate) fn each_place<T: Copy>(
    shape: Shape,
    axis: usize,
    strides: &Strides,
    index: &[i64],
    numbers: &[T],
    mut meet: impl FnMut(usize, T),
) {
    places_of(shape, axis, strides, index, numbers, 0..index.len(), &mut meet);
}

/// [`each_place`] for a part of the numbers.
#[inline]
fn places_of<T: Copy>(
    shape: Shape,
    axis: usize,
    strides: &Strides,
    index: &[i64],
    numbers: &[T],
    part: Range<usize>,
    meet: &mut impl FnMut(usize, T),
) {
    let (mut cursor, step) = places(shape, axis, strides, part.start);
    let (mut index, mut numbers) = (&index[part.clone()], &numbers[part]);
    while !index.is_empty() {
        let (start, by, n) = cursor.next_run(index.len());
        let each = index[..n].iter().zip(&numbers[..n]);
        match (by, step) {
            (0, 1) => each.for_each(|(&i, &x)| meet((start + i as isize) as usize, x)),
            (1, _) => each.zip(start..).for_each(|((&i, &x), first)| {
                meet((first + i as isize * step) as usize, x);
            }),
            _ => each.zip(0..).for_each(|((&i, &x), j)| {
                meet((start + j * by + i as isize * step) as usize, x);
            }),
        }
        (index, numbers) = (&index[n..], &numbers[n..]);
    }
}

/// Does the same as [`each_place`] for a tensor of `size` elements, on several threads. The calls for one
/// place come one after the other, in the order of the numbers, from one thread.
pub(crate) fn each_place_in_parallel<T: Scalar>(
    size: usize,
    shape: Shape,
    axis: usize,
    strides: &Strides,
    index: &[i64],
    numbers: &[T],
    meet: impl Fn(usize, T) + Copy + Sync,
) {
    let [outer, ..] = shape.around(axis);
    let n = index.len();
    // Each thread copies `meet`. What it has captured would be read again after each store behind a reference.
    if outer > 1 && n > 0 {
        // Numbers at different positions along the axes before `axis` have different places.
        return ranges(outer, n, 1, |blocks| {
            let part = blocks.start * (n / outer)..blocks.end * (n / outer);
            places_of(shape, axis, strides, index, numbers, part, &mut move |place, x| {
                meet(place, x);
            });
        });
    }
    // Each thread reads all numbers, and calls for those with a place among its own.
    ranges(size, n, 1, |own| {
        each_place(shape, axis, strides, index, numbers, move |place, x| {
            if own.contains(&place) {
                meet(place, x);
            }
        });
    });
}

/// Returns a cursor over the offsets of an index tensor's elements in another tensor with these
/// strides, from an element on, as if all indices were zero, and the stride of `axis`.
fn places(index: Shape, axis: usize, strides: &Strides, from: usize) -> (Cursor, isize) {
    let mut others = *strides;
    others[axis] = 0;
    (Cursor::new(Collapsed::new(&index, &others), from), strides[axis])
}

/// Adds the numbers of a row to the sums. Returns whether a sum was wrapped.
#[inline(always)]
pub(super) fn add_row<T: Numeric>(sums: &mut [T], row: &[T]) -> bool {
    let mut wrapped = false;
    for (x, &y) in sums.iter_mut().zip(row) {
        let (sum, over) = x.adding(y);
        *x = sum;
        wrapped |= over;
    }
    wrapped
}

/// Adds rows of `width` numbers to the rows of `sums` at these indices, in each block of `block`
/// sums. Returns whether a sum was wrapped. Each thread adds to rows of its own, in the order of the indices.
pub(crate) fn add_rows<T: Numeric>(
    sums: &mut [T],
    block: usize,
    width: usize,
    index: &[i64],
    from: &[T],
) -> bool {
    let len = block / width;
    let wrapped = AtomicBool::new(false);
    let to = Shared(sums.as_mut_ptr());
    ranges(sums.len() / width, from.len(), 1, |own| {
        for (block, rows) in from.chunks_exact(index.len() * width).enumerate() {
            let first = block * len;
            let (start, end) = (own.start.max(first), own.end.min(first + len));
            if start >= end {
                continue;
            }
            // SAFETY: the threads have different rows of the sums.
            let sums = unsafe {
                std::slice::from_raw_parts_mut(to.get().add(start * width), (end - start) * width)
            };
            let (start, end) = (start - first, end - first);
            let over = simd(
                #[inline(always)]
                move || {
                    let mut wrapped = false;
                    if width == 1 {
                        for (&y, &i) in rows.iter().zip(index) {
                            // An index before `start` wraps, and is beyond all sums, too.
                            if let Some(x) = sums.get_mut((i as usize).wrapping_sub(start)) {
                                let (sum, over) = x.adding(y);
                                *x = sum;
                                wrapped |= over;
                            }
                        }
                        return wrapped;
                    }
                    for (row, &i) in rows.chunks_exact(width).zip(index) {
                        let i = i as usize;
                        if i < start || i >= end {
                            continue;
                        }
                        let at = (i - start) * width;
                        wrapped |= add_row(&mut sums[at..at + width], row);
                    }
                    wrapped
                },
            );
            if over {
                wrapped.store(true, Ordering::Relaxed);
            }
        }
    });
    wrapped.into_inner()
}

/// Copies the rows of each block of `from` to a block of `out`: row k goes to row `start + k·step`.
pub(crate) fn put_steps<T: Copy>(
    from: &[T],
    block: usize,
    (start, step): (usize, isize),
    width: usize,
    block_out: usize,
    out: &mut [T],
) {
    for (block, rows) in out.chunks_exact_mut(block_out).zip(from.chunks_exact(block)) {
        for (k, row) in rows.chunks_exact(width).enumerate() {
            let to = (start as isize + k as isize * step) as usize * width;
            if width == 1 {
                block[to] = row[0];
            } else {
                block[to..to + width].copy_from_slice(row);
            }
        }
    }
}

/// Adds the rows of each block of `from` to a block of `to`: row k is added to row
/// `start + k·step`. Returns whether a sum was wrapped.
pub(crate) fn add_steps<T: Numeric>(
    from: &[T],
    block: usize,
    (start, step): (usize, isize),
    width: usize,
    block_to: usize,
    to: &mut [T],
) -> bool {
    let mut wrapped = false;
    for (block, rows) in to.chunks_exact_mut(block_to).zip(from.chunks_exact(block)) {
        if step == 1 {
            wrapped |= add_row(&mut block[start * width..], rows);
            continue;
        }
        for (k, row) in rows.chunks_exact(width).enumerate() {
            let to = (start as isize + k as isize * step) as usize * width;
            wrapped |= add_row(&mut block[to..to + width], row);
        }
    }
    wrapped
}
