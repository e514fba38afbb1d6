//! Products of many small matrices, such as rotations or the blocks of a block matrix.
//!
//! The matrix kernel takes longer to prepare such a product than to compute it. Here a part of a batch is one loop,
//! compiled for each width of the result, whose rows stay in registers: each is a sum of rows of the right matrix. The
//! products of an element are added in the order of the matrix kernel, so that a product has the same bits in a batch
//! and alone.

use super::gemm::{Gemm, MatRef, adds_in_order};
use crate::machine::{Isa, Kernel, dispatch};
use crate::number::Math;

/// The longest side of an operand.
const LONGEST: usize = 16;

/// Computes `count` products one after the other, if there is a loop for their sizes and the matrix kernel adds the products
/// of each element in their order. `places` returns the offsets of the operands of the next product. Returns whether it did;
/// if not, `places` was not called.
///
/// # Safety
/// The inner dimensions of the operands agree, their elements exist at each of these places, and `out` has room for the
/// results.
pub(crate) unsafe fn small_products<T: Math + Gemm>(
    operands: [MatRef<T>; 2],
    places: &mut dyn FnMut() -> [isize; 2],
    count: usize,
    out: *mut T,
) -> bool {
    let [a, b] = operands;
    let sizes = a.rows.max(a.cols) <= LONGEST && matches!(b.cols, 2 | 3 | 4 | 6 | 8);
    if !sizes || b.col_stride != 1 {
        return false;
    }
    let Some(fused) = adds_in_order(a, b) else { return false };
    dispatch(SmallProducts { operands, fused, places, count, out });
    true
}

/// Products whose caller has kept the contract of [`small_products`].
struct SmallProducts<'a, T> {
    operands: [MatRef<T>; 2],
    /// Whether a product and its sum are rounded once, if the instruction set can.
    fused: bool,
    places: &'a mut dyn FnMut() -> [isize; 2],
    count: usize,
    out: *mut T,
}

impl<T: Math> Kernel for SmallProducts<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        // SAFETY: by the contract; `N` is the width of the result.
        unsafe {
            match self.operands[1].cols {
                2 => self.loops::<I, 2>(),
                3 => self.loops::<I, 3>(),
                4 => self.loops::<I, 4>(),
                6 => self.loops::<I, 6>(),
                _ => self.loops::<I, 8>(),
            }
        }
    }
}

impl<T: Math> SmallProducts<'_, T> {
    #[inline(always)]
    unsafe fn loops<I: Isa, const N: usize>(self) {
        // SAFETY: by the contract.
        unsafe {
            if self.fused {
                self.rows::<N>(T::fma::<I>);
            } else {
                self.rows::<N>(
                    #[inline(always)]
                    |x, y, sum| sum + x * y,
                );
            }
        }
    }

    /// Computes results with rows of `N` elements.
    #[inline(always)]
    unsafe fn rows<const N: usize>(self, add: impl Fn(T, T, T) -> T) {
        let [a, b] = self.operands;
        let mut to = self.out.cast::<[T; N]>();
        for _ in 0..self.count {
            let [x, y] = (self.places)();
            for i in 0..a.rows as isize {
                let mut sums = [T::K.zero; N];
                for p in 0..a.cols as isize {
                    // SAFETY: the elements are those of the operands, and a row of B is not interrupted.
                    let (factor, row) = unsafe {
                        let of_a = a.ptr.offset(x + i * a.row_stride + p * a.col_stride);
                        (*of_a, &*b.ptr.offset(y + p * b.row_stride).cast::<[T; N]>())
                    };
                    for (sum, &y) in sums.iter_mut().zip(row) {
                        *sum = add(factor, y, *sum);
                    }
                }
                // SAFETY: the rows of the results follow each other.
                unsafe {
                    *to = sums;
                    to = to.add(1);
                }
            }
        }
    }
}
