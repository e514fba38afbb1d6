//! Copies of transposed matrices.
//!
//! Read in the order of the result, a transposed matrix takes one element from each cache line, and comes back to
//! the line when it is no longer in the cache. A *tile* is a square of L×L elements, where L elements fill a vector: L
//! vectors are read along the rows of the source, transposed in registers, and written along the rows of the result. So
//! each line is read once and written once.

#[cfg(target_arch = "x86_64")]
use super::gemm::Vector;
#[cfg(target_arch = "x86_64")]
use crate::machine::{Isa, Kernel, x86};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m256d};
use std::ops::Range;

/// A matrix whose columns are contiguous: element (i, j) is `source[i + j·step]`. It is copied to `target[i·row + j]`.
#[derive(Clone, Copy)]
pub(super) struct Transposed<T> {
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

/// An element type whose matrices can be transposed.
pub(super) trait Transpose: Copy {
    /// Copies the matrix.
    ///
    /// # Safety
    /// The source has every element of the matrix, the target has room for it, and they do not overlap.
    unsafe fn transpose(matrix: Transposed<Self>) {
        // SAFETY: the same contract.
        unsafe { squares(matrix, [0, 0]) }
    }
}
impl Transpose for u8 {}
impl Transpose for bool {}

/// Types of the size of a float are copied as floats: a copy through a vector keeps every bit. Vectors of 256 bits
/// are enough: transposing wider ones takes more steps for each element.
macro_rules! as_floats {
    ($($t:ident as $float:ident: $vector:ident;)*) => { $(
        impl Transpose for $t {
            unsafe fn transpose(matrix: Transposed<$t>) {
                #[cfg(target_arch = "x86_64")]
                let done = if x86::level() >= x86::AVX2 {
                    let Transposed { source, step, target, row, sizes } = matrix;
                    let (source, target) = (source.cast::<$float>(), target.cast::<$float>());
                    let matrix = Transposed { source, step, target, row, sizes };
                    // SAFETY: the processor has the instructions; and by the contract.
                    unsafe { x86::avx2(Tiles::<$vector> { matrix }) }
                } else {
                    [0, 0]
                };
                #[cfg(not(target_arch = "x86_64"))]
                let done = [0, 0];
                // SAFETY: the same contract.
                unsafe { squares(matrix, done) }
            }
        }
    )* };
}
as_floats! {
    f32 as f32: __m256;
    u32 as f32: __m256;
    f64 as f64: __m256d;
    i64 as f64: __m256d;
}

/// Copies the whole tiles of a matrix. Returns the numbers of rows and columns that are copied.
#[cfg(target_arch = "x86_64")]
struct Tiles<V: Vector> {
    matrix: Transposed<V::Scalar>,
}

#[cfg(target_arch = "x86_64")]
impl<V: Vector> Kernel for Tiles<V> {
    type Output = [usize; 2];
    #[inline(always)]
    fn run<I: Isa>(self) -> [usize; 2] {
        let Transposed { source, step, target, row, sizes } = self.matrix;
        let [rows, columns] = sizes.map(|size| size - size % V::LANES);
        for top in (0..rows).step_by(ROWS) {
            for left in (0..columns).step_by(COLUMNS) {
                for i in (top..rows.min(top + ROWS)).step_by(V::LANES) {
                    for j in (left..columns.min(left + COLUMNS)).step_by(V::LANES) {
                        // SAFETY: the tile lies within the matrix; whoever makes a `Tiles` promises the contract of
                        // `Transpose::transpose` and the instructions.
                        unsafe {
                            let from = source.offset(i as isize + j as isize * step);
                            V::transpose(from, step, V::LANES, target.add(i * row + j), row);
                        }
                    }
                }
            }
        }
        [rows, columns]
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
