//! Convolutions whose only window is the whole image, as in the last layers of a network: matrix
//! products.

use super::ConvSizes;
use crate::kernels::gemm::Gemm;
use crate::kernels::gemm::{MatRef, gemm};

/// Returns whether each image is one window.
pub fn applies(g: &ConvSizes) -> bool {
    g.groups == 1 && g.kernel == g.size && g.dilation == [1, 1] && g.padding == [(0, 0); 2]
}

/// Returns a matrix of contiguous rows that lies in a slice.
fn matrix<T>(of: &[T], rows: usize, cols: usize) -> MatRef<T> {
    assert_eq!(of.len(), rows * cols);
    MatRef { ptr: of.as_ptr(), rows, cols, row_stride: cols as isize, col_stride: 1 }
}

/// Computes C = A·B, or C += A·B, for matrices that lie in slices.
fn product<T: Gemm>(a: MatRef<T>, b: MatRef<T>, c: &mut [T], accumulate: bool) {
    assert!(a.cols == b.rows && c.len() == a.rows * b.cols);
    // SAFETY: the matrices were made from slices, and C has room for the product.
    unsafe { gemm(a, b, c.as_mut_ptr(), b.cols, accumulate) }
}

/// Computes x·wᵀ + bias.
pub fn forward<T: Gemm>(g: &ConvSizes, x: &[T], w: &[T], bias: Option<&[T]>, y: &mut [T]) {
    let k = g.c * g.pixels();
    if let Some(bias) = bias {
        for row in y.chunks_mut(g.o) {
            row.copy_from_slice(bias);
        }
    }
    product(matrix(x, g.n, k), matrix(w, g.o, k).t(), y, bias.is_some());
}

/// Computes gy·w.
pub fn input<T: Gemm>(g: &ConvSizes, gy: &[T], w: &[T], gx: &mut [T]) {
    product(matrix(gy, g.n, g.o), matrix(w, g.o, g.c * g.pixels()), gx, false);
}

/// Computes gyᵀ·x.
pub fn weight<T: Gemm>(g: &ConvSizes, x: &[T], gy: &[T], gw: &mut [T]) {
    product(matrix(gy, g.n, g.o).t(), matrix(x, g.n, g.c * g.pixels()), gw, false);
}
