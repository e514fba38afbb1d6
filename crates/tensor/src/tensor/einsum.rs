//! Contractions: the steps of `shapes::einsum`, executed by the methods of tensors.

use super::{Float, Tensor};
use crate::shapes::{self, Contraction, ContractionStep, OrPanic};
use smallvec::SmallVec;
use std::borrow::Borrow;

impl<T: Float> Tensor<T> {
    /// Returns a sum of products in Einstein's notation. Each operand has one letter for each axis. Axes with
    /// the same letter have a common index, and the result is summed over the letters that it does not name.
    ///
    /// | equation | result |
    /// |---|---|
    /// | `"ij,jk->ik"` | the matrix product |
    /// | `"bij,bjk->bik"` | the products of two batches of matrices |
    /// | `"i,j->ij"` | the outer product |
    /// | `"ij->ji"` | the transpose |
    /// | `"ii"` | the trace |
    /// | `"ii->i"` | the diagonal |
    /// | `"...ij,...jk->...ik"` | the products of batches that broadcast |
    ///
    /// - Letters are `a` to `z` and `A` to `Z`; spaces have no meaning.
    /// - `...` stands for any number of further axes, which broadcast. If the result does not name it, their
    ///   elements are summed, as in PyTorch (NumPy refuses that).
    /// - Without `->`, the result has the axes of the ellipsis, then the letters that occur once, in
    ///   alphabetical order (`A` to `Z` before `a` to `z`).
    /// - Axes of size 1 broadcast, as in PyTorch.
    ///
    /// A letter that only one operand has is summed first. Then two operands at a time are multiplied, by
    /// [`matmul`](Tensor::matmul) if letters are summed. For up to eight operands, the order of the products
    /// is the one with the fewest multiplications. For more operands, each product is the one whose result
    /// is the smallest, compared with its operands. The result may be a view of an operand.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let (x, a) = (Tensor::from([1.0, 2.0]), Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// assert_eq!(Tensor::einsum("i,ij,j->", &[&x, &a, &x]).item(), 27.0);
    /// assert_eq!(Tensor::einsum("ij,kj->ik", &[&a, &a]), a.matmul(&a.t()));
    /// assert_eq!(Tensor::einsum("ii", &[a]).item(), 5.0);
    /// ```
    ///
    /// Source: Smith, Gray, "opt\_einsum: a Python package for optimizing contraction order for einsum-like
    /// expressions", 2018.
    ///
    /// # Panics
    /// If the equation has another form, the number of operands or of their axes is another one, sizes of
    /// axes with the same letter differ, or the result or an intermediate result has more than 8 axes.
    #[track_caller]
    pub fn einsum<B: Borrow<Self>>(equation: &str, operands: &[B]) -> Self {
        let sizes: SmallVec<[_; 4]> = operands.iter().map(|x| x.borrow().shape()).collect();
        let plan = shapes::einsum(equation, &sizes).or_panic();
        Self::contracted(&plan, operands.iter().map(|x| x.borrow().clone()))
    }

    /// Returns the sum of products over pairs of axes: axis `axes[i]` of `self` with axis `others[i]` of
    /// `other`. The result has the other axes of `self`, then those of `other`. PyTorch's `dims=n` are the last n
    /// axes of `self` and the first n of `other`. A paired axis of size 1 broadcasts.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let (x, y) = (Tensor::ones([2, 3, 4]), Tensor::ones([4, 5, 3]));
    /// assert_eq!(x.tensordot(&y, &[1, 2], &[2, 0]), Tensor::full([2, 5], 12.0));
    /// ```
    ///
    /// # Panics
    /// If the numbers of axes differ, an axis does not exist or is named twice, the sizes of a pair differ, or
    /// the result has too many axes.
    #[track_caller]
    pub fn tensordot(&self, other: &Self, axes: &[isize], others: &[isize]) -> Self {
        let plan = shapes::tensordot(&self.shape(), &other.shape(), [axes, others]).or_panic();
        Self::contracted(&plan, [self.clone(), other.clone()].into_iter())
    }

    #[track_caller]
    fn contracted(plan: &Contraction, operands: impl Iterator<Item = Self>) -> Self {
        // Values that are not read again are dropped at once.
        let mut x: SmallVec<[Option<Self>; 4]> = operands.map(Some).collect();
        let take = |x: &mut [Option<Self>], of: usize| x[of].take().expect("a step reads a value");
        for step in &plan.steps {
            let (of, value) = match step {
                ContractionStep::Diagonal(of, [rows, columns]) => {
                    (of, take(&mut x, *of).diagonal_of_rows(*rows, *columns))
                }
                ContractionStep::Sum(of, axes) => (of, take(&mut x, *of).sum(axes, false)),
                ContractionStep::Permute(of, order) => (of, take(&mut x, *of).permute(order)),
                ContractionStep::Reshape(of, shape) => (of, take(&mut x, *of).reshape(*shape)),
                ContractionStep::Multiply([a, b]) => (a, take(&mut x, *a) * take(&mut x, *b)),
                ContractionStep::MatMul([a, b], [ta, tb]) => {
                    (a, take(&mut x, *a).matmul_t(&take(&mut x, *b), *ta, *tb))
                }
            };
            x[*of] = Some(value);
        }
        take(&mut x, plan.result)
    }
}

#[cfg(test)]
mod tests;
