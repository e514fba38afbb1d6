//! The adjoint in the weight: products of pixels and gradients, summed over all pixels of all
//! images.
//!
//! The sum is a matrix product. Its left side has one row for each channel and tap, and its pixels
//! are read in place. Its right side is the gradient, packed with its channels next to each other,
//! which are the lanes of the vectors. Where there are too few channels, the vectors lie along the
//! pixels.

use super::ConvSizes;
use super::correlation::pieces;
use super::planes::Planes;
use crate::kernels::gemm::Gemm;
use crate::kernels::gemm::{Dots, KernelTable, Panel, Use, Weigh, with_buffer};
use crate::machine::{Shared, cost, ranges};
use std::ops::Range;

/// Pixels in a block. The gradients of one tile for this many pixels stay in the L1 cache.
const PIXELS: usize = 256;
/// Pixels in a block if vectors lie along the pixels and channels are read one at a time.
const PIXELS_ALONG: usize = 2048;
/// Minimum number of products in a chunk, which is the sum of some blocks.
const CHUNK: usize = 1 << 21;
/// Minimum number of products for each weight in a chunk, because adding up the chunks takes time,
/// too.
const REUSE: usize = 256;
/// Maximum number of chunks. Chunks are the units that are distributed over threads.
const CHUNKS: usize = 16;

/// Returns the number of chunks of this many products for a number of weights.
pub fn chunks(products: usize, weights: usize) -> usize {
    (products / CHUNK.max(cost(&[REUSE, weights]))).clamp(1, CHUNKS)
}

/// The layout of the pixels, and the order in which they are summed.
struct PixelOrder<T: 'static> {
    kernels: &'static KernelTable<T>,
    g: ConvSizes,
    /// The padded images, or `None` if the convolution has no padding.
    planes: Option<Planes>,
    /// For each channel and tap, the offset of its first pixel.
    taps: Vec<usize>,
    /// Elements from an image to the next, and from a row of windows to the next.
    image: usize,
    row: usize,
    /// Images in a block.
    images: usize,
    /// Rows of the result in a block, for each of its images.
    rows: usize,
    /// Whether vectors lie along the pixels.
    along: bool,
    /// Number of sums for each channel and tap: the channels of the result, rounded up to whole
    /// vectors unless vectors lie along the pixels.
    width: usize,
}

/// Some rows of some images, in one group.
struct ImageRows<'a, T> {
    group: usize,
    images: Range<usize>,
    rows: Range<usize>,
    /// Offsets of the rows of windows. If vectors lie along the pixels, only those of the first
    /// image.
    segments: &'a [usize],
    x: *const T,
    gy: *const T,
    sums: *mut T,
}

/// Computes the adjoint. See [`Tensor::conv2d_weight`](crate::Tensor::conv2d_weight).
///
/// # Safety
/// As [`super::forward`]; nothing is empty.
pub unsafe fn run<T: Gemm>(g: &ConvSizes, x: &[T], gy: &[T], gw: &mut [T]) {
    let plan = PixelOrder::new(g);
    let blocks = plan.blocks();
    let products = cost(&[gw.len(), g.n, g.out_pixels()]);
    let chunks = chunks(products, gw.len()).min(blocks);
    let sums = g.groups * plan.sums();
    with_buffer(Use::Weights, chunks * sums, |buffer: *mut T| {
        let shared = Shared(buffer);
        ranges(chunks, products / 8, 1, |range| {
            for (chunk, blocks) in pieces(blocks, chunks).enumerate() {
                if range.contains(&chunk) {
                    // SAFETY: each chunk has its own part of the buffer.
                    unsafe {
                        let sums_here = shared.get().add(chunk * sums);
                        sums_here.write_bytes(0, sums);
                        plan.add_blocks(blocks, x, gy, sums_here);
                    }
                }
            }
        });
        // SAFETY: the buffer has this length, and was written.
        let (total, others) =
            unsafe { std::slice::from_raw_parts_mut(buffer, chunks * sums) }.split_at_mut(sums);
        for other in others.chunks(sums) {
            for (total, &other) in total.iter_mut().zip(other) {
                *total = *total + other;
            }
        }
        for (total, gw) in total.chunks(plan.sums()).zip(gw.chunks_mut(g.o * plan.taps.len())) {
            plan.transpose(total, gw);
        }
    });
}

impl<T: Gemm> PixelOrder<T> {
    fn new(g: &ConvSizes) -> Self {
        let kernels = T::kernels();
        let reach = |axis: usize| {
            g.stride[axis] * (g.out[axis] - 1) + g.dilation[axis] * (g.kernel[axis] - 1) + 1
        };
        let planes = (g.padding != [(0, 0); 2]).then(|| Planes {
            channels: g.c,
            size: g.size,
            stride: [1, 1],
            phases: vec![[0, 0]],
            origin: [-(g.padding[0].0 as isize), -(g.padding[1].0 as isize)],
            rows: reach(0),
            pitch: reach(1),
        });
        let (plane, pitch, image) = match &planes {
            Some(planes) => (planes.plane(1, 0), planes.pitch, planes.len()),
            None => (g.pixels(), g.size[1], g.groups * g.c * g.pixels()),
        };
        let mut taps = Vec::with_capacity(g.c * g.taps());
        for c in 0..g.c {
            for p in 0..g.kernel[0] {
                let row = c * plane + p * g.dilation[0] * pitch;
                taps.extend((0..g.kernel[1]).map(|q| row + q * g.dilation[1]));
            }
        }
        // Vectors lie along the pixels if that uses a larger share of their lanes.
        let filled = |len: usize| len.next_multiple_of(kernels.lanes);
        let along = g.stride[1] == 1 && g.o * filled(g.out[1]) < g.out[1] * filled(g.o);
        let (pixels, width) = if along { (PIXELS_ALONG, g.o) } else { (PIXELS, filled(g.o)) };
        let images = (pixels / g.out_pixels()).clamp(1, g.n);
        let rows = if images > 1 { g.out[0] } else { (pixels / g.out[1]).clamp(1, g.out[0]) };
        PixelOrder {
            kernels,
            g: *g,
            planes,
            taps,
            image,
            row: g.stride[0] * pitch,
            images,
            rows,
            along,
            width,
        }
    }

    /// Returns the number of sums of a group: one for each channel, tap and channel of the result,
    /// with the padding of the last vector.
    fn sums(&self) -> usize {
        self.taps.len() * self.width
    }

    /// Returns the number of blocks that an image, or a group of images, is cut into.
    fn bands(&self) -> usize {
        self.g.out[0].div_ceil(self.rows)
    }

    fn blocks(&self) -> usize {
        self.g.n.div_ceil(self.images) * self.bands()
    }

    /// Adds the products of these blocks to `sums`, in all groups.
    ///
    /// # Safety
    /// `sums` has room for all groups; `x` and `gy` have the sizes of `g`.
    unsafe fn add_blocks(&self, blocks: Range<usize>, x: &[T], gy: &[T], sums: *mut T) {
        let g = &self.g;
        let padded = self.planes.as_ref().map_or(0, |planes| self.images * planes.len());
        let pixels = if self.along { 0 } else { self.images * self.rows * g.out[1] };
        let packed_len = pixels * self.width + self.kernels.lanes;
        with_buffer(Use::Images, padded + packed_len, |buffer: *mut T| {
            let packed = buffer.wrapping_add(padded);
            // SAFETY: the buffer has this length.
            unsafe { buffer.write_bytes(0, padded) };
            let mut segments = Vec::with_capacity(self.images * self.rows);
            for group in 0..g.groups {
                let mut filled = None;
                for block in blocks.clone() {
                    let first = block / self.bands() * self.images;
                    let images = first..g.n.min(first + self.images);
                    let top = block % self.bands() * self.rows;
                    let rows = top..g.out[0].min(top + self.rows);
                    let channels = |image: usize| (image * g.groups + group) * g.c * g.pixels();
                    let mut from = x.as_ptr().wrapping_add(channels(first));
                    if let Some(planes) = &self.planes {
                        if filled != Some(first) {
                            for (i, image) in images.clone().enumerate() {
                                // SAFETY: an image of x, and room for it in the buffer.
                                unsafe {
                                    let to = buffer.add(i * planes.len());
                                    planes.fill(x.as_ptr().add(channels(image)), to);
                                }
                            }
                            filled = Some(first);
                        }
                        from = buffer.cast_const();
                    }
                    segments.clear();
                    segments.extend(rows.clone().map(|row| row * self.row));
                    if !self.along {
                        let first = 0..segments.len();
                        for i in 1..images.len() {
                            segments.extend_from_within(first.clone());
                            for row in &mut segments[i * first.len()..] {
                                *row += i * self.image;
                            }
                        }
                    }
                    let block = ImageRows {
                        group,
                        images,
                        rows,
                        segments: &segments,
                        x: from,
                        gy: gy.as_ptr(),
                        sums: sums.wrapping_add(group * self.sums()),
                    };
                    // SAFETY: pixels and gradients of this block, and the sums of this group.
                    unsafe {
                        if self.along {
                            self.add_along(&block);
                        } else {
                            self.add_across(&block, packed);
                        }
                    }
                }
            }
        });
    }

    /// Returns the address of the gradient of an image, in a channel of the block's group.
    fn gradient(&self, block: &ImageRows<T>, image: usize, channel: usize) -> *const T {
        let map = (image * self.g.groups + block.group) * self.g.o + channel;
        block.gy.wrapping_add(map * self.g.out_pixels() + block.rows.start * self.g.out[1])
    }

    /// Adds the products of a block, with vectors along the channels of the gradient, which are
    /// packed.
    ///
    /// # Safety
    /// The pixels of the block exist, and `packed` has room for its gradients.
    unsafe fn add_across(&self, block: &ImageRows<T>, packed: *mut T) {
        let (g, kernels, lanes) = (&self.g, self.kernels, self.kernels.lanes);
        let pixels = block.rows.len() * g.out[1];
        let vectors = self.width / lanes;
        let mut b = packed;
        for tile in pieces(vectors, vectors.div_ceil(kernels.vectors)) {
            let first = tile.start * lanes;
            let width = tile.len() * lanes;
            let gradients = b.cast_const();
            for image in block.images.clone() {
                let panel = Panel {
                    src: self.gradient(block, image, first),
                    stride: g.out_pixels() as isize,
                    k_stride: 1,
                    width,
                    valid: width.min(g.o - first),
                    k: pixels,
                };
                // SAFETY: the gradient has these maps and rows; the buffer a vector more than all.
                unsafe { (kernels.pack)(&panel, b) };
                b = b.wrapping_add(pixels * width);
            }
            let heights = kernels.weigh[tile.len() - 1];
            let taps = self.taps.len();
            for rows in pieces(taps, taps.div_ceil(heights.len())) {
                let call = Weigh {
                    x: block.x,
                    taps: self.taps[rows.clone()].as_ptr(),
                    segments: block.segments.as_ptr(),
                    count: block.segments.len(),
                    width: g.out[1],
                    step: g.stride[1],
                    b: gradients,
                    c: block.sums.wrapping_add(rows.start * self.width + first),
                    ldc: self.width,
                };
                // SAFETY: the caller's promise, and the gradients that were just packed.
                unsafe { (heights[rows.len() - 1])(&call) };
            }
        }
    }

    /// Adds the products of a block, with vectors along the pixels.
    ///
    /// # Safety
    /// The pixels of the block exist.
    unsafe fn add_along(&self, block: &ImageRows<T>) {
        let (g, kernels, taps) = (&self.g, self.kernels, self.taps.len());
        for (i, image) in block.images.clone().enumerate() {
            for channels in pieces(g.o, g.o.div_ceil(kernels.vectors)) {
                let heights = kernels.dots[channels.len() - 1];
                for rows in pieces(taps, taps.div_ceil(heights.len())) {
                    let call = Dots {
                        x: block.x.wrapping_add(i * self.image),
                        taps: self.taps[rows.clone()].as_ptr(),
                        segments: block.segments.as_ptr(),
                        count: block.segments.len(),
                        width: g.out[1],
                        y: self.gradient(block, image, channels.start),
                        channel: g.out_pixels(),
                        c: block.sums.wrapping_add(rows.start * self.width + channels.start),
                        ldc: self.width,
                    };
                    // SAFETY: the caller's promise.
                    unsafe { (heights[rows.len() - 1])(&call) };
                }
            }
        }
    }

    /// Writes the sums of a group as weights, with the channels of the result as the first axis.
    fn transpose(&self, sums: &[T], gw: &mut [T]) {
        let taps = self.taps.len();
        // Packing writes up to one vector beyond the end of a row. Therefore the last row, or every
        // row if rows are shorter than a vector, is written element by element.
        let rows = if taps >= self.kernels.lanes { self.g.o - 1 } else { 0 };
        let panel = Panel {
            src: sums.as_ptr(),
            stride: self.width as isize,
            k_stride: 1,
            width: taps,
            valid: taps,
            k: rows,
        };
        // SAFETY: the sums have these rows, of which each has a place in `gw`.
        unsafe { (self.kernels.pack)(&panel, gw.as_mut_ptr()) };
        for (i, gw) in gw.iter_mut().enumerate().skip(rows * taps) {
            *gw = sums[i % taps * self.width + i / taps];
        }
    }
}
