//! Products of vectors and matrices with fixed numbers of axes.

use super::{ShapeResult, broadcast_to, ensure, matmul, matrices, shape_of};
use crate::layout::Shape;

/// Checks that two operands have these numbers of axes.
fn ranks(
    op: &str,
    expected: &str,
    wanted: [usize; 2],
    a: &[usize],
    b: &[usize],
) -> ShapeResult<()> {
    ensure(wanted == [a.len(), b.len()], || {
        format!("{op}: expected {expected}, got shapes {a:?} and {b:?}")
    })
}

/// Returns the shape of a matrix product, with the name of this operation in the message.
fn product(op: &str, a: &[usize], b: &[usize]) -> ShapeResult {
    matmul(a, b, false, false).map_err(|why| why.replacen("matmul", op, 1))
}

/// Checks the operands of a product of two vectors.
pub fn dot(a: &[usize], b: &[usize]) -> ShapeResult {
    ranks("dot", "two vectors", [1, 1], a, b)?;
    product("dot", a, b)
}

/// Returns the shape of the outer product of two vectors.
pub fn outer(a: &[usize], b: &[usize]) -> ShapeResult {
    ranks("outer", "two vectors", [1, 1], a, b)?;
    shape_of("outer", &[a[0], b[0]])
}

/// Returns the shape of the product of a matrix and a vector.
pub fn mv(a: &[usize], b: &[usize]) -> ShapeResult {
    ranks("mv", "a matrix and a vector", [2, 1], a, b)?;
    product("mv", a, b)
}

/// Returns the shape of the products of two batches of matrices, which do not broadcast.
pub fn bmm(a: &[usize], b: &[usize]) -> ShapeResult {
    batches("bmm", a, b)
}

fn batches(op: &str, a: &[usize], b: &[usize]) -> ShapeResult {
    ranks(op, "two batches of matrices, of three axes each", [3, 3], a, b)?;
    ensure(a[0] == b[0], || {
        format!(
            "{op}: the batches of {a:?} and {b:?} differ: {} and {} matrices; matmul broadcasts them",
            a[0], b[0]
        )
    })?;
    product(op, a, b)
}

/// Returns the shape of a matrix product to which a tensor is added.
pub fn addmm(added: &[usize], a: &[usize], b: &[usize]) -> ShapeResult {
    ranks("addmm", "two matrices", [2, 2], a, b)?;
    sum("addmm", added, product("addmm", a, b)?)
}

/// Returns the shape of the products of two batches of matrices to which a tensor is added.
pub fn baddbmm(added: &[usize], a: &[usize], b: &[usize]) -> ShapeResult {
    sum("baddbmm", added, batches("baddbmm", a, b)?)
}

fn sum(op: &str, added: &[usize], shape: Shape) -> ShapeResult {
    broadcast_to(added, &shape).map_err(|_| {
        format!("{op}: shape {added:?} does not broadcast to the shape {shape} of the product")
    })
}

/// Checks the operand of a trace: matrices, which need not be square.
pub fn trace(shape: &[usize]) -> ShapeResult<()> {
    matrices("trace", shape).map(|_| ())
}
