//! The Cholesky factorisation, in blocks (Golub and Van Loan, "Matrix Computations", section 4.2).

use super::vectors::{BLOCK, block, dot, product, subtract, symmetric, transposed};

/// Returns the lower factor of (A + Aᵀ)/2, or the place of the first pivot that is not positive.
pub(crate) fn cholesky(a: &[f64], n: usize) -> Result<Vec<f64>, usize> {
    let mut l = symmetric(a, n);
    for start in (0..n).step_by(BLOCK) {
        let end = n.min(start + BLOCK);
        for i in start..n {
            for j in start..end.min(i + 1) {
                let (row, other) = (&l[i * n + start..i * n + j], &l[j * n + start..j * n + j]);
                let rest = l[i * n + j] - dot(row, other);
                if i > j {
                    l[i * n + j] = rest / l[j * n + j];
                } else if rest > 0.0 && rest.is_finite() {
                    l[i * n + i] = rest.sqrt();
                } else {
                    return Err(i);
                }
            }
        }
        let below = block(&l, n, [end..n, start..end]);
        let (m, k) = (n - end, end - start);
        let part = product(&below, &transposed(&below, [m, k]), [m, k, m]);
        subtract(&mut l, n, [end..n, end..n], &part);
    }
    for i in 0..n {
        l[i * n + i + 1..(i + 1) * n].fill(0.0);
    }
    Ok(l)
}
