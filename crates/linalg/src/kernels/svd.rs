//! The singular value decomposition by one-sided Jacobi rotations of the factor R (Z. Drmač and K. Veselić, "New fast and
//! accurate Jacobi SVD algorithm", 2008, without its pivoting).

use super::qr::qr;
use super::vectors::{dot, identity, is_flipped, largest, product, rotate, scale, transposed};

/// Returns U, of m × k, the singular values in descending order, and Vᵀ, of k × n, where k is the smaller size. In each
/// column of U the first element of the largest absolute value is positive.
pub(crate) fn svd(a: &[f64], [m, n]: [usize; 2]) -> Option<[Vec<f64>; 3]> {
    let factor = scale(largest(a));
    let scaled: Vec<f64> = a.iter().map(|x| x * factor).collect();
    let k = m.min(n);
    let [mut u, mut s, mut vt] = if m >= n {
        tall(&scaled, [m, n])?
    } else {
        let [v, s, ut] = tall(&transposed(&scaled, [m, n]), [n, m])?;
        [transposed(&ut, [k, m]), s, transposed(&v, [n, k])]
    };
    for s in &mut s {
        *s /= factor;
    }
    for j in 0..k {
        if is_flipped(u.iter().skip(j).step_by(k).copied()) {
            u.iter_mut().skip(j).step_by(k).for_each(|x| *x = -*x);
            vt[j * n..(j + 1) * n].iter_mut().for_each(|x| *x = -*x);
        }
    }
    Some([u, s, vt])
}

/// The decomposition of a matrix with at least as many rows as columns: A = Q R, and R = U Σ Vᵀ.
fn tall(a: &[f64], [m, n]: [usize; 2]) -> Option<[Vec<f64>; 3]> {
    let [q, mut rows] = qr(a, [m, n]);
    // Rotations make the rows of R orthogonal. Then they are σ vᵀ, and the rotations are Uᵀ.
    let mut turned = identity(n);
    orthogonalise(&mut rows, &mut turned, n)?;
    let norms: Vec<f64> = rows.chunks_exact(n).map(|row| dot(row, row).sqrt()).collect();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| norms[j].total_cmp(&norms[i]));
    let (mut s, mut vt, mut ut) = (vec![0.0; n], vec![0.0; n * n], vec![0.0; n * n]);
    for (to, &from) in order.iter().enumerate() {
        s[to] = norms[from];
        ut[to * n..(to + 1) * n].copy_from_slice(&turned[from * n..(from + 1) * n]);
        if norms[from] > 0.0 {
            let row = rows[from * n..(from + 1) * n].iter().map(|x| x / norms[from]);
            vt[to * n..(to + 1) * n].iter_mut().zip(row).for_each(|(to, x)| *to = x);
        } else {
            complete(&mut vt, n, to);
        }
    }
    Some([product(&q, &transposed(&ut, [n, n]), [m, n, n]), s, vt])
}

fn orthogonalise(rows: &mut [f64], turned: &mut [f64], n: usize) -> Option<()> {
    let tolerance = f64::EPSILON * (n as f64).sqrt().max(2.0);
    for _ in 0..100 {
        let mut done = true;
        for i in 0..n {
            for j in i + 1..n {
                let (x, y) = (&rows[i * n..(i + 1) * n], &rows[j * n..(j + 1) * n]);
                let (xx, yy, xy) = (dot(x, x), dot(y, y), dot(x, y));
                if xy == 0.0 || xy.abs() <= tolerance * xx.sqrt() * yy.sqrt() {
                    continue;
                }
                done = false;
                let zeta = (yy - xx) / (2.0 * xy);
                let t = 1f64.copysign(zeta) / (zeta.abs() + zeta.hypot(1.0));
                let c = 1.0 / t.hypot(1.0);
                rotate(rows, n, [i, j], [c, c * t]);
                rotate(turned, n, [i, j], [c, c * t]);
            }
        }
        if done {
            return Some(());
        }
    }
    None
}

/// Makes row `to` a unit vector that is orthogonal to the rows before it.
fn complete(rows: &mut [f64], n: usize, to: usize) {
    let (before, row) = rows.split_at_mut(to * n);
    let row = &mut row[..n];
    for axis in 0..n {
        row.fill(0.0);
        row[axis] = 1.0;
        for _ in 0..2 {
            for other in before.chunks_exact(n) {
                super::vectors::add_scaled(row, -dot(row, other), other);
            }
        }
        let norm = dot(row, row).sqrt();
        // One of the n axes has at least this distance from the space of the rows before.
        if norm * norm * n as f64 >= 0.5 {
            for x in row.iter_mut() {
                *x /= norm;
            }
            return;
        }
    }
}
