//! Matrix products of tensors: finds the axes of the matrices and of the batch, and merges a batch into
//! one call of the kernel where that is possible.

#[cfg(test)]
mod tests;

use crate::kernels::matmul::{MatrixBatch, add_product, product};
use crate::layout::Shape;
use crate::shapes::{self, OrPanic};
use crate::tensor::{Float, Tensor};

impl<T: Float> Tensor<T> {
    /// Computes the matrix product `y[…, i, j] = Σₖ self[…, i, k]·other[…, k, j]`.
    ///
    /// | `self` | `other` | result |
    /// |---|---|---|
    /// | `[k]` | `[k]` | `[]`, the dot product |
    /// | `[m, k]` | `[k]` | `[m]` |
    /// | `[k]` | `[k, n]` | `[n]` |
    /// | `[m, k]` | `[k, n]` | `[m, n]` |
    /// | `[…, m, k]` | `[…, k, n]` | `[…, m, n]`, leading axes broadcast |
    ///
    /// Transposed operands, and operands with any other strides, are read in place, without a copy.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let a = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(a.matmul(&Tensor::from([1.0, 1.0])).to_vec(), [3.0, 7.0]);
    /// assert_eq!(a.matmul(&a).to_vec(), [7.0, 10.0, 15.0, 22.0]);
    /// ```
    ///
    /// # Panics
    /// If the inner dimensions differ, the batches do not broadcast, or an operand is a scalar.
    #[track_caller]
    pub fn matmul(&self, other: &Self) -> Self {
        self.matmul_t(other, false, false)
    }

    /// Computes the matrix product as [`matmul`](Tensor::matmul) does, with the last two axes of `self`
    /// transposed if `ta` is true and those of `other` if `tb` is true: `a.matmul_t(&b, true, false)` is
    /// `aᵀ·b`. The flags have no effect on vectors.
    ///
    /// # Panics
    /// As [`matmul`](Tensor::matmul).
    #[track_caller]
    pub fn matmul_t(&self, other: &Self, ta: bool, tb: bool) -> Self {
        let shape = shapes::matmul(&self.shape(), &other.shape(), ta, tb).or_panic();
        if self.rank() > 2 && other.rank() == 2 && !ta {
            // All matrices of the batch share the right operand, so their rows form one left matrix.
            return self.flatten(0, -2).matmul_t(other, false, tb).with_shape(shape);
        }
        let (a, b) = (operand(self, true, ta), operand(other, false, tb));
        let batch = Shape::new(&shape[..self.rank().max(other.rank()).saturating_sub(2)]);
        let mut out = Self::empty(shape);
        if out.numel() > 0 {
            // SAFETY: the shapes fit, and the result was allocated with the shape of the product.
            unsafe { product(&a, &b, &batch, out.fresh_mut()) }
        }
        out
    }

    /// Adds the product of two matrices, if the bits of the sum are those of a separate product and a sum,
    /// and the sum is contiguous. Returns whether it did; otherwise nothing is changed.
    ///
    /// # Panics
    /// As [`matmul`](Tensor::matmul), or if the sum does not have the shape of the product.
    #[doc(hidden)]
    #[track_caller]
    pub fn matmul_add_in_place(&mut self, a: &Self, b: &Self, ta: bool, tb: bool) -> bool {
        let shape = shapes::matmul(&a.shape(), &b.shape(), ta, tb).or_panic();
        assert!(shape == self.shape(), "matmul_add: a sum {} of products {shape}", self.shape());
        if a.rank() != 2 || b.rank() != 2 || self.numel() == 0 || !self.is_contiguous() {
            return false;
        }
        let (a, b) = (operand(a, true, ta), operand(b, false, tb));
        // SAFETY: the shapes fit, and `make_mut` returns the elements of the sum, which nothing else reads.
        unsafe { add_product(&a, &b, self.make_mut()) }
    }
}

#[inline]
fn operand<T: Float>(x: &Tensor<T>, left: bool, transposed: bool) -> MatrixBatch<T> {
    MatrixBatch::new(x.ptr(), &x.shape(), &x.strides(), left, transposed)
}
