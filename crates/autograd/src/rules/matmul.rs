//! The matrix product. An operand is read transposed if a flag or its strides say so, without a
//! transposed copy. If an operand is the transpose of another variable, its gradient is also stored
//! transposed, so that the gradient of that variable is contiguous.

use crate::graph::{Call, Cotangents, MatMul, Op, Reads, Var, View, two};
use wengert_tensor::{Float, Tensor, shapes};

impl MatMul {
    pub fn eval<T: Float>(self, a: &Tensor<T>, b: &Tensor<T>) -> Tensor<T> {
        if self.by_columns {
            b.matmul_t(a, !self.tb, !self.ta).t() // (a·b)ᵀ = bᵀ·aᵀ
        } else {
            a.matmul_t(b, self.ta, self.tb)
        }
    }

    pub fn reads(arg: usize) -> Reads {
        if arg == 0 { Reads::X1 } else { Reads::X0 }
    }

    pub fn vjp<'t, T: Float>(self, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
        let of = |arg: usize| c.wants(arg).then(|| self.cotangent(c, arg).product());
        two(of(0), of(1))
    }

    /// Returns the product that is the cotangent of an operand. For y = a·b the cotangents are gy·bᵀ and
    /// aᵀ·gy. An operand that was read transposed gets the transpose of its cotangent: (gy·bᵀ)ᵀ = b·gyᵀ.
    pub fn cotangent<'t, T: Float>(
        self,
        c: &Call<'_, 't, T>,
        arg: usize,
    ) -> CotangentProduct<'t, T> {
        let (gy, a, b) = (c.gy(), c.x(0), c.x(1));
        let MatMul { ta, tb, .. } = self;
        let (operands, ta, tb) = match arg {
            0 if ta => ([b, gy], tb, true),
            0 => ([gy, b], false, !tb),
            _ if tb => ([gy, a], true, ta),
            _ => ([a, gy], !ta, false),
        };
        CotangentProduct { operands, ta, tb, by_columns: c.x(arg).is_transpose() }
    }
}

/// A product to be recorded, or to be added to a sum.
pub(crate) struct CotangentProduct<'t, T: Float> {
    operands: [Var<'t, T>; 2],
    ta: bool,
    tb: bool,
    by_columns: bool,
}

impl<'t, T: Float> CotangentProduct<'t, T> {
    #[track_caller]
    fn product(self) -> Var<'t, T> {
        let [a, b] = self.operands;
        a.product(b, self.ta, self.tb, self.by_columns)
    }

    /// Adds the product to a tensor, if the bits of the sum are those of a separate product and a sum.
    /// Returns whether it did.
    #[track_caller]
    pub fn add_to(&self, sum: &mut Tensor<T>) -> bool {
        let [a, b] = self.operands;
        let tape = a.tape;
        !self.by_columns
            && sum.matmul_add_in_place(&tape.force(a.id), &tape.force(b.id), self.ta, self.tb)
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// Records the product of the matrices, each transposed if its flag is set. The batch axes are equal
    /// already. `by_columns`: the result is stored column by column.
    #[track_caller]
    fn product(self, other: Self, ta: bool, tb: bool, by_columns: bool) -> Self {
        let shape = self.fits(shapes::matmul(&self.shape(), &other.shape(), ta, tb));
        self.tape.apply(Op::MatMul(MatMul { ta, tb, by_columns }), &[self, other], shape)
    }

    /// Returns whether this variable was made by exchanging the last two axes of another variable.
    fn is_transpose(self) -> bool {
        let arena = self.tape.arena.borrow();
        match arena.nodes[self.id as usize].op {
            Op::View(View::Permute(order)) => order.swaps_last_two(arena.shape(self.id).rank()),
            _ => false,
        }
    }

    /// Returns the matrix product, as PyTorch's `matmul`. Axes before the last two are batch axes and
    /// broadcast. A vector on the left is a row, and a vector on the right is a column.
    ///
    /// ```
    /// use wengert::autograd::Tape;
    /// use wengert::tensor::Tensor;
    /// let tape = Tape::new();
    /// let (x, w) = (tape.watch(Tensor::ones(&[5, 2, 3])), tape.watch(Tensor::ones(&[3, 4])));
    /// assert_eq!(x.matmul(w).shape(), [5, 2, 4]);
    /// ```
    ///
    /// # Panics
    /// If the inner dimensions differ, or the batch axes do not broadcast.
    #[track_caller]
    pub fn matmul(self, other: Self) -> Self {
        self.matmul_t(other, false, false)
    }

    /// Returns the matrix product as [`matmul`](Var::matmul), with the last two axes of an operand read
    /// transposed if its flag `ta` or `tb` is set: `x.matmul_t(w, false, true)` is x·wᵀ.
    ///
    /// # Panics
    /// If the inner dimensions differ, or the batch axes do not broadcast.
    #[track_caller]
    pub fn matmul_t(self, other: Self, ta: bool, tb: bool) -> Self {
        self.tape.same_tape("matmul", other.tape);
        let (mut a, mut b, mut ta, mut tb) = (self, other, ta, tb);
        let shape = a.fits(shapes::matmul(&a.shape(), &b.shape(), ta, tb));
        // A vector becomes a matrix. The last step removes that axis from the result.
        if a.shape().rank() == 1 {
            (a, ta) = (a.unsqueeze(0), false);
        }
        if b.shape().rank() == 1 {
            (b, tb) = (b.unsqueeze(1), false);
        }
        let (sa, sb) = (a.shape(), b.shape());
        if sa.rank() > 2 && sb.rank() == 2 && !ta {
            // All batches have the same right operand: their rows are the rows of one product.
            a = a.flatten(0, -2);
        } else if sa[..sa.rank() - 2] != sb[..sb.rank() - 2] {
            let batch =
                wengert_tensor::broadcast_shapes(&sa[..sa.rank() - 2], &sb[..sb.rank() - 2]);
            let batch = batch.expect("the shape rule has checked it");
            let repeated = |x: Self| {
                let own = x.shape();
                let sizes = batch.iter().chain(&own[own.rank() - 2..]);
                x.broadcast_to(&sizes.copied().collect::<wengert_tensor::Shape>())
            };
            (a, b) = (repeated(a), repeated(b));
        }
        let y = a.product(b, ta, tb, false);
        if y.shape() == shape {
            return y;
        }
        y.reshape(shape)
    }
}
