//! Products of vectors and matrices under their usual names: `matmul` with fixed numbers of axes.

use crate::graph::Var;
use wengert_tensor::{Float, shapes};

impl<T: Float> Var<'_, T> {
    /// Returns the sum of the main diagonal of a matrix, or of each matrix in the last two axes.
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    pub fn trace(self) -> Self {
        self.fits(shapes::trace(&self.shape()));
        self.diagonal(0, -2, -1).sum(&[-1], false)
    }

    /// Returns the outer product of two vectors: `out[i, j] = self[i] · other[j]`.
    ///
    /// # Panics
    /// If an operand is not a vector, or the variables are on different tapes.
    #[track_caller]
    pub fn outer(self, other: Self) -> Self {
        self.fits(shapes::outer(&self.shape(), &other.shape()));
        self.unsqueeze(1) * other
    }

    /// Returns the dot product of two vectors, Σ self\[i\] · other\[i\].
    ///
    /// # Panics
    /// If an operand is not a vector, the sizes differ, or the variables are on different tapes.
    #[track_caller]
    pub fn dot(self, other: Self) -> Self {
        self.fits(shapes::dot(&self.shape(), &other.shape()));
        self.matmul(other)
    }

    /// Returns the product of a matrix and a vector.
    ///
    /// # Panics
    /// If this variable is not a matrix, `other` is not a vector, the inner dimensions differ, or the variables
    /// are on different tapes.
    #[track_caller]
    pub fn mv(self, other: Self) -> Self {
        self.fits(shapes::mv(&self.shape(), &other.shape()));
        self.matmul(other)
    }

    /// Returns the matrix products of two batches: \[batch, m, k\] · \[batch, k, n\].
    /// [`matmul`](Var::matmul) also broadcasts batches.
    ///
    /// # Panics
    /// If an operand does not have three axes, the batches or the inner dimensions differ, or the variables are
    /// on different tapes.
    #[track_caller]
    pub fn bmm(self, other: Self) -> Self {
        self.fits(shapes::bmm(&self.shape(), &other.shape()));
        self.matmul(other)
    }

    /// Returns beta · self + alpha · (a · b), where a · b is a product of matrices, to whose shape this variable
    /// broadcasts. PyTorch's defaults are 1 and 1. As in PyTorch, a factor of 0 drops its term, also if
    /// elements of it are NaN or ∞. The result then does not depend on the operands of the term.
    ///
    /// # Panics
    /// If `a` or `b` is not a matrix, the inner dimensions differ, this variable does not broadcast to the shape
    /// of the product, or the variables are on different tapes.
    #[track_caller]
    pub fn addmm(self, a: Self, b: Self, beta: f64, alpha: f64) -> Self {
        self.fits(shapes::addmm(&self.shape(), &a.shape(), &b.shape()));
        self.weighted_sum("addmm", [a, b], beta, alpha)
    }

    /// Returns beta · self + alpha · (a · b) as [`addmm`](Var::addmm) does, for two batches of matrices.
    ///
    /// # Panics
    /// If `a` or `b` does not have three axes, the batches or the inner dimensions differ, this variable does not
    /// broadcast to the shape of the product, or the variables are on different tapes.
    #[track_caller]
    pub fn baddbmm(self, a: Self, b: Self, beta: f64, alpha: f64) -> Self {
        self.fits(shapes::baddbmm(&self.shape(), &a.shape(), &b.shape()));
        self.weighted_sum("baddbmm", [a, b], beta, alpha)
    }

    #[track_caller]
    fn weighted_sum(self, op: &str, [a, b]: [Self; 2], beta: f64, alpha: f64) -> Self {
        self.tape.same_tape(op, a.tape);
        let product = if alpha == 0.0 {
            self.tape.zeros(self.fits(shapes::matmul(&a.shape(), &b.shape(), false, false)))
        } else if alpha == 1.0 {
            a.matmul(b)
        } else {
            a.matmul(b) * alpha
        };
        if beta == 0.0 {
            product
        } else if beta == 1.0 {
            self + product
        } else {
            self * beta + product
        }
    }
}
