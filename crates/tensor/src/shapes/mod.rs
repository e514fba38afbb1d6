//! Shape rules: each rule returns the shape of the result of an operation, or a text that says why the
//! shapes of the operands do not fit. A tensor panics with the text. A variable of a tape adds the place in
//! the model. A shape-only run returns the text as an error.
//!
//! No rule panics, whatever its arguments are. The text names the operation, the shapes, the axis and,
//! where one is likely, the correction. A rule with an axis as argument also returns the resolved axis,
//! counted from the front.
//!
//! This module may import `layout` and the options in `geometry`. It knows no elements of tensors.

// The error of every rule is a text that says what does not fit.
#![allow(clippy::missing_errors_doc)]

mod conv;
mod einsum;
mod index;
mod join;
mod lstm;
mod matmul;
mod order;
mod pool;
mod products;
mod rearrange;
mod reduce;
mod resample;
#[cfg(test)]
mod tests;
mod unfold;
mod view;

pub use conv::{
    conv_transpose1d, conv_transpose2d, conv_transpose3d, conv1d, conv2d, conv2d_input,
    conv2d_weight, conv3d,
};
#[doc(hidden)]
pub use einsum::{Contraction, ContractionStep};
pub use einsum::{einsum, tensordot};
pub use index::{
    IndexPut, gather, index_add, index_put, index_range, index_select, part_fits, scatter,
    scatter_add,
};
pub use join::{chunk, concat, pad, split, stack};
pub use lstm::lstm_step;
pub use matmul::matmul;
pub(crate) use matmul::{MatrixShape, matrix_shape};
pub use order::{kthvalue, one_along, quantile, quantiles, searchsorted, topk};
pub(crate) use pool::unpool_range;
pub use pool::{
    adaptive_pool1d, adaptive_pool2d, adaptive_pool3d, map_axis, max_unpool1d, max_unpool2d,
    max_unpool3d, no_dilation, pick2d, pick2d_range, pool1d, pool2d, pool3d,
};
pub use products::{addmm, baddbmm, bmm, dot, mv, outer, trace};
pub use rearrange::{
    Diagonal, diagonal, diagonal_matrix, expand, flip, kron, matrices, meshgrid, repeat, roll,
    select_index,
};
pub use reduce::{
    Reduced, batch_norm, extreme, extreme_to, layer_norm, lines, norm, reduce, reduce_to,
};
pub use resample::{interpolate, pad_mode};
pub use unfold::{fold, unfold};
pub(crate) use view::steps_to;
pub use view::{
    flatten, narrow, permutation, reshape, slice_range, slice_steps, squeeze, t, unslice, unsqueeze,
};

use crate::layout::{MAX_RANK, MAX_SIZE, Shape, broadcast_shapes, broadcasts_to, product};
use std::fmt::{Debug, Write};

pub use crate::layout::ShapeResult;

/// Unwraps the result of a rule: an error panics at the caller's line with the text of the rule.
pub(crate) trait OrPanic<R> {
    fn or_panic(self) -> R;
}
impl<R> OrPanic<R> for ShapeResult<R> {
    #[inline]
    #[track_caller]
    fn or_panic(self) -> R {
        match self {
            Ok(answer) => answer,
            Err(why) => fail(&why),
        }
    }
}
#[cold]
#[track_caller]
fn fail(why: &str) -> ! {
    panic!("{why}")
}

#[inline]
fn ensure(fits: bool, why: impl FnOnce() -> String) -> ShapeResult<()> {
    if fits { Ok(()) } else { Err(why()) }
}

/// Returns the product of these sizes, or an error if there would be too many elements.
pub(crate) fn count(op: &str, sizes: &[usize]) -> ShapeResult<usize> {
    product(sizes).ok_or_else(|| too_many(op, sizes))
}

/// Returns these sizes as a shape, if a tensor can have this shape. The other sizes are checked even if an
/// axis has size 0.
///
/// # Errors
/// If there are too many axes, too many indices along an axis, or too many elements.
pub fn shape_of(op: &str, sizes: &[usize]) -> ShapeResult {
    let fits = sizes.len() <= MAX_RANK && sizes.iter().all(|&size| size <= MAX_SIZE);
    if fits && product(sizes).is_some() {
        return Ok(Shape::new(sizes));
    }
    refused_shape(op, sizes)
}

/// Does the same as [`shape_of`], and finds the reason if the sizes are no shape of a tensor.
#[cold]
fn refused_shape(op: &str, sizes: &[usize]) -> ShapeResult {
    ensure(sizes.len() <= MAX_RANK, || {
        format!("{op}: shape {sizes:?} has {} axes, a tensor has at most {MAX_RANK}", sizes.len())
    })?;
    count(op, sizes)?;
    ensure(sizes.iter().all(|&size| size <= MAX_SIZE), || {
        format!("{op}: shape {sizes:?} is too large: no axis has more than {MAX_SIZE} indices")
    })?;
    Ok(Shape::new(sizes))
}

fn too_many(op: &str, sizes: &(impl Debug + ?Sized)) -> String {
    format!("{op}: shape {sizes:?} has more elements than a tensor can have")
}

/// Returns the shape with another size along one axis.
fn resized(op: &str, shape: &[usize], axis: usize, size: usize) -> ShapeResult {
    let mut sizes = shape_of(op, shape)?;
    sizes[axis] = size;
    shape_of(op, &sizes)
}

/// Resolves an axis, which may be negative and then counts from the end.
///
/// ```
/// use wengert::tensor::shapes::axis;
/// assert_eq!(axis("sum", -1, &[2, 3]), Ok(1));
/// let why = "sum: axis 2 is out of range for shape [2, 3]: allowed are -2..2";
/// assert_eq!(axis("sum", 2, &[2, 3]), Err(why.into()));
/// ```
#[inline]
pub fn axis(op: &str, axis: isize, shape: &[usize]) -> ShapeResult<usize> {
    let rank = shape.len() as isize;
    let resolved = if axis < 0 { axis + rank } else { axis };
    if (0..rank).contains(&resolved) {
        return Ok(resolved as usize);
    }
    Err(match rank {
        0 => format!("{op}: axis {axis} is out of range for shape []: a scalar has no axes"),
        _ => format!(
            "{op}: axis {axis} is out of range for shape {shape:?}: allowed are {}..{rank}",
            -rank
        ),
    })
}

/// Resolves the position of a new axis. There is one position more than there are axes; -1 is the last.
pub fn new_axis(op: &str, axis: isize, shape: &[usize]) -> ShapeResult<usize> {
    let places = shape.len() as isize + 1;
    let resolved = if axis < 0 { axis + places } else { axis };
    ensure((0..places).contains(&resolved), || {
        format!(
            "{op}: position {axis} of a new axis is out of range for shape {shape:?}: allowed are {}..{places}",
            -places
        )
    })?;
    Ok(resolved as usize)
}

/// Returns the position of a new axis of this size, and the shape that contains it.
fn with_new_axis(
    op: &str,
    shape: &[usize],
    named: isize,
    size: usize,
) -> ShapeResult<(usize, Shape)> {
    let at = new_axis(op, named, shape)?;
    ensure(shape.len() < MAX_RANK, || {
        format!("{op}: shape {shape:?} has {MAX_RANK} axes already, the maximum")
    })?;
    Ok((at, shape_of(op, &Shape::new(shape).inserted(at, size))?))
}

/// Returns the shape to which two operands broadcast.
///
/// ```
/// use wengert::tensor::shapes::broadcast;
/// assert_eq!(broadcast("add", &[4, 1], &[3]).unwrap(), [4, 3]);
/// ```
#[inline]
pub fn broadcast(op: &str, a: &[usize], b: &[usize]) -> ShapeResult {
    if a.len().max(b.len()) > MAX_RANK {
        shape_of(op, a)?;
        shape_of(op, b)?;
    }
    match broadcast_shapes(a, b) {
        Some(shape) if product(&shape).is_some() => Ok(shape),
        Some(shape) => Err(too_many(op, &shape)),
        None => Err(do_not_broadcast(op, a, b)),
    }
}

/// Returns the error text for two shapes that do not broadcast.
#[cold]
fn do_not_broadcast(op: &str, a: &[usize], b: &[usize]) -> String {
    let pairs = a.iter().rev().zip(b.iter().rev());
    let mut differing = pairs.enumerate().filter(|&(_, (&x, &y))| x != y && x != 1 && y != 1);
    let mut text = format!("{op}: shapes {a:?} and {b:?} do not broadcast");
    if let Some((i, (x, y))) = differing.next() {
        let _ = write!(text, ": axis -{} has {x} and {y}", i + 1);
    }
    // The usual reason is a vector that was meant for an outer axis.
    let (long, short) = if a.len() > b.len() { (a, b) } else { (b, a) };
    if let ([n], Some(axis)) = (short, long.iter().position(|size| short == [*size])) {
        let ones = ", 1".repeat(long.len() - 1 - axis);
        let _ = write!(text, " (to align with axis {axis}, reshape to [{n}{ones}])");
    }
    text
}

/// Returns the shape of an elementwise choice between two operands: the shape to which the condition and
/// both operands broadcast.
pub fn select(op: &str, condition: &[usize], a: &[usize], b: &[usize]) -> ShapeResult {
    let both = broadcast(op, a, b)?;
    broadcast(op, condition, &both)
        .map_err(|why| format!("{why}; the first shape is that of the condition"))
}

/// Checks the operand of an in-place operation: it must broadcast to the shape of the target.
pub fn in_place(op: &str, target: &[usize], other: &[usize]) -> ShapeResult<()> {
    ensure(broadcasts_to(other, target), || {
        format!("{op}: in place, {other:?} does not broadcast to {target:?}")
    })
}

/// Returns `to`, if `from` broadcasts to it.
pub fn broadcast_to(from: &[usize], to: &[usize]) -> ShapeResult {
    ensure(broadcasts_to(from, to), || {
        format!(
            "broadcast_to: shape {from:?} cannot be repeated to {to:?}: axes are matched from the \
             last, and only size 1 repeats"
        )
    })?;
    shape_of("broadcast_to", to)
}
