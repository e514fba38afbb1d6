//! Eigenvalues of a symmetric matrix: reduction to a tridiagonal matrix by reflections in blocks (J. Dongarra,
//! D. Sorensen and S. Hammarling, "Block reduction of matrices to condensed forms for eigenvalue computations", 1989),
//! then QL iterations with implicit shifts (Bowdler, Martin, Reinsch and Wilkinson, "The QR and QL algorithms for symmetric
//! matrices", 1968).

use super::reflections::{Reflections, orthogonal, reflection};
use super::rotations::{Rotations, norm};
use super::vectors::{
    add_multiples, arranged, block, column, dot, dots, largest, panel, product, scale, signs,
    subtract, symmetric, transposed,
};

/// Returns the eigenvalues of (A + Aᵀ)/2 in ascending order, and the eigenvectors as columns. In each of them the first
/// element of the largest absolute value is positive. Returns `None` if the iteration does not end.
pub(crate) fn eigh(a: &[f64], n: usize) -> Option<[Vec<f64>; 2]> {
    let mut a = symmetric(a, n);
    let factor = scale(largest(&a));
    for x in &mut a {
        *x *= factor;
    }
    let [mut values, mut beside, mut vectors] = tridiagonal(&mut a, n);
    iterate(&mut values, &mut beside, &mut vectors)?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let vectors = arranged(&vectors, &order, &signs(&vectors, n));
    Some([order.iter().map(|&i| values[i] / factor).collect(), vectors])
}

/// Returns the diagonal of T, the elements beside it, and Q, where A = Q T Qᵀ.
fn tridiagonal(a: &mut [f64], n: usize) -> [Vec<f64>; 3] {
    let (mut diagonal, mut beside) = (vec![0.0; n], vec![0.0; n]);
    let mut blocks = vec![];
    for start in (0..n).step_by(panel(n)) {
        // A stands for A - Vᵀ W - Wᵀ V, where row j of V is the vector of a reflection.
        let (count, length) = (panel(n).min(n - start), n - start);
        let (mut v, mut w) = (vec![0.0; count * length], vec![0.0; count * length]);
        let mut taus = vec![0.0; count];
        for j in 0..count {
            let known = j * length;
            let mut x = a[(start + j) * n + start + j..(start + j + 1) * n].to_vec();
            add_multiples(&mut x, -1.0, &column(&v[..known], length, j), &w, [length, j]);
            add_multiples(&mut x, -1.0, &column(&w[..known], length, j), &v, [length, j]);
            diagonal[start + j] = x[0];
            if j + 1 == length {
                break;
            }
            let found = reflection(x.split_off(1));
            (beside[start + j], taus[j]) = (found.beta, found.tau);
            // w = p - (τ/2)(pᵀv) v with p = τ A v.
            // The rows of A are its columns.
            let mut p = vec![0.0; length - j - 1];
            let corner = [n, start + j + 1];
            add_multiples(&mut p, 1.0, &found.v, &a[(start + j + 1) * n..], corner);
            let [by_v, by_w] = [&v, &w].map(|x| dots(&x[..known], &found.v, [length, j + 1]));
            add_multiples(&mut p, -1.0, &by_w, &v, [length, j + 1]);
            add_multiples(&mut p, -1.0, &by_v, &w, [length, j + 1]);
            let half = 0.5 * found.tau * found.tau * dot(&p, &found.v);
            let to = known + j + 1..known + length;
            for ((to, p), v) in w[to.clone()].iter_mut().zip(&p).zip(&found.v) {
                *to = found.tau * p - half * v;
            }
            v[to].copy_from_slice(&found.v);
        }
        let rest = count..length;
        let of = |x: &[f64]| block(x, length, [0..count, rest.clone()]);
        let (left, right) = ([of(&v), of(&w)].concat(), [of(&w), of(&v)].concat());
        let part = product(
            &transposed(&left, [2 * count, rest.len()]),
            &right,
            [rest.len(), 2 * count, rest.len()],
        );
        let rows = start + count..n;
        subtract(a, n, [rows.clone(), rows], &part);
        blocks.push(Reflections::new(start, v, taus));
    }
    [diagonal, beside, orthogonal(&blocks, [n, n])]
}

/// Makes the tridiagonal matrix diagonal. The rotations act on the columns of Q, which become the eigenvectors.
fn iterate(d: &mut [f64], e: &mut [f64], vectors: &mut [f64]) -> Option<()> {
    let n = d.len();
    let mut rotations = Rotations::default();
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
            let r = norm(p, 1.0).copysign(p);
            d[l] = e[l] / (p + r);
            d[l + 1] = e[l] * (p + r);
            let (next, h) = (d[l + 1], g - d[l]);
            d[l + 2..].iter_mut().for_each(|d| *d -= h);
            shift += h;
            let (mut p, after) = (d[m], e[l + 1]);
            let (mut c, mut c2, mut c3) = (1.0, 1.0, 1.0);
            let (mut s, mut s2) = (0.0, 0.0);
            rotations.sweep(m, false);
            for i in (l..m).rev() {
                (c3, c2, s2) = (c2, c, s);
                let (g, h) = (c * e[i], c * p);
                let r = norm(p, e[i]);
                e[i + 1] = s * r;
                (s, c) = (e[i] / r, p / r);
                p = c * d[i] - s * g;
                d[i + 1] = h + s * (c * g + s * d[i]);
                rotations.push(c, s);
            }
            p = -s * s2 * c3 * after * e[l] / next;
            e[l] = s * p;
            d[l] = c * p;
            if rotations.are_many() {
                rotations.apply(vectors, n);
            }
        }
        d[l] += shift;
        e[l] = 0.0;
    }
    rotations.apply(vectors, n);
    Some(())
}
