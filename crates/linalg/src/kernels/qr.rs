//! The QR factorisation by Householder reflections (Golub and Van Loan, "Matrix Computations", section 5.2).

use super::vectors::add_scaled;

/// The reflection I - τ v vᵀ, with v₀ = 1, that maps a vector x to (β, 0, …, 0).
pub(crate) struct Reflection {
    pub v: Vec<f64>,
    pub tau: f64,
    pub beta: f64,
}

/// Returns the reflection of this vector.
pub(crate) fn reflection(mut x: Vec<f64>) -> Reflection {
    let first = x[0];
    let largest = x.iter().fold(0.0f64, |largest, x| x.abs().max(largest));
    if x[1..].iter().all(|x| *x == 0.0) {
        x[0] = 1.0;
        return Reflection { v: x, tau: 0.0, beta: first };
    }
    let sum: f64 = x.iter().map(|x| (x / largest) * (x / largest)).sum();
    let beta = -(largest * sum.sqrt()).copysign(first);
    x[1..].iter_mut().for_each(|x| *x /= first - beta);
    x[0] = 1.0;
    Reflection { v: x, tau: (beta - first) / beta, beta }
}

impl Reflection {
    /// Applies the reflection to the rows from `row` on, in the columns from `column` on, of a matrix with `n` columns.
    pub fn apply(&self, a: &mut [f64], n: usize, [row, column]: [usize; 2]) {
        if self.tau == 0.0 || column == n {
            return;
        }
        let mut sums = vec![0.0; n - column];
        for (v, row) in self.v.iter().zip(a[row * n..].chunks_exact(n)) {
            add_scaled(&mut sums, *v, &row[column..]);
        }
        for (v, row) in self.v.iter().zip(a[row * n..].chunks_exact_mut(n)) {
            add_scaled(&mut row[column..], -self.tau * v, &sums);
        }
    }
}

/// Returns Q, of m × k, and R, of k × n, where k is the smaller size. The diagonal of R is not negative.
pub(crate) fn qr(a: &[f64], [m, n]: [usize; 2]) -> [Vec<f64>; 2] {
    let k = m.min(n);
    let mut a = a.to_vec();
    let mut reflections = Vec::with_capacity(k);
    for j in 0..k {
        let found = reflection((j..m).map(|i| a[i * n + j]).collect());
        found.apply(&mut a, n, [j, j + 1]);
        a[j * n + j] = found.beta;
        reflections.push(found);
    }
    let mut q = vec![0.0; m * k];
    q.iter_mut().step_by(k + 1).take(k).for_each(|x| *x = 1.0);
    for (j, found) in reflections.iter().enumerate().rev() {
        found.apply(&mut q, k, [j, j]);
    }
    let mut r = vec![0.0; k * n];
    for i in 0..k {
        let sign = if a[i * n + i] < 0.0 { -1.0 } else { 1.0 };
        for j in i..n {
            r[i * n + j] = sign * a[i * n + j];
        }
        if sign < 0.0 {
            q.iter_mut().skip(i).step_by(k).for_each(|x| *x = -*x);
        }
    }
    [q, r]
}
