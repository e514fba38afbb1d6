//! Padded images, laid out so that every tap of a kernel is at a constant offset.

use crate::machine::simd;
use crate::number::Real;
use std::ops::Range;

/// The planes of an image, in a buffer. Each channel has one plane for each phase of the stride
/// that some tap reads. Pixel (i, j) of the plane of phase (a, b) is pixel (i·stride + a + origin,
/// j·stride + b + origin) of the image, or zero outside the image.
pub struct Planes {
    pub channels: usize,
    /// Size of the image.
    pub size: [usize; 2],
    pub stride: [usize; 2],
    pub phases: Vec<[usize; 2]>,
    /// Negative: the image has padding before its first row, or column. Positive: the image is
    /// cropped.
    pub origin: [isize; 2],
    /// Number of rows of a plane. The stride of its rows is `pitch`.
    pub rows: usize,
    pub pitch: usize,
}

impl Planes {
    /// Returns the number of elements of all planes.
    pub fn len(&self) -> usize {
        self.channels * self.phases.len() * self.rows * self.pitch
    }

    /// Returns the number of elements of all channels of an image.
    pub fn image_len(&self) -> usize {
        self.channels * self.size[0] * self.size[1]
    }

    /// Returns whether the planes are equal to the image.
    pub fn is_image(&self) -> bool {
        let same = self.stride == [1, 1] && self.origin == [0, 0];
        same && self.size == [self.rows, self.pitch]
    }

    /// Returns the offset of a plane.
    pub fn plane(&self, channel: usize, phase: usize) -> usize {
        (channel * self.phases.len() + phase) * self.rows * self.pitch
    }

    /// Returns, for a phase along an axis, the range of pixels of a plane of `len` that lie in the
    /// image, and the image pixel that the first of them comes from.
    fn inside(&self, axis: usize, phase: usize, len: usize) -> (Range<usize>, usize) {
        let stride = self.stride[axis] as isize;
        let first = self.origin[axis] + phase as isize;
        // The least i for which first + i·stride is at least `bound`.
        let below = |bound: isize| (bound - first + stride - 1).div_euclid(stride).max(0) as usize;
        let (from, until) = (below(0).min(len), below(self.size[axis] as isize).min(len));
        let source = if from < until { (first + from as isize * stride) as usize } else { 0 };
        (from..until.max(from), source)
    }

    /// Copies the pixels of an image to the planes. The padding is not written: it must be zero
    /// before.
    ///
    /// # Safety
    /// `buffer` has room for all planes, and `image` for the channels of an image.
    pub unsafe fn fill<T: Real>(&self, image: *const T, buffer: *mut T) {
        let [height, width] = self.size;
        for (number, &[a, b]) in self.phases.iter().enumerate() {
            let (rows, first_row) = self.inside(0, a, self.rows);
            let (cols, first_col) = self.inside(1, b, self.pitch);
            if rows.is_empty() || cols.is_empty() {
                continue;
            }
            let copy = Copy {
                channels: self.channels,
                rows: rows.len(),
                cols: cols.len(),
                from_channel: height * width,
                from_row: self.stride[0] * width,
                step: self.stride[1],
                to_channel: self.plane(1, 0),
                to_row: self.pitch,
            };
            // SAFETY: `inside` keeps to the image and the plane.
            unsafe {
                let from = image.add(first_row * width + first_col);
                let to = buffer.add(self.plane(0, number) + rows.start * self.pitch + cols.start);
                copy.run(from, to);
            }
        }
    }
}

/// A copy of the rows of several channels. Distances are in elements.
#[derive(Clone, Copy)]
struct Copy {
    channels: usize,
    rows: usize,
    cols: usize,
    from_channel: usize,
    from_row: usize,
    /// Distance from a pixel to the next in the source.
    step: usize,
    to_channel: usize,
    to_row: usize,
}

impl Copy {
    /// Copies the rows.
    ///
    /// # Safety
    /// Both source and target have these rows.
    unsafe fn run<T: Real>(mut self, from: *const T, to: *mut T) {
        if self.step == 1 && self.from_row == self.cols && self.to_row == self.cols {
            // Rows without a gap on both sides are copied as one.
            (self.rows, self.cols) = (1, self.rows * self.cols);
        }
        let cols = self.cols;
        // SAFETY: for all of them, the caller's promise.
        match self.step {
            1 => self.rows(|row, col| unsafe {
                to.add(col).copy_from_nonoverlapping(from.add(row), cols);
            }),
            2 => simd(
                #[inline(always)]
                move || {
                    self.rows(
                        #[inline(always)]
                        |row, col| unsafe { every_second(from.add(row), to.add(col), cols) },
                    );
                },
            ),
            step => self.rows(|row, col| {
                for j in 0..cols {
                    unsafe { *to.add(col + j) = *from.add(row + j * step) };
                }
            }),
        }
    }

    /// Calls `copy` with the offset of each row in the source and in the target.
    #[inline(always)]
    fn rows(&self, copy: impl Fn(usize, usize)) {
        for channel in 0..self.channels {
            for row in 0..self.rows {
                copy(
                    channel * self.from_channel + row * self.from_row,
                    channel * self.to_channel + row * self.to_row,
                );
            }
        }
    }
}

/// Copies every second element.
///
/// # Safety
/// `from` has 2n - 1 elements, and `to` has n.
#[inline(always)]
unsafe fn every_second<T: Real>(from: *const T, to: *mut T, n: usize) {
    // SAFETY: the caller's promise; the last pair may lack its second, which is not read.
    unsafe {
        let pairs = std::slice::from_raw_parts(from.cast::<[T; 2]>(), n - 1);
        for (i, pair) in pairs.iter().enumerate() {
            *to.add(i) = pair[0];
        }
        *to.add(n - 1) = *from.add(2 * (n - 1));
    }
}
