//! Loops over vectors, and products of matrices.

use wengert_tensor::Tensor;

/// The width of the blocks of a factorisation.
pub(crate) const BLOCK: usize = 48;

/// Matrix products of fewer multiplications are plain loops.
const SMALL: usize = 16 * 16 * 16;

/// Adds `factor`·x to y.
#[inline]
pub(crate) fn add_scaled(y: &mut [f64], factor: f64, x: &[f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += factor * x;
    }
}

/// Returns the dot product, with eight partial sums.
#[inline]
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
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + b) + (c + d)) + ((e + f) + (g + h)) + rest
}

/// Returns row i, to be changed, and an earlier row j, of rows of n elements.
#[inline]
pub(crate) fn two_rows(a: &mut [f64], n: usize, i: usize, j: usize) -> (&mut [f64], &[f64]) {
    debug_assert!(j < i);
    let (before, after) = a.split_at_mut(i * n);
    (&mut after[..n], &before[j * n..(j + 1) * n])
}

/// Rotates two rows: (x, y) becomes (c·x - s·y, s·x + c·y).
#[inline]
pub(crate) fn rotate(rows: &mut [f64], n: usize, [i, j]: [usize; 2], [c, s]: [f64; 2]) {
    debug_assert!(i < j);
    let (before, after) = rows.split_at_mut(j * n);
    let (x, y) = (&mut before[i * n..(i + 1) * n], &mut after[..n]);
    for (x, y) in x.iter_mut().zip(y) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
}

/// Returns the transpose of an m × n matrix.
pub(crate) fn transposed(a: &[f64], [m, n]: [usize; 2]) -> Vec<f64> {
    let mut out = vec![0.0; a.len()];
    for i in 0..m {
        for j in 0..n {
            out[j * m + i] = a[i * n + j];
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
    rows.flat_map(|i| &a[i * n + columns.start..i * n + columns.end]).copied().collect()
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

/// Returns whether the first element of the largest absolute value is negative.
pub(crate) fn is_flipped(x: impl Iterator<Item = f64>) -> bool {
    let mut largest = 0.0f64;
    for x in x {
        if x.abs() > largest.abs() {
            largest = x;
        }
    }
    largest < 0.0
}
