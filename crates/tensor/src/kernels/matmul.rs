//! Products of batches of matrices, with as few calls of the matrix kernel as possible.

use super::compiled::FloatKernels;
use super::gemm::MatRef;
use crate::layout::{Collapsed, Cursor, Shape, Strides};
use crate::machine::{Shared, cost, parts};
use crate::shapes::{MatrixShape, matrix_shape};

/// A product of fewer multiplications than this is computed by one thread, and a batch of them is
/// distributed over threads. The kernel splits larger products itself.
const SMALL: usize = 1 << 21;
/// A batch of at least this many products is distributed, whatever their size: the threads then meet once, not once for
/// each product.
const MANY: usize = 16;
/// The number of multiplications that a thread takes at a time from a batch.
const PART: usize = 1 << 18;

/// The kernel of a product does not split k up to this length.
const ONE_BLOCK: usize = 256;

/// An operand: its first matrix, and the shape and strides of its batch axes.
pub(crate) struct MatrixBatch<T> {
    matrix: MatRef<T>,
    batch: Shape,
    steps: Strides,
}

impl<T> MatrixBatch<T> {
    /// Returns the operand whose first element is at `ptr`.
    #[inline]
    pub fn new(
        ptr: *const T,
        shape: &Shape,
        strides: &Strides,
        left: bool,
        transposed: bool,
    ) -> Self {
        let MatrixShape { rows, cols, batch } = matrix_shape(shape, left, transposed);
        let (row_stride, col_stride) = match **strides {
            [step] if left => (0, step),
            [step] => (step, 0),
            [.., row, col] if transposed => (col, row),
            [.., row, col] => (row, col),
            [] => (0, 0),
        };
        MatrixBatch {
            matrix: MatRef { ptr, rows, cols, row_stride, col_stride },
            batch: Shape::new(&shape[..batch]),
            steps: Strides::new(&strides[..batch]),
        }
    }

    /// Returns the layout of the matrices when the batch is broadcast to `batch`.
    fn broadcast(&self, batch: &Shape) -> Collapsed {
        let lead = batch.rank() - self.batch.rank();
        let mut strides = Strides::row_major(batch);
        for axis in 0..batch.rank() {
            let own = axis.checked_sub(lead).filter(|&own| self.batch[own] == batch[axis]);
            strides[axis] = own.map_or(0, |own| self.steps[own]);
        }
        Collapsed::new(batch, &strides)
    }
}

/// Adds the product of two matrices to `sum`, if k is so small that the kernel adds each element of the
/// product once: the bits are then those of a separate product and a sum. Returns whether it did.
///
/// # Safety
/// The operands' elements exist and do not overlap `sum`, their inner dimensions agree, their batches are
/// empty, and `sum` has the size of the product.
pub(crate) unsafe fn add_product<T: FloatKernels>(
    a: &MatrixBatch<T>,
    b: &MatrixBatch<T>,
    sum: &mut [T],
) -> bool {
    let single = a.matrix.cols <= ONE_BLOCK;
    if single {
        // SAFETY: by the contract.
        unsafe { T::gemm(a.matrix, b.matrix, sum.as_mut_ptr(), b.matrix.cols, true) };
    }
    single
}

/// Computes the products of all matrices of the batch.
///
/// # Safety
/// The operands' elements exist, their inner dimensions agree, their batches broadcast to `batch`, and
/// `out` has the size of the product.
pub(crate) unsafe fn product<T: FloatKernels>(
    a: &MatrixBatch<T>,
    b: &MatrixBatch<T>,
    batch: &Shape,
    out: &mut [T],
) {
    let (m, n, k) = (a.matrix.rows, b.matrix.cols, a.matrix.cols);
    let count = batch.numel();
    if count == 1 {
        // SAFETY: one product, by the contract.
        return unsafe { T::gemm(a.matrix, b.matrix, out.as_mut_ptr(), n, false) };
    }
    let (steps_a, steps_b) = (a.broadcast(batch), b.broadcast(batch));
    if steps_b.inner() == (count, 0)
        && let Some(row_stride) = stacked(&steps_a, count, &a.matrix)
    {
        // All matrices on the left are multiplied with the same matrix on the right, so they form
        // one tall matrix.
        let tall = MatRef { rows: count * m, row_stride, ..a.matrix };
        // SAFETY: its rows are those of the batch, in order, and so are those of the result.
        return unsafe { T::gemm(tall, b.matrix, out.as_mut_ptr(), n, false) };
    }
    let to = Shared(out.as_mut_ptr());
    let run = |from: usize, until: usize| {
        let (mut at_a, mut at_b) = (Cursor::new(steps_a, from), Cursor::new(steps_b, from));
        let mut places = || [at_a.next_run(1).0, at_b.next_run(1).0];
        // SAFETY: the cursors step from matrix to matrix of each operand, and the results follow each other.
        let done = unsafe {
            let out = to.get().add(from * m * n);
            T::small_products([a.matrix, b.matrix], &mut places, until - from, out)
        };
        if done {
            return;
        }
        for i in from..until {
            // SAFETY: the cursors step from matrix to matrix of each operand, and each product
            // goes to a place of its own.
            unsafe {
                let [x, y] = places();
                let x = MatRef { ptr: a.matrix.ptr.offset(x), ..a.matrix };
                let y = MatRef { ptr: b.matrix.ptr.offset(y), ..b.matrix };
                T::gemm(x, y, to.get().add(i * m * n), n, false);
            }
        }
    };
    let each = cost(&[m, n, k]).max(1);
    if each < SMALL || count >= MANY {
        let size = (PART / each).max(1);
        let steps = cost(&[each, count]) / 8;
        parts(count.div_ceil(size), steps, &|i| run(i * size, count.min((i + 1) * size)));
    } else {
        run(0, count);
    }
}

/// Returns the stride of the rows if the matrices of a batch, one below the other, are one matrix.
fn stacked<T>(steps: &Collapsed, count: usize, matrix: &MatRef<T>) -> Option<isize> {
    let (len, step) = steps.inner();
    if len != count {
        None
    } else if matrix.rows == 1 {
        Some(step)
    } else {
        (step == matrix.rows as isize * matrix.row_stride).then_some(matrix.row_stride)
    }
}
