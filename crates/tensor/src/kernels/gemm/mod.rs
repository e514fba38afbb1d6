//! The matrix product, C = A·B, for `f32` and `f64`.
//!
//! It is blocked and packed after Goto and van de Geijn, "Anatomy of High-Performance Matrix
//! Multiplication" (2008): a tile of C stays in registers, a panel of B in the L1 cache, a block of
//! A in the L2 cache. Operands that are read only a few times are not packed.
//!
//! The result does not depend on the number of threads: the method is chosen from the whole shape,
//! k is never split among threads, and the shape of a tile does not change the order in which the
//! products of one element are added.

mod blocked;
mod kernel_table;
mod microkernel;
#[cfg(target_arch = "aarch64")]
mod neon;
mod pack;
#[cfg(test)]
mod tests;
mod tiles;
mod vector;
mod window;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::machine::{cost, parts, threads_for};
use crate::number::Real;
pub use kernel_table::KernelTable;
pub(crate) use microkernel::Outer;
pub(crate) use pack::{Panel, Use, with_buffer};
pub(crate) use tiles::{Results, Squares, TileTransform, TileTransforms, Unpack};
pub(crate) use vector::Vector;
pub(crate) use window::{Correlate, Dots, Gather, PixelRun, Weigh};

/// A matrix in memory: element (i, j) at `ptr + i*row_stride + j*col_stride`.
/// Strides count elements and may be zero or negative.
#[derive(Clone, Copy, Debug)]
pub struct MatRef<T> {
    /// Element (0, 0).
    pub ptr: *const T,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// Stride from a row to the next.
    pub row_stride: isize,
    /// Stride from a column to the next.
    pub col_stride: isize,
}

// SAFETY: it is an address; a caller that reads through it promises that the read is allowed.
unsafe impl<T: Sync> Send for MatRef<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for MatRef<T> {}

impl<T> MatRef<T> {
    /// Returns the transpose, in the same memory.
    #[must_use]
    pub fn t(self) -> Self {
        Self {
            ptr: self.ptr,
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
        }
    }

    /// Returns the address of element (i, j), which may be outside the matrix.
    #[inline(always)]
    fn at(&self, i: usize, j: usize) -> *const T {
        self.ptr.wrapping_offset(i as isize * self.row_stride + j as isize * self.col_stride)
    }
}

/// Element types that have a matrix product: `f32` and `f64`.
pub trait Gemm: Real {
    #[doc(hidden)]
    fn kernels() -> &'static KernelTable<Self>;
}

/// Computes C = A·B, or C += A·B if `accumulate`. C has the rows of A and the columns of B. Its
/// rows are contiguous, with stride `ldc`. If k = 0, the product is zero.
///
/// Large products are distributed over several threads.
///
/// # Safety
/// `a.cols == b.rows`; all elements of A and B can be read, all of C written; C overlaps neither.
/// C need not be initialised unless `accumulate`.
pub unsafe fn gemm<T: Gemm>(a: MatRef<T>, b: MatRef<T>, c: *mut T, ldc: usize, accumulate: bool) {
    debug_assert_eq!(a.cols, b.rows);
    // SAFETY: the caller promises what `Product` asks for.
    unsafe { Product::new(T::kernels(), a, b, c, ldc, accumulate).run() }
}

/// Returns whether the product of two matrices adds the products of each element one by one in the order of k, and
/// whether it then rounds a product and its sum once where the instruction set can.
pub(crate) fn adds_in_order<T: Gemm>(a: MatRef<T>, b: MatRef<T>) -> Option<bool> {
    match Product::new(T::kernels(), a, b, std::ptr::null_mut(), b.cols, false).method {
        Method::Elements => Some(false),
        Method::Outer | Method::Swapped => Some(true),
        Method::Inner => None,
    }
}

/// The method by which a product is computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Method {
    /// One element at a time, for products so small that any other method costs more to set up.
    Elements,
    /// Dot products along k, with vectors along k.
    Inner,
    /// Sums of outer products, with vectors along the rows of C.
    Outer,
    /// Sums of outer products for the transpose of C, where C is narrow.
    Swapped,
}

/// A product, or a part of one.
#[derive(Clone, Copy)]
struct Product<T: 'static> {
    kernels: &'static KernelTable<T>,
    method: Method,
    a: MatRef<T>,
    b: MatRef<T>,
    c: *mut T,
    ldc: usize,
    accumulate: bool,
}

// SAFETY: parts that go to different threads write different elements of C.
unsafe impl<T: Sync> Sync for Product<T> {}

/// A product of at most this many multiplications is computed one element at a time.
const FEW: usize = 100;
/// Dot products are used only if one side of C is no longer than this.
const NARROW: usize = 24;
/// Vectors do not lie along a side of C that is no longer than this.
const VERY_NARROW: usize = 12;
/// Minimum number of multiplications in the part of one thread: about 5 µs with AVX2.
const PART: usize = 1 << 18;
/// The number of multiplications that take about as long as one elementary step of [`parts`].
const PER_STEP: usize = 8;

/// Returns ⌈long·part/parts⌉. Computes in 64 bits, because the product can overflow an address of 32 bits.
fn share(long: usize, part: usize, parts: usize) -> usize {
    (long as u64 * part as u64).div_ceil(parts as u64) as usize
}

impl<T: Gemm> Product<T> {
    fn new(
        kernels: &'static KernelTable<T>,
        a: MatRef<T>,
        b: MatRef<T>,
        c: *mut T,
        ldc: usize,
        accumulate: bool,
    ) -> Self {
        let (m, n, k) = (a.rows, b.cols, a.cols);
        // Dot products need operands whose k is contiguous. Copying the operand of the longer side
        // for this does not pay. Copying a very narrow operand does, because vectors along its
        // narrow side would leave lanes idle.
        let worth =
            |side: usize, contiguous: bool| side <= if contiguous { NARROW } else { VERY_NARROW };
        let (a_k, b_k) = (a.col_stride == 1, b.row_stride == 1);
        let method = if cost(&[m, n, k]) <= FEW {
            Method::Elements
        } else if k >= 2 * kernels.lanes && ((b_k && worth(m, a_k)) || (a_k && worth(n, b_k))) {
            Method::Inner
        } else if a.row_stride == 1 && n <= VERY_NARROW && !n.is_multiple_of(kernels.lanes) && m > n
        {
            Method::Swapped
        } else {
            Method::Outer
        };
        // Where the rows of C do not fill a vector, vectors of half the length need no mask, and B
        // needs no packing.
        let half = kernels.half.filter(|half| method == Method::Outer && n <= half.lanes);
        Self { kernels: half.unwrap_or(kernels), method, a, b, c, ldc, accumulate }
    }

    /// Computes the product, in parallel if it is large.
    ///
    /// # Safety
    /// As [`gemm`]; the processor has the instructions of `kernels`.
    unsafe fn run(self) {
        let (m, n) = (self.a.rows, self.b.cols);
        let work = cost(&[m, n, self.a.cols]);
        let threads = threads_for(work / PER_STEP).min(work / PART);
        if threads < 2 {
            // SAFETY: the caller's promises.
            return unsafe { self.run_here() };
        }
        // The longer side of C is cut at multiples of a tile.
        let (lanes, vectors) = (self.kernels.lanes, self.kernels.vectors);
        let unit = if n >= m { vectors * lanes } else { self.kernels.outer[0][vectors - 1].len() };
        let long = m.max(n);
        let cut = |part: usize| share(long, part, threads).next_multiple_of(unit).min(long);
        parts(threads, work / PER_STEP, &|part| {
            let (from, until) = (cut(part), cut(part + 1));
            if from < until {
                let part = if n >= m { self.columns(from, until) } else { self.rows(from, until) };
                // SAFETY: the caller's promises hold for each part; the parts of C are apart.
                unsafe { part.run_here() };
            }
        });
    }

    /// Returns the part of the product that computes these columns of C.
    fn columns(&self, from: usize, until: usize) -> Self {
        let b = MatRef { cols: until - from, ptr: self.b.at(0, from), ..self.b };
        Self { b, c: self.c.wrapping_add(from), ..*self }
    }

    /// Returns the part of the product that computes these rows of C.
    fn rows(&self, from: usize, until: usize) -> Self {
        let a = MatRef { rows: until - from, ptr: self.a.at(from, 0), ..self.a };
        Self { a, c: self.c.wrapping_add(from * self.ldc), ..*self }
    }

    /// Computes the product on this thread.
    unsafe fn run_here(&self) {
        // SAFETY: the caller's promises.
        unsafe {
            match self.method {
                _ if self.a.rows == 0 || self.b.cols == 0 => {}
                Method::Elements => self.elements(),
                Method::Inner => blocked::inner(self),
                Method::Outer => blocked::outer(self),
                Method::Swapped => blocked::swapped(self),
            }
        }
    }

    unsafe fn elements(&self) {
        let (m, n, k) = (self.a.rows, self.b.cols, self.a.cols);
        for i in 0..m {
            for j in 0..n {
                let mut sum = T::default();
                for p in 0..k {
                    // SAFETY: inside A and B.
                    sum = sum + unsafe { *self.a.at(i, p) * *self.b.at(p, j) };
                }
                let c = self.c.wrapping_add(i * self.ldc + j);
                // SAFETY: inside C; it is read only where the caller has promised a value.
                unsafe { *c = if self.accumulate { *c + sum } else { sum } };
            }
        }
    }
}
