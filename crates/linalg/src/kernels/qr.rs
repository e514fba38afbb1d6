//! The QR factorisation by Householder reflections, in blocks (Golub and Van Loan, "Matrix Computations", section 5.2).

use super::reflections::{Reflections, orthogonal, reflection};
use super::vectors::{block, panel, transposed};

/// Returns Q, of m × k, and R, of k × n, where k is the smaller size. The diagonal of R is not negative.
pub(crate) fn qr(a: &[f64], [m, n]: [usize; 2]) -> [Vec<f64>; 2] {
    let k = m.min(n);
    let mut a = a.to_vec();
    let mut blocks = vec![];
    for start in (0..k).step_by(panel(k)) {
        let (end, length) = (k.min(start + panel(k)), m - start);
        let mut columns = transposed(&block(&a, n, [start..m, start..end]), [length, end - start]);
        let mut taus = vec![];
        for j in 0..end - start {
            let (column, later) = columns[j * length..].split_at_mut(length);
            let found = reflection(column[j..].to_vec());
            found.apply(later, [length, j]);
            for i in 0..j {
                a[(start + i) * n + start + j] = column[i];
            }
            a[(start + j) * n + start + j] = found.beta;
            column[..j].fill(0.0);
            column[j..].copy_from_slice(&found.v);
            taus.push(found.tau);
        }
        let found = Reflections::new(start, columns, taus);
        found.apply(&mut a, [n, end], true);
        blocks.push(found);
    }
    let mut q = orthogonal(&blocks, [m, k]);
    let mut r = vec![0.0; k * n];
    let sign = |i: usize| if a[i * n + i] < 0.0 { -1.0 } else { 1.0 };
    for i in 0..k {
        for j in i..n {
            r[i * n + j] = sign(i) * a[i * n + j];
        }
    }
    let signs: Vec<f64> = (0..k).map(sign).collect();
    for row in q.chunks_exact_mut(k.max(1)) {
        row.iter_mut().zip(&signs).for_each(|(x, sign)| *x *= sign);
    }
    [q, r]
}
