//! The maximum of each window and its position in the image: the first in row-major order of equal
//! elements. NaN counts as the maximum.

use crate::geometry::Windows;
use crate::machine::simd;
use crate::machine::{Shared, ranges};
use crate::number::Real;

/// The windows along the two axes of images, and the sizes of the images and the results.
#[derive(Clone, Copy)]
pub struct PoolSizes {
    pub(crate) windows: [Windows; 2],
    pub(crate) from: [usize; 2],
    pub(crate) to: [usize; 2],
}

impl PoolSizes {
    /// Returns whether the windows are two by two with stride 2, and none extends beyond the image.
    fn is_two_by_two(&self) -> bool {
        (0..2).all(|side| self.windows[side].is_pair() && 2 * self.to[side] <= self.from[side])
    }
}

/// Computes the maxima and their positions for each image of `x`. None of the slices is empty.
pub(crate) fn max_pool<T: Real>(
    x: &[T],
    sizes: PoolSizes,
    values: &mut [T],
    positions: &mut [i64],
) {
    assert_eq!(values.len(), positions.len());
    let size = sizes.from[0] * sizes.from[1];
    let area = sizes.to[0] * sizes.to[1];
    let (to, at) = (Shared(values.as_mut_ptr()), Shared(positions.as_mut_ptr()));
    ranges(values.len() / area, x.len(), 1, |range| {
        let (start, len) = (range.start * area, range.len() * area);
        // SAFETY: the ranges are disjoint parts of the results.
        let (values, positions) = unsafe {
            (
                std::slice::from_raw_parts_mut(to.get().add(start), len),
                std::slice::from_raw_parts_mut(at.get().add(start), len),
            )
        };
        let x = &x[range.start * size..range.end * size];
        let images = x.chunks_exact(size);
        let work = images.zip(values.chunks_exact_mut(area).zip(positions.chunks_exact_mut(area)));
        match sizes.windows {
            // Within an image the fast variants use 32-bit positions.
            _ if u32::try_from(size).is_err() => {
                for (x, (values, positions)) in work {
                    each_by_itself(x, sizes, values, positions);
                }
            }
            _ if sizes.is_two_by_two() => simd(
                #[inline(always)]
                move || {
                    for (x, (values, positions)) in work {
                        two_by_two(x, sizes, values, positions);
                    }
                },
            ),
            [Windows::Sliding { .. }, Windows::Sliding { .. }] => {
                let rows = Sliding::new(sizes);
                simd(
                    #[inline(always)]
                    move || {
                        let mut places = vec![0u32; rows.firsts.len()];
                        for (x, (values, positions)) in work {
                            rows.image(x, sizes, values, positions, &mut places);
                        }
                    },
                );
            }
            _ => {
                for (x, (values, positions)) in work {
                    each_by_itself(x, sizes, values, positions);
                }
            }
        }
    });
}

/// Returns whether `x` replaces the current maximum. An equal element does not replace it, and
/// nothing replaces NaN.
#[inline(always)]
fn beats<T: Real>(x: T, best: T) -> bool {
    (x > best) | (x.is_nan_() & !best.is_nan_())
}

/// Computes the most common pool: both rows of a window are read in one pass, in vectors.
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

/// Windows at equal steps. For each row of results, one element of every window is processed at a
/// time.
struct Sliding {
    /// For each column of a window that meets the image: the range of results (first, end) whose
    /// window has this column inside the image, and the image column of the first of them.
    columns: Vec<[usize; 3]>,
    /// The image column at which the window of each result begins.
    firsts: Vec<u32>,
    step: usize,
}

impl Sliding {
    fn new(sizes: PoolSizes) -> Self {
        let Windows::Sliding { kernel, stride, padding, dilation, .. } = sizes.windows[1] else {
            unreachable!("only sliding windows have a stride")
        };
        let (n, m) = (sizes.from[1], sizes.to[1]);
        // The columns that meet the image in some window. Column k of result o is image column
        // o·stride + k·dilation - padding. A kernel may be much larger than the image.
        let first = padding.saturating_sub((m - 1) * stride) / dilation;
        let end = (n + padding).div_ceil(dilation).min(kernel);
        let column = |k: usize| {
            let low = padding.saturating_sub(k * dilation).div_ceil(stride).min(m);
            let high = (n + padding - k * dilation).div_ceil(stride).min(m);
            (low < high).then(|| [low, high, low * stride + k * dilation - padding])
        };
        Sliding {
            columns: (first..end).filter_map(column).collect(),
            firsts: (0..m).map(|o| sizes.windows[1].span(n, m, o).0 as u32).collect(),
            step: stride,
        }
    }

    #[inline(always)]
    fn image<T: Real>(
        &self,
        x: &[T],
        sizes: PoolSizes,
        values: &mut [T],
        positions: &mut [i64],
        places: &mut [u32],
    ) {
        let ([height, width], [high, wide]) = (sizes.from, sizes.to);
        let outs = values.chunks_exact_mut(wide).zip(positions.chunks_exact_mut(wide));
        for (y, (values, positions)) in outs.enumerate() {
            let (first, count, step) = sizes.windows[0].span(height, high, y);
            values.fill(T::K.neg_infinity);
            let base = (first * width) as u32;
            for (place, &column) in places.iter_mut().zip(&self.firsts) {
                *place = base + column;
            }
            for k in 0..count {
                let base = (first + k * step) * width;
                let row = &x[base..base + width];
                for &[low, high, start] in &self.columns {
                    let (values, places) = (&mut values[low..high], &mut places[low..high]);
                    let at = (base + start) as u32;
                    let from = row.get(start..).unwrap_or_default();
                    // A step that is known at compile time lets the loop vectorise.
                    match self.step {
                        1 => column::<T, 1>(from, values, places, at),
                        2 => column::<T, 2>(from, values, places, at),
                        step => any_column(from, step, values, places, at),
                    }
                }
            }
            for (position, &place) in positions.iter_mut().zip(&*places) {
                *position = place as i64;
            }
        }
    }
}

#[inline(always)]
fn column<T: Real, const STEP: usize>(x: &[T], values: &mut [T], places: &mut [u32], at: u32) {
    let n = values.len();
    // The last element may be in a chunk that is shorter than the step.
    let steps = n.saturating_sub(1);
    let (x, last) = x.split_at_checked(steps * STEP).unwrap_or_default();
    let pieces = x.as_chunks::<STEP>().0.iter();
    let best = values.iter_mut().zip(&mut *places);
    for (((value, place), piece), o) in best.zip(pieces).zip(0u32..) {
        let beats = beats(piece[0], *value);
        *value = if beats { piece[0] } else { *value };
        *place = if beats { at + o * STEP as u32 } else { *place };
    }
    if n > 0 && beats(last[0], values[n - 1]) {
        (values[n - 1], places[n - 1]) = (last[0], at + (steps * STEP) as u32);
    }
}

#[inline(always)]
fn any_column<T: Real>(x: &[T], step: usize, values: &mut [T], places: &mut [u32], at: u32) {
    for ((value, place), o) in values.iter_mut().zip(places).zip(0..) {
        let x = x[o * step];
        if beats(x, *value) {
            (*value, *place) = (x, at + (o * step) as u32);
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
