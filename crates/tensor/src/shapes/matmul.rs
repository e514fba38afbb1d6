//! Which sizes of a matrix product meet, and which remain.

use super::{Rule, broadcast, shape_of};
use crate::layout::MAX_RANK;
use smallvec::SmallVec;

/// The matrix in an operand's last two axes, as the product reads it.
#[derive(Clone, Copy)]
pub(crate) struct Face {
    pub rows: usize,
    pub cols: usize,
    /// How many axes stand before the matrix.
    pub batch: usize,
}

/// `left`: a vector is a row there, else a column. A vector has nothing to transpose.
pub(crate) fn face(shape: &[usize], left: bool, transposed: bool) -> Face {
    match *shape {
        [k] if left => Face { rows: 1, cols: k, batch: 0 },
        [k] => Face { rows: k, cols: 1, batch: 0 },
        [.., rows, cols] if transposed => Face { rows: cols, cols: rows, batch: shape.len() - 2 },
        [.., rows, cols] => Face { rows, cols, batch: shape.len() - 2 },
        [] => unreachable!("scalars are refused before"),
    }
}

/// The shape of the matrix product of tensors of these shapes; `ta`, `tb`: the last two axes are
/// read transposed. Axes before them are batches and broadcast; a vector on the left is a row, on
/// the right a column, and its axis is absent from the result.
///
/// ```
/// use wengert_tensor::shapes::matmul;
/// assert_eq!(matmul(&[8, 1, 2, 3], &[5, 3, 4], false, false).unwrap(), [8, 5, 2, 4]);
/// assert_eq!(matmul(&[3], &[4, 3], false, true).unwrap(), [4]);
/// ```
///
/// # Errors
/// If an operand is a scalar, the inner dimensions differ, or the batches do not broadcast: the
/// text that [`Tensor::matmul`](crate::Tensor::matmul) panics with.
pub fn matmul(a: &[usize], b: &[usize], ta: bool, tb: bool) -> Rule {
    if a.is_empty() || b.is_empty() {
        return Err(format!(
            "matmul: a scalar has no matrix product: {a:?} · {b:?}; did you mean `*`?"
        ));
    }
    let (left, right) = (face(a, true, ta), face(b, false, tb));
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

/// What was probably meant, where one change makes the inner dimensions fit.
fn mend(a: &[usize], b: &[usize], ta: bool, tb: bool) -> String {
    let inner =
        |a: &[usize], b: &[usize], ta, tb| face(a, true, ta).cols == face(b, false, tb).rows;
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
