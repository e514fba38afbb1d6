//! Copies of transposed matrices.
//!
//! Read in the order of the result, a transposed matrix takes one element from each cache line, and comes back to
//! the line when it is no longer in the cache. A *tile* is a square of L×L elements, where L elements fill a vector: L
//! vectors are read along the rows of the source, transposed in registers, and written along the rows of the result. So
//! each line is read once and written once.
//!
//! A matrix of up to four rows or columns has no tiles. A loop over its few numbers of constant length becomes shuffles:
//! images whose channels lie side by side are such matrices.
#![allow(clippy::needless_range_loop)] // the indices are the numbers of rows and columns

#[cfg(target_arch = "x86_64")]
use super::gemm::Vector;
use crate::machine::simd;
#[cfg(target_arch = "x86_64")]
use crate::machine::{Isa, Kernel, LINE, x86};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m128i, __m256, __m256d, _mm_loadu_si128, _mm_setzero_si128, _mm_storeu_si128,
    _mm_unpackhi_epi8, _mm_unpacklo_epi8,
};
#[cfg(target_arch = "x86_64")]
use std::mem::MaybeUninit;
use std::ops::Range;
use std::slice::{from_raw_parts, from_raw_parts_mut};

/// A matrix whose columns are contiguous: element (i, j) is `source[i + j·step]`. It is copied to `target[i·row + j]`.
#[derive(Clone, Copy)]
pub(crate) struct Transposed<T> {
    pub source: *const T,
    pub step: isize,
    pub target: *mut T,
    pub row: usize,
    /// The number of rows, of which `i` is one, and of columns.
    pub sizes: [usize; 2],
}

/// Side of the squares that are copied at a time where tiles are not used: some lines of the source and of the target
/// stay in the cache.
const SQUARE: usize = 16;
/// Rows and columns that tiles are grouped by: neighbouring lines of the source, and one line of the target.
#[cfg(target_arch = "x86_64")]
const ROWS: usize = 64;
#[cfg(target_arch = "x86_64")]
const COLUMNS: usize = 16;
/// Lines that the first cache keeps for addresses whose distance is a multiple of `PERIOD` bytes.
#[cfg(target_arch = "x86_64")]
const WAYS: usize = 8;
#[cfg(target_arch = "x86_64")]
const PERIOD: usize = 4096;

/// An element type whose matrices can be transposed.
pub(crate) trait Transpose: Copy {
    /// Copies the matrix.
    ///
    /// # Safety
    /// The source has every element of the matrix, the target has room for it, and they do not overlap.
    unsafe fn transpose(matrix: Transposed<Self>);
}

/// Types of the same size are copied as one type, which keeps every bit. Vectors of 256 bits are enough: transposing
/// wider ones takes more steps for each element.
macro_rules! copied_as {
    ($($t:ident as $like:ident: $tile:ident;)*) => { $(
        impl Transpose for $t {
            unsafe fn transpose(matrix: Transposed<$t>) {
                let Transposed { source, step, target, row, sizes } = matrix;
                let (source, target) = (source.cast::<$like>(), target.cast::<$like>());
                let matrix = Transposed { source, step, target, row, sizes };
                // SAFETY: the same contract.
                unsafe {
                    if few(matrix) {
                        return;
                    }
                    #[cfg(target_arch = "x86_64")]
                    let done = if x86::level() >= x86::AVX2 {
                        // The processor has the instructions.
                        x86::avx2(Tiles::<$tile> { matrix })
                    } else {
                        [0, 0]
                    };
                    #[cfg(not(target_arch = "x86_64"))]
                    let done = [0, 0];
                    squares(matrix, done);
                }
            }
        }
    )* };
}
copied_as! {
    f32 as f32: __m256;
    u32 as f32: __m256;
    f64 as f64: __m256d;
    i64 as f64: __m256d;
    u8 as u8: __m128i;
    bool as u8: __m128i;
}

/// Copies a matrix of two to four columns, if its rows lie one after the other in the target, or of two to four rows, if
/// its columns lie one after the other in the source. Returns whether it has.
///
/// # Safety
/// As [`Transpose::transpose`].
unsafe fn few<T: Copy>(matrix: Transposed<T>) -> bool {
    let Transposed { step, row, sizes: [rows, columns], .. } = matrix;
    // SAFETY: the same contract.
    unsafe {
        match (columns, rows) {
            (2, _) if row == 2 => joined::<T, 2>(matrix),
            (3, _) if row == 3 => joined::<T, 3>(matrix),
            (4, _) if row == 4 => joined::<T, 4>(matrix),
            (_, 2) if step == 2 => parted::<T, 2>(matrix),
            (_, 3) if step == 3 => parted::<T, 3>(matrix),
            (_, 4) if step == 4 => parted::<T, 4>(matrix),
            _ => return false,
        }
    }
    true
}

/// Copies N columns to a target without gaps.
///
/// # Safety
/// As [`Transpose::transpose`], and `row` and the number of columns are N.
unsafe fn joined<T: Copy, const N: usize>(matrix: Transposed<T>) {
    let Transposed { source, step, target, sizes: [rows, _], .. } = matrix;
    // SAFETY: by the contract.
    let (columns, out): ([&[T]; N], _) = unsafe {
        (
            std::array::from_fn(|j| from_raw_parts(source.offset(j as isize * step), rows)),
            from_raw_parts_mut(target.cast::<[T; N]>(), rows),
        )
    };
    simd(
        #[inline(always)]
        move || {
            let columns = columns.map(|column| &column[..out.len()]);
            for i in 0..out.len() {
                for j in 0..N {
                    out[i][j] = columns[j][i];
                }
            }
        },
    );
}

/// Copies N rows from a source without gaps.
///
/// # Safety
/// As [`Transpose::transpose`], and `step` and the number of rows are N.
unsafe fn parted<T: Copy, const N: usize>(matrix: Transposed<T>) {
    let Transposed { source, target, row, sizes: [_, columns], .. } = matrix;
    // SAFETY: by the contract; the rows of the target are disjoint.
    let (x, rows): (_, [&mut [T]; N]) = unsafe {
        (
            from_raw_parts(source.cast::<[T; N]>(), columns),
            std::array::from_fn(|i| from_raw_parts_mut(target.add(i * row), columns)),
        )
    };
    simd(
        #[inline(always)]
        move || {
            let rows = rows.map(|row| &mut row[..x.len()]);
            for j in 0..x.len() {
                for i in 0..N {
                    rows[i][j] = x[j][i];
                }
            }
        },
    );
}

/// A square of elements that is transposed in registers.
#[cfg(target_arch = "x86_64")]
trait TransposedTile {
    type Element;
    /// The number of rows, and of columns.
    const SIDE: usize;
    /// Copies the tile whose columns begin `step` elements apart to rows that begin `row` elements apart.
    ///
    /// # Safety
    /// The source and the target have the tile, and the processor has AVX2.
    unsafe fn turn(
        source: *const Self::Element,
        step: isize,
        target: *mut Self::Element,
        row: usize,
    );
}

#[cfg(target_arch = "x86_64")]
macro_rules! tiles_of_floats {
    ($($vector:ident of $t:ident;)*) => { $(
        impl TransposedTile for $vector {
            type Element = $t;
            const SIDE: usize = <$vector as Vector>::LANES;
            #[inline(always)]
            unsafe fn turn(source: *const $t, step: isize, target: *mut $t, row: usize) {
                // SAFETY: the same contract.
                unsafe { <$vector as Vector>::transpose(source, step, Self::SIDE, target, row) }
            }
        }
    )* };
}
#[cfg(target_arch = "x86_64")]
tiles_of_floats! {
    __m256 of f32;
    __m256d of f64;
}

/// Bytes. 128-bit vectors are enough: wider ones interleave their halves separately.
#[cfg(target_arch = "x86_64")]
impl TransposedTile for __m128i {
    type Element = u8;
    const SIDE: usize = 16;
    #[inline(always)]
    unsafe fn turn(source: *const u8, step: isize, target: *mut u8, row: usize) {
        // SAFETY: by the contract.
        unsafe {
            let mut tile = [_mm_setzero_si128(); 16];
            for j in 0..16 {
                tile[j] = _mm_loadu_si128(source.offset(j as isize * step).cast());
            }
            // Interleaving the halves of the tile turns the 8 bits of each element's place, row before column, by one.
            // Turned by four, they are column before row.
            for _ in 0..4 {
                let from = tile;
                for j in 0..8 {
                    tile[2 * j] = _mm_unpacklo_epi8(from[j], from[j + 8]);
                    tile[2 * j + 1] = _mm_unpackhi_epi8(from[j], from[j + 8]);
                }
            }
            for i in 0..16 {
                _mm_storeu_si128(target.add(i * row).cast(), tile[i]);
            }
        }
    }
}

/// A square of tiles, as wide as a line of the cache.
#[cfg(target_arch = "x86_64")]
#[repr(align(64))]
struct LineBlock(MaybeUninit<[u8; LINE * LINE]>);

/// Copies the whole tiles of a matrix. Returns the numbers of rows and columns that are copied.
#[cfg(target_arch = "x86_64")]
struct Tiles<V: TransposedTile> {
    matrix: Transposed<V::Element>,
}

#[cfg(target_arch = "x86_64")]
impl<V: TransposedTile> Kernel for Tiles<V> {
    type Output = [usize; 2];
    #[inline(always)]
    fn run<I: Isa>(self) -> [usize; 2] {
        let Transposed { row, sizes, .. } = self.matrix;
        let whole = sizes.map(|size| size - size % V::SIDE);
        // Where the rows of a block of the target fall on few places of the cache, its lines push each other out.
        let line = LINE / size_of::<V::Element>();
        let crowded = row * size_of::<V::Element>() % (2 * WAYS * PERIOD / line) == 0;
        if crowded && line > WAYS {
            self.blocks(whole);
        } else {
            self.groups(whole);
        }
        whole
    }
}

#[cfg(target_arch = "x86_64")]
impl<V: TransposedTile> Tiles<V> {
    /// Copies tiles to the target.
    #[inline(always)]
    fn groups(self, [rows, columns]: [usize; 2]) {
        let Transposed { source, step, target, row, .. } = self.matrix;
        for top in (0..rows).step_by(ROWS) {
            for left in (0..columns).step_by(COLUMNS) {
                for i in (top..rows.min(top + ROWS)).step_by(V::SIDE) {
                    for j in (left..columns.min(left + COLUMNS)).step_by(V::SIDE) {
                        // SAFETY: the tile lies within the matrix; whoever makes a `Tiles` promises the contract of
                        // `Transpose::transpose` and the instructions.
                        unsafe {
                            let from = source.offset(i as isize + j as isize * step);
                            V::turn(from, step, target.add(i * row + j), row);
                        }
                    }
                }
            }
        }
    }

    /// Copies tiles to a block, and the block to the target, so that each line of the target is written at once.
    #[inline(always)]
    fn blocks(self, [rows, columns]: [usize; 2]) {
        let Transposed { source, step, target, row, .. } = self.matrix;
        let line = LINE / size_of::<V::Element>();
        let mut block = LineBlock(MaybeUninit::uninit());
        let block: *mut V::Element = block.0.as_mut_ptr().cast();
        for top in (0..rows).step_by(line) {
            let height = line.min(rows - top);
            for left in (0..columns).step_by(line) {
                let width = line.min(columns - left);
                // SAFETY: as in `groups`; and the block has room for the tiles.
                unsafe {
                    let source = source.offset(top as isize + left as isize * step);
                    for j in (0..width).step_by(V::SIDE) {
                        for i in (0..height).step_by(V::SIDE) {
                            let from = source.offset(i as isize + j as isize * step);
                            V::turn(from, step, block.add(i * line + j), line);
                        }
                    }
                    for i in 0..height {
                        let (from, to) = (block.add(i * line), target.add((top + i) * row + left));
                        if width == line {
                            to.cast::<[u8; LINE]>().write_unaligned(*from.cast());
                        } else {
                            from.copy_to_nonoverlapping(to, width);
                        }
                    }
                }
            }
        }
    }
}

/// Copies the elements outside the first `done` rows and columns, by squares.
///
/// # Safety
/// As [`Transpose::transpose`].
unsafe fn squares<T: Copy>(matrix: Transposed<T>, done: [usize; 2]) {
    let Transposed { source, step, target, row, sizes: [rows, columns] } = matrix;
    let square = |rows: Range<usize>, columns: Range<usize>| {
        for i in rows {
            for j in columns.clone() {
                // SAFETY: by the contract.
                unsafe {
                    let x = *source.offset(i as isize + j as isize * step);
                    *target.add(i * row + j) = x;
                }
            }
        }
    };
    let part = |rows: Range<usize>, columns: Range<usize>| {
        for top in rows.clone().step_by(SQUARE) {
            for left in columns.clone().step_by(SQUARE) {
                let (bottom, right) = (rows.end.min(top + SQUARE), columns.end.min(left + SQUARE));
                square(top..bottom, left..right);
            }
        }
    };
    part(0..done[0], done[1]..columns);
    part(done[0]..rows, 0..columns);
}
