//! Derivative rules, in differentiable operations, so that each derivative has a derivative.
//!
//! Sources: M. B. Giles, "An extended collection of matrix derivative results", 2008; I. Murray, "Differentiation of the
//! Cholesky decomposition", 2016; G. H. Golub and V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least
//! squares problems", 1973; A. H. Al-Mohy and N. J. Higham, "Computing the Fréchet derivative of the matrix exponential",
//! 2009.

use crate::error::LinalgError;
use crate::kernels::triangular::Triangle;
use crate::primitive::{Kind, record};
use wengert_autograd::{Call, Cotangents, Var};
use wengert_tensor::{Float, Tensor};

const UPPER: Triangle = Triangle { upper: true, unit: false };

/// Returns the cotangents of the operands.
pub(crate) fn vjp<'t, T: Float>(kind: Kind, c: &Call<'_, 't, T>) -> Cotangents<'t, T> {
    match kind {
        Kind::Cholesky => [Some(cholesky(c.y(0), c.gy()))].into(),
        Kind::Triangular(triangle) => triangular(kind, triangle, c),
        Kind::FullRank => triangular(kind, UPPER, c),
        Kind::Solve => {
            let (a, x) = (c.x(0), c.y(0));
            let by_b = one("solve", Kind::Solve, &[a.t(), c.gy()]);
            [c.wants(0).then(|| -by_b.matmul_t(x, false, true)), Some(by_b)].into()
        }
        Kind::Inverse => {
            let y = c.y(0).t();
            [Some(-y.matmul(c.gy()).matmul(y))].into()
        }
        Kind::Det => {
            let cofactors = one("det", Kind::Cofactors, &[c.x(0)]);
            [Some(each_matrix(c.gy()) * cofactors)].into()
        }
        Kind::Cofactors => {
            [Some(one("the second derivative of det", Kind::CofactorsAlong, &[c.x(0), c.gy()]))]
                .into()
        }
        Kind::CofactorsAlong => {
            let name = "the third derivative of det";
            let (a, g, w) = (c.x(0), c.x(1), c.gy());
            // The second derivative is symmetric. With B = A⁻ᵀ, ⟨W, C'(G)⟩ is det A · (⟨W, B⟩⟨G, B⟩ - tr(Wᵀ B Gᵀ B)), and
            // ⟨X, dB⟩ is -⟨B Xᵀ B, dA⟩.
            let by_a = c.wants(0).then(|| {
                let b = one(name, Kind::Inverse, &[a]).t();
                let det = each_matrix(one(name, Kind::Det, &[a]));
                let along = |x: Var<'t, T>| (x * b).sum(&[-2, -1], true);
                let turned = |x: Var<'t, T>| b.matmul(x.t()).matmul(b);
                let (bw, bg) = (b.matmul(w.t()), b.matmul(g.t()));
                let both = (bw * bg.t()).sum(&[-2, -1], true);
                let product = (along(w) * along(g) - both) * b;
                let change = along(w) * turned(g) + along(g) * turned(w);
                det * (product - change + (bg.matmul(bw) + bw.matmul(bg)).matmul(b))
            });
            let by_g = c.wants(1).then(|| one(name, Kind::CofactorsAlong, &[a, w]));
            [by_a, by_g].into()
        }
        Kind::Slogdet => {
            let a = c.x(0);
            [Some(match c.gy_of(1) {
                // The sign is constant where it has a derivative.
                None => a.tape().zeros(a.shape()),
                Some(g) => {
                    let inverse = one("the derivative of slogdet", Kind::Inverse, &[a]);
                    each_matrix(g) * inverse.t()
                }
            })]
            .into()
        }
        Kind::Lu => [Some(lu(c))].into(),
        Kind::Qr => [Some(qr(c))].into(),
        Kind::Eigh => [Some(eigh(c))].into(),
        Kind::Svd => [Some(svd(c))].into(),
        Kind::Pinv(_) => {
            let (a, p, g) = (c.x(0), c.y(0), c.gy());
            let (pt, gt) = (p.t(), g.t());
            let left = gt.matmul(p).matmul(pt);
            let right = pt.matmul(p).matmul(gt);
            let left = left - a.matmul(p.matmul(left));
            let right = right - right.matmul(p).matmul(a);
            [Some(left + right - pt.matmul(g).matmul(pt))].into()
        }
        Kind::MatrixExp => [Some(matrix_exp(c.x(0), c.gy()))].into(),
        Kind::Gaps => {
            let h = c.gy() * c.y(0).square();
            [Some(h.sum(&[-1], false) - h.sum(&[-2], false))].into()
        }
        Kind::SquareGaps => {
            let h = c.gy() * c.y(0).square();
            [Some(2.0 * c.x(0) * (h.sum(&[-1], false) - h.sum(&[-2], false)))].into()
        }
        Kind::Reciprocals => [Some(-c.gy() * c.y(0).square())].into(),
    }
}

/// Records an operation with one result. An error of the derivative is an error of the tape.
fn one<'t, T: Float>(operation: &'static str, kind: Kind, x: &[Var<'t, T>]) -> Var<'t, T> {
    match record(operation, kind, x) {
        Ok(results) => results[0],
        Err(error) => refuse(x[0], &error),
    }
}

/// Panics with an error, which `Tape::catch` returns.
#[track_caller]
pub(crate) fn refuse<T: Float>(x: Var<'_, T>, error: &LinalgError) -> ! {
    if error.batch.is_empty() {
        x.tape().shape_error(error.to_string())
    }
    x.tape().sample_error(error.flat, error.to_string())
}

/// Returns a number for each matrix as a matrix of 1 × 1.
fn each_matrix<T: Float>(g: Var<'_, T>) -> Var<'_, T> {
    g.unsqueeze(-1).unsqueeze(-1)
}

/// Returns the lower triangle with the half of the diagonal.
fn half_lower<T: Float>(x: Var<'_, T>) -> Var<'_, T> {
    0.5 * (x.tril(0) + x.tril(-1))
}

fn sum<'t, T: Float>(a: Option<Var<'t, T>>, b: Option<Var<'t, T>>) -> Option<Var<'t, T>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    }
}

/// Returns the matrices with these vectors on their diagonals.
fn diagonal<T: Float>(x: Var<'_, T>) -> Var<'_, T> {
    x.unsqueeze(-1) * x.tape().constant(Tensor::eye_of(x.size(-1)))
}

fn cholesky<'t, T: Float>(l: Var<'t, T>, g: Var<'t, T>) -> Var<'t, T> {
    let middle = half_lower(l.matmul_t(g.tril(0), true, false));
    let upper = |x| one("cholesky", Kind::Triangular(UPPER), &[l.t(), x]);
    let by_a = upper(upper(middle).t());
    0.5 * (by_a + by_a.t())
}

fn triangular<'t, T: Float>(
    kind: Kind,
    triangle: Triangle,
    c: &Call<'_, 't, T>,
) -> Cotangents<'t, T> {
    let Triangle { upper, unit } = triangle;
    let (a, x) = (c.x(0), c.y(0));
    let operation =
        if kind == Kind::FullRank { "the derivative of qr" } else { "triangular_solve" };
    let transposed = Kind::Triangular(Triangle { upper: !upper, unit });
    let by_b = one(operation, transposed, &[a.t(), c.gy()]);
    let by_a = c.wants(0).then(|| {
        let all = -by_b.matmul_t(x, false, true);
        let offset = isize::from(unit);
        if upper { all.triu(offset) } else { all.tril(-offset) }
    });
    [by_a, Some(by_b)].into()
}

/// The blocks of the smaller size are square. The derivative of P is 0.
fn lu<'t, T: Float>(c: &Call<'_, 't, T>) -> Var<'t, T> {
    let name = "the derivative of lu";
    let (l, u, p) = (c.y(0), c.y(1), c.y(2));
    let (m, k, n) = (l.size(-2), l.size(-1), u.size(-1));
    let (l1, u1) = (l.narrow(-2, 0, k), u.narrow(-1, 0, k));
    let (gl, gu) = (c.gy_of(0), c.gy_of(1));
    let rest = |g: Option<Var<'t, T>>, axis, size: usize| {
        g.filter(|_| size > k).map(|g| g.narrow(axis, k, size - k))
    };
    let (gl2, gu2) = (rest(gl, -2, m), rest(gu, -1, n));
    let mut lower = gl.map(|g| l1.matmul_t(g.narrow(-2, 0, k).tril(-1), true, false));
    let mut upper = gu.map(|g| g.narrow(-1, 0, k).triu(0).matmul_t(u1, false, true));
    if let Some(g) = gu2 {
        let u2 = u.narrow(-1, k, n - k);
        lower = sum(lower, Some(-g.matmul_t(u2, false, true)));
    }
    if let Some(g) = gl2 {
        let l2 = l.narrow(-2, k, m - k);
        upper = sum(upper, Some(-l2.matmul_t(g, true, false)));
    }
    let unit = Kind::Triangular(Triangle { upper: true, unit: true });
    let by_l = |x: Var<'t, T>| one(name, unit, &[l1.t(), x]);
    // X U₁⁻ᵀ is the transpose of U₁⁻¹ Xᵀ.
    let by_u = |x: Var<'t, T>| one(name, Kind::Triangular(UPPER), &[u1, x.t()]).t();
    let middle = sum(lower.map(|x| x.tril(-1)), upper.map(|x| x.triu(0)));
    let zeros = |rows, columns| {
        let mut shape = l.shape();
        let rank = shape.rank();
        (shape[rank - 2], shape[rank - 1]) = (rows, columns);
        l.tape().zeros(shape)
    };
    let mut by_a = match middle {
        Some(middle) => by_u(by_l(middle)),
        None => zeros(k, k),
    };
    if n > k {
        by_a = Var::concat(&[by_a, gu2.map_or_else(|| zeros(k, n - k), by_l)], -1);
    }
    if m > k {
        by_a = Var::concat(&[by_a, gl2.map_or_else(|| zeros(m - k, k), by_u)], -2);
    }
    p.matmul(by_a)
}

fn qr<'t, T: Float>(c: &Call<'_, 't, T>) -> Var<'t, T> {
    let (q, r) = (c.y(0), c.y(1));
    let (k, n) = (r.size(-2), r.size(-1));
    let r1 = r.narrow(-1, 0, k);
    let gr = c.gy_of(1).map(|g| g.triu(0));
    let mut gq = c.gy_of(0);
    // The columns after the first k are Q R₂, with R₂ = Qᵀ A₂.
    let gr2 = gr.filter(|_| n > k).map(|g| g.narrow(-1, k, n - k));
    if let Some(g) = gr2 {
        let a2 = q.matmul(r.narrow(-1, k, n - k));
        gq = sum(gq, Some(a2.matmul_t(g, false, true)));
    }
    let by_r = gr.map(|g| g.narrow(-1, 0, k).matmul_t(r1, false, true));
    let by_q = gq.map(|g| -q.matmul_t(g, true, false));
    let middle = sum(by_r, by_q).map(|x| {
        let upper = 0.5 * (x.triu(0) + x.triu(1));
        q.matmul(upper + upper.t())
    });
    let by_a = sum(gq, middle).expect("a rule is called with a cotangent");
    // X R₁⁻ᵀ is the transpose of R₁⁻¹ Xᵀ.
    let by_a1 = one("the derivative of qr", Kind::FullRank, &[r1, by_a.t()]).t();
    match gr2 {
        Some(g) => Var::concat(&[by_a1, q.matmul(g)], -1),
        None if n > k => {
            let mut shape = by_a1.shape();
            let rank = shape.rank();
            shape[rank - 1] = n - k;
            Var::concat(&[by_a1, by_a1.tape().zeros(shape)], -1)
        }
        None => by_a1,
    }
}

fn eigh<'t, T: Float>(c: &Call<'_, 't, T>) -> Var<'t, T> {
    let (values, v) = (c.y(0), c.y(1));
    let by_vectors = c.gy_of(1).map(|g| {
        let gaps = one("the derivative of eigh", Kind::Gaps, &[values]);
        v.matmul(v.matmul_t(g, true, false) * gaps)
    });
    let by_values = c.gy_of(0).map(|g| v * g.unsqueeze(-2));
    let left = sum(by_vectors, by_values).expect("a rule is called with a cotangent");
    let by_a = left.matmul_t(v, false, true);
    0.5 * (by_a + by_a.t())
}

fn svd<'t, T: Float>(c: &Call<'_, 't, T>) -> Var<'t, T> {
    let name = "the derivative of svd";
    let (u, s, vt) = (c.y(0), c.y(1), c.y(2));
    let (m, k, n) = (u.size(-2), s.size(-1), vt.size(-1));
    let (gu, gs, gvt) = (c.gy_of(0), c.gy_of(1), c.gy_of(2));
    let mut inner = gs.map(diagonal);
    if gu.is_some() || gvt.is_some() {
        let gaps = one(name, Kind::SquareGaps, &[s]);
        let turned = |x: Var<'t, T>| (x - x.t()) * gaps;
        inner = sum(inner, gu.map(|g| turned(u.matmul_t(g, true, false)) * s.unsqueeze(-2)));
        inner = sum(inner, gvt.map(|g| s.unsqueeze(-1) * turned(vt.matmul_t(g, false, true))));
    }
    let inner = inner.expect("a rule is called with a cotangent");
    let mut by_a = u.matmul(inner).matmul(vt);
    // The parts of the vectors that leave the spaces of U and V.
    if let Some(g) = gu.filter(|_| m > k) {
        let outside = g - u.matmul(u.matmul_t(g, true, false));
        let reciprocals = one(name, Kind::Reciprocals, &[s]);
        by_a = by_a + (outside * reciprocals.unsqueeze(-2)).matmul(vt);
    }
    if let Some(g) = gvt.filter(|_| n > k) {
        let outside = g - g.matmul_t(vt, false, true).matmul(vt);
        let reciprocals = one(name, Kind::Reciprocals, &[s]);
        by_a = by_a + u.matmul(reciprocals.unsqueeze(-1) * outside);
    }
    by_a
}

/// The upper right block of exp [[Aᵀ, G], [0, Aᵀ]].
fn matrix_exp<'t, T: Float>(a: Var<'t, T>, g: Var<'t, T>) -> Var<'t, T> {
    let (n, at) = (a.size(-1), a.t());
    let top = Var::concat(&[at, g], -1);
    let bottom = Var::concat(&[a.tape().zeros(a.shape()), at], -1);
    let exp = one("matrix_exp", Kind::MatrixExp, &[Var::concat(&[top, bottom], -2)]);
    exp.narrow(-2, 0, n).narrow(-1, n, n)
}
