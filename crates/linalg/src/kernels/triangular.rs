//! Systems of equations with a triangular matrix, in blocks.

use super::vectors::{BLOCK, add_scaled, block, product, subtract};

/// Which triangle of a matrix is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Triangle {
    pub upper: bool,
    /// The diagonal is 1, whatever is stored.
    pub unit: bool,
}

/// Replaces B, of n × k, by the solution X of A X = B.
pub(crate) fn solve(a: &[f64], x: &mut [f64], [n, k]: [usize; 2], triangle: Triangle) {
    if k == 0 {
        return;
    }
    let blocks = n.div_ceil(BLOCK);
    for i in 0..blocks {
        let i = if triangle.upper { blocks - 1 - i } else { i };
        let rows = i * BLOCK..n.min((i + 1) * BLOCK);
        for i in 0..rows.len() {
            let i = if triangle.upper { rows.end - 1 - i } else { rows.start + i };
            let known = if triangle.upper { i + 1..rows.end } else { rows.start..i };
            for c in known {
                let (to, from) = if c < i {
                    let (before, after) = x.split_at_mut(i * k);
                    (&mut after[..k], &before[c * k..(c + 1) * k])
                } else {
                    let (before, after) = x.split_at_mut(c * k);
                    (&mut before[i * k..(i + 1) * k], &after[..k])
                };
                add_scaled(to, -a[i * n + c], from);
            }
            if !triangle.unit {
                x[i * k..(i + 1) * k].iter_mut().for_each(|x| *x /= a[i * n + i]);
            }
        }
        let others = if triangle.upper { 0..rows.start } else { rows.end..n };
        if !others.is_empty() {
            let left = block(a, n, [others.clone(), rows.clone()]);
            let part =
                product(&left, &x[rows.start * k..rows.end * k], [others.len(), rows.len(), k]);
            subtract(x, k, [others, 0..k], &part);
        }
    }
}
