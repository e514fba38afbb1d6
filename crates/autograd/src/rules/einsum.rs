//! Contractions: the steps of `shapes::einsum`, executed by the methods of variables, so that their derivatives of
//! every order are those of the steps.

use crate::graph::Var;
use smallvec::SmallVec;
use wengert_tensor::shapes::{Contraction, ContractionStep};
use wengert_tensor::{Float, shapes};

impl<T: Float> Var<'_, T> {
    /// Returns a sum of products in Einstein's notation. Each operand has one letter for each axis. Axes with
    /// the same letter have a common index, and the result is summed over the letters that it does not name.
    /// [`Tensor::einsum`](wengert_tensor::Tensor::einsum) describes equations and the order of the products.
    ///
    /// ```
    /// use wengert::autograd::{Tape, Var};
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let x = tape.watch(Tensor::from([1.0, 2.0]));
    /// let a = tape.watch(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// let y = Var::einsum("i,ij,j->", &[x, a, x]);
    /// assert_eq!(y.item(), 27.0);
    /// assert_eq!(y.grad(&[x])[0].value().to_vec(), [12.0, 21.0]); // (a + aᵀ) · x
    /// ```
    ///
    /// # Panics
    /// If the equation has another form, the number of operands or of their axes is another one, sizes of
    /// axes with the same letter differ, the result or an intermediate result has more than 8 axes, or the
    /// variables are on different tapes.
    #[track_caller]
    pub fn einsum(equation: &str, operands: &[Self]) -> Self {
        let sizes: SmallVec<[_; 4]> = operands.iter().map(|x| x.shape()).collect();
        let plan = shapes::einsum(equation, &sizes);
        let Some(first) = operands.first() else {
            panic!("{}", plan.expect_err("an equation has an operand"))
        };
        for x in operands {
            first.tape.same_tape("einsum", x.tape);
        }
        Self::contracted(&first.fits(plan), operands)
    }

    /// Returns the sum of products over pairs of axes: axis `axes[i]` of this variable with axis `others[i]` of
    /// `other`. The result has the other axes of this variable, then those of `other`. PyTorch's `dims=n` are
    /// the last n axes of this variable and the first n of `other`. A paired axis of size 1 broadcasts.
    ///
    /// # Panics
    /// If the numbers of axes differ, an axis does not exist or is named twice, the sizes of a pair differ, the
    /// result has too many axes, or the variables are on different tapes.
    #[track_caller]
    pub fn tensordot(self, other: Self, axes: &[isize], others: &[isize]) -> Self {
        self.tape.same_tape("tensordot", other.tape);
        let plan = shapes::tensordot(&self.shape(), &other.shape(), [axes, others]);
        Self::contracted(&self.fits(plan), &[self, other])
    }

    #[track_caller]
    fn contracted(plan: &Contraction, operands: &[Self]) -> Self {
        let mut x: SmallVec<[Self; 4]> = operands.into();
        for step in &plan.steps {
            match step {
                ContractionStep::Diagonal(of, [rows, columns]) => {
                    x[*of] = x[*of].diagonal(0, *rows, *columns);
                }
                ContractionStep::Sum(of, axes) => x[*of] = x[*of].sum(axes, false),
                ContractionStep::Permute(of, order) => x[*of] = x[*of].permute(order),
                ContractionStep::Reshape(of, shape) => x[*of] = x[*of].reshape(*shape),
                ContractionStep::Multiply([a, b]) => x[*a] = x[*a] * x[*b],
                ContractionStep::MatMul([a, b], [ta, tb]) => {
                    x[*a] = x[*a].matmul_t(x[*b], *ta, *tb);
                }
            }
        }
        x[plan.result].apart_from(operands[plan.result])
    }
}
