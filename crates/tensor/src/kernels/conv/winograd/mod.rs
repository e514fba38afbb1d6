//! Convolutions with 3×3 kernels by Winograd's method: 4 multiplications for each pixel of the result instead of 9.
//!
//! Two neighbouring results of a kernel of three weights g need four neighbouring pixels d and, computed one by one, six
//! products. Four products suffice:
//!
//! ```text
//! m₀ = (d₀ − d₂) g₀                  y₀ = m₀ + (m₁ + m₂) / 2
//! m₁ = (d₁ + d₂) (g₀ + g₁ + g₂)      y₁ = m₃ + (m₁ − m₂) / 2
//! m₂ = (d₂ − d₁) (g₀ − g₁ + g₂)
//! m₃ = (d₃ − d₁) g₂
//! ```
//!
//! or y = Aᵀ[(G g) ⊙ (Bᵀ d)]. Applied along both axes, a tile of 4×4 pixels gives 2×2 results by 16 products instead of 36:
//! Y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A. The sums over the channels are taken before Aᵀ is applied, so that each of the 16
//! positions is a matrix product of [tiles, channels] and [channels, maps]. (S. Winograd 1980; A. Lavin and S. Gray, "Fast
//! algorithms for convolutional neural networks", 2016: F(2×2, 3×3).)
//!
//! The adjoint in the input is a convolution with the weights reversed, computed the same way ([`correlate`]). The
//! adjoint in the weight is Gᵀ[Σ (A gy Aᵀ) ⊙ (Bᵀ d B)]G, the sum taken over all tiles ([`weight`]): at each position a
//! matrix product of [maps, tiles] and [tiles, channels]. There Gᵀ has the halves instead of A: halves are always taken of
//! sums, because half of a subnormal number would be rounded.
//!
//! Images are processed in blocks of tiles that stay in the L2 cache. The pixels of a block are copied so that their channels lie
//! side by side, which are the lanes of all vectors. The products, which need no memory outside the cache, are the time to
//! request the pixels of the next block.
//!
//! **Rounding.** The rounding error of a result is bounded by a small multiple of ε Σ|w| max|d|, where the maximum is over the
//! 4×4 pixels of the tile instead of the 3×3 of the window. Measured errors are about those of sums of products. Numbers
//! that are not finite would spread over a tile: if a result is not finite, the whole convolution is computed
//! again in the plain way. Integers stay exact where Σ|w| max|d| is at most 2¹⁶: the transforms add, subtract and halve. The
//! bias is added last, and does not count. `f64` is always computed in the plain way.

pub mod correlate;
#[cfg(test)]
mod tests;
pub mod weight;

use super::ConvSizes;
use super::correlation::pieces;
use crate::kernels::gemm::{Gemm, KernelTable, Outer, Panel, Squares, TileTransforms};
use crate::machine::{LINE, prefetch};
use std::ops::Range;

/// The positions of a tile.
const POSITIONS: usize = 16;
/// Elements between the data of two positions, so that equal places of all positions do not share
/// a set of the cache.
const GAP: usize = 16;

/// Numbers in a cache line. A run of pixels that begins within a line needs one line more.
const PER_LINE: usize = LINE / size_of::<f32>();

/// The time of the transforms of a channel of a tile, and of a weight, in multiplications.
const TRANSFORM: usize = 70;
const WEIGHT: usize = 160;

/// Returns whether the method is clearly faster for these sizes, with the channels of the result in the lanes.
fn pays<T: Gemm>(g: &ConvSizes) -> bool {
    // Addresses of 32 bits cannot count the multiplications of a large layer.
    let count = |sizes: &[usize]| sizes.iter().map(|&n| n as f64).product::<f64>();
    let tiles = count(&[g.n, g.out[0].div_ceil(2), g.out[1].div_ceil(2)]);
    let products = count(&[16, g.c, g.o.next_multiple_of(T::kernels().lanes)]);
    let transforms = count(&[TRANSFORM, g.c]) + count(&[TRANSFORM, g.o]);
    let here = tiles * (products + transforms) + count(&[WEIGHT, g.c, g.o]);
    let plain = count(&[g.n, g.out_pixels(), 9, g.c, g.o]);
    g.c >= 8 && g.o >= 8 && here < plain / 8.0 * 7.0
}

/// Returns whether the sizes are those of the method: 3×3 taps next to each other, and less padding than taps.
fn applies<T: Gemm>(g: &ConvSizes) -> bool {
    g.kernel == [3, 3]
        && g.stride == [1, 1]
        && g.dilation == [1, 1]
        && g.padding.iter().all(|&(before, after)| before <= 2 && after <= 2)
        && T::kernels().winograd.is_some()
}

/// The tiles of the results, and how they are cut into blocks.
struct Tiling {
    n: usize,
    /// Number of rows and columns of tiles of an image.
    size: [usize; 2],
    /// Images in a block.
    images: usize,
    /// Number of bands of rows, and of columns, that an image is cut into.
    bands: [usize; 2],
}

/// The tiles of some images.
struct TileBlock {
    images: Range<usize>,
    rows: Range<usize>,
    cols: Range<usize>,
}

impl TileBlock {
    fn tiles(&self) -> usize {
        self.images.len() * self.rows.len() * self.cols.len()
    }
}

impl Tiling {
    /// Cuts the results into blocks of about `most` tiles, or `least` if that is more.
    fn new(g: &ConvSizes, most: usize, least: usize) -> Self {
        let most = most.max(least);
        let size = g.out.map(|len| len.div_ceil(2));
        let images = (most / (size[0] * size[1])).clamp(1, g.n);
        let wide = size[1].div_ceil(most.max(2 * POSITIONS));
        let rows = (most * wide / size[1]).clamp(1, size[0]);
        Tiling { n: g.n, size, images, bands: [size[0].div_ceil(rows), wide] }
    }

    fn blocks(&self) -> usize {
        self.n.div_ceil(self.images) * self.bands[0] * self.bands[1]
    }

    fn block(&self, number: usize) -> TileBlock {
        let (group, band) =
            (number / (self.bands[0] * self.bands[1]), number % (self.bands[0] * self.bands[1]));
        let first = group * self.images;
        let part = |axis: usize, i: usize| {
            let each = self.size[axis].div_ceil(self.bands[axis]);
            (i * each).min(self.size[axis])..((i + 1) * each).min(self.size[axis])
        };
        TileBlock {
            images: first..self.n.min(first + self.images),
            rows: part(0, band / self.bands[1]),
            cols: part(1, band % self.bands[1]),
        }
    }

    /// Returns the maximum number of tiles of a block, and of the rows and columns of tiles of one of its images.
    fn most(&self) -> (usize, [usize; 2]) {
        let part = [0, 1].map(|axis| self.size[axis].div_ceil(self.bands[axis]));
        (self.images * part[0] * part[1], part)
    }
}

/// Images whose pixels are copied so that the channels lie side by side.
struct Pixels<T: 'static> {
    kernels: &'static KernelTable<T>,
    /// Number of channels, and the same rounded up to whole vectors.
    channels: usize,
    lanes: usize,
    /// Size of an image.
    size: [usize; 2],
    /// Rows and columns of zeros before an image.
    before: [usize; 2],
    /// How many rows and columns of pixels a tile needs beyond its 2×2.
    reach: usize,
}

impl<T: Gemm> Pixels<T> {
    fn new(channels: usize, size: [usize; 2], before: [usize; 2], reach: usize) -> Self {
        let kernels = T::kernels();
        let lanes = channels.next_multiple_of(kernels.lanes);
        Pixels { kernels, channels, lanes, size, before, reach }
    }

    /// Returns the number of pixels along an axis of this many tiles.
    fn len(&self, tiles: usize) -> usize {
        2 * tiles + self.reach
    }

    /// Copies the pixels of these tiles of an image, with zeros for those outside the image.
    ///
    /// # Safety
    /// `image` has the channels and the size, and `to` has room for the pixels of the tiles.
    unsafe fn read(&self, image: *const T, [rows, cols]: [Range<usize>; 2], to: *mut T) {
        let width = self.len(cols.len());
        let first = 2 * cols.start;
        let from = self.before[1].saturating_sub(first).min(width);
        let until = (self.size[1] + self.before[1]).saturating_sub(first).clamp(from, width);
        for r in 0..self.len(rows.len()) {
            let row = to.wrapping_add(r * width * self.lanes);
            let y = (2 * rows.start + r).checked_sub(self.before[0]).filter(|&y| y < self.size[0]);
            let [from, until] = if y.is_some() { [from, until] } else { [width; 2] };
            // SAFETY: a row of the target, of which the pixels of the image are a part; `first + from` is at least
            // `before`. Rows are whole vectors, and packing writes nothing beyond them.
            unsafe {
                row.write_bytes(0, from * self.lanes);
                if let Some(y) = y.filter(|_| from < until) {
                    let panel = Panel {
                        src: image.add(y * self.size[1] + first + from - self.before[1]),
                        stride: (self.size[0] * self.size[1]) as isize,
                        k_stride: 1,
                        width: self.lanes,
                        valid: self.channels,
                        k: until - from,
                    };
                    (self.kernels.pack)(&panel, row.add(from * self.lanes));
                }
                row.add(until * self.lanes).write_bytes(0, (width - until) * self.lanes);
            }
        }
    }

    /// Returns the requests for the pixels that [`read`](Self::read) will copy for a block of a group.
    fn requests(&self, block: &TileBlock, [group, groups]: [usize; 2], from: &[T]) -> Requests<T> {
        let inside = |axis: usize, tiles: &Range<usize>| {
            let pixel = |i: usize| i.saturating_sub(self.before[axis]).min(self.size[axis]);
            pixel(2 * tiles.start)..pixel(2 * tiles.end + self.reach)
        };
        let (rows, cols) = (inside(0, &block.rows), inside(1, &block.cols));
        let (area, row) = (self.size[0] * self.size[1], self.size[1]);
        let first = (block.images.start * groups + group) * self.channels * area;
        let mut counts = [block.images.len(), self.channels, rows.len()];
        let mut len = cols.len();
        // Whole rows, planes and images follow each other.
        for (axis, whole) in [(2, row), (1, area), (0, self.channels * area)] {
            if len == whole && (axis > 0 || groups == 1) {
                len *= std::mem::replace(&mut counts[axis], 1);
            }
        }
        Requests {
            first: from.as_ptr().wrapping_add(first + rows.start * row + cols.start),
            counts,
            steps: [groups * self.channels * area, area, row],
            len,
            run: 0,
            at: 0,
        }
    }

    /// Returns where the squares of a row of tiles are in a copy with this many tiles in a row.
    fn points(&self, cols: usize) -> Squares {
        let row = (self.len(cols) * self.lanes) as isize;
        Squares { row, col: self.lanes as isize, tile: 2 * self.lanes }
    }
}

/// Runs of numbers that are requested line by line: runs `[i, j, k]` below `counts` of `len` numbers each, at
/// `first + i*steps[0] + j*steps[1] + k*steps[2]`.
struct Requests<T> {
    first: *const T,
    counts: [usize; 3],
    steps: [usize; 3],
    len: usize,
    /// The run and the place in it that come next.
    run: usize,
    at: usize,
}

impl<T> Requests<T> {
    /// Returns the number of lines. A run may begin within a line.
    fn lines(&self) -> usize {
        self.counts.iter().product::<usize>() * (self.len + PER_LINE - 1).div_ceil(PER_LINE)
    }

    /// Requests the next lines, at most `lines`. Returns how many are left of `lines`.
    fn send(&mut self, mut lines: usize) -> usize {
        let [_, b, c] = self.counts;
        while lines > 0 && self.run < self.counts.iter().product() {
            let place = [self.run / (b * c), self.run / c % b, self.run % c];
            let start: usize = place.iter().zip(self.steps).map(|(i, step)| i * step).sum();
            while lines > 0 && self.at < self.len + PER_LINE - 1 {
                prefetch(self.first.wrapping_add(start + self.at), PER_LINE);
                self.at += PER_LINE;
                lines -= 1;
            }
            if self.at >= self.len + PER_LINE - 1 {
                (self.run, self.at) = (self.run + 1, 0);
            }
        }
        lines
    }
}

/// Returns where the positions of the tiles are: point (i, j) is position 4i + j.
fn positions(position: usize, channels: usize) -> Squares {
    Squares { row: 4 * position as isize, col: position as isize, tile: channels }
}

/// Returns the transforms of a type that has the method.
fn transforms<T: Gemm>() -> &'static TileTransforms<T> {
    T::kernels().winograd.as_ref().expect("`applies` asks for them")
}

/// Maximum number of products that are added one after the other. Their sums are added to those of the chains before, which
/// keeps the rounding error at that of the plain method. Longer chains are not faster.
const CHAIN: usize = 32;

/// Computes the products of all positions, and sends the requests meanwhile: if `OFTEN`, after each call of the micro-kernel,
/// otherwise before the products of a position. Where each call computes few products, more work between the calls does not pay.
///
/// # Safety
/// As [`TileProduct::multiply`].
unsafe fn multiply<T: Gemm, const OFTEN: bool>(
    product: impl Fn(usize) -> TileProduct<T>,
    requests: &mut [Requests<T>],
) {
    let lines: usize = requests.iter().map(Requests::lines).sum();
    let calls = if OFTEN { product(0).calls() } else { 1 };
    let lines = lines.div_ceil(POSITIONS * calls);
    for position in 0..POSITIONS {
        if !OFTEN {
            send(requests, lines);
        }
        // SAFETY: by the contract.
        unsafe { product(position).multiply::<OFTEN>(requests, lines) };
    }
}

/// Sends the next requests, at most `lines`.
fn send<T>(requests: &mut [Requests<T>], lines: usize) {
    requests.iter_mut().fold(lines, |lines, requests| requests.send(lines));
}

/// A matrix product C = A·B, or C += A·B, with B and C in rows of whole vectors.
struct TileProduct<T> {
    a: *const T,
    a_row: usize,
    a_col: usize,
    b: *const T,
    c: *mut T,
    /// Elements of a row of B and of C.
    width: usize,
    rows: usize,
    k: usize,
    accumulate: bool,
}

impl<T: Gemm> TileProduct<T> {
    /// Returns how often the micro-kernel is called.
    fn calls(&self) -> usize {
        let kernels = T::kernels();
        let vectors = self.width / kernels.lanes;
        let parts = vectors.div_ceil(kernels.vectors);
        let height = kernels.outer[0][vectors.div_ceil(parts) - 1].len();
        parts * self.rows.div_ceil(height) * self.k.div_ceil(CHAIN)
    }

    /// Computes the product. If `OFTEN`, sends some requests after each call of the micro-kernel.
    ///
    /// # Safety
    /// A has these rows and columns, B and C have k and `rows` rows.
    unsafe fn multiply<const OFTEN: bool>(&self, requests: &mut [Requests<T>], lines: usize) {
        let kernels = T::kernels();
        let vectors = self.width / kernels.lanes;
        let outer = &kernels.outer[usize::from(self.a_row == 1)];
        for part in pieces(vectors, vectors.div_ceil(kernels.vectors)) {
            let (first, heights) = (part.start * kernels.lanes, outer[part.len() - 1]);
            for rows in pieces(self.rows, self.rows.div_ceil(heights.len())) {
                for (i, steps) in pieces(self.k, self.k.div_ceil(CHAIN)).enumerate() {
                    let tile = Outer {
                        k: steps.len(),
                        a: self.a.wrapping_add(rows.start * self.a_row + steps.start * self.a_col),
                        a_row: self.a_row as isize,
                        a_col: self.a_col as isize,
                        b: self.b.wrapping_add(steps.start * self.width + first),
                        b_row: self.width as isize,
                        c: self.c.wrapping_add(rows.start * self.width + first),
                        ldc: self.width,
                        last: kernels.lanes,
                        accumulate: self.accumulate || i > 0,
                        fetch: false,
                    };
                    // SAFETY: the caller's promise; the tile is a part of the product.
                    unsafe { (heights[rows.len() - 1])(&tile) };
                    if OFTEN {
                        send(requests, lines);
                    }
                }
            }
        }
    }
}
