//! Products of vectors and matrices under their usual names: `matmul` with fixed numbers of axes.

use super::{Element, Float, Number, Tensor};
use crate::shapes::{self, OrPanic};

impl<T: Element> Tensor<T> {
    /// Returns the sum of the main diagonal of a matrix, or of each matrix in the last two axes. Traces of
    /// integers are exact, of type `i64`.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// assert_eq!(Tensor::from([[1.0, 2.0], [3.0, 4.0]]).trace().item(), 5.0);
    /// ```
    ///
    /// # Panics
    /// If the tensor has fewer than two axes, or a sum of integers does not fit `i64`.
    #[track_caller]
    pub fn trace(&self) -> Tensor<T::Sum> {
        shapes::trace(&self.shape()).or_panic();
        self.diagonal_of_rows(-2, -1).sum(&[-1], false)
    }
}

impl<T: Number> Tensor<T> {
    /// Returns the outer product of two vectors: `out[i, j] = self[i] · other[j]`.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([1.0, 2.0]).outer(&Tensor::from([3.0, 4.0]));
    /// assert_eq!(x, Tensor::from([[3.0, 4.0], [6.0, 8.0]]));
    /// ```
    ///
    /// # Panics
    /// If an operand is not a vector, or a product of integers does not fit the type.
    #[track_caller]
    pub fn outer(&self, other: &Self) -> Self {
        shapes::outer(&self.shape(), &other.shape()).or_panic();
        self.unsqueeze(1) * other
    }
}

impl<T: Float> Tensor<T> {
    /// Returns the dot product of two vectors, Σ self\[i\] · other\[i\].
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// assert_eq!(Tensor::from([1.0, 2.0]).dot(&Tensor::from([3.0, 4.0])).item(), 11.0);
    /// ```
    ///
    /// # Panics
    /// If an operand is not a vector, or the sizes differ.
    #[track_caller]
    pub fn dot(&self, other: &Self) -> Self {
        shapes::dot(&self.shape(), &other.shape()).or_panic();
        self.matmul(other)
    }

    /// Returns the product of a matrix and a vector.
    ///
    /// # Panics
    /// If `self` is not a matrix, `other` is not a vector, or the inner dimensions differ.
    #[track_caller]
    pub fn mv(&self, other: &Self) -> Self {
        shapes::mv(&self.shape(), &other.shape()).or_panic();
        self.matmul(other)
    }

    /// Returns the matrix products of two batches: \[batch, m, k\] · \[batch, k, n\].
    /// [`matmul`](Tensor::matmul) also broadcasts batches.
    ///
    /// # Panics
    /// If an operand does not have three axes, the batches differ, or the inner dimensions differ.
    #[track_caller]
    pub fn bmm(&self, other: &Self) -> Self {
        shapes::bmm(&self.shape(), &other.shape()).or_panic();
        self.matmul(other)
    }

    /// Returns beta · self + alpha · (a · b), where a · b is a product of matrices, to whose shape `self`
    /// broadcasts. PyTorch's defaults are 1 and 1. As in PyTorch, a factor of 0 drops its term, also if
    /// elements of it are NaN or ∞.
    ///
    /// ```
    /// use wengert::tensor::Tensor;
    /// let (x, bias) = (Tensor::from([[1.0, 2.0], [3.0, 4.0]]), Tensor::from([10.0, 20.0]));
    /// assert_eq!(bias.addmm(&x, &x, 1.0, 2.0), Tensor::from([[24.0, 40.0], [40.0, 64.0]]));
    /// ```
    ///
    /// # Panics
    /// If `a` or `b` is not a matrix, the inner dimensions differ, or `self` does not broadcast to the shape of
    /// the product.
    #[track_caller]
    pub fn addmm(&self, a: &Self, b: &Self, beta: f64, alpha: f64) -> Self {
        shapes::addmm(&self.shape(), &a.shape(), &b.shape()).or_panic();
        self.weighted_sum([a, b], beta, alpha)
    }

    /// Returns beta · self + alpha · (a · b) as [`addmm`](Tensor::addmm) does, for two batches of matrices.
    ///
    /// # Panics
    /// If `a` or `b` does not have three axes, the batches or the inner dimensions differ, or `self` does not
    /// broadcast to the shape of the product.
    #[track_caller]
    pub fn baddbmm(&self, a: &Self, b: &Self, beta: f64, alpha: f64) -> Self {
        shapes::baddbmm(&self.shape(), &a.shape(), &b.shape()).or_panic();
        self.weighted_sum([a, b], beta, alpha)
    }

    /// Returns beta · self + alpha · (a · b). The shapes fit.
    fn weighted_sum(&self, [a, b]: [&Self; 2], beta: f64, alpha: f64) -> Self {
        let product = if alpha == 0.0 {
            let shape = shapes::matmul(&a.shape(), &b.shape(), false, false).or_panic();
            Tensor::zeros_of(&shape)
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

#[cfg(test)]
mod tests {
    use crate::Tensor;
    use crate::testing::panics_here;

    fn numbers(shape: &[usize]) -> Tensor<f64> {
        Tensor::from_fn(shape, |i| ((i * 7 + shape.len()) % 11) as f64 - 4.5)
    }

    /// Small products are exact, so that the results are equal to those of loops.
    #[test]
    fn products_agree_with_loops() {
        for [m, k, n] in [[1, 1, 1], [2, 3, 4], [5, 1, 2], [0, 3, 2], [3, 0, 2], [2, 4, 0]] {
            let (a, b, x) = (numbers(&[m, k]), numbers(&[k, n]), numbers(&[k]));
            let product =
                |i: usize, j: usize| (0..k).map(|p| a.at(&[i, p]) * b.at(&[p, j])).sum::<f64>();
            let wanted = Tensor::from_fn(&[m, n], |i| product(i / n.max(1), i % n.max(1)));
            let rows: Vec<f64> =
                (0..m).map(|i| (0..k).map(|p| a.at(&[i, p]) * x.at(&[p])).sum()).collect();
            assert_eq!(a.mv(&x).to_vec(), rows);
            assert_eq!(x.dot(&x).item(), x.to_vec().iter().map(|x| x * x).sum::<f64>());
            let outer = a.reshape(-1).outer(&x);
            assert_eq!(outer.shape(), [m * k, k]);
            for (i, &y) in outer.to_vec().iter().enumerate() {
                assert_eq!(y, a.to_vec()[i / k] * x.at(&[i % k]));
            }
            let (batch_a, batch_b) =
                (Tensor::stack(&[&a, &(&a * 2.0)], 0), Tensor::stack(&[&b, &b], 0));
            let batch = Tensor::stack(&[&wanted, &(&wanted * 2.0)], 0);
            assert_eq!(batch_a.bmm(&batch_b), batch);
            let added = numbers(&[n]);
            for (beta, alpha) in [(1.0, 1.0), (0.0, 1.0), (0.5, 1.0), (1.0, -2.0), (0.5, -2.0)] {
                let sum = &added * beta + &wanted * alpha;
                assert_eq!(added.addmm(&a, &b, beta, alpha), sum);
                let sum = &added * beta + &batch * alpha;
                assert_eq!(added.baddbmm(&batch_a, &batch_b, beta, alpha), sum);
            }
        }
    }

    #[test]
    fn traces_agree_with_loops() {
        for shape in [&[3, 3][..], &[2, 4, 3], &[0, 2, 2], &[1, 0, 5], &[2, 0, 3, 3]] {
            let (x, rank) = (numbers(shape), shape.len());
            let side = shape[rank - 1].min(shape[rank - 2]);
            let flat = x.reshape([
                shape[..rank - 2].iter().product::<usize>(),
                shape[rank - 2],
                shape[rank - 1],
            ]);
            let wanted: Vec<f64> =
                (0..flat.size(0)).map(|b| (0..side).map(|i| flat.at(&[b, i, i])).sum()).collect();
            assert_eq!((x.trace().to_vec(), x.trace().rank()), (wanted, rank - 2));
        }
        assert_eq!(Tensor::from([[1u8, 2], [3, 255]]).trace().item(), 256i64);
        assert_eq!(
            Tensor::from([2i64, 3]).outer(&Tensor::from([5, 7])),
            Tensor::from([[10i64, 14], [15, 21]])
        );
    }

    #[test]
    fn a_factor_of_zero_drops_its_term() {
        let (nan, one) = (Tensor::from([f32::NAN]), Tensor::from([[1.0f32]]));
        assert_eq!(nan.addmm(&one, &one, 0.0, 2.0), Tensor::from([[2.0]]));
        assert!(nan.addmm(&one, &one, 1.0, 2.0).item().is_nan());
        let nans = nan.unsqueeze(0);
        assert_eq!(one.addmm(&nans, &nans, 3.0, 0.0), Tensor::from([[3.0]]));
        assert_eq!(nan.addmm(&nans, &nans, 0.0, 0.0), Tensor::from([[0.0]]));
    }

    #[test]
    fn panics_name_operation_and_shapes() {
        let x = |shape: &[usize]| Tensor::zeros(shape);
        panics_here("dot: expected two vectors, got shapes [2, 3] and [3]", || {
            drop(x(&[2, 3]).dot(&x(&[3])));
        });
        panics_here("dot: inner dimensions differ: [2] · [3] (2 ≠ 3)", || {
            drop(x(&[2]).dot(&x(&[3])));
        });
        panics_here("outer: expected two vectors, got shapes [2] and [1, 3]", || {
            drop(x(&[2]).outer(&x(&[1, 3])));
        });
        panics_here("mv: expected a matrix and a vector, got shapes [2, 3] and [3, 1]", || {
            drop(x(&[2, 3]).mv(&x(&[3, 1])));
        });
        let message = "bmm: the batches of [2, 3, 4] and [5, 4, 6] differ: 2 and 5 matrices; matmul broadcasts them";
        panics_here(message, || drop(x(&[2, 3, 4]).bmm(&x(&[5, 4, 6]))));
        let message = "bmm: inner dimensions differ: [2, 3, 4] · [2, 5, 6] (4 ≠ 5)";
        panics_here(message, || drop(x(&[2, 3, 4]).bmm(&x(&[2, 5, 6]))));
        panics_here("addmm: expected two matrices, got shapes [2, 3] and [3]", || {
            drop(x(&[2]).addmm(&x(&[2, 3]), &x(&[3]), 1.0, 1.0));
        });
        let message = "addmm: shape [3] does not broadcast to the shape [2, 4] of the product";
        panics_here(message, || drop(x(&[3]).addmm(&x(&[2, 3]), &x(&[3, 4]), 1.0, 1.0)));
        let message =
            "baddbmm: shape [5, 1, 1] does not broadcast to the shape [2, 3, 6] of the product";
        panics_here(message, || {
            drop(x(&[5, 1, 1]).baddbmm(&x(&[2, 3, 4]), &x(&[2, 4, 6]), 1.0, 1.0));
        });
        panics_here("trace: expected a matrix or a batch of matrices, got shape [3]", || {
            drop(x(&[3]).trace());
        });
    }
}
