//! Matrix products of tensors: which axes are the matrix, which are the batch, and how few calls
//! of the kernel they take.

#[cfg(test)]
mod tests;

use crate::kernels::matmul::{Operand, product};
use crate::layout::Shape;
use crate::shapes::{self, OrPanic};
use crate::tensor::{Float, Tensor};

impl<T: Float> Tensor<T> {
    /// The matrix product: `y[…, i, j] = Σₖ self[…, i, k]·other[…, k, j]`.
    ///
    /// | `self` | `other` | result |
    /// |---|---|---|
    /// | `[k]` | `[k]` | `[]`, the dot product |
    /// | `[m, k]` | `[k]` | `[m]` |
    /// | `[k]` | `[k, n]` | `[n]` |
    /// | `[m, k]` | `[k, n]` | `[m, n]` |
    /// | `[…, m, k]` | `[…, k, n]` | `[…, m, n]`, leading axes broadcast |
    ///
    /// Transposed operands, and any other strides, are read where they lie.
    ///
    /// ```
    /// use wengert_tensor::Tensor;
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

    /// [`matmul`](Tensor::matmul), each operand's last two axes read transposed where its flag
    /// says so: `matmul_t(b, true, false)` is `aᵀ·b`. A vector has nothing to transpose.
    ///
    /// # Panics
    /// As [`matmul`](Tensor::matmul).
    #[track_caller]
    pub fn matmul_t(&self, other: &Self, ta: bool, tb: bool) -> Self {
        let shape = shapes::matmul(&self.shape(), &other.shape(), ta, tb).or_panic();
        if self.rank() > 2 && other.rank() == 2 && !ta {
            // Batches share the right operand: their rows are rows of one product.
            return self.flatten(0, -2).matmul_t(other, false, tb).with_shape(shape);
        }
        let (a, b) = (operand(self, true, ta), operand(other, false, tb));
        let batch = Shape::new(&shape[..self.rank().max(other.rank()).saturating_sub(2)]);
        let mut out = Self::empty(shape);
        if out.numel() > 0 {
            // SAFETY: the shapes fit, and the result was just made for theirs.
            unsafe { product(&a, &b, &batch, out.fresh_mut()) }
        }
        out
    }
}

#[inline]
fn operand<T: Float>(x: &Tensor<T>, left: bool, transposed: bool) -> Operand<T> {
    Operand::new(x.ptr(), &x.shape(), &x.strides(), left, transposed)
}
