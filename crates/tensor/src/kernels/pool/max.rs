//! The maximum of each window and its position in the image: the first in row-major order of equal
//! elements. NaN counts as the maximum.

use super::pool_sizes::{LARGE, PoolSizes};
use super::sliding::{Maxima, Slide, slide};
use crate::machine::{Shared, cost, ranges, simd_short};
use crate::number::Real;

/// Computes the maxima and their positions for each image of `x`. None of the slices is empty.
pub(crate) fn max_pool<T: Maxima>(
    x: &[T],
    sizes: PoolSizes,
    values: &mut [T],
    positions: &mut [i64],
) {
    assert_eq!(values.len(), positions.len());
    let size = sizes.from[0] * sizes.from[1];
    let area = sizes.to[0] * sizes.to[1];
    // Rows without a remainder: in that, single elements would be chosen by branches, which cannot be predicted.
    let pairs = size < LARGE && sizes.is_two_by_two() && sizes.to[1].is_multiple_of(4);
    let slides = if size < LARGE && !pairs { Slide::new(sizes) } else { None };
    let (to, at) = (Shared(values.as_mut_ptr()), Shared(positions.as_mut_ptr()));
    let cost = x.len().max(cost(&[values.len(), slides.as_ref().map_or(1, Slide::taps)]) / 8);
    ranges(values.len() / area, cost, 1, |range| {
        let (start, len) = (range.start * area, range.len() * area);
        // SAFETY: the ranges are disjoint parts of the results.
        let (values, positions) = unsafe {
            (
                std::slice::from_raw_parts_mut(to.get().add(start), len),
                std::slice::from_raw_parts_mut(at.get().add(start), len),
            )
        };
        let x = &x[range.start * size..range.end * size];
        if let Some(slides) = &slides {
            slide(slides, x, values, positions);
            return;
        }
        let outs = values.chunks_exact_mut(area).zip(positions.chunks_exact_mut(area));
        let images = x.chunks_exact(size).zip(outs);
        if pairs {
            simd_short(
                #[inline(always)]
                move || {
                    for (x, (values, positions)) in images {
                        two_by_two(x, sizes, values, positions);
                    }
                },
            );
            return;
        }
        for (x, (values, positions)) in images {
            each_by_itself(x, sizes, values, positions);
        }
    });
}

/// Returns whether `x` replaces the current maximum. An equal element does not replace it, and
/// nothing replaces NaN.
#[inline(always)]
fn beats<T: Real>(x: T, best: T) -> bool {
    (x > best) | (x.is_nan_() & !best.is_nan_())
}

/// Computes the most common pool: both rows of a window are read in one pass, in vectors. Rows of this pool are short,
/// so the vectors are, too.
#[inline(always)]
fn two_by_two<T: Real>(x: &[T], sizes: PoolSizes, values: &mut [T], positions: &mut [i64]) {
    let ([_, width], [_, wide]) = (sizes.from, sizes.to);
    let outs = values.chunks_exact_mut(wide).zip(positions.chunks_exact_mut(wide));
    for ((rows, (values, positions)), y) in x.chunks_exact(2 * width).zip(outs).zip(0u32..) {
        let (top, bottom) = rows.split_at(width);
        let base = 2 * y * width as u32;
        let pairs = top.as_chunks::<2>().0.iter().zip(bottom.as_chunks::<2>().0);
        for (((&[a, b], &[c, d]), (value, position)), x) in
            pairs.zip(values.iter_mut().zip(positions)).zip(0u32..)
        {
            let (mut best, mut place) = (a, 0);
            for (x, at) in [(b, 1), (c, width as u32), (d, width as u32 + 1)] {
                let beats = beats(x, best);
                best = if beats { x } else { best };
                place = if beats { at } else { place };
            }
            *value = best;
            *position = (base + 2 * x + place) as i64;
        }
    }
}

/// Windows of any sizes, one at a time.
fn each_by_itself<T: Real>(x: &[T], sizes: PoolSizes, values: &mut [T], positions: &mut [i64]) {
    let PoolSizes { windows, from, to } = sizes;
    let mut outs = values.iter_mut().zip(positions);
    for y in 0..to[0] {
        let (top, height, down) = windows[0].span(from[0], to[0], y);
        for (o, (value, position)) in outs.by_ref().take(to[1]).enumerate() {
            let (left, width, right) = windows[1].span(from[1], to[1], o);
            let mut at = top * from[1] + left;
            for row in (0..height).map(|k| (top + k * down) * from[1]) {
                for place in (0..width).map(|k| row + left + k * right) {
                    if beats(x[place], x[at]) {
                        at = place;
                    }
                }
            }
            (*value, *position) = (x[at], at as i64);
        }
    }
}
