//! The maximum of each window and its position in the image: the first in row-major order of equal
//! elements. NaN counts as the maximum.

use super::pool_sizes::{LARGE, PoolSizes};
use super::sliding::{Maxima, Slide, slide};
use crate::machine::{Shared, cost, each_part, ranges, simd_short};
use crate::number::Real;

/// Computes the maxima and their positions for each image of `x`. None of the slices is empty. Positions may be left
/// out where the windows are [two by two](PoolSizes::is_two_by_two).
pub(crate) fn max_pool<T: Maxima>(
    x: &[T],
    sizes: PoolSizes,
    values: &mut [T],
    positions: Option<&mut [i64]>,
) {
    let Some(positions) = positions else {
        return values_of_pairs(x, sizes, values);
    };
    assert_eq!(values.len(), positions.len());
    let size = sizes.from[0] * sizes.from[1];
    let area = sizes.to[0] * sizes.to[1];
    let pairs = sizes.is_two_by_two();
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
                        two_by_two(x, sizes, values, Some(positions));
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

/// Computes the maxima of windows that are two by two.
fn values_of_pairs<T: Maxima>(x: &[T], sizes: PoolSizes, values: &mut [T]) {
    assert!(sizes.is_two_by_two(), "other windows are searched with their positions");
    let [size, area] = [sizes.from, sizes.to].map(|s| s[0] * s[1]);
    each_part(values, area, x.len(), 1, |range, values| {
        let x = &x[range.start * size..range.end * size];
        simd_short(
            #[inline(always)]
            move || {
                for (x, values) in x.chunks_exact(size).zip(values.chunks_exact_mut(area)) {
                    two_by_two(x, sizes, values, None);
                }
            },
        );
    });
}

/// Computes the most common pool: both rows of a window are read in one pass, in vectors. Rows of this pool are short,
/// so the vectors are, too.
#[inline(always)]
fn two_by_two<T: Real>(
    x: &[T],
    sizes: PoolSizes,
    values: &mut [T],
    mut positions: Option<&mut [i64]>,
) {
    let ([_, width], [_, wide]) = (sizes.from, sizes.to);
    let rows = x.chunks_exact(2 * width).zip(values.chunks_exact_mut(wide));
    for (y, (rows, values)) in rows.enumerate() {
        let (top, bottom) = rows.split_at(width);
        let row = RowOfPairs {
            pairs: [top, bottom].map(|row| row.as_chunks::<2>().0),
            base: (2 * y * width) as u32,
            width: width as u32,
        };
        let positions = positions.as_deref_mut().map(|all| &mut all[y * wide..][..wide]);
        if wide >= 8 {
            row.maxima::<8>(values, positions);
        } else {
            row.maxima::<4>(values, positions);
        }
    }
}

/// The two rows of the windows of one row of results.
struct RowOfPairs<'a, T> {
    pairs: [&'a [[T; 2]]; 2],
    /// The position of the first element.
    base: u32,
    width: u32,
}

impl<T: Real> RowOfPairs<'_, T> {
    /// Computes the maxima of `N` windows at a time. The last ones may have been computed before: a shorter rest would be
    /// chosen by branches, which cannot be predicted.
    #[inline(always)]
    fn maxima<const N: usize>(&self, values: &mut [T], mut positions: Option<&mut [i64]>) {
        let wide = values.len();
        let mut next = 0;
        while next < wide {
            let first = next.min(wide - N);
            next = first + N;
            let [top, bottom] = self.pairs.map(|row| &row[first..next]);
            let values = &mut values[first..next];
            let mut places = [0; N];
            for i in 0..N {
                let ([a, b], [c, d]) = (top[i], bottom[i]);
                let (mut best, mut place) = (a, 0);
                for (x, at) in [(b, 1), (c, self.width), (d, self.width + 1)] {
                    let beats = beats(x, best);
                    best = if beats { x } else { best };
                    place = if beats { at } else { place };
                }
                values[i] = best;
                places[i] = self.base + 2 * (first + i) as u32 + place;
            }
            if let Some(positions) = &mut positions {
                for (to, place) in positions[first..next].iter_mut().zip(places) {
                    *to = i64::from(place);
                }
            }
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
