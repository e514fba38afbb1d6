//! Matrix products: which sizes must be equal, and the shape of the result.

use super::{ShapeResult, broadcast, shape_of};
use crate::layout::MAX_RANK;
use smallvec::SmallVec;

/// The matrix in the last two axes of an operand, as the product reads it.
#[derive(Clone, Copy)]
pub(crate) struct MatrixShape {
    pub rows: usize,
    pub cols: usize,
    /// The number of axes before the matrix.
    pub batch: usize,
}

/// Returns the matrix of an operand. A vector is a row if `left` is true, else a column. `transposed` has no
/// effect on a vector.
pub(crate) fn matrix_shape(shape: &[usize], left: bool, transposed: bool) -> MatrixShape {
    match *shape {
        [k] if left => MatrixShape { rows: 1, cols: k, batch: 0 },
        [k] => MatrixShape { rows: k, cols: 1, batch: 0 },
        [.., rows, cols] if transposed => {
            MatrixShape { rows: cols, cols: rows, batch: shape.len() - 2 }
        }
        [.., rows, cols] => MatrixShape { rows, cols, batch: shape.len() - 2 },
        [] => unreachable!("scalars are refused before"),
    }
}

/// Returns the shape of the matrix product of tensors of these shapes. `ta` and `tb` say whether the last
/// two axes of an operand are read transposed. The axes before them are batch axes and broadcast. A vector
/// on the left is a row, a vector on the right is a column, and the result has no axis for it.
///
/// ```
/// use wengert::tensor::shapes::matmul;
/// assert_eq!(matmul(&[8, 1, 2, 3], &[5, 3, 4], false, false).unwrap(), [8, 5, 2, 4]);
/// assert_eq!(matmul(&[3], &[4, 3], false, true).unwrap(), [4]);
/// ```
///
/// # Errors
/// If an operand is a scalar, the inner dimensions differ, or the batches do not broadcast.
/// [`Tensor::matmul`](crate::Tensor::matmul) panics with the same text.
pub fn matmul(a: &[usize], b: &[usize], ta: bool, tb: bool) -> ShapeResult {
    if a.is_empty() || b.is_empty() {
        return Err(format!(
            "matmul: a scalar has no matrix product: {a:?} · {b:?}; did you mean `*`?"
        ));
    }
    let (left, right) = (matrix_shape(a, true, ta), matrix_shape(b, false, tb));
    if left.cols != right.rows {
        return Err(format!(
            "matmul: inner dimensions differ: {a:?}{} · {b:?}{} ({} ≠ {}){}",
            mark(ta, a),
            mark(tb, b),
            left.cols,
            right.rows,
            mend(a, b, ta, tb)
        ));
    }
    let (batch_a, batch_b) = (&a[..left.batch], &b[..right.batch]);
    let batch = broadcast("matmul", batch_a, batch_b)
        .map_err(|why| format!("{why}; these are the batch axes of {a:?} and {b:?}"))?;
    let rows = (a.len() > 1).then_some(left.rows);
    let cols = (b.len() > 1).then_some(right.cols);
    let sizes: SmallVec<[usize; MAX_RANK]> =
        batch.iter().copied().chain(rows).chain(cols).collect();
    shape_of("matmul", &sizes)
}

fn mark(transposed: bool, shape: &[usize]) -> &'static str {
    if transposed && shape.len() > 1 { "ᵀ" } else { "" }
}

/// Returns a suggestion if one change makes the inner dimensions fit.
fn mend(a: &[usize], b: &[usize], ta: bool, tb: bool) -> String {
    let inner = |a: &[usize], b: &[usize], ta, tb| {
        matrix_shape(a, true, ta).cols == matrix_shape(b, false, tb).rows
    };
    let flipped = |name: &str, shape: &[usize], already: bool| match (already, shape.len()) {
        (true, _) => format!("{name} not transposed"),
        (false, 2) => format!("{name}.t()"),
        (false, _) => format!("{name}.transpose(-2, -1)"),
    };
    if b.len() > 1 && inner(a, b, ta, !tb) {
        format!("; did you mean {}?", flipped("b", b, tb))
    } else if a.len() > 1 && inner(a, b, !ta, tb) {
        format!("; did you mean {}?", flipped("a", a, ta))
    } else if inner(b, a, tb, ta) {
        "; did you mean the product in the other order?".into()
    } else {
        String::new()
    }
}
