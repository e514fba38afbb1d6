//! The maxima of windows at equal steps. A vector holds the maxima of neighbouring windows of a row, and takes in one
//! element of every window at a time, so that no window is searched by itself. The lanes of another vector
//! carry the element's place in its window, as an integer in the bits of a floating-point number. The edges
//! of the image are masks: see [`lanes`](crate::kernels::lanes).

#![allow(clippy::needless_range_loop)] // the indices are those of columns

use super::pool_sizes::PoolSizes;
use crate::geometry::Windows;
use crate::kernels::lanes::{Bits, Lanes, StepVector, for_vectors};
use crate::kernels::scratch::Scratch;
use crate::number::Real;

/// Windows at equal steps along both axes of images with fewer than 2³⁰ elements.
pub(super) struct Slide {
    sizes: PoolSizes,
    /// The columns of a window that meet the image for some result: the distance of the first of them
    /// from the window's first column, their number, and the distance between two of them.
    columns: [usize; 3],
    /// The first column of the first window. Negative in the padding.
    left: isize,
    /// The distance from one window to the next.
    step: usize,
    /// For each result: the position of the first element of its window, where rows outside the image
    /// do not count but columns do, so that a negative position wraps around.
    bases: Vec<u32>,
    /// For each column of results: the distance of the window's first column inside the image from its
    /// first column.
    skipped: Vec<u32>,
}

impl Slide {
    /// Returns the windows, or `None` if their steps are not equal.
    pub fn new(sizes: PoolSizes) -> Option<Self> {
        let [Windows::Sliding { .. }, Windows::Sliding { kernel, stride, padding, dilation, .. }] =
            sizes.windows
        else {
            return None;
        };
        let (n, m, width) = (sizes.from[1], sizes.to[1], sizes.from[1]);
        // Column k of result o is image column o·stride + k·dilation - padding. A kernel may be much larger than
        // the image.
        let first = padding.saturating_sub((m - 1) * stride) / dilation;
        let end = (n + padding).div_ceil(dilation).min(kernel);
        let mut bases = Vec::with_capacity(sizes.to[0] * m);
        for y in 0..sizes.to[0] {
            let row = sizes.windows[0].span(sizes.from[0], sizes.to[0], y).0 * width;
            bases.extend((0..m).map(|o| (row + o * stride).wrapping_sub(padding) as u32));
        }
        let inside = |o: usize| sizes.windows[1].span(n, m, o).0;
        let skipped = |o| (inside(o) + padding).wrapping_sub(o * stride) as u32;
        Some(Slide {
            sizes,
            columns: [first * dilation, end.saturating_sub(first), dilation],
            left: -(padding as isize),
            // With one window, the stride may be too large to be multiplied by a lane.
            step: if m == 1 { 1 } else { stride },
            bases,
            skipped: (0..m).map(skipped).collect(),
        })
    }

    /// Returns the number of elements of a window.
    pub fn taps(&self) -> usize {
        match self.sizes.windows[0] {
            Windows::Sliding { kernel, .. } => kernel.min(self.sizes.from[0]) * self.columns[1],
            Windows::Adaptive => 1,
        }
    }
}

/// Some images, and the room for their maxima.
pub struct Images<'a, T> {
    slide: &'a Slide,
    x: &'a [T],
    values: *mut T,
    positions: *mut i64,
    /// Room for the places of the maxima of an image.
    places: *mut T,
    /// The places of the first elements inside the image, for each column of results and a vector more.
    first: *const T,
}

/// The most lanes that a vector has.
const LANES: usize = 16;

/// Computes the maxima of whole images, and their positions.
pub(super) fn slide<T: Maxima>(slide: &Slide, x: &[T], values: &mut [T], positions: &mut [i64]) {
    let [size, area] = [slide.sizes.from, slide.sizes.to].map(|s| s[0] * s[1]);
    let images = x.len() / size;
    assert!(values.len() == images * area && positions.len() == images * area);
    assert!(slide.bases.len() == area && slide.skipped.len() == slide.sizes.to[1]);
    let mut scratch = Scratch::<T>::new(area + slide.skipped.len() + LANES);
    let (places, first) = scratch.numbers().split_at_mut(area);
    first.fill(T::default());
    for (to, &skipped) in first.iter_mut().zip(&slide.skipped) {
        *to = T::of_bits(skipped);
    }
    let (values, positions) = (values.as_mut_ptr(), positions.as_mut_ptr());
    let job =
        Images { slide, x, values, positions, places: places.as_mut_ptr(), first: first.as_ptr() };
    // SAFETY: the results and the places have room for these images.
    unsafe { T::maxima(&job) }
}

for_vectors! {
    /// The maxima of images, compiled for the instruction sets.
    Maxima: maxima(Images) = maxima
}

/// # Safety
/// The job has room for the results, and the processor has the instructions.
#[inline(always)]
unsafe fn maxima<V: Lanes>(job: &Images<V::Scalar>)
where
    V::Scalar: Real + Bits,
{
    let [_, count, dilation] = job.slide.columns;
    // SAFETY: the same contract.
    unsafe {
        match (job.slide.step, count, dilation) {
            (2, 2, 1) => images::<V, 2, 2>(job),
            (2, 3, 1) => images::<V, 2, 3>(job),
            (1, 3, 1) => images::<V, 1, 3>(job),
            (1, ..) => images::<V, 1, 0>(job),
            (2, ..) => images::<V, 2, 0>(job),
            _ => far_apart(job),
        }
    }
}

/// Computes the maxima of windows with step `S`, 1 or 2, and `K` columns, or any number of columns if it is 0.
#[inline(always)]
unsafe fn images<V: Lanes, const S: usize, const K: usize>(job: &Images<V::Scalar>)
where
    V::Scalar: Real + Bits,
{
    let PoolSizes { windows, from: [height, width], to: [high, wide] } = job.slide.sizes;
    let (size, area) = (height * width, high * wide);
    let columns = [job.slide.left, job.slide.columns[0] as isize];
    let last =
        (if K > 0 { K - 1 } else { job.slide.columns[1].saturating_sub(1) * job.slide.columns[2] })
            as isize;
    let lanes = V::LANES;
    for (i, x) in job.x.chunks_exact(size).enumerate() {
        for y in 0..high {
            let (first, count, down) = windows[0].span(height, high, y);
            let mut o = 0;
            while o < wide {
                // SAFETY: the rows of the window are in the image, and the results have room.
                unsafe {
                    let rows = WindowRows {
                        x: x.as_ptr().wrapping_add(first * width),
                        count,
                        down,
                        width,
                    };
                    let left = columns[0] + (o * S) as isize + columns[1];
                    // A vector of the last column ends at most one element behind the last window.
                    let whole = left >= 0 && left + last + (lanes * S) as isize <= width as isize;
                    let (values, places) = (
                        job.values.wrapping_add(i * area + y * wide + o),
                        job.places.wrapping_add(y * wide + o),
                    );
                    if whole && o + lanes <= wide {
                        let (value, place) = block::<V, S, K, true>(job.slide, &rows, o, job.first);
                        value.store(values);
                        place.store(places);
                    } else {
                        let (value, place) =
                            block::<V, S, K, false>(job.slide, &rows, o, job.first);
                        let used = V::range(0, lanes.min(wide - o));
                        value.store_masked(values, used);
                        place.store_masked(places, used);
                    }
                }
                o += V::LANES;
            }
        }
        // SAFETY: all places were written, and the results have room.
        unsafe {
            let places = std::slice::from_raw_parts(job.places.cast_const(), area);
            let positions =
                std::slice::from_raw_parts_mut(job.positions.wrapping_add(i * area), area);
            for ((to, &place), &base) in positions.iter_mut().zip(places).zip(&job.slide.bases) {
                *to = i64::from(base.wrapping_add(place.bits()));
            }
        }
    }
}

/// Computes the maxima of windows with a step of 3 or more. Its elements are too far apart to be loaded as vectors.
#[inline(always)]
unsafe fn far_apart<T: Real + Bits>(job: &Images<T>) {
    let PoolSizes { windows, from: [height, width], to: [high, wide] } = job.slide.sizes;
    let (size, area, step) = (height * width, high * wide, job.slide.step);
    let [start, columns, apart] = job.slide.columns;
    for (i, x) in job.x.chunks_exact(size).enumerate() {
        // SAFETY: the caller promises the room. All values and positions are written before they are read.
        let (values, positions) = unsafe {
            (
                std::slice::from_raw_parts_mut(job.values.wrapping_add(i * area), area),
                std::slice::from_raw_parts_mut(job.positions.wrapping_add(i * area), area),
            )
        };
        let rows = values.chunks_exact_mut(wide).zip(positions.chunks_exact_mut(wide));
        for (y, (values, positions)) in rows.enumerate() {
            let (first, count, down) = windows[0].span(height, high, y);
            values.fill(T::K.neg_infinity);
            let bases = &job.slide.bases[y * wide..][..wide];
            for ((to, base), skipped) in positions.iter_mut().zip(bases).zip(&job.slide.skipped) {
                *to = i64::from(base.wrapping_add(*skipped));
            }
            for k in 0..count {
                let row = (first + k * down) * width;
                for j in 0..columns {
                    // The results whose window has this column inside the image, and its place for the first of them.
                    let left = job.slide.left + (start + j * apart) as isize;
                    let low = (-left).max(0) as usize;
                    let low = low.div_ceil(step).min(wide);
                    let high = (width as isize - left).max(0) as usize;
                    let high = high.div_ceil(step).clamp(low, wide);
                    let mut at = row + (left + (low * step) as isize).max(0) as usize;
                    let best = values[low..high].iter_mut().zip(&mut positions[low..high]);
                    for (value, position) in best {
                        let (x, here) = (x[at], at as i64);
                        // Chosen without a branch, which could not be predicted.
                        let better = (x > *value) | (x.is_nan_() & !value.is_nan_());
                        *value = if better { x } else { *value };
                        *position = if better { here } else { *position };
                        at = at.wrapping_add(step);
                    }
                }
            }
        }
    }
}

/// The rows of a window, `down` rows apart.
struct WindowRows<T> {
    x: *const T,
    count: usize,
    down: usize,
    width: usize,
}

/// Returns the maxima of the windows from `o` on, and their places: the distance of the maximum from the window's first
/// element in the first row, in the bits of the lane. If `WHOLE`, all columns of all lanes are inside the image.
#[inline(always)]
unsafe fn block<V: Lanes, const S: usize, const K: usize, const WHOLE: bool>(
    slide: &Slide,
    rows: &WindowRows<V::Scalar>,
    o: usize,
    first: *const V::Scalar,
) -> (V, V)
where
    V::Scalar: Real + Bits,
{
    let [start, count, apart] = slide.columns;
    let (count, apart) = if K > 0 { (K, 1) } else { (count, apart) };
    let left = slide.left + (o * S + start) as isize;
    // SAFETY: the caller promises the rows and the instructions.
    unsafe {
        let lowest = V::splat(&V::Scalar::K.neg_infinity);
        // In a window of -∞ the first element inside the image counts.
        let (mut best, mut place) = (lowest, V::load(first.wrapping_add(o)));
        for k in 0..rows.count {
            let row = rows.x.wrapping_add(k * rows.down * rows.width);
            let first = k * rows.down * rows.width + start;
            let mut j = 0;
            while j < count {
                let at = left + (j * apart) as isize;
                let mut taken = 1;
                let x = if S == 1 {
                    [StepVector::<V, 1>::of::<WHOLE>(at, rows.width).load(row, lowest)[0], lowest]
                } else {
                    // The odd columns are the next column of the same windows.
                    taken = if apart == 1 && j + 1 < count { 2 } else { 1 };
                    StepVector::<V, 2>::of::<WHOLE>(at, rows.width).load(row, lowest)
                };
                for t in 0..taken {
                    let better = x[t].beats(best);
                    best = x[t].or(better, best);
                    let here = V::Scalar::of_bits((first + (j + t) * apart) as u32);
                    place = V::splat(&raw const here).or(better, place);
                }
                j += taken;
            }
        }
        (best, place)
    }
}
