//! Householder reflections, one by one and in blocks.

use super::vectors::{add_multiples, add_scaled, block, dot, dots, product, subtract, transposed};
use wengert_tensor::simd;

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
    /// Applies the reflection to each row of a matrix with `n` columns, from column `from` on.
    pub fn apply(&self, rows: &mut [f64], [n, from]: [usize; 2]) {
        simd(
            #[inline(always)]
            move || {
                for row in rows.chunks_exact_mut(n) {
                    let part = &mut row[from..];
                    add_scaled(part, -self.tau * dot(&self.v, part), &self.v);
                }
            },
        );
    }
}

/// A product of reflections H₁ H₂ … that acts on some rows of a matrix.
pub(crate) struct Reflections {
    /// The first of the rows.
    pub first: usize,
    /// The number of the rows.
    length: usize,
    /// The vectors of the reflections are the rows of V.
    v: Vec<f64>,
    taus: Vec<f64>,
}

/// Fewer columns than this number are reflected without matrix products.
const FEW: usize = 65;

impl Reflections {
    /// Returns the product of the reflections with these vectors, which are rows of one length, and these factors τ.
    pub fn new(first: usize, v: Vec<f64>, taus: Vec<f64>) -> Self {
        Self { first, length: v.len() / taus.len(), v, taus }
    }

    /// Multiplies the columns from `from` on, of a matrix with `n` columns, by the product or by its transpose.
    pub fn apply(&self, a: &mut [f64], [n, from]: [usize; 2], transpose: bool) {
        let (count, width) = (self.taus.len(), n - from);
        if width == 0 {
            return;
        }
        if width < FEW {
            for i in 0..count {
                self.apply_one(a, [n, from], if transpose { i } else { count - 1 - i });
            }
            return;
        }
        // I - Vᵀ T V.
        let t = self.triangle();
        let t = if transpose { transposed(&t, [count, count]) } else { t };
        let (rows, columns) = (self.first..self.first + self.length, from..n);
        let part = block(a, n, [rows.clone(), columns.clone()]);
        let sums = product(&self.v, &part, [count, self.length, width]);
        let sums = product(&t, &sums, [count, count, width]);
        let v = transposed(&self.v, [count, self.length]);
        subtract(a, n, [rows, columns], &product(&v, &sums, [self.length, count, width]));
    }

    fn vector(&self, i: usize) -> &[f64] {
        &self.v[i * self.length..(i + 1) * self.length]
    }

    fn apply_one(&self, a: &mut [f64], [n, from]: [usize; 2], i: usize) {
        let (v, tau) = (self.vector(i), self.taus[i]);
        let rows = &mut a[self.first * n..(self.first + self.length) * n];
        let mut sums = vec![0.0; n - from];
        add_multiples(&mut sums, tau, v, rows, [n, from]);
        for (row, v) in rows.chunks_exact_mut(n).zip(v) {
            add_scaled(&mut row[from..], -v, &sums);
        }
    }

    /// Returns the upper triangular matrix T for which the product is I - Vᵀ T V (R. Schreiber and C. Van Loan, "A
    /// storage-efficient WY representation for products of Householder transformations", 1989).
    fn triangle(&self) -> Vec<f64> {
        let count = self.taus.len();
        let mut t = vec![0.0; count * count];
        for (j, &tau) in self.taus.iter().enumerate() {
            let sums = dots(&self.v[..j * self.length], self.vector(j), [self.length, 0]);
            for i in 0..j {
                t[i * count + j] = -tau * dot(&t[i * count + i..i * count + j], &sums[i..]);
            }
            t[j * count + j] = tau;
        }
        t
    }
}

/// Returns the first k columns of the product of all these blocks, a matrix of m × k.
pub(crate) fn orthogonal(blocks: &[Reflections], [m, k]: [usize; 2]) -> Vec<f64> {
    let mut q = vec![0.0; m * k];
    q.iter_mut().step_by(k + 1).take(k).for_each(|x| *x = 1.0);
    for block in blocks.iter().rev() {
        // The earlier columns are still those of the identity.
        block.apply(&mut q, [k, block.first], false);
    }
    q
}
