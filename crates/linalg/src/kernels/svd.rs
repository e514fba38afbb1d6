//! The singular value decomposition: reduction to a bidiagonal matrix, and QR iterations (Golub and Van Loan, "Matrix
//! Computations", section 8.6). A tall matrix is replaced by its factor R first.

use super::bidiagonal::{bidiagonal, iterate};
use super::qr::qr;
use super::vectors::{arranged, largest, product, scale, signs, transposed};

/// Returns U, of m × k, the singular values in descending order, and Vᵀ, of k × n, where k is the smaller size. In each
/// column of U the first element of the largest absolute value is positive. Returns `None` if the iteration does not end.
pub(crate) fn svd(a: &[f64], [m, n]: [usize; 2]) -> Option<[Vec<f64>; 3]> {
    let factor = scale(largest(a));
    let scaled: Vec<f64> = a.iter().map(|x| x * factor).collect();
    let k = m.min(n);
    let [u, s, v] = if m >= n {
        tall(scaled, [m, n])?
    } else {
        let [v, s, u] = tall(transposed(&scaled, [m, n]), [n, m])?;
        [u, s, v]
    };
    let mut order: Vec<usize> = (0..k).collect();
    order.sort_by(|&i, &j| s[j].abs().total_cmp(&s[i].abs()));
    // A negative value gives its sign to V.
    let of_u = signs(&u, k);
    let of_v: Vec<f64> = of_u.iter().zip(&s).map(|(sign, s)| sign * 1f64.copysign(*s)).collect();
    let v = arranged(&v, &order, &of_v);
    let s = order.iter().map(|&i| s[i].abs() / factor).collect();
    Some([arranged(&u, &order, &of_u), s, transposed(&v, [n, k])])
}

/// Returns U, the singular values in any order and with any signs, and V, of a matrix with at least as many rows as
/// columns.
fn tall(a: Vec<f64>, [m, n]: [usize; 2]) -> Option<[Vec<f64>; 3]> {
    let (q, r) = if m > n {
        let [q, r] = qr(&a, [m, n]);
        (Some(q), r)
    } else {
        (None, a)
    };
    let [mut d, mut e, mut u, mut v] = bidiagonal(r, n);
    iterate(&mut d, &mut e, &mut u, &mut v)?;
    Some([q.map_or_else(|| u.clone(), |q| product(&q, &u, [m, n, n])), d, v])
}
