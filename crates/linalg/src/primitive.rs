//! The operations that a tape records: each has a kernel and a derivative rule. The functions of this crate are
//! compositions of them.

use crate::batch;
use crate::error::{LinalgError, LinalgProblem};
use crate::kernels::triangular::Triangle;
use crate::kernels::{cholesky, eigh, expm, lu, qr, svd, triangular, vectors};
use crate::rules;
use std::sync::{Arc, Mutex, OnceLock};
use wengert_autograd::{Call, Cotangents, CustomOp, Outputs, Reads, Var};
use wengert_tensor::{Float, Shape, Tensor, per_type};

/// An operation on matrices in the last two axes. The leading axes of all operands are equal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Cholesky,
    Triangular(Triangle),
    /// As `Triangular`, of the factor R in the derivative of `qr`: the diagonal must not be 0 up to rounding.
    FullRank,
    Solve,
    Inverse,
    Det,
    Cofactors,
    /// The derivative of the cofactors in the direction of the second operand. It is symmetric: the second derivative of
    /// the determinant.
    CofactorsAlong,
    Slogdet,
    Lu,
    Qr,
    Eigh,
    Svd,
    /// The pseudoinverse; singular values up to this multiple of the largest one are 0.
    Pinv(Option<f64>),
    MatrixExp,
    /// The matrix 1/(xⱼ - xᵢ) of a vector x, with zeros on the diagonal.
    Gaps,
    /// The matrix 1/(xⱼ² - xᵢ²) of a vector x of numbers that are not negative, with zeros on the diagonal.
    SquareGaps,
    /// The reciprocals of singular values.
    Reciprocals,
}

use Kind::{
    Cholesky, Cofactors, CofactorsAlong, Det, Eigh, FullRank, Gaps, Inverse, Lu, MatrixExp, Pinv,
    Qr, Reciprocals, Slogdet, Solve, SquareGaps, Svd, Triangular,
};

impl Kind {
    /// Returns the name of the operation in graphs.
    fn name(self) -> &'static str {
        match self {
            Cholesky => "cholesky",
            Triangular(_) => "triangular_solve",
            FullRank => "triangular_solve_qr",
            Solve => "solve",
            Inverse => "inverse",
            Det => "det",
            Cofactors => "cofactors",
            CofactorsAlong => "cofactors_along",
            Slogdet => "slogdet",
            Lu => "lu",
            Qr => "qr",
            Eigh => "eigh",
            Svd => "svd",
            Pinv(_) => "pinv",
            MatrixExp => "matrix_exp",
            Gaps => "gaps",
            SquareGaps => "square_gaps",
            Reciprocals => "reciprocals",
        }
    }

    /// Returns the number of axes that one operand of the kernel has.
    fn rank(self) -> usize {
        if matches!(self, Gaps | SquareGaps | Reciprocals) { 1 } else { 2 }
    }

    /// Returns the shapes of the results.
    fn shapes(self, inputs: &[Shape]) -> Vec<Shape> {
        let (batch, own) = inputs[0].split_at(inputs[0].rank() - self.rank());
        let of = |sizes: &[usize]| batch.iter().chain(sizes).copied().collect();
        let n = own[own.len() - 1];
        let (m, k) = (own[0], own[0].min(n));
        match self {
            Cholesky | Inverse | Cofactors | CofactorsAlong | MatrixExp | Reciprocals => {
                vec![inputs[0]]
            }
            Triangular(_) | FullRank | Solve => vec![inputs[1]],
            Det => vec![of(&[])],
            Slogdet => vec![of(&[]), of(&[])],
            Lu => vec![of(&[m, k]), of(&[k, n]), of(&[m, m])],
            Qr => vec![of(&[m, k]), of(&[k, n])],
            Eigh => vec![of(&[n]), of(&[n, n])],
            Svd => vec![of(&[m, k]), of(&[k]), of(&[k, n])],
            Pinv(_) => vec![of(&[n, m])],
            Gaps | SquareGaps => vec![of(&[n, n])],
        }
    }

    /// Computes the results of all matrices. `epsilon` is the precision of the inputs.
    fn run(
        self,
        inputs: &[Tensor<f64>],
        shapes: &[Shape],
        epsilon: f64,
    ) -> Result<Vec<Tensor<f64>>, (usize, LinalgProblem)> {
        let own = inputs[0].shape();
        let (batch, sizes) = own.split_at(own.rank() - self.rank());
        let n = sizes[sizes.len() - 1];
        let size = [sizes[0], n];
        let columns = inputs.last().map_or(1, |x| x.shape().last().copied().unwrap_or(1));
        let work = size[0].saturating_mul(n).saturating_mul(columns);
        batch::each(inputs, batch, shapes, work, &|x| self.one(x, size, columns, epsilon))
    }

    /// Computes the results of one matrix of m × n. The second operand has `k` columns.
    fn one(
        self,
        x: &[&[f64]],
        [m, n]: [usize; 2],
        k: usize,
        epsilon: f64,
    ) -> Result<Vec<Vec<f64>>, LinalgProblem> {
        let a = x[0];
        Ok(match self {
            Cholesky => {
                vec![match cholesky::cholesky(a, n) {
                    Ok(factor) => factor,
                    Err(pivot) => {
                        finite(a)?;
                        return Err(LinalgProblem::NotPositiveDefinite { pivot });
                    }
                }]
            }
            Triangular(triangle) => {
                if let Some(pivot) = diagonal(a, n).position(|x| x == 0.0 && !triangle.unit) {
                    return Err(LinalgProblem::Singular { pivot });
                }
                let mut solution = x[1].to_vec();
                triangular::solve(a, &mut solution, [n, k], triangle);
                vec![solution]
            }
            FullRank => {
                let limit = epsilon * n as f64 * vectors::largest(a);
                if let Some(pivot) = diagonal(a, n).position(|x| x.abs() <= limit) {
                    return Err(LinalgProblem::Singular { pivot });
                }
                let mut solution = x[1].to_vec();
                triangular::solve(a, &mut solution, [n, k], Triangle { upper: true, unit: false });
                vec![solution]
            }
            Solve | Inverse => {
                let factors = lu::lu(a, [n, n]);
                if let Some(pivot) = factors.pivots().position(|pivot| pivot == 0.0) {
                    return Err(LinalgProblem::Singular { pivot });
                }
                vec![match self {
                    Solve => factors.solve(x[1], k),
                    _ => factors.solve(&vectors::identity(n), n),
                }]
            }
            Det => vec![vec![lu::lu(a, [n, n]).determinant()]],
            Cofactors => vec![cofactors(a, n)?],
            CofactorsAlong => vec![cofactors_along(a, x[1], n)?],
            Slogdet => {
                let (sign, log) = lu::lu(a, [n, n]).log_determinant();
                vec![vec![sign], vec![log]]
            }
            Lu => lu::lu(a, [m, n]).parts().into(),
            Qr => qr::qr(a, [m, n]).into(),
            Eigh => {
                finite(a)?;
                eigh::eigh(a, n).ok_or(LinalgProblem::NoConvergence)?.into()
            }
            Svd => {
                finite(a)?;
                svd::svd(a, [m, n]).ok_or(LinalgProblem::NoConvergence)?.into()
            }
            Pinv(rtol) => vec![pinv(a, [m, n], rtol.unwrap_or(epsilon * m.max(n) as f64))?],
            MatrixExp => {
                // The number of squarings follows from the norm.
                let norm = |j: usize| (0..n).map(|i| a[i * n + j].abs()).sum::<f64>();
                let known = (0..n).all(|j| norm(j).is_finite());
                vec![if known { expm::exp(a, n) } else { vec![f64::NAN; n * n] }]
            }
            Gaps => vec![gaps(a, epsilon, |x, y| y - x)?],
            SquareGaps => vec![gaps(a, epsilon, |x, y| (y - x) * (y + x))?],
            Reciprocals => {
                let limit = epsilon * n as f64 * vectors::largest(a);
                if let Some(place) = a.iter().position(|x| *x <= limit) {
                    return Err(LinalgProblem::Zero { place, value: a[place] });
                }
                vec![a.iter().map(|x| x.recip()).collect()]
            }
        })
    }
}

fn diagonal(a: &[f64], n: usize) -> impl Iterator<Item = f64> {
    (0..n).map(move |i| a[i * n + i])
}

fn finite(a: &[f64]) -> Result<(), LinalgProblem> {
    if a.iter().all(|x| x.is_finite()) { Ok(()) } else { Err(LinalgProblem::NotFinite) }
}

/// Returns the matrix of the reciprocals of these differences. Values whose distance rounding can explain are equal.
fn gaps(
    x: &[f64],
    epsilon: f64,
    difference: impl Fn(f64, f64) -> f64,
) -> Result<Vec<f64>, LinalgProblem> {
    let n = x.len();
    let limit = epsilon * n as f64 * vectors::largest(x);
    let mut out = vec![0.0; n * n];
    for i in 0..n {
        for j in (0..n).filter(|&j| j != i) {
            if (x[i] - x[j]).abs() <= limit {
                return Err(LinalgProblem::Repeated { places: [i, j], values: [x[i], x[j]] });
            }
            out[i * n + j] = difference(x[i], x[j]).recip();
        }
    }
    Ok(out)
}

/// Returns the pseudoinverse, of n × m.
fn pinv(a: &[f64], [m, n]: [usize; 2], rtol: f64) -> Result<Vec<f64>, LinalgProblem> {
    finite(a)?;
    let [u, s, vt] = svd::svd(a, [m, n]).ok_or(LinalgProblem::NoConvergence)?;
    let (k, limit) = (s.len(), rtol * vectors::largest(&s));
    let mut scaled = vt;
    for (row, &s) in scaled.chunks_exact_mut(n).zip(&s) {
        let factor = if s > limit { s.recip() } else { 0.0 };
        for x in row.iter_mut() {
            *x *= factor;
        }
    }
    let (v, ut) = (vectors::transposed(&scaled, [k, n]), vectors::transposed(&u, [m, k]));
    Ok(vectors::product(&v, &ut, [n, k, m]))
}

/// Returns the matrix of cofactors, which is det A · A⁻ᵀ. It exists for singular matrices too.
fn cofactors(a: &[f64], n: usize) -> Result<Vec<f64>, LinalgProblem> {
    if !a.iter().all(|x| x.is_finite()) {
        return Ok(vec![f64::NAN; n * n]);
    }
    if let Some((det, b)) = regular(a, n) {
        return Ok(b.into_iter().map(|x| det * x).collect());
    }
    // U diag(Π_{j≠i} σ_j) Vᵀ det U det V.
    let ([u, s, vt], sign) = signed_svd(a, n)?;
    let mut scaled = vt;
    for (i, row) in scaled.chunks_exact_mut(n).enumerate() {
        let others = s.iter().enumerate().filter(|(j, _)| *j != i);
        let product: f64 = others.map(|(_, s)| s).product();
        for x in row.iter_mut() {
            *x *= sign * product;
        }
    }
    Ok(vectors::product(&u, &scaled, [n, n, n]))
}

/// Returns the derivative of the cofactors in the direction G: det A · (⟨G, B⟩ B - B Gᵀ B) with B = A⁻ᵀ. For an almost
/// singular matrix the two terms cancel, so it is computed from A = U Σ Vᵀ: the cofactors of the matrix Uᵀ A V, which is
/// diagonal, change by products of all singular values but two.
fn cofactors_along(a: &[f64], g: &[f64], n: usize) -> Result<Vec<f64>, LinalgProblem> {
    if !a.iter().all(|x| x.is_finite()) {
        return Ok(vec![f64::NAN; n * n]);
    }
    let product = |x: &[f64], y: &[f64]| vectors::product(x, y, [n, n, n]);
    let flipped = |x: &[f64]| vectors::transposed(x, [n, n]);
    if let Some((det, b)) = regular(a, n) {
        let along = vectors::dot(g, &b);
        let turned = product(&product(&b, &flipped(g)), &b);
        return Ok(b.iter().zip(turned).map(|(b, turned)| det * (along * b - turned)).collect());
    }
    let ([u, s, vt], sign) = signed_svd(a, n)?;
    let h = product(&product(&flipped(&u), g), &flipped(&vt));
    let mut change = vec![0.0; n * n];
    for i in 0..n {
        for j in (0..n).filter(|&j| j != i) {
            let others = s.iter().enumerate().filter(|(k, _)| *k != i && *k != j);
            let rest = sign * others.map(|(_, s)| s).product::<f64>();
            change[i * n + i] += rest * h[j * n + j];
            change[i * n + j] = -rest * h[j * n + i];
        }
    }
    Ok(product(&product(&u, &change), &vt))
}

/// Returns det A and A⁻ᵀ, unless the matrix is so close to a singular one that they are imprecise.
fn regular(a: &[f64], n: usize) -> Option<(f64, Vec<f64>)> {
    let factors = lu::lu(a, [n, n]);
    let det = factors.determinant();
    if !det.is_normal() {
        return None;
    }
    let b = vectors::transposed(&factors.solve(&vectors::identity(n), n), [n, n]);
    let condition = n as f64 * vectors::largest(a) * vectors::largest(&b);
    (condition < 1e5 && b.iter().all(|x| x.is_finite())).then_some((det, b))
}

/// Returns the singular value decomposition of a square matrix, and det U det V.
fn signed_svd(a: &[f64], n: usize) -> Result<([Vec<f64>; 3], f64), LinalgProblem> {
    let parts = svd::svd(a, [n, n]).ok_or(LinalgProblem::NoConvergence)?;
    let turn = vectors::product(&parts[0], &parts[2], [n, n, n]);
    let sign = lu::lu(&turn, [n, n]).log_determinant().0;
    Ok((parts, sign))
}

/// An operation on a tape. The tape computes it when it is recorded, so that its error is known then.
struct LinalgOp {
    kind: Kind,
    error: Mutex<Option<(usize, LinalgProblem)>>,
    /// Set when the error has been looked at. A later error, of a replay, is a panic.
    looked: OnceLock<&'static str>,
}

impl<T: Float> CustomOp<T> for LinalgOp {
    fn name(&self) -> &str {
        self.kind.name()
    }

    fn shapes(&self, inputs: &[Shape]) -> Result<Outputs<Shape>, String> {
        Ok(self.kind.shapes(inputs).into_iter().collect())
    }

    fn forward(&self, inputs: &[Tensor<T>]) -> Outputs<Tensor<T>> {
        let shapes: Vec<Shape> = inputs.iter().map(Tensor::shape).collect();
        let shapes = self.kind.shapes(&shapes);
        let wide: Vec<Tensor<f64>> = inputs.iter().map(Tensor::cast).collect();
        match self.kind.run(&wide, &shapes, T::EPSILON) {
            Ok(results) => results.iter().map(Tensor::cast).collect(),
            Err((flat, problem)) => {
                if let Some(operation) = self.looked.get() {
                    let own = inputs[0].shape();
                    let batch = batch::index(&own[..own.rank() - self.kind.rank()], flat);
                    panic!("{}", LinalgError { operation, batch, problem, flat })
                }
                *self.error.lock().expect("no panic holds the lock") = Some((flat, problem));
                shapes.iter().map(|shape| Tensor::full_of(*shape, T::of(f64::NAN))).collect()
            }
        }
    }

    fn vjp<'t>(&self, call: &Call<'_, 't, T>) -> Cotangents<'t, T> {
        rules::vjp(self.kind, call)
    }

    fn reads(&self, arg: usize) -> Reads {
        match self.kind {
            Cholesky | Inverse | Reciprocals | Gaps => Reads::Y0,
            SquareGaps => Reads::X0.and(Reads::Y0),
            Triangular(_) | FullRank | Solve | CofactorsAlong if arg == 1 => Reads::X0,
            CofactorsAlong => Reads::X0.and(Reads::X1),
            Triangular(_) | FullRank | Solve => Reads::X0.and(Reads::Y0),
            Det | Slogdet | MatrixExp | Cofactors => Reads::X0,
            Pinv(_) => Reads::X0.and(Reads::Y0),
            Eigh | Qr => Reads::Y0.and(Reads::Y1),
            Lu | Svd => Reads::ALL,
        }
    }
}

/// Records an operation and returns its results. `operation` is the name in errors. The caller has checked the shapes.
pub(crate) fn record<'t, T: Float>(
    operation: &'static str,
    kind: Kind,
    x: &[Var<'t, T>],
) -> Result<Vec<Var<'t, T>>, LinalgError> {
    per_type!(<'a, 't: 'a> record_here as (operation: &'static str, kind: Kind, x: &'a [Var<'t, T>]) -> Result<Vec<Var<'t, T>>, LinalgError>)
}

fn record_here<'t, T: Float>(
    operation: &'static str,
    kind: Kind,
    x: &[Var<'t, T>],
) -> Result<Vec<Var<'t, T>>, LinalgError> {
    let recorded = Arc::new(LinalgOp { kind, error: Mutex::new(None), looked: OnceLock::new() });
    let results = x[0].tape().custom(recorded.clone(), x);
    recorded.looked.get_or_init(|| operation);
    let error = recorded.error.lock().expect("no panic holds the lock").take();
    match error {
        None => Ok(results.to_vec()),
        Some((flat, problem)) => {
            let own = x[0].shape();
            let batch = batch::index(&own[..own.rank() - kind.rank()], flat);
            Err(LinalgError { operation, batch, problem, flat })
        }
    }
}
