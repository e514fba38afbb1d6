//! Rows turned to columns in registers, so that each lane holds a row of its own.
//!
//! Short rows have too few numbers for vectors along them, and combining the lanes of a vector takes several steps for
//! each row. Turned, many rows are combined by the instructions that one takes.
#![allow(clippy::needless_range_loop)] // the indices are the numbers of lanes and columns

use crate::number::Scalar;
#[cfg(target_arch = "x86_64")]
use crate::{
    kernels::gemm::Vector,
    machine::{Isa, Kernel, x86},
};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m256d};

/// Number of rows that are turned at a time.
pub(super) const SIDE: usize = 32;

/// The greatest number of columns.
pub(super) const COLUMNS: usize = 32;

/// Numbers on the stack, at the start of a cache line: a vector that crosses a line is stored and loaded twice.
#[repr(align(64))]
pub(super) struct Aligned<A>(pub A);

/// `COLUMNS` columns of `SIDE` numbers, at the start of a cache line.
#[repr(align(64))]
pub(super) struct Square<T>(pub [[T; SIDE]; COLUMNS]);

impl<T: Scalar> Square<T> {
    #[inline(always)]
    pub fn new() -> Self {
        Square([[T::default(); SIDE]; COLUMNS])
    }

    /// Sets the first `n ≤ COLUMNS` columns to those of `count ≤ SIDE` rows of `n` numbers, which begin `stride` numbers
    /// apart, the first at the start of `x`. The other columns, and the other numbers of each column, have any value.
    /// Numbers behind the rows may be read, too.
    #[inline(always)]
    pub fn fill(&mut self, x: &[T], stride: usize, n: usize, count: usize) {
        if count == SIDE {
            match n {
                1 if stride == 1 => return self.split::<1>(x),
                2 if stride == 2 => return self.split::<2>(x),
                3 if stride == 3 => return self.split::<3>(x),
                4 if stride == 4 => return self.split::<4>(x),
                _ => {}
            }
            #[cfg(target_arch = "x86_64")]
            if self.tiles(x, stride, n) {
                return;
            }
        }
        for lane in 0..count {
            for (column, &x) in self.0.iter_mut().zip(&x[lane * stride..][..n]) {
                column[lane] = x;
            }
        }
    }

    /// Turns rows of N numbers. With a constant length, the compiler makes shuffles of it.
    #[inline(always)]
    fn split<const N: usize>(&mut self, x: &[T]) {
        let (rows, _) = x.as_chunks::<N>();
        let rows: &[[T; N]; SIDE] = rows[..SIDE].try_into().expect("as many rows");
        for lane in 0..SIDE {
            for j in 0..N {
                self.0[j][lane] = rows[lane][j];
            }
        }
    }

    /// Turns rows by tiles, if the processor has the instructions, and the last tile does not reach beyond `x`. Returns
    /// whether it has.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn tiles(&mut self, x: &[T], stride: usize, n: usize) -> bool {
        // A copy through a vector keeps every bit.
        match size_of::<T>() {
            4 => self.tiles_of::<__m256>(x, stride, n),
            8 => self.tiles_of::<__m256d>(x, stride, n),
            _ => false,
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn tiles_of<V: Vector>(&mut self, x: &[T], stride: usize, n: usize) -> bool {
        assert!(n <= COLUMNS && size_of::<T>() == size_of::<V::Scalar>());
        let last = (SIDE - 1) * stride + n.next_multiple_of(V::LANES);
        if x86::level() < x86::AVX2 || x.len() < last {
            return false;
        }
        let (source, target) = (x.as_ptr().cast(), self.0.as_mut_ptr().cast());
        // SAFETY: the processor has the instructions. The lines above have tested what the tiles read and write.
        unsafe { x86::avx2(TurnedTiles::<V> { source, stride, n, target }) };
        true
    }
}

/// The tiles of `SIDE` rows of `n` numbers, which begin `stride` numbers apart. Whoever makes one promises that the last
/// tile lies within the source, and all tiles within a target of `SIDE` rows.
#[cfg(target_arch = "x86_64")]
struct TurnedTiles<V: Vector> {
    source: *const V::Scalar,
    stride: usize,
    n: usize,
    target: *mut V::Scalar,
}

#[cfg(target_arch = "x86_64")]
impl<V: Vector> Kernel for TurnedTiles<V> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let TurnedTiles { source, stride, n, target } = self;
        for left in (0..n).step_by(V::LANES) {
            for top in (0..SIDE).step_by(V::LANES) {
                // SAFETY: as whoever made the tiles promised.
                unsafe {
                    let from = source.add(top * stride + left);
                    V::transpose(
                        from,
                        stride as isize,
                        V::LANES,
                        target.add(left * SIDE + top),
                        SIDE,
                    );
                }
            }
        }
    }
}
