//! The loops over cache blocks and panels around the micro-kernels, for one thread.

use super::microkernel::{Inner, Outer};
use super::pack::{Panel, Use, with_buffer};
use super::{Gemm, MatRef, Product};
use crate::machine::cost;

/// Length of a cache block along k. A panel of B of this length stays in the L2 cache together with a
/// block of A. A longer k is cut into blocks of nearly equal length.
const KC: usize = 512;
/// Rows of A in a cache block.
const MC: usize = 144;
/// Columns of B in a cache block, which fits in the last-level cache.
const NC: usize = 4096;
/// Size in bytes of a block of B that stays in the L1 cache together with the rows of C that are
/// being computed. For such a block the loop over the panels of A is the outer one.
const NEAR: usize = 16 << 10;
/// Length of a block along k for dot products.
const INNER_KC: usize = 1024;
/// An operand is packed if at least this many tiles read each of its panels, and the panels have at
/// least [`SHORT`] steps.
const REUSE: usize = 5;
/// Distance in bytes between the steps of A from which the lines of a panel displace each other in the L1 cache, if it
/// has at least [`LONG`] steps. It is then packed for two tiles already.
const FAR: usize = 2048;
/// See [`FAR`].
const LONG: usize = 256;
/// Size in bytes of an operand B that stays in the L2 cache. Its rows are read in place, if they are multiplied with one
/// block of A: they come from that cache as fast as the tiles use them.
const NEAR_B: usize = 256 << 10;
/// Minimum number of steps of a panel that is packed. Shorter panels fit in the cache in any layout.
const SHORT: usize = 32;
/// Minimum number of steps that hide the time until a tile of C has come from memory.
const FETCH: usize = 64;

/// Cuts `len` into `parts` nearly equal pieces. Yields the start and length of each.
#[inline(always)]
fn pieces(len: usize, parts: usize) -> impl Iterator<Item = (usize, usize)> {
    let (each, longer) = (len / parts, len % parts);
    let mut next = 0;
    (0..parts).map(move |i| {
        let (start, size) = (next, each + usize::from(i < longer));
        next += size;
        (start, size)
    })
}

/// Cuts k into nearly equal blocks of at most `longest` steps (a multiple of 16). Each block begins
/// at a multiple of 16, a multiple of a cache line.
#[inline(always)]
fn k_blocks(k: usize, longest: usize) -> impl Iterator<Item = (usize, usize)> {
    let kc = k_block(k, longest);
    (0..k.div_ceil(kc).max(1)).map(move |i| (i * kc, kc.min(k - i * kc)))
}

/// Returns the length of the longest of these blocks.
fn k_block(k: usize, longest: usize) -> usize {
    k.div_ceil(k.div_ceil(longest).max(1)).next_multiple_of(16).max(16)
}

/// Computes C (+)= A·B by outer products of panels.
///
/// # Safety
/// As [`super::gemm`], with C not empty.
pub unsafe fn outer<T: Gemm>(product: &Product<T>) {
    let Product { kernels, a, b, .. } = *product;
    let (m, n, lanes) = (a.rows, b.cols, kernels.lanes);
    let heights = |vectors: usize| kernels.outer[0][vectors - 1].len();
    let vectors = if m <= heights(4) { 4 } else { kernels.vectors }.min(n.div_ceil(lanes));
    let rows = heights(vectors);
    let (m_blocks, n_blocks) = (m.div_ceil(MC), n.div_ceil(NC));
    let kc = k_block(a.cols, KC).min(a.cols);
    let step = a.col_stride.unsigned_abs().saturating_mul(size_of::<T>());
    let reuse_a = if step >= FAR && kc >= LONG { 2 } else { REUSE };
    let packs_a = kc >= SHORT && m > 2 * rows && n.div_ceil(vectors * lanes) >= reuse_a;
    let near = m_blocks == 1 && cost(&[a.cols, n, size_of::<T>()]) <= NEAR_B;
    let packs_b = b.col_stride != 1 || (kc >= SHORT && m.div_ceil(rows) >= REUSE && !near);
    // Where each panel of B is multiplied with a single block of A, it is packed just before, and the
    // next panel takes its place in the cache.
    let singly = packs_b && m_blocks == 1 && kc * n * size_of::<T>() > NEAR;
    let columns_b = if singly { vectors * lanes } else { n.div_ceil(n_blocks) };
    let room_b = kc * columns_b.next_multiple_of(lanes) + lanes;
    let room_a = if packs_a { kc * m.div_ceil(m_blocks) + lanes } else { 0 };
    with_buffer(Use::Panels, room_b + room_a, |packed_b: *mut T| {
        let packed_a = packed_b.wrapping_add(room_b);
        let blocks = Blocks { product, vectors, rows, packs_a, packs_b, packed_a, packed_b };
        for columns in pieces(n, n_blocks) {
            for steps in k_blocks(a.cols, KC) {
                // SAFETY: the caller's promises; the blocks are inside A and B and fit the buffer.
                unsafe {
                    if singly {
                        blocks.pack_a(steps, (0, m));
                        for (column, _, valid) in blocks.panels_of_b(columns.1) {
                            let panel = (columns.0 + column, valid);
                            blocks.pack_b(steps, panel);
                            blocks.multiply(steps, (0, m), panel);
                        }
                    } else {
                        blocks.pack_b(steps, columns);
                        for rows in pieces(m, m_blocks) {
                            blocks.pack_a(steps, rows);
                            blocks.multiply(steps, rows, columns);
                        }
                    }
                }
            }
        }
    });
}

/// How `outer` cuts its operands, and where it packs them. Ranges are pairs of start and length.
struct Blocks<'a, T: 'static> {
    product: &'a Product<T>,
    /// Maximum width of a panel of B, in vectors.
    vectors: usize,
    /// Maximum height of a panel of A.
    rows: usize,
    packs_a: bool,
    packs_b: bool,
    packed_a: *mut T,
    packed_b: *mut T,
}

impl<T: Gemm> Blocks<'_, T> {
    /// Yields the first row and the height of each panel in a block of A.
    #[inline(always)]
    fn panels_of_a(&self, mc: usize) -> impl Iterator<Item = (usize, usize)> {
        pieces(mc, mc.div_ceil(self.rows))
    }

    /// Yields the first column, the vectors and the columns of each panel in a block of B.
    #[inline(always)]
    fn panels_of_b(&self, nc: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let lanes = self.product.kernels.lanes;
        let vectors = nc.div_ceil(lanes);
        pieces(vectors, vectors.div_ceil(self.vectors)).map(move |(first, vectors)| {
            (first * lanes, vectors, (vectors * lanes).min(nc - first * lanes))
        })
    }

    unsafe fn pack_b(&self, (p0, kc): (usize, usize), (j0, nc): (usize, usize)) {
        let Product { kernels, b, .. } = *self.product;
        for (column, vectors, valid) in self.panels_of_b(nc) {
            let width = vectors * kernels.lanes;
            if self.packs_b || valid < width {
                let src = b.at(p0, j0 + column);
                let panel = Panel {
                    src,
                    stride: b.col_stride,
                    k_stride: b.row_stride,
                    width,
                    valid,
                    k: kc,
                };
                // SAFETY: inside B and the buffer.
                unsafe { (kernels.pack)(&panel, self.packed_b.wrapping_add(column * kc)) };
            }
        }
    }

    unsafe fn pack_a(&self, (p0, kc): (usize, usize), (i0, mc): (usize, usize)) {
        let Product { kernels, a, .. } = *self.product;
        if self.packs_a {
            for (row, height) in self.panels_of_a(mc) {
                let src = a.at(i0 + row, p0);
                let panel = Panel {
                    src,
                    stride: a.row_stride,
                    k_stride: a.col_stride,
                    width: height,
                    valid: height,
                    k: kc,
                };
                // SAFETY: inside A and the buffer.
                unsafe { (kernels.pack)(&panel, self.packed_a.wrapping_add(row * kc)) };
            }
        }
    }

    /// Computes C (+)= a block of A times a block of B.
    unsafe fn multiply(
        &self,
        (p0, kc): (usize, usize),
        (i0, mc): (usize, usize),
        (j0, nc): (usize, usize),
    ) {
        let Product { kernels, a, b, ldc, accumulate, .. } = *self.product;
        let c = self.product.c.wrapping_add(i0 * ldc + j0);
        let (a_row, a_col) = (a.row_stride, a.col_stride);
        let accumulate = accumulate || p0 > 0;
        let mut tile = Outer {
            k: kc,
            a: a.ptr,
            a_row,
            a_col,
            b: b.ptr,
            b_row: 0,
            c,
            ldc,
            last: 0,
            accumulate,
            fetch: kc >= FETCH,
        };
        let kernels_here = &kernels.outer[usize::from(self.packs_a || a_row == 1)];

        let take_rows = |tile: &mut Outer<T>, row: usize, height: usize| {
            if self.packs_a {
                tile.a = self.packed_a.wrapping_add(row * kc);
                (tile.a_row, tile.a_col) = (1, height as isize);
            } else {
                tile.a = a.at(i0 + row, p0);
            }
        };
        let take_columns = |tile: &mut Outer<T>, column: usize, vectors: usize, valid: usize| {
            let width = vectors * kernels.lanes;
            tile.last = valid + kernels.lanes - width;
            if self.packs_b || valid < width {
                tile.b = self.packed_b.wrapping_add(column * kc);
                tile.b_row = width as isize;
            } else {
                tile.b = b.at(p0, j0 + column);
                tile.b_row = b.row_stride;
            }
        };
        if nc * kc * size_of::<T>() <= NEAR {
            for (row, height) in self.panels_of_a(mc) {
                take_rows(&mut tile, row, height);
                for (column, vectors, valid) in self.panels_of_b(nc) {
                    take_columns(&mut tile, column, vectors, valid);
                    tile.c = c.wrapping_add(row * ldc + column);
                    // SAFETY: the tile is inside C, its operands are packed or inside A and B.
                    unsafe { (kernels_here[vectors - 1][height - 1])(&tile) };
                }
            }
        } else {
            for (column, vectors, valid) in self.panels_of_b(nc) {
                take_columns(&mut tile, column, vectors, valid);
                for (row, height) in self.panels_of_a(mc) {
                    take_rows(&mut tile, row, height);
                    tile.c = c.wrapping_add(row * ldc + column);
                    // SAFETY: as above.
                    unsafe { (kernels_here[vectors - 1][height - 1])(&tile) };
                }
            }
        }
    }
}

/// Computes C (+)= A·B where C is narrow: computes Bᵀ·Aᵀ, whose rows are long, and transposes it.
///
/// # Safety
/// As [`super::gemm`], with C not empty.
pub unsafe fn swapped<T: Gemm>(product: &Product<T>) {
    let Product { a, b, c, ldc, accumulate, .. } = *product;
    let (m, n) = (a.rows, b.cols);
    with_buffer(Use::Result, m * n, |transposed: *mut T| {
        let swapped =
            Product { a: b.t(), b: a.t(), c: transposed, ldc: m, accumulate: false, ..*product };
        // SAFETY: the caller's promises; the buffer holds all of the product, and then of C.
        unsafe {
            outer(&swapped);
            for j in 0..n {
                for i in 0..m {
                    let (from, to) = (transposed.add(j * m + i), c.add(i * ldc + j));
                    *to = if accumulate { *to + *from } else { *from };
                }
            }
        }
    });
}

/// Computes C (+)= A·B by dot products. An operand whose k is not contiguous is copied.
///
/// # Safety
/// As [`super::gemm`].
pub unsafe fn inner<T: Gemm>(product: &Product<T>) {
    let Product { kernels, a, b, c, ldc, accumulate, .. } = *product;
    let (m, n, k) = (a.rows, b.cols, a.cols);
    let (a_panels, b_panels) = (m.div_ceil(kernels.inner_tile.0), n.div_ceil(kernels.inner_tile.1));
    let (copies_a, copies_b) = (a.col_stride != 1, b.row_stride != 1);
    let block = |p0: usize, kc: usize, a: MatRef<T>, b: MatRef<T>| {
        let tile = |(row, rows): (usize, usize), (column, columns): (usize, usize)| {
            let tile = Inner {
                k: kc,
                a: a.at(row, 0),
                a_row: a.row_stride,
                b: b.at(0, column),
                b_col: b.col_stride,
                c: c.wrapping_add(row * ldc + column),
                ldc,
                accumulate: accumulate || p0 > 0,
            };
            // SAFETY: the tile is inside C, its operands inside A and B or their copies.
            unsafe { (kernels.inner[rows - 1][columns - 1])(&tile) };
        };
        // The panel of the longer side stays in the L1 cache while the tiles of the shorter side
        // are processed.
        if m > n {
            for i in pieces(m, a_panels) {
                for j in pieces(n, b_panels) {
                    tile(i, j);
                }
            }
        } else {
            for j in pieces(n, b_panels) {
                for i in pieces(m, a_panels) {
                    tile(i, j);
                }
            }
        }
    };
    let longest = k_block(k, INNER_KC).min(k);
    let room_a = if copies_a { longest * m + kernels.lanes } else { 0 };
    let room_b = if copies_b { longest * n + kernels.lanes } else { 0 };
    with_buffer(Use::Panels, room_a + room_b, |copy_a: *mut T| {
        let copy_b = copy_a.wrapping_add(room_a);
        for (p0, kc) in k_blocks(k, INNER_KC) {
            let mut a = MatRef { ptr: a.at(0, p0), ..a };
            let mut b = MatRef { ptr: b.at(p0, 0), ..b };
            // Pack each row of A, or column of B, as one step of a panel of width `kc`.
            let contiguous = |from: *const T, stride, k_stride, lines, to: *mut T| {
                let panel = Panel { src: from, stride, k_stride, width: kc, valid: kc, k: lines };
                // SAFETY: inside A or B, and the buffer.
                unsafe { (kernels.pack)(&panel, to) };
            };
            if copies_a {
                contiguous(a.ptr, a.col_stride, a.row_stride, m, copy_a);
                a = MatRef { ptr: copy_a, row_stride: kc as isize, ..a };
            }
            if copies_b {
                contiguous(b.ptr, b.row_stride, b.col_stride, n, copy_b);
                b = MatRef { ptr: copy_b, col_stride: kc as isize, ..b };
            }
            block(p0, kc, a, b);
        }
    });
}
