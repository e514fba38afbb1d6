//! LU with partial pivoting, in blocks (Golub and Van Loan, "Matrix Computations", section 3.4).

use super::triangular::{self, Triangle};
use super::vectors::{BLOCK, add_scaled, block, product, subtract, two_rows};

/// A = P L U. L and U share one matrix. Row `rows[i]` of A is row i of L U.
pub(crate) struct Factors {
    pub packed: Vec<f64>,
    pub size: [usize; 2],
    pub rows: Vec<usize>,
    /// Whether the permutation is odd.
    pub odd: bool,
}

pub(crate) fn lu(a: &[f64], [m, n]: [usize; 2]) -> Factors {
    let mut out = Factors { packed: a.to_vec(), size: [m, n], rows: (0..m).collect(), odd: false };
    let k = m.min(n);
    for start in (0..k).step_by(BLOCK) {
        let end = k.min(start + BLOCK);
        out.panel([start, end]);
        let a = &mut out.packed;
        if end == n {
            continue;
        }
        for i in start + 1..end {
            for c in start..i {
                let factor = a[i * n + c];
                let (row, above) = two_rows(a, n, i, c);
                add_scaled(&mut row[end..], -factor, &above[end..]);
            }
        }
        let (left, right) = (block(a, n, [end..m, start..end]), block(a, n, [start..end, end..n]));
        let part = product(&left, &right, [m - end, end - start, n - end]);
        subtract(a, n, [end..m, end..n], &part);
    }
    out
}

impl Factors {
    /// Factorises the columns from `start` to `end`, in all rows from `start` on.
    fn panel(&mut self, [start, end]: [usize; 2]) {
        let [m, n] = self.size;
        for j in start..end {
            let a = &mut self.packed;
            let mut pivot = j;
            for i in j + 1..m {
                let (x, largest) = (a[i * n + j].abs(), a[pivot * n + j].abs());
                if x > largest || x.is_nan() && !largest.is_nan() {
                    pivot = i;
                }
            }
            if pivot != j {
                let (before, after) = a.split_at_mut(pivot * n);
                before[j * n..(j + 1) * n].swap_with_slice(&mut after[..n]);
                self.rows.swap(j, pivot);
                self.odd = !self.odd;
            }
            let pivot = a[j * n + j];
            if pivot == 0.0 {
                continue; // the column is 0
            }
            for i in j + 1..m {
                let (row, above) = two_rows(a, n, i, j);
                let factor = row[j] / pivot;
                row[j] = factor;
                add_scaled(&mut row[j + 1..end], -factor, &above[j + 1..end]);
            }
        }
    }

    /// Returns the pivots: the diagonal of U.
    pub fn pivots(&self) -> impl Iterator<Item = f64> {
        let [m, n] = self.size;
        (0..m.min(n)).map(move |i| self.packed[i * n + i])
    }

    /// Returns L, of m × k, U, of k × n, and P, of m × m, where k is the smaller size.
    pub fn parts(&self) -> [Vec<f64>; 3] {
        let [m, n] = self.size;
        let k = m.min(n);
        let at = |i: usize, j: usize| self.packed[i * n + j];
        let mut l = vec![0.0; m * k];
        let mut u = vec![0.0; k * n];
        let mut p = vec![0.0; m * m];
        for i in 0..m {
            for j in 0..k.min(i + 1) {
                l[i * k + j] = if i == j { 1.0 } else { at(i, j) };
            }
        }
        for i in 0..k {
            for j in i..n {
                u[i * n + j] = at(i, j);
            }
        }
        for (i, &row) in self.rows.iter().enumerate() {
            p[row * m + i] = 1.0;
        }
        [l, u, p]
    }

    /// Returns the solution of A X = B, where A is square and B has `k` columns.
    pub fn solve(&self, b: &[f64], k: usize) -> Vec<f64> {
        let n = self.size[0];
        let mut x: Vec<f64> =
            self.rows.iter().flat_map(|&row| &b[row * k..(row + 1) * k]).copied().collect();
        triangular::solve(&self.packed, &mut x, [n, k], Triangle { upper: false, unit: true });
        triangular::solve(&self.packed, &mut x, [n, k], Triangle { upper: true, unit: false });
        x
    }

    /// Returns the sign of the determinant, and the logarithm of its absolute value.
    pub fn log_determinant(&self) -> (f64, f64) {
        let start = if self.odd { -1.0 } else { 1.0 };
        self.pivots().fold((start, 0.0), |(sign, log), pivot| {
            let turn = if pivot == 0.0 { 0.0 } else { 1f64.copysign(pivot) };
            (if pivot.is_nan() { pivot } else { sign * turn }, log + pivot.abs().ln())
        })
    }

    /// Returns the determinant.
    pub fn determinant(&self) -> f64 {
        self.pivots().fold(if self.odd { -1.0 } else { 1.0 }, |product, pivot| product * pivot)
    }
}
