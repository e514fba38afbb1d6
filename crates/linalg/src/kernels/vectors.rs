//! Loops over vectors, and products of matrices.

use wengert_tensor::{Tensor, simd};

/// The width of the blocks of a factorisation.
pub(crate) const BLOCK: usize = 48;

/// Returns the number of columns of a matrix with `n` columns that are reflected before the rest is updated by a matrix
/// product. A small matrix has no rest.
pub(crate) fn panel(n: usize) -> usize {
    if n <= 64 { 64 } else { 32 }
}

/// Matrix products of fewer multiplications are plain loops.
const SMALL: usize = 16 * 16 * 16;

/// Adds `factor`·x to y.
#[inline(always)]
pub(crate) fn add_scaled(y: &mut [f64], factor: f64, x: &[f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += factor * x;
    }
}

/// Returns the dot product, with eight partial sums.
#[inline(always)]
pub(crate) fn dot(x: &[f64], y: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (x_blocks, y_blocks) = (x.chunks_exact(8), y.chunks_exact(8));
    let rest = x_blocks.remainder().iter().zip(y_blocks.remainder()).map(|(x, y)| x * y);
    let rest: f64 = rest.sum();
    for (x, y) in x_blocks.zip(y_blocks) {
        for i in 0..8 {
            sums[i] += x[i] * y[i];
        }
    }
    // Halves, as vectors are added.
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + e) + (c + g)) + ((b + f) + (d + h)) + rest
}

/// Returns row i, to be changed, and an earlier row j, of rows of n elements.
#[inline]
pub(crate) fn two_rows(a: &mut [f64], n: usize, i: usize, j: usize) -> (&mut [f64], &[f64]) {
    debug_assert!(j < i);
    let (before, after) = a.split_at_mut(i * n);
    (&mut after[..n], &before[j * n..(j + 1) * n])
}

/// Adds the rows of a matrix with `n` columns to y, each multiplied by `factor` and its number in `factors`. Of each row
/// the part from column `from` on is read.
pub(crate) fn add_multiples(
    y: &mut [f64],
    factor: f64,
    factors: &[f64],
    rows: &[f64],
    [n, from]: [usize; 2],
) {
    if factors.is_empty() {
        return;
    }
    simd(
        #[inline(always)]
        move || {
            let length = y.len();
            let part = |i: usize| &rows[i * n + from..(i + 1) * n][..length];
            let fours = factors.chunks_exact(4);
            let rest = fours.remainder();
            // Four rows at a time: y is read and written less often.
            for (i, f) in fours.enumerate() {
                let f = [0, 1, 2, 3].map(|k| factor * f[k]);
                let [a, b, c, d] = [0, 1, 2, 3].map(|k| part(4 * i + k));
                for (k, y) in y.iter_mut().enumerate() {
                    *y += (f[0] * a[k] + f[1] * b[k]) + (f[2] * c[k] + f[3] * d[k]);
                }
            }
            for (i, f) in (factors.len() - rest.len()..).zip(rest) {
                add_scaled(y, factor * f, part(i));
            }
        },
    );
}

/// Returns the dot products of x with the rows of a matrix with `n` columns, from column `from` on.
pub(crate) fn dots(rows: &[f64], x: &[f64], [n, from]: [usize; 2]) -> Vec<f64> {
    let mut out = vec![0.0; rows.len() / n];
    let to = &mut *out;
    simd(
        #[inline(always)]
        move || {
            for (to, row) in to.iter_mut().zip(rows.chunks_exact(n)) {
                *to = dot(&row[from..], x);
            }
        },
    );
    out
}

/// Returns column `j` of a matrix with `n` columns.
pub(crate) fn column(a: &[f64], n: usize, j: usize) -> Vec<f64> {
    a.iter().skip(j).step_by(n).copied().collect()
}

/// Returns the transpose of an m × n matrix.
pub(crate) fn transposed(a: &[f64], [m, n]: [usize; 2]) -> Vec<f64> {
    const TILE: usize = 8;
    let mut out = vec![0.0; a.len()];
    for first in (0..m).step_by(TILE) {
        for j in 0..n {
            for i in first..m.min(first + TILE) {
                out[j * m + i] = a[i * n + j];
            }
        }
    }
    out
}

/// Returns the product of an m × k and a k × n matrix.
pub(crate) fn product(a: &[f64], b: &[f64], [m, k, n]: [usize; 3]) -> Vec<f64> {
    if (m as u64) * (k as u64) * (n as u64) <= SMALL as u64 {
        let mut out = vec![0.0; m * n];
        for i in 0..m {
            for j in 0..k {
                add_scaled(&mut out[i * n..(i + 1) * n], a[i * k + j], &b[j * n..(j + 1) * n]);
            }
        }
        return out;
    }
    Tensor::from_slice(a, [m, k]).matmul(&Tensor::from_slice(b, [k, n])).to_vec()
}

/// A block of a matrix: its rows and its columns.
pub(crate) type BlockRanges = [std::ops::Range<usize>; 2];

/// Returns a copy of a block of a matrix with `n` columns.
pub(crate) fn block(a: &[f64], n: usize, [rows, columns]: BlockRanges) -> Vec<f64> {
    let mut out = Vec::with_capacity(rows.len() * columns.len());
    for i in rows {
        out.extend_from_slice(&a[i * n + columns.start..i * n + columns.end]);
    }
    out
}

/// Subtracts a matrix from a block of a matrix with `n` columns.
pub(crate) fn subtract(a: &mut [f64], n: usize, [rows, columns]: BlockRanges, part: &[f64]) {
    let width = columns.len();
    for (i, row) in rows.enumerate() {
        let to = &mut a[row * n + columns.start..row * n + columns.end];
        for (to, x) in to.iter_mut().zip(&part[i * width..(i + 1) * width]) {
            *to -= x;
        }
    }
}

/// Returns the identity matrix.
pub(crate) fn identity(n: usize) -> Vec<f64> {
    let mut out = vec![0.0; n * n];
    out.iter_mut().step_by(n + 1).for_each(|x| *x = 1.0);
    out
}

/// Returns (A + Aᵀ)/2.
pub(crate) fn symmetric(a: &[f64], n: usize) -> Vec<f64> {
    let mut out = a.to_vec();
    for i in 0..n {
        for j in 0..i {
            let (x, y) = (a[i * n + j], a[j * n + i]);
            // Halves first: the sum of two large numbers may overflow.
            let mean = if x == y { x } else { 0.5 * x + 0.5 * y };
            (out[i * n + j], out[j * n + i]) = (mean, mean);
        }
    }
    out
}

/// Returns the largest absolute value. It is 0 for an empty matrix.
pub(crate) fn largest(a: &[f64]) -> f64 {
    a.iter().fold(0.0, |largest, x| x.abs().max(largest))
}

/// Returns the power of two by which a matrix with this largest absolute value is multiplied so that squares of its
/// elements neither overflow nor underflow.
pub(crate) fn scale(largest: f64) -> f64 {
    if largest == 0.0 || (1e-100..1e100).contains(&largest) {
        return 1.0;
    }
    2f64.powi(-(largest.log2() as i32).clamp(-1000, 1000))
}

/// Returns -1 for each of the `n` columns in which the first element of the largest absolute value is negative, else 1.
pub(crate) fn signs(a: &[f64], n: usize) -> Vec<f64> {
    let mut largest = vec![0.0f64; n];
    for row in a.chunks_exact(n.max(1)) {
        for (largest, x) in largest.iter_mut().zip(row) {
            if x.abs() > largest.abs() {
                *largest = *x;
            }
        }
    }
    largest.iter().map(|x| if *x < 0.0 { -1.0 } else { 1.0 }).collect()
}

/// Returns the columns of a matrix in this order, each multiplied by its sign.
pub(crate) fn arranged(a: &[f64], order: &[usize], signs: &[f64]) -> Vec<f64> {
    let rows = a.chunks_exact(order.len().max(1));
    rows.flat_map(|row| order.iter().map(|&i| signs[i] * row[i])).collect()
}
