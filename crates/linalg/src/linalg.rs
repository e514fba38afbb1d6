//! The methods of tensors and variables.

use crate::error::LinalgError;
use crate::functions;
use crate::kernels::triangular::Triangle;
use crate::matrices::Matrices;
use std::borrow::Borrow;
use wengert_tensor::Tensor;

/// Linear algebra on tensors and variables of `f32` and `f64`: factorisations, solvers, and functions of matrices, with
/// derivatives of every order.
///
/// The matrices are in the last two axes. The leading axes are a batch, and each matrix is treated separately. Sizes may
/// be 0. The prelude of wengert contains this trait.
///
/// ```
/// use wengert::autograd::Tape;
/// use wengert::linalg::Linalg;
/// use wengert::tensor::Tensor;
///
/// let a = Tensor::from([[4.0, 1.0], [1.0, 3.0]]);
/// let b = Tensor::from([1.0, 2.0]);
/// let x = a.solve(&b);
/// assert!((a.matmul(&x) - b).abs().max(&[], false).item() < 1e-6);
///
/// // The derivative of log det A is the inverse of Aᵀ.
/// let tape = Tape::new();
/// let a = tape.watch(a);
/// let (_, log_det) = a.slogdet();
/// let gradient = log_det.grad(&[a])[0].value();
/// assert!((gradient - a.value().inverse().t()).abs().max(&[], false).item() < 1e-6);
/// ```
///
/// | | |
/// |---|---|
/// | systems of equations | [`solve`](Self::solve), [`triangular_solve`](Self::triangular_solve), [`cholesky_solve`](Self::cholesky_solve), [`lstsq`](Self::lstsq) |
/// | inverses and determinants | [`inverse`](Self::inverse), [`pinv`](Self::pinv), [`det`](Self::det), [`slogdet`](Self::slogdet) |
/// | factorisations | [`cholesky`](Self::cholesky), [`lu`](Self::lu), [`qr`](Self::qr), [`eigh`](Self::eigh), [`svd`](Self::svd) |
/// | values alone | [`eigvalsh`](Self::eigvalsh), [`svdvals`](Self::svdvals), [`cond`](Self::cond), [`matrix_rank`](Self::matrix_rank) |
/// | functions of matrices | [`matrix_exp`](Self::matrix_exp), [`matrix_power`](Self::matrix_power) |
/// | errors as values | [`try_solve`](Self::try_solve), [`try_inverse`](Self::try_inverse), [`try_cholesky`](Self::try_cholesky), [`try_triangular_solve`](Self::try_triangular_solve) |
///
/// # Panics
/// Every method panics at the caller's line if the shapes do not fit, or if a matrix has no result. The message names the
/// operation, the shapes, and the index of the matrix in the batch. Methods with `try_` return a [`LinalgError`] instead.
/// On a tape, [`Tape::catch`](wengert_autograd::Tape::catch) returns the error of any method, and
/// [`Cause::Sample`](wengert_autograd::Cause::Sample) is the place of the matrix.
///
/// # Precision
/// Kernels compute in `f64` for both types. The result has the same bits for every number of threads.
pub trait Linalg: Matrices {
    /// Returns the lower triangular matrix L with a positive diagonal for which L Lᵀ = A.
    ///
    /// A is symmetric and positive definite. The method reads (A + Aᵀ)/2, so the gradient is symmetric.
    ///
    /// ```
    /// use wengert::linalg::Linalg;
    /// use wengert::tensor::Tensor;
    /// let l = Tensor::from([[4.0, 2.0], [2.0, 5.0]]).cholesky();
    /// assert_eq!(l, Tensor::from([[2.0, 0.0], [1.0, 2.0]]));
    /// ```
    ///
    /// # Panics
    /// If a matrix is not square, or not positive definite, or contains a NaN or an infinity.
    #[track_caller]
    fn cholesky(&self) -> Self {
        self.or_refuse(self.try_cholesky())
    }

    /// Returns the result of [`cholesky`](Self::cholesky), or the reason why there is none.
    ///
    /// ```
    /// use wengert::linalg::{Linalg, LinalgProblem};
    /// use wengert::tensor::Tensor;
    /// let error = Tensor::from([[1.0, 2.0], [2.0, 1.0]]).try_cholesky().unwrap_err();
    /// assert_eq!(error.problem, LinalgProblem::NotPositiveDefinite { pivot: 1 });
    /// ```
    ///
    /// # Errors
    /// If a matrix is not square, or not positive definite.
    fn try_cholesky(&self) -> Result<Self, LinalgError> {
        Ok(alone(Self::apply([self], |[a]| functions::cholesky(a))?))
    }

    /// Returns the solution X of A X = B, where B is this value, from the Cholesky factor of A: lower, or upper if `upper`
    /// is set. The shapes broadcast as in [`solve`](Self::solve).
    ///
    /// ```
    /// use wengert::linalg::Linalg;
    /// use wengert::tensor::Tensor;
    /// let a = Tensor::from([[4.0, 2.0], [2.0, 5.0]]);
    /// let x = Tensor::from([8.0, 8.0]).cholesky_solve(&a.cholesky(), false);
    /// assert_eq!(x, Tensor::from([1.5, 1.0]));
    /// ```
    ///
    /// # Panics
    /// If the factor is not square or has a 0 on its diagonal, or if the shapes do not fit.
    #[track_caller]
    fn cholesky_solve(&self, factor: impl Borrow<Self>, upper: bool) -> Self {
        let operands = [self, factor.borrow()];
        let solution = Self::apply(operands, |[b, l]| functions::cholesky_solve(b, l, upper));
        alone(self.or_refuse(solution))
    }

    /// Returns the solution X of A X = B, where A is this value.
    ///
    /// A has the shape `[…, n, n]`, and B has the shape `[…, n, k]`, or `[n]` for a vector. The leading axes broadcast.
    /// The method uses the LU factorisation with partial pivoting.
    ///
    /// ```
    /// use wengert::linalg::Linalg;
    /// use wengert::tensor::Tensor;
    /// let x = Tensor::from([[2.0, 1.0], [0.0, 4.0]]).solve(Tensor::from([4.0, 8.0]));
    /// assert_eq!(x, Tensor::from([1.0, 2.0]));
    /// ```
    ///
    /// # Panics
    /// If A is not square, if the shapes do not fit, or if a matrix is singular: a pivot is exactly 0. The result of a
    /// matrix that is almost singular is imprecise; see [`cond`](Self::cond).
    #[track_caller]
    fn solve(&self, b: impl Borrow<Self>) -> Self {
        self.or_refuse(self.try_solve(b))
    }

    /// Returns the result of [`solve`](Self::solve), or the reason why there is none.
    ///
    /// ```
    /// use wengert::linalg::Linalg;
    /// use wengert::tensor::Tensor;
    /// let a = Tensor::from([[1.0, 2.0], [2.0, 4.0]]);
    /// let error = a.try_solve(Tensor::from([1.0, 1.0])).unwrap_err();
    /// assert!(error.to_string().starts_with("solve: the matrix is singular: pivot 1 is 0"));
    /// ```
    ///
    /// # Errors
    /// Under the conditions of [`solve`](Self::solve).
    fn try_solve(&self, b: impl Borrow<Self>) -> Result<Self, LinalgError> {
        Ok(alone(Self::apply([self, b.borrow()], |[a, b]| functions::solve(a, b))?))
    }

    /// Returns the solution X of A X = B, where A is this value and triangular.
    ///
    /// The method reads the lower triangle, or the upper one if `upper` is set. If `unitriangular` is set, the diagonal is
    /// 1, whatever is stored. The shapes are those of [`solve`](Self::solve).
    ///
    /// ```
    /// use wengert::linalg::Linalg;
    /// use wengert::tensor::Tensor;
    /// let l = Tensor::from([[2.0, 0.0], [1.0, 4.0]]);
    /// let x = l.triangular_solve(Tensor::from([2.0, 9.0]), false, false);
    /// assert_eq!(x, Tensor::from([1.0, 2.0]));
    /// ```
    ///
    /// # Panics
    /// If A is not square, if the shapes do not fit, or if the diagonal contains a 0.
    #[track_caller]
    fn triangular_solve(&self, b: impl Borrow<Self>, upper: bool, unitriangular: bool) -> Self {
        self.or_refuse(self.try_triangular_solve(b, upper, unitriangular))
    }

    /// Returns the result of [`triangular_solve`](Self::triangular_solve), or the reason why there is none.
    ///
    /// ```
    /// use wengert::linalg::Linalg;
    /// use wengert::tensor::Tensor;
    /// let l = Tensor::from([[2.0, 0.0], [1.0, 0.0]]);
    /// assert!(l.try_triangular_solve(Tensor::from([2.0, 9.0]), false, false).is_err());
    /// ```
    ///
    /// # Errors
    /// Under the conditions of [`triangular_solve`](Self::triangular_solve).
    fn try_triangular_solve(
        &self,
        b: impl Borrow<Self>,
        upper: bool,
        unitriangular: bool,
    ) -> Result<Self, LinalgError> {
        let triangle = Triangle { upper, unit: unitriangular };
        let solution = Self::apply([self, b.borrow()], |[a, b]| {
            functions::triangular_solve("triangular_solve", a, b, triangle)
        });
        Ok(alone(solution?))
    }

    /// Returns the inverse.
    ///
    /// [`solve`](Self::solve) is faster and more precise than a product with the inverse.
    ///
    /// ```
    /// use wengert::linalg::Linalg;
    /// use wengert::tensor::Tensor;
    /// let inverse = Tensor::from([[2.0, 0.0], [0.0, 4.0]]).inverse();
    /// assert_eq!(inverse, Tensor::from([[0.5, 0.0], [0.0, 0.25]]));
    /// ```
    ///
    /// # Panics
    /// If a matrix is not square, or singular: a pivot is exactly 0.
    #[track_caller]
    fn inverse(&self) -> Self {
        self.or_refuse(self.try_inverse())
    }

    /// Returns the result of [`inverse`](Self::inverse), or the reason why there is none.
    ///
    /// ```
    /// use wengert::linalg::{Linalg, LinalgProblem};
    /// use wengert::tensor::Tensor;
    /// let a = Tensor::stack(&[Tensor::eye(2), Tensor::zeros([2, 2])], 0);
    /// let error = a.try_inverse().unwrap_err();
    /// assert_eq!((error.batch, error.problem), (vec![1], LinalgProblem::Singular { pivot: 0 }));
    /// ```
    ///
    /// # Errors
    /// If a matrix is not square, or singular.
    fn try_inverse(&self) -> Result<Self, LinalgError> {
        Ok(alone(Self::apply([self], |[a]| functions::inverse("inverse", a))?))
    }

    /// Returns the determinant. The matrix without rows has the determinant 1.
    ///
    /// The first and the second derivative exist for singular matrices too, and are precise for matrices that are almost
    /// singular. The third derivative needs an inverse, and panics for a singular matrix.
    ///
    /// ```
    /// use wengert::linalg::Linalg;
    /// use wengert::tensor::Tensor;
    /// assert_eq!(Tensor::from([[1.0, 2.0], [3.0, 4.0]]).det().item(), -2.0);
    /// ```
    ///
    /// # Panics
    /// If a matrix is not square.
    #[track_caller]
    fn det(&self) -> Self {
        alone(self.or_refuse(Self::apply([self], |[a]| functions::det(a))))
    }

    /// Returns the sign of the determinant, and the natural logarithm of its absolute value, which does not overflow. For
    /// a singular matrix they are 0 and -∞.
    ///
    /// The derivative panics for a singular matrix. The derivative of the sign is 0.
    ///
    /// ```
    /// use wengert::linalg::Linalg;
    /// use wengert::tensor::Tensor;
    /// let (sign, log) = (Tensor::eye(100) * -1e-3).slogdet();
    /// assert_eq!(sign.item(), 1.0);
    /// assert!((log.item() - 100.0 * 1e-3f32.ln()).abs() < 1e-3);
    /// ```
    ///
    /// # Panics
    /// If a matrix is not square.
    #[track_caller]
    fn slogdet(&self) -> (Self, Self) {
        self.or_refuse(Self::apply([self], |[a]| functions::slogdet(a))).into()
    }

    /// Returns P, L and U with A = P L U: a permutation, a lower triangular matrix with ones on its diagonal, and an upper
    /// triangular matrix.
    ///
    /// A has the shape `[…, m, n]`. With k = min(m, n), the shapes are `[…, m, m]`, `[…, m, k]` and `[…, k, n]`. The
    /// pivot of each column is the element of the largest absolute value. The derivative of P is 0. The derivative panics
    /// if one of the first k pivots is 0.
    ///
    /// ```
    /// use wengert::linalg::Linalg;
    /// use wengert::tensor::Tensor;
    /// let (p, l, u) = Tensor::from([[1.0, 2.0], [2.0, 6.0]]).lu();
    /// assert_eq!(p, Tensor::from([[0.0, 1.0], [1.0, 0.0]]));
    /// assert_eq!(l, Tensor::from([[1.0, 0.0], [0.5, 1.0]]));
    /// assert_eq!(u, Tensor::from([[2.0, 6.0], [0.0, -1.0]]));
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    fn lu(&self) -> (Self, Self, Self) {
        self.or_refuse(Self::apply([self], |[a]| functions::lu(a))).into()
    }

    /// Returns Q and R with A = Q R: a matrix with orthonormal columns, and an upper triangular matrix.
    ///
    /// A has the shape `[…, m, n]`. With k = min(m, n), the shapes are `[…, m, k]` and `[…, k, n]` (PyTorch's mode
    /// `reduced`). The diagonal of R is not negative, so that the result is unique if the first k columns are independent;
    /// PyTorch's signs are arbitrary. The derivative panics if the first k columns are dependent, up to rounding.
    ///
    /// ```
    /// use wengert::linalg::Linalg;
    /// use wengert::tensor::Tensor;
    /// let a = Tensor::from([[3.0f32, 1.0], [4.0, 2.0]]);
    /// let (q, r) = a.qr();
    /// assert!((q.matmul(&r) - a).abs().max(&[], false).item() < 1e-6);
    /// assert!((r.at(&[0, 0]) - 5.0).abs() < 1e-6);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes.
    #[track_caller]
    fn qr(&self) -> (Self, Self) {
        self.or_refuse(Self::apply([self], |[a]| functions::qr(a))).into()
    }

    /// Returns the eigenvalues of a symmetric matrix, in ascending order, and its eigenvectors as columns: A = V Λ Vᵀ.
    ///
    /// The method reads (A + Aᵀ)/2, so the gradient is symmetric. In each eigenvector the first element of the largest
    /// absolute value is positive; PyTorch's signs are arbitrary.
    ///
    /// If two eigenvalues are equal up to rounding, the derivative of the eigenvectors does not exist, and it panics. The
    /// first derivative of the eigenvalues alone exists if the function treats equal eigenvalues alike; its second
    /// derivative needs the eigenvectors' derivative, and panics.
    ///
    /// The error of each eigenvalue is a small multiple of ε·‖A‖. Method: reduction to a tridiagonal matrix and QL sweeps
    /// (G. Golub and C. Van Loan, "Matrix Computations", section 8.3).
    ///
    /// ```
    /// use wengert::linalg::Linalg;
    /// use wengert::tensor::Tensor;
    /// let a = Tensor::from([[2.0, 1.0], [1.0, 2.0]]);
    /// let (values, vectors) = a.eigh();
    /// assert!((values - Tensor::from([1.0, 3.0])).abs().max(&[], false).item() < 1e-6);
    /// let product = a.matmul(&vectors.narrow(1, 1, 1));
    /// assert!((product - vectors.narrow(1, 1, 1) * 3.0).abs().max(&[], false).item() < 1e-6);
    /// ```
    ///
    /// # Panics
    /// If a matrix is not square, or contains a NaN or an infinity.
    #[track_caller]
    fn eigh(&self) -> (Self, Self) {
        self.or_refuse(Self::apply([self], |[a]| functions::eigh("eigh", a))).into()
    }

    /// Returns the eigenvalues of a symmetric matrix, in ascending order. They are those of [`eigh`](Self::eigh), which
    /// describes the derivative.
    ///
    /// ```
    /// use wengert::linalg::Linalg;
    /// use wengert::tensor::Tensor;
    /// let values = Tensor::from([[0.0, 3.0], [3.0, 0.0]]).eigvalsh();
    /// assert!((values - Tensor::from([-3.0, 3.0])).abs().max(&[], false).item() < 1e-6);
    /// ```
    ///
    /// # Panics
    /// If a matrix is not square, or contains a NaN or an infinity.
    #[track_caller]
    fn eigvalsh(&self) -> Self {
        let [values, _] = self.or_refuse(Self::apply([self], |[a]| functions::eigh("eigvalsh", a)));
        values
    }

    /// Returns U, the singular values in descending order, and Vᵀ, with A = U Σ Vᵀ.
    ///
    /// A has the shape `[…, m, n]`. With k = min(m, n), the shapes are `[…, m, k]`, `[…, k]` and `[…, k, n]` (PyTorch's
    /// `full_matrices=False`). In each column of U the first element of the largest absolute value is positive; PyTorch's
    /// signs are arbitrary.
    ///
    /// If two singular values are equal up to rounding, the derivative of U and V does not exist, and it panics; also
    /// if a singular value is 0 and the derivative divides by it: that of U with more rows than columns, that of V with
    /// more columns than rows. The first derivative of the singular values alone exists in these cases; at a singular
    /// value 0 it is a subgradient.
    ///
    /// The error of each singular value is a small multiple of ε·σ₁, where σ₁ is the largest one. Method: reduction to a
    /// bidiagonal matrix and QR sweeps (G. Golub and C. Van Loan, "Matrix Computations", section 8.6; J. Demmel and W.
    /// Kahan, "Accurate singular values of bidiagonal matrices", 1990).
    ///
    /// ```
    /// use wengert::linalg::Linalg;
    /// use wengert::tensor::Tensor;
    /// let a = Tensor::from([[3.0, 0.0], [0.0, -2.0], [0.0, 0.0]]);
    /// let (u, s, vt) = a.svd();
    /// assert_eq!(s, Tensor::from([3.0, 2.0]));
    /// assert_eq!((u * s).matmul(&vt), a);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes, or a matrix contains a NaN or an infinity.
    #[track_caller]
    fn svd(&self) -> (Self, Self, Self) {
        self.or_refuse(Self::apply([self], |[a]| functions::svd("svd", a))).into()
    }

    /// Returns the singular values, in descending order. They are those of [`svd`](Self::svd), which describes the
    /// derivative.
    ///
    /// ```
    /// use wengert::linalg::Linalg;
    /// use wengert::tensor::Tensor;
    /// let s = Tensor::from([[0.0, 3.0], [-4.0, 0.0]]).svdvals();
    /// assert_eq!(s, Tensor::from([4.0, 3.0]));
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes, or a matrix contains a NaN or an infinity.
    #[track_caller]
    fn svdvals(&self) -> Self {
        let [_, s, _] = self.or_refuse(Self::apply([self], |[a]| functions::svd("svdvals", a)));
        s
    }

    /// Returns the condition number: the largest singular value divided by the smallest. It is infinite for a singular
    /// matrix.
    ///
    /// ```
    /// use wengert::linalg::Linalg;
    /// use wengert::tensor::Tensor;
    /// assert_eq!(Tensor::from([[8.0, 0.0], [0.0, 2.0]]).cond().item(), 4.0);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes, or a matrix has no elements or contains a NaN or an infinity.
    #[track_caller]
    fn cond(&self) -> Self {
        alone(self.or_refuse(Self::apply([self], |[a]| functions::cond(a))))
    }

    /// Returns the rank: the number of singular values greater than `rtol` times the largest one. The default of `rtol` is
    /// ε·max(m, n), with the precision ε of the number type. The result is a tensor of integers, for variables too.
    ///
    /// ```
    /// use wengert::linalg::Linalg;
    /// use wengert::tensor::Tensor;
    /// assert_eq!(Tensor::from([[1.0, 2.0], [2.0, 4.0]]).matrix_rank(None).item(), 1);
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes, if a matrix contains a NaN or an infinity, or if the tolerance is not between 0
    /// and 1.
    #[track_caller]
    fn matrix_rank(&self, rtol: Option<f64>) -> Tensor<i64> {
        self.or_refuse(functions::tolerance("matrix_rank", rtol));
        let [_, s, _] = self.or_refuse(Self::apply([self], |[a]| functions::svd("matrix_rank", a)));
        self.rank_of(&s, rtol)
    }

    /// Returns the pseudoinverse (E. H. Moore, R. Penrose): the inverse where there is one.
    ///
    /// A has the shape `[…, m, n]`, and the result `[…, n, m]`. Singular values of at most `rtol` times the largest one
    /// count as 0. The default of `rtol` is ε·max(m, n), with the precision ε of the number type. The derivative is that
    /// for matrices of the same rank: the pseudoinverse jumps where the rank changes. Repeated singular values do no harm.
    ///
    /// ```
    /// use wengert::linalg::Linalg;
    /// use wengert::tensor::Tensor;
    /// let p = Tensor::from([[2.0, 0.0], [0.0, 0.0], [0.0, 0.0]]).pinv(None);
    /// assert_eq!(p, Tensor::from([[0.5, 0.0, 0.0], [0.0, 0.0, 0.0]]));
    /// ```
    ///
    /// # Panics
    /// If there are fewer than two axes, if a matrix contains a NaN or an infinity, or if the tolerance is not between 0
    /// and 1.
    #[track_caller]
    fn pinv(&self, rtol: Option<f64>) -> Self {
        alone(self.or_refuse(Self::apply([self], |[a]| functions::pinv("pinv", a, rtol))))
    }

    /// Returns the X that minimises ‖A X - B‖, where A is this value; of several the one with the smallest norm.
    ///
    /// A has the shape `[…, m, n]`, with any m, n and rank. B has the shape `[…, m, k]`, or `[m]` for a vector. The leading
    /// axes broadcast. The result is the product of the [pseudoinverse](Self::pinv) and B, with the same meaning of `rtol`
    /// and the same derivative.
    ///
    /// ```
    /// use wengert::linalg::Linalg;
    /// use wengert::tensor::Tensor;
    /// // The line through three points.
    /// let a = Tensor::from([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]);
    /// let line = a.lstsq(Tensor::from([1.0, 3.0, 5.0]), None);
    /// assert!((line - Tensor::from([1.0, 2.0])).abs().max(&[], false).item() < 1e-5);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit, if A contains a NaN or an infinity, or if the tolerance is not between 0 and 1.
    #[track_caller]
    fn lstsq(&self, b: impl Borrow<Self>, rtol: Option<f64>) -> Self {
        let operands = [self, b.borrow()];
        alone(self.or_refuse(Self::apply(operands, |[a, b]| functions::lstsq(a, b, rtol))))
    }

    /// Returns the exponential of a matrix: Σ Aᵏ/k!.
    ///
    /// The method scales A, uses a Padé approximation, and squares the result (N. J. Higham, "The scaling and squaring
    /// method for the matrix exponential revisited", 2005). A derivative is a block of the exponential of a matrix of twice
    /// the size. If a matrix contains a NaN or an infinity, or if the sum of the absolute values in a column overflows, all
    /// elements of the result are NaN.
    ///
    /// ```
    /// use wengert::linalg::Linalg;
    /// use wengert::tensor::Tensor;
    /// let rotation = (Tensor::from([[0.0, -1.0], [1.0, 0.0]]) * 0.5).matrix_exp();
    /// assert!((rotation.at(&[0, 0]) - 0.5f32.cos()).abs() < 1e-6);
    /// ```
    ///
    /// # Panics
    /// If a matrix is not square.
    #[track_caller]
    fn matrix_exp(&self) -> Self {
        alone(self.or_refuse(Self::apply([self], |[a]| functions::matrix_exp(a))))
    }

    /// Returns the product of `n` equal matrices. A negative power is that of the inverse; the power 0 is the identity.
    ///
    /// ```
    /// use wengert::linalg::Linalg;
    /// use wengert::tensor::Tensor;
    /// let fibonacci = Tensor::from([[1.0, 1.0], [1.0, 0.0]]).matrix_power(10);
    /// assert_eq!(fibonacci.at(&[0, 1]), 55.0);
    /// ```
    ///
    /// # Panics
    /// If a matrix is not square, or if it is singular and `n` is negative.
    #[track_caller]
    fn matrix_power(&self, n: i32) -> Self {
        alone(self.or_refuse(Self::apply([self], |[a]| functions::matrix_power(a, n))))
    }
}

impl<M: Matrices> Linalg for M {}

fn alone<X>([x]: [X; 1]) -> X {
    x
}
