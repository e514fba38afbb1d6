//! Eigenvalues of a symmetric matrix: reduction to a tridiagonal matrix by reflections, then QL iterations with implicit
//! shifts (Bowdler, Martin, Reinsch and Wilkinson, "The QR and QL algorithms for symmetric matrices", 1968).

use super::qr::reflection;
use super::vectors::{
    add_scaled, dot, identity, is_flipped, largest, rotate, scale, symmetric, transposed,
};

/// Returns the eigenvalues of (A + Aᵀ)/2 in ascending order, and the eigenvectors as columns. In each of them the first
/// element of the largest absolute value is positive. Returns `None` if the iteration does not end.
pub(crate) fn eigh(a: &[f64], n: usize) -> Option<[Vec<f64>; 2]> {
    let mut a = symmetric(a, n);
    let factor = scale(largest(&a));
    for x in &mut a {
        *x *= factor;
    }
    let (mut values, mut beside, mut rows) = tridiagonal(&mut a, n);
    iterate(&mut values, &mut beside, &mut rows)?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut vectors = vec![0.0; n * n];
    for (to, &from) in order.iter().enumerate() {
        let row = &rows[from * n..(from + 1) * n];
        let sign = if is_flipped(row.iter().copied()) { -1.0 } else { 1.0 };
        for (i, x) in row.iter().enumerate() {
            vectors[i * n + to] = sign * x;
        }
    }
    Some([order.iter().map(|&i| values[i] / factor).collect(), vectors])
}

/// Returns the diagonal of T, the elements beside it, and Qᵀ, where A = Q T Qᵀ.
fn tridiagonal(a: &mut [f64], n: usize) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let mut beside = vec![0.0; n];
    let mut reflections = vec![];
    for k in 0..n.saturating_sub(1) {
        let found = reflection(a[k * n + k + 1..(k + 1) * n].to_vec());
        beside[k] = found.beta;
        let (v, tau) = (&found.v, found.tau);
        if tau != 0.0 {
            // A - v wᵀ - w vᵀ with w = p - (τ/2)(pᵀv) v and p = τ A v.
            let rows = k + 1..n;
            let mut w: Vec<f64> =
                rows.clone().map(|i| tau * dot(&a[i * n + k + 1..(i + 1) * n], v)).collect();
            let half = -0.5 * tau * dot(&w, v);
            add_scaled(&mut w, half, v);
            for i in rows {
                let row = &mut a[i * n + k + 1..(i + 1) * n];
                add_scaled(row, -v[i - k - 1], &w);
                add_scaled(row, -w[i - k - 1], v);
            }
        }
        reflections.push(found);
    }
    let mut q = identity(n);
    for (k, found) in reflections.iter().enumerate().rev() {
        found.apply(&mut q, n, [k + 1, k + 1]);
    }
    ((0..n).map(|i| a[i * n + i]).collect(), beside, transposed(&q, [n, n]))
}

/// Makes the tridiagonal matrix diagonal. The rotations act on the rows of Qᵀ, which become the eigenvectors.
fn iterate(d: &mut [f64], e: &mut [f64], rows: &mut [f64]) -> Option<()> {
    let n = d.len();
    let (mut shift, mut size) = (0.0, 0.0f64);
    for l in 0..n {
        size = size.max(d[l].abs() + e[l].abs());
        let small = |x: f64| x.abs() <= f64::EPSILON * size;
        let m = (l..n).find(|&m| small(e[m])).unwrap_or(n - 1);
        let mut rounds = 0;
        while m > l && !small(e[l]) {
            rounds += 1;
            if rounds > 100 {
                return None;
            }
            let g = d[l];
            let p = (d[l + 1] - g) / (2.0 * e[l]);
            let r = p.hypot(1.0).copysign(p);
            d[l] = e[l] / (p + r);
            d[l + 1] = e[l] * (p + r);
            let (next, h) = (d[l + 1], g - d[l]);
            d[l + 2..].iter_mut().for_each(|d| *d -= h);
            shift += h;
            let (mut p, after) = (d[m], e[l + 1]);
            let (mut c, mut c2, mut c3) = (1.0, 1.0, 1.0);
            let (mut s, mut s2) = (0.0, 0.0);
            for i in (l..m).rev() {
                (c3, c2, s2) = (c2, c, s);
                let (g, h) = (c * e[i], c * p);
                let r = p.hypot(e[i]);
                e[i + 1] = s * r;
                (s, c) = (e[i] / r, p / r);
                p = c * d[i] - s * g;
                d[i + 1] = h + s * (c * g + s * d[i]);
                rotate(rows, n, [i, i + 1], [c, s]);
            }
            p = -s * s2 * c3 * after * e[l] / next;
            e[l] = s * p;
            d[l] = c * p;
        }
        d[l] += shift;
        e[l] = 0.0;
    }
    Some(())
}
